//! A server for tests, and what its app has seen.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire::cluster::{Cluster, ClusterKey, ClusterNode, MemoryStore};
use anywire::{CloseCode, CloseReason, Config, HttpServer, Message, Server, Socket, WarpService};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::host::Host;

/// A running server on a free port; stops when dropped.
pub struct TestServer {
    /// What serves it.
    pub host: Host,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its handle.
    pub server: Server,
    /// What its app has seen.
    pub seen: Arc<Seen>,
    task: JoinHandle<()>,
    /// The node that clients come to, where that is another one than the server.
    _edge: Option<Edge>,
}

/// What the app has seen, for tests to wait on.
#[derive(Default)]
pub struct Seen {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Debug, Default)]
struct State {
    opened: usize,
    heard: Vec<String>,
    closed: Vec<CloseReason>,
}

/// Longest wait for the app to see something.
const DEADLINE: Duration = Duration::from_secs(60);

impl TestServer {
    /// A server with this config, under the host that the environment names.
    pub async fn start(config: Config) -> Self {
        Self::start_under(Host::of_environment(), config).await
    }

    /// A server with this config, under a host.
    pub async fn start_under(host: Host, config: Config) -> Self {
        Self::begin(host, config, |serve| serve).await
    }

    /// A server under our own loop, which is tuned.
    pub async fn start_tuned(
        config: Config,
        tune: impl FnOnce(HttpServer<WarpService>) -> HttpServer<WarpService>,
    ) -> Self {
        Self::begin(Host::Anywire, config, tune).await
    }

    async fn begin(
        host: Host,
        config: Config,
        tune: impl FnOnce(HttpServer<WarpService>) -> HttpServer<WarpService>,
    ) -> Self {
        let seen = Arc::<Seen>::default();
        let app_seen = seen.clone();
        let edge_config = (host == Host::Edge).then(|| config.clone());
        let server = Server::builder(config)
            .expect("the test's config is sound")
            .on_socket(move |socket| app(socket, app_seen.clone()));
        let edge = match edge_config {
            Some(config) => Some(Edge::before(&server, config).await),
            None => None,
        };
        let front = edge.as_ref().map_or(&server, |edge| &edge.server);
        let (addr, task) = host.serve(front, PAGE, tune).await;
        Self {
            host,
            addr,
            server,
            seen,
            task,
            _edge: edge,
        }
    }
}

/// A node that makes no session its own, before the one whose sessions they are.
struct Edge {
    server: Server,
    /// The cluster ends with them.
    _nodes: [ClusterNode; 2],
}

impl Edge {
    async fn before(home: &Server, config: Config) -> Self {
        let server = Server::builder(config)
            .expect("the test's config is sound")
            .on_socket(|_| async { panic!("a session began at the edge") });
        let store = MemoryStore::new();
        let join = async |server: &Server| {
            let key = ClusterKey::new([7; 32]).expect("the key is long enough");
            let joined = server.join(Cluster::in_process(&store, key)).await;
            joined.expect("the node can take links")
        };
        let nodes = [join(home).await, join(&server).await];
        let linked = async {
            while nodes.iter().any(|node| node.linked().is_empty()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, linked)
            .await
            .expect("the nodes are linked");
        server.drain(Duration::ZERO).await;
        Self {
            server,
            _nodes: nodes,
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    /// Whether clients come to a node that takes plain WebSockets, which live where they come.
    pub fn takes_raw(&self) -> bool {
        self.host != Host::Edge
    }
}

impl Seen {
    /// How many sessions have opened.
    pub fn opened(&self) -> usize {
        self.read().opened
    }

    /// The texts that began with `u`, in order, over all sessions.
    pub fn heard(&self) -> Vec<String> {
        self.read().heard
    }

    /// Why sessions ended, in order.
    pub fn closed(&self) -> Vec<CloseReason> {
        self.read().closed
    }

    /// Waits until so many texts were heard; returns them.
    pub async fn wait_heard(&self, count: usize) -> Vec<String> {
        self.wait(|state| state.heard.len() >= count).await.heard
    }

    /// Waits until so many sessions have ended; returns why.
    pub async fn wait_closed(&self, count: usize) -> Vec<CloseReason> {
        self.wait(|state| state.closed.len() >= count).await.closed
    }

    async fn wait(&self, is_enough: impl Fn(&State) -> bool) -> State {
        let waited = timeout(DEADLINE, async {
            loop {
                let changed = self.changed.notified();
                let state = self.read();
                if is_enough(&state) {
                    return state;
                }
                changed.await;
            }
        });
        waited.await.unwrap_or_else(|_| {
            let state = self.read();
            panic!(
                "opened {}, heard {}, closed {:?}",
                state.opened,
                state.heard.len(),
                state.closed
            )
        })
    }

    fn read(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }
}

/// `u…` is recorded; `send:N` sends d0 to dN−1, paced; `close:CODE` closes; `topic:NAME` subscribes; all else comes back.
pub(crate) async fn app(mut socket: Socket, seen: Arc<Seen>) {
    seen.change(|state| state.opened += 1);
    while let Some(message) = socket.recv().await {
        let text = message.as_text().unwrap_or_default();
        if text.starts_with('u') {
            let text = text.to_owned();
            seen.change(|state| state.heard.push(text));
        } else if let Some(count) = text.strip_prefix("send:") {
            let (sender, count) = (socket.sender(), count.parse().expect("send:N"));
            tokio::spawn(async move {
                for index in 0..count {
                    if sender.send(format!("d{index}")).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        } else if let Some(code) = text.strip_prefix("close:") {
            let code = CloseCode::application(code.parse().expect("close:CODE")).expect("an app's");
            socket.close(CloseReason::new(code, "as you wish"));
        } else if let Some(topic) = text.strip_prefix("topic:") {
            socket.subscribe(topic);
            let _ = socket.try_send(Message::text("subscribed"));
        } else if socket.send(message).await.is_err() {
            break;
        }
    }
    let reason = socket.close_reason().cloned();
    seen.change(|state| state.closed.extend(reason));
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Test</title>
<script src="/anywire/client.js"></script>"#;
