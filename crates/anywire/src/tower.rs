//! The endpoints as a tower service, for axum, hyper and whatever else speaks `http`.

use std::convert::Infallible;
use std::fmt::{self, Debug, Formatter};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_polling::{Body, BoxError};
use http::{Request, Response};

use crate::Server;
use crate::request::RequestHead;
use crate::serve::PeerAddr;
use crate::server::Shared;
use crate::service::{Target, not_found, respond};

/// The endpoints as a tower service; see [`Server::service`]. Clones share the sessions.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Server {
    /// The endpoints as a [`tower_service::Service`] of `http::Request<B>`, whatever body `B` the host has.
    ///
    /// It answers under the mount path, and also where a router has taken the mount path off before, as axum's
    /// `nest_service` does. Other paths get 404.
    ///
    /// The host must allow upgrades: it leaves a `hyper::upgrade::OnUpgrade` in the request's extensions, as axum and
    /// hyper's connections `with_upgrades` do. What layers put into the extensions reaches
    /// [`Config::authorize`](crate::Config::authorize) as [`Visitor::extensions`](crate::Visitor::extensions). Insert a
    /// [`PeerAddr`](crate::PeerAddr) there if the app is to see the peer's address.
    ///
    /// Our own loop, [`HttpServer`](crate::HttpServer), adds deadlines and limits that other hosts lack.
    pub fn service(&self) -> Service {
        Service {
            shared: self.shared().clone(),
        }
    }
}

impl Debug for Service {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = self.shared.clone();
        let (mut parts, body) = request.into_parts();
        let name = endpoint_name(parts.uri.path(), &shared.config.mount);
        let Some(target) = Target::find(name, &shared) else {
            return Box::pin(ready(Ok(not_found())));
        };
        RequestHead::set_missing_host(&mut parts.headers, parts.uri.authority());
        let head = RequestHead {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            peer: parts.extensions.get().map(|PeerAddr(addr)| *addr),
            scheme: parts.extensions.get().copied(),
            upgrade: parts.extensions.remove(),
            permit: parts.extensions.remove(),
            method: parts.method,
            headers: parts.headers,
            extensions: parts.extensions,
        };
        let responding = respond(shared, target, head, body);
        Box::pin(async move { Ok(responding.await) })
    }
}

/// The path below the mount, whether or not a router has taken the mount off.
fn endpoint_name<'a>(path: &'a str, mount: &str) -> &'a str {
    let path = path.trim_start_matches('/');
    let below = path.strip_prefix(mount);
    below
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_taken_off_once_if_it_is_there() {
        for (path, name) in [
            ("/api/live/poll", "poll"),
            ("/poll", "poll"),
            ("/api/live/", ""),
            ("/api/live", "api/live"),
            ("/api/livepoll", "api/livepoll"),
            ("/other/poll", "other/poll"),
        ] {
            assert_eq!(endpoint_name(path, "api/live"), name, "{path}");
        }
    }
}
