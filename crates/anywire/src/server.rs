//! A server: a hub, its config, and the routes that lead to it.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anywire_core::{App, Handler, Hub, Metrics, Sender, Socket};
use anywire_protocol::{Message, SessionId};
use hyper::upgrade::OnUpgrade;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::endpoint::{Endpoint, Request};
use crate::script::Scripts;
use crate::serve::{ConnectionPermit, PeerAddr};
use crate::{Config, ConfigError};

/// Sessions and the routes that lead to them. Clones share them.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) hub: Hub,
    pub(crate) scripts: Scripts,
}

/// A server that does not know yet what to do with its sessions.
pub struct Builder(Config);

impl Server {
    /// Begins a server; say next what it does with its sessions.
    ///
    /// ```
    /// use anywire::{Config, Server, Socket};
    ///
    /// # fn main() -> Result<(), anywire::ConfigError> {
    /// let server = Server::new(Config::new())?.on_socket(|mut socket: Socket| async move {
    ///     socket.subscribe("news");
    ///     while let Some(message) = socket.recv().await {
    ///         socket.publish("news", message);
    ///     }
    /// });
    /// assert_eq!(server.publish("news", "nobody is here yet"), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work; the error names the one to mend.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a server without an app cannot exist"
    )]
    pub fn new(config: Config) -> Result<Builder, ConfigError> {
        config.check()?;
        Ok(Builder(config))
    }

    /// The endpoints under the mount path, to be joined with other routes by `or`. Other paths are rejected.
    ///
    /// They work under `warp::serve` and under [`serve`](crate::serve()), which adds deadlines and limits.
    pub fn routes(&self) -> BoxedFilter<(Response,)> {
        let mut mount = warp::any().boxed();
        for segment in self.shared.config.mount.split('/') {
            mount = mount.and(warp::path(segment.to_owned())).boxed();
        }
        let shared = self.shared.clone();
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        mount
            .and(warp::path::tail())
            .and_then(move |tail: warp::path::Tail| {
                let endpoint = Endpoint::find(tail.as_str(), &shared);
                let found = endpoint.map(|endpoint| (endpoint, shared.clone()));
                async move { found.ok_or_else(warp::reject::not_found) }
            })
            .and(warp::method())
            .and(warp::header::headers_cloned())
            .and(query)
            .and(peer())
            .and(warp::ext::optional::<OnUpgrade>())
            .and(warp::ext::optional::<ConnectionPermit>())
            .and(warp::body::stream())
            .then(
                |(endpoint, shared): (Endpoint, Arc<Shared>),
                 method,
                 headers,
                 query,
                 peer,
                 upgrade,
                 permit,
                 body| {
                    let request = Request {
                        method,
                        headers,
                        query,
                        peer,
                        upgrade,
                        permit,
                    };
                    async move { endpoint.respond(&shared, request, body).await }
                },
            )
            .boxed()
    }

    /// Sends a message to every session that follows `topic`; returns to how many.
    ///
    /// A session whose outbox is full is closed with 4932: a slow reader slows nobody but itself.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> usize {
        self.shared.hub.publish(topic, message)
    }

    /// A handle to a session by its public name, while it lives.
    pub fn sender(&self, id: SessionId) -> Option<Sender> {
        self.shared.hub.sender(id)
    }

    /// A reading of the counters.
    pub fn metrics(&self) -> Metrics {
        self.shared.hub.metrics()
    }

    /// Takes no new sessions, closes the others with 1012 once what was sent has gone out, and returns when none is
    /// left, or aborts the rest after `within`. Returns how many had to be aborted.
    ///
    /// ```no_run
    /// # async fn example(server: anywire::Server) -> std::io::Result<()> {
    /// use std::time::Duration;
    ///
    /// let ending = server.clone();
    /// let signal = async move {
    ///     let _ = tokio::signal::ctrl_c().await;
    ///     ending.drain(Duration::from_secs(10)).await;
    /// };
    /// let serving = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 3030)).await?;
    /// serving.graceful(signal).run().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn drain(&self, within: Duration) -> usize {
        self.shared.hub.drain(within).await
    }

    /// The hub, for what is not forwarded here.
    pub fn hub(&self) -> &Hub {
        &self.shared.hub
    }
}

impl Builder {
    /// One async function per socket. When it returns, the session closes with 1000.
    pub fn on_socket<F>(self, run: impl Fn(Socket) -> F + Send + Sync + 'static) -> Server
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.build(App::task(run))
    }

    /// Callbacks, for apps that want no task per session.
    pub fn handler(self, handler: impl Handler) -> Server {
        self.build(App::callbacks(handler))
    }

    fn build(self, app: App) -> Server {
        let hub = Hub::new(self.0.limits.clone(), self.0.protocols.clone(), app);
        Server {
            shared: Arc::new(Shared {
                config: self.0,
                hub,
                scripts: Scripts::new(),
            }),
        }
    }
}

/// The other end's address, under our server loop or warp's.
fn peer() -> impl Filter<Extract = (Option<SocketAddr>,), Error = Infallible> + Clone {
    warp::ext::optional::<PeerAddr>()
        .and(warp::addr::remote())
        .map(|ours: Option<PeerAddr>, warps| ours.map(|PeerAddr(addr)| addr).or(warps))
}
