//! A balancer that does the opposite of stickiness: it sends each request to a node that is not the home of its client's session,
//! and ends a WebSocket after a while, so that it comes again elsewhere.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::nodes::{Nodes, PLACES};
use crate::record::Record;

type Body = BoxBody<Bytes, hyper::Error>;

/// Which node each client's session lives at, as the client was told.
#[derive(Clone, Default)]
pub struct Homes(Arc<Mutex<HashMap<String, usize>>>);

impl Homes {
    /// A client's session lives there now, or nowhere yet.
    pub fn set(&self, client: &str, home: Option<usize>) {
        match home {
            Some(place) => self.homes().insert(client.to_owned(), place),
            None => self.homes().remove(client),
        };
    }

    fn of(&self, client: &str) -> Option<usize> {
        self.homes().get(client).copied()
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it decides by.
pub struct Balancer {
    nodes: Arc<Nodes>,
    homes: Homes,
    record: Record,
}

impl Balancer {
    /// One before these nodes.
    pub fn new(nodes: Arc<Nodes>, homes: Homes, record: Record) -> Self {
        Self {
            nodes,
            homes,
            record,
        }
    }

    /// Serves until it is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let balancer = self.clone();
            let service = service_fn(move |request| {
                let balancer = balancer.clone();
                async move { Ok::<_, Infallible>(balancer.answer(request).await) }
            });
            let connection = server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.pass_on(request).await.unwrap_or_else(|| {
            let body = Empty::new().map_err(|never| match never {}).boxed();
            let mut answer = Response::new(body);
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        })
    }

    /// A node that runs and is not the home, if there is one.
    fn choose(&self, request: &Request<Incoming>) -> Option<SocketAddr> {
        let query = request.uri().query().unwrap_or_default();
        let client = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("client="));
        let home = client.and_then(|client| self.homes.of(client));
        let first = fastrand::usize(..PLACES);
        let turns = (0..PLACES).map(|turn| (first + turn) % PLACES);
        let mut up: Vec<_> = turns
            .filter(|&place| self.nodes.places()[place].is_up())
            .collect();
        // A stable sort: the home comes last.
        up.sort_by_key(|place| Some(*place) == home);
        let place = *up.first()?;
        if home.is_some() {
            let way = if home == Some(place) {
                "home"
            } else {
                "elsewhere"
            };
            self.record.write(format_args!("sends {way}"));
        }
        Some(self.nodes.places()[place].clients)
    }

    async fn pass_on(&self, mut request: Request<Incoming>) -> Option<Response<Body>> {
        let node = self.choose(&request)?;
        let of_client = request.extensions_mut().remove::<OnUpgrade>();
        let mut answer = send(node, request).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(of_client) = of_client
        {
            let of_node = hyper::upgrade::on(&mut answer);
            tokio::spawn(async move {
                if let (Ok(client), Ok(node)) = tokio::join!(of_client, of_node) {
                    let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
                    let last = Duration::from_millis(fastrand::u64(2_000..8_000));
                    // Either may end before.
                    let _ = timeout(last, copy_bidirectional(&mut client, &mut node)).await;
                }
            });
        }
        Some(answer.map(BodyExt::boxed))
    }
}

async fn send(node: SocketAddr, request: Request<Incoming>) -> Option<Response<Incoming>> {
    let stream = TcpStream::connect(node).await.ok()?;
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(stream);
    let (mut sender, connection) = client::conn::http1::handshake(io).await.ok()?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.ok()
}
