//! The endpoints as a warp filter, and our server loop under a warp filter.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_polling::{Body, TimedBody};
use http::header::HOST;
use http::uri::Authority;
use http::{Extensions, HeaderMap, Method, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio_stream::StreamExt;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::Server;
use crate::request::RequestHead;
use crate::serve::{ConnectionPermit, HttpServer, PeerAddr};
use crate::server::Shared;
use crate::service::{Target, respond};
use crate::visitor::Scheme;

impl Server {
    /// The endpoints under the mount path, to be joined with other routes by `or`. Other paths are rejected.
    ///
    /// They work under `warp::serve` and under [`serve`](crate::serve()), which adds deadlines and limits.
    pub fn routes(&self) -> BoxedFilter<(Response,)> {
        self.routes_behind(warp::any().map(Extensions::new).boxed())
    }

    /// The endpoints behind a filter of the app, such as one that authenticates the request.
    ///
    /// The filter runs after the path has matched. If it rejects the request, so do the endpoints. What it extracts is an
    /// extension in [`Visitor::extensions`](crate::Visitor::extensions), for
    /// [`Config::authorize`](crate::Config::authorize).
    ///
    /// ```
    /// use anywire::{Config, Denied, Principal, Server};
    /// use warp::Filter;
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// # fn main() -> Result<(), anywire::ConfigError> {
    /// let config = Config::new().authorize(|visitor| async move {
    ///     let user = visitor.extensions.get::<User>();
    ///     let user = user.ok_or_else(|| Denied::unauthenticated("log in first"))?;
    ///     Ok(Principal::new(&user.0))
    /// });
    /// let server = Server::builder(config)?.on_socket(|_socket| async {});
    /// let user = warp::header::<String>("x-user").map(User);
    /// let routes = server.routes_with(user);
    /// # let _ = routes;
    /// # Ok(())
    /// # }
    /// ```
    pub fn routes_with<F, T>(&self, filter: F) -> BoxedFilter<(Response,)>
    where
        F: Filter<Extract = (T,)> + Clone + Send + Sync + 'static,
        F::Error: Into<Rejection>,
        T: Clone + Send + Sync + 'static,
    {
        let before = filter.map(|value: T| {
            let mut extensions = Extensions::new();
            extensions.insert(value);
            extensions
        });
        self.routes_behind(before.boxed())
    }

    fn routes_behind(&self, before: BoxedFilter<(Extensions,)>) -> BoxedFilter<(Response,)> {
        let mut mount = warp::any().boxed();
        for segment in self.shared().config.mount.split('/') {
            mount = mount.and(warp::path(segment.to_owned())).boxed();
        }
        let shared = self.shared().clone();
        mount
            .and(warp::path::tail())
            .and_then(move |tail: warp::path::Tail| {
                let target = Target::find(tail.as_str(), &shared);
                let found = target.map(|target| (target, shared.clone()));
                async move { found.ok_or_else(warp::reject::not_found) }
            })
            .and(before)
            // Boxed, as its many layers would lie in the future of a request that is held.
            .and(head().boxed())
            .and(warp::body::stream())
            .then(
                |(target, shared): (Target, Arc<Shared>),
                 extensions: Extensions,
                 mut head: RequestHead,
                 body| {
                    head.extensions = extensions;
                    let body =
                        StreamBody::new(StreamExt::map(body, |chunk: Result<_, warp::Error>| {
                            chunk.map(Frame::data)
                        }));
                    let responding = respond(shared, target, head, body);
                    async move { reply(responding.await) }
                },
            )
            .boxed()
    }
}

/// Everything of a request but its body, as far as warp tells.
fn head() -> impl Filter<Extract = (RequestHead,), Error = Infallible> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(headers())
        .and(warp::path::full())
        .and(query)
        .and(warp::ext::optional::<PeerAddr>())
        .and(warp::ext::optional::<Scheme>())
        .and(warp::addr::remote())
        .and(warp::ext::optional::<OnUpgrade>())
        .and(warp::ext::optional::<ConnectionPermit>())
        .map(
            |method: Method,
             headers: HeaderMap,
             path: FullPath,
             query: String,
             peer: Option<PeerAddr>,
             scheme: Option<Scheme>,
             remote: Option<SocketAddr>,
             upgrade: Option<OnUpgrade>,
             permit: Option<ConnectionPermit>| RequestHead {
                method,
                headers,
                path: path.as_str().to_owned(),
                query,
                scheme,
                peer: peer.map(|PeerAddr(addr)| addr).or(remote),
                upgrade,
                permit,
                extensions: Extensions::new(),
            },
        )
}

/// The headers, with a `Host` also where the request came over HTTP/2.
fn headers() -> impl Filter<Extract = (HeaderMap,), Error = Infallible> + Clone {
    let has_host = warp::header::value(HOST.as_str()).map(|_| None);
    let authority = has_host
        .or(warp::host::optional())
        .unify()
        .or(warp::any().map(|| None))
        .unify();
    warp::header::headers_cloned().and(authority).map(
        |mut headers: HeaderMap, authority: Option<Authority>| {
            RequestHead::set_missing_host(&mut headers, authority.as_ref());
            headers
        },
    )
}

/// Our response as one of warp, whose body is made of bytes or of a stream.
fn reply(response: http::Response<Body>) -> Response {
    let (parts, body) = response.into_parts();
    let body = match body {
        Body::Whole(bytes) => bytes.into(),
        Body::Stream(stream) => warp::reply::stream(stream).into_response().into_body(),
    };
    Response::from_parts(parts, body)
}

/// Serves a filter over HTTP/1.1, as `warp::serve` does, with deadlines and limits.
///
/// ```no_run
/// use std::time::Duration;
/// use warp::Filter;
///
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let health = warp::path("health").map(|| "ok");
/// anywire::serve(health)
///     .max_connections(10_000)
///     .head_within(Duration::from_secs(5))
///     .run(([127, 0, 0, 1], 3030))
///     .await
/// # }
/// ```
pub fn serve<F, R>(filter: F) -> HttpServer<WarpService>
where
    F: Filter<Extract = (R,)> + Clone + Send + Sync + 'static,
    F::Error: Into<Rejection>,
    R: Reply,
{
    let filter = filter.map(|reply: R| reply.into_response()).boxed();
    HttpServer::new(WarpService { filter })
}

/// The service that a warp filter is, under [`serve`](crate::serve()).
#[derive(Clone)]
pub struct WarpService {
    filter: BoxedFilter<(Response,)>,
}

impl std::fmt::Debug for WarpService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WarpService")
    }
}

impl tower_service::Service<Request<TimedBody<Incoming>>> for WarpService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TimedBody<Incoming>>) -> Self::Future {
        let mut service = warp::service(self.filter.clone());
        Box::pin(async move { tower_service::Service::call(&mut service, request).await })
    }
}
