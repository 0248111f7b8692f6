//! What serves the routes of a test's server: our own loop, or a host that knows nothing of Anywire.

use std::convert::Infallible;
use std::net::SocketAddr;

use anywire::{Body, HttpServer, PeerAddr, Server, WarpService};
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{self, Next};
use axum::response::Html;
use axum::{Router, routing};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use warp::Filter;

/// A host for [`Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// `anywire::serve`.
    Anywire,
    /// `warp::serve`.
    Warp,
    /// `axum::serve`.
    Axum,
    /// A loop of hyper's connections.
    Hyper,
    /// `anywire::serve`, at another node of a cluster than the one where the sessions live.
    Edge,
}

impl Host {
    /// Whether our own loop serves it.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Anywire | Self::Edge)
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Anywire, Self::Warp, Self::Axum, Self::Hyper];

    /// The host that the environment names in `ANYWIRE_HOST`; `anywire::serve` if it names none.
    ///
    /// # Panics
    /// It names an unknown one.
    pub fn of_environment() -> Self {
        match std::env::var("ANYWIRE_HOST").as_deref() {
            Err(_) | Ok("anywire") => Self::Anywire,
            Ok("warp") => Self::Warp,
            Ok("axum") => Self::Axum,
            Ok("hyper") => Self::Hyper,
            Ok("edge") => Self::Edge,
            Ok(other) => panic!("ANYWIRE_HOST={other}: it is anywire, warp, axum, hyper or edge"),
        }
    }

    /// Serves a page at `/` and the server's endpoints; `tune` is for our own loop.
    pub(crate) async fn serve(
        self,
        server: &Server,
        page: &'static str,
        tune: impl FnOnce(HttpServer<WarpService>) -> HttpServer<WarpService>,
    ) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr();
        let addr = addr.expect("a bound listener has an address");
        let routes = || {
            let page = warp::path::end().map(move || warp::reply::html(page));
            page.or(server.routes())
        };
        let task = match self {
            Self::Anywire | Self::Edge => {
                tokio::spawn(tune(anywire::serve(routes())).incoming(listener).run())
            }
            Self::Warp => tokio::spawn(warp::serve(routes()).incoming(listener).run()),
            Self::Axum => {
                let app = Router::new()
                    .route("/", routing::get(move || async move { Html(page) }))
                    .fallback_service(server.service())
                    .layer(middleware::from_fn(tell_peer))
                    .into_make_service_with_connect_info::<SocketAddr>();
                tokio::spawn(async move {
                    axum::serve(listener, app).await.expect("axum serves");
                })
            }
            Self::Hyper => tokio::spawn(serve_hyper(listener, server.clone(), page)),
        };
        (addr, task)
    }
}

/// What axum knows of the peer, as Anywire wants to hear it.
async fn tell_peer(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> axum::response::Response {
    request.extensions_mut().insert(PeerAddr(peer));
    next.run(request).await
}

async fn serve_hyper(listener: TcpListener, server: Server, page: &'static str) {
    let anywire = TowerToHyperService::new(server.service());
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        stream.set_nodelay(true).ok();
        let anywire = anywire.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let anywire = anywire.clone();
            request.extensions_mut().insert(PeerAddr(peer));
            async move {
                if request.uri().path() == "/" {
                    return Ok::<_, Infallible>(hyper::Response::new(Body::Whole(page.into())));
                }
                anywire.call(request).await
            }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        connections.spawn(connection);
        while connections.try_join_next().is_some() {}
    }
}
