//! A server: its sessions and its config. The doors to it are `warp.rs` and `tower.rs`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "cluster")]
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anywire_core::{
    App, AsyncHandler, Audience, Handler, Hub, Metrics, Principal, PrincipalHandle, Sender, Socket,
};
use anywire_protocol::{Message, SessionId};

use crate::door;
use crate::script::Scripts;
use crate::{Config, ConfigError};

/// Holds an app's sessions, and makes the routes that lead to them. Clones, and the routes, share the sessions.
///
/// When the last of them and the last connection are gone, the open sessions end; call [`Server::drain`] before, to end
/// them in order.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) hub: Hub,
    pub(crate) scripts: Scripts,
    /// Whether the server has warned of a proxy that the config does not trust.
    pub(crate) has_warned_of_proxy: AtomicBool,
    /// What publishes to all nodes, once the server is one of a cluster.
    #[cfg(feature = "cluster")]
    pub(crate) publisher: OnceLock<anywire_cluster::Publisher>,
}

/// A server whose app is still to be chosen; see [`Server::builder`].
#[derive(Debug)]
#[must_use = "a server begins with an app: call `on_socket` or `handler`"]
pub struct ServerBuilder(Config);

impl Debug for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("mount", &self.shared.config.mount)
            .field("hub", &self.shared.hub)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Begins a server; say next what it does with its sessions.
    ///
    /// ```
    /// use anywire::{Config, Server, Socket};
    ///
    /// # fn main() -> Result<(), anywire::ConfigError> {
    /// let server = Server::builder(Config::new())?.on_socket(|mut socket: Socket| async move {
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
    pub fn builder(config: Config) -> Result<ServerBuilder, ConfigError> {
        config.check()?;
        Ok(ServerBuilder(config))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends a message to every session that follows `topic`; returns to how many.
    ///
    /// A session whose outbox is full is closed with 4932: a slow reader slows only itself.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> usize {
        self.shared.hub.publish(topic, message)
    }

    /// This server's sessions: a snapshot. It holds no lock, so that sessions may open and end meanwhile.
    ///
    /// ```
    /// # fn example(server: anywire::Server) {
    /// let here = server.sessions().filter(|session| session.attachment().is_attached());
    /// println!("{} visitors are here", here.count());
    /// # }
    /// ```
    pub fn sessions(&self) -> impl Iterator<Item = Sender> + use<> {
        self.shared.hub.sessions()
    }

    /// A handle to a session by its public name, while it lives; in a cluster also to one of another node. Of such a session the
    /// handle says what it was at this call: its attachment, its principal.
    ///
    /// Cancel safety: nothing happens if the future is dropped.
    pub async fn session(&self, id: SessionId) -> Option<Sender> {
        self.shared.hub.session(id).await
    }

    /// All sessions of a principal; in a cluster those of all nodes.
    ///
    /// ```
    /// # async fn example(server: anywire::Server) {
    /// let reach = server.principal("ada").send("you were outbid").await;
    /// println!("{} of ada's sessions know", reach.sessions);
    /// # }
    /// ```
    pub fn principal(&self, principal: impl Into<Principal>) -> PrincipalHandle {
        self.shared.hub.principal(principal)
    }

    /// The followers of one or more topics, each session once, without some; in a cluster those of all nodes.
    ///
    /// ```
    /// # async fn example(server: anywire::Server, sender: anywire::Sender) {
    /// let others = server.audience().topic("lot 7").topic("all lots").except(sender.id());
    /// others.publish("a new bid").await;
    /// # }
    /// ```
    pub fn audience(&self) -> Audience {
        self.shared.hub.audience()
    }

    /// A reading of the counters.
    pub fn metrics(&self) -> Metrics {
        self.shared.hub.metrics()
    }

    /// Takes no new sessions, closes the others with 1012 after all that was sent, and returns when their clients know, or
    /// aborts the rest after `within`. Returns how many sessions it had to abort; their clients still hear of it if they
    /// come while the server runs.
    ///
    /// In a cluster the sessions are closed one after the other, 200 a second or so many that four fifths of `within` suffice,
    /// since the other nodes take their clients. Elsewhere all are closed at once.
    ///
    /// Cancel safety: dropping the future ends the wait. The server goes on to drain; what is left is neither closed nor aborted.
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

    /// Makes the server a node of a cluster: any request may come to any of its nodes, and what is published is heard at all. Do so
    /// before it has sessions. Keep what is returned for as long as the server runs.
    ///
    /// Cancel safety: dropping the future joins nothing.
    ///
    /// # Errors
    /// The node cannot take the links of others.
    #[cfg(feature = "cluster")]
    pub async fn join(
        &self,
        cluster: anywire_cluster::Cluster,
    ) -> Result<anywire_cluster::ClusterNode, anywire_cluster::ClusterError> {
        let node = cluster.join(&self.shared.hub).await?;
        // A second cluster would be an error of the app's, which the hub ignores too.
        let _ = self.shared.publisher.set(node.publisher());
        Ok(node)
    }

    /// Whether the server drains: it takes no new sessions.
    pub fn is_draining(&self) -> bool {
        self.shared.hub.is_draining()
    }

    /// How many sessions follow a topic.
    pub fn followers(&self, topic: &str) -> usize {
        self.shared.hub.followers(topic)
    }
}

impl ServerBuilder {
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

    /// Callbacks that may wait, each session's in order.
    pub fn async_handler(self, handler: impl AsyncHandler) -> Server {
        self.build(App::async_callbacks(handler))
    }

    fn build(self, app: App) -> Server {
        let app = match &self.0.authorize {
            Some(authorize) => app.judged_by(door::renewals(authorize.clone())),
            None => app,
        };
        let hub = Hub::new(
            self.0.limits.clone(),
            self.0.budgets.clone(),
            self.0.protocols.clone(),
            app,
        );
        Server {
            shared: Arc::new(Shared {
                config: self.0,
                hub,
                scripts: Scripts::new(),
                has_warned_of_proxy: AtomicBool::new(false),
                #[cfg(feature = "cluster")]
                publisher: OnceLock::new(),
            }),
        }
    }
}
