//! A balancer that sends each request to the next node, whoever asks and whatever for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::nodes::Nodes;

type Body = BoxBody<Bytes, hyper::Error>;

/// Serves the page, what it shows, and everything else from the next node.
pub async fn serve(listener: TcpListener, nodes: Arc<Nodes>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let nodes = nodes.clone();
        let service = service_fn(move |request| {
            let nodes = nodes.clone();
            async move { Ok::<_, Infallible>(answer(request, nodes).await) }
        });
        let connection = server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>, nodes: Arc<Nodes>) -> Response<Body> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => whole("text/html; charset=utf-8", include_str!("index.html")),
        (&Method::GET, "/nodes") => whole("application/json", nodes.tell().await.to_string()),
        (&Method::POST, path) if path.starts_with("/kill/") => {
            let place = path["/kill/".len()..].parse().unwrap_or(usize::MAX);
            tokio::spawn(async move { nodes.kill(place).await });
            whole("application/json", "{}")
        }
        _ => pass_on(request, &nodes).await.unwrap_or_else(|| {
            let mut answer = whole("text/plain", "no node answers");
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }),
    }
}

fn whole(kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into())
        .map_err(|never| match never {})
        .boxed();
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(
        CACHE_CONTROL,
        hyper::header::HeaderValue::from_static("no-store"),
    );
    answer
}

/// Sends a request to the next node, and an upgraded connection's bytes both ways.
async fn pass_on(mut request: Request<Incoming>, nodes: &Nodes) -> Option<Response<Body>> {
    let node = nodes.next()?;
    let of_client = request.extensions_mut().remove::<OnUpgrade>();
    let mut answer = send(node, request).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(of_client) = of_client
    {
        let of_node = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(client), Ok(node)) = tokio::join!(of_client, of_node) {
                let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
                // Either may end at any time.
                let _ = copy_bidirectional(&mut client, &mut node).await;
            }
        });
    }
    Some(answer.map(BodyExt::boxed))
}

async fn send<B>(node: SocketAddr, request: Request<B>) -> Option<Response<Incoming>>
where
    B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let stream = TcpStream::connect(node).await.ok()?;
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.ok()
}

/// What a node says of itself.
pub async fn status(node: SocketAddr) -> Option<Value> {
    let request = Request::get("/status").header(HOST, node.to_string());
    let asked = async {
        let answer = send(node, request.body(Empty::<Bytes>::new()).ok()?).await?;
        let body = answer.into_body().collect().await.ok()?;
        serde_json::from_slice(&body.to_bytes()).ok()
    };
    timeout(Duration::from_secs(1), asked).await.ok().flatten()
}
