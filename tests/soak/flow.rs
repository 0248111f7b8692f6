//! A server whose app sends without end until it is told to stop, a proxy in front of it, and the comparison.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anywire::{Config, Message, Server, Socket};
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_tests::oracle::{Ledger, Way, Workload};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use warp::Filter;

/// More messages than a soak can send.
pub const WORKLOAD: Workload = Workload::Long(u32::MAX);

/// After so many messages comes a pause.
pub const BURST: usize = 10;
pub const PAUSE: Duration = Duration::from_millis(40);

/// One session's way.
pub struct Flow {
    pub proxy: FaultProxy,
    up: Arc<Ledger>,
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// What a client has sent and received.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub sent: usize,
    pub received: usize,
    pub wrong: Option<String>,
    /// Why the session ended, which it should not.
    pub end: Option<String>,
}

/// Somebody at the other end.
pub trait Peer {
    /// Sends no more.
    async fn stop(&self);
    /// What it has now.
    async fn tally(&self) -> Tally;
    /// Stands still for so long, as a laptop that is closed.
    async fn suspend(&self, duration: Duration);
}

impl Flow {
    pub async fn start() -> Self {
        let up = Arc::new(Ledger::new(WORKLOAD, Way::Up));
        let (sent, is_over) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (ledger, counter, over) = (up.clone(), sent.clone(), is_over.clone());
        let server = Server::builder(Config::new())
            .expect("the defaults are sound")
            .on_socket(move |socket| app(socket, ledger.clone(), counter.clone(), over.clone()));
        let page = warp::path::end().map(|| warp::reply::html(PAGE));
        let serving = anywire::serve(page.or(server.routes()))
            .bind(([127, 0, 0, 1], 0))
            .await
            .expect("a free port");
        let upstream: SocketAddr = serving.local_addr();
        Self {
            proxy: FaultProxy::start(upstream),
            up,
            sent,
            is_over,
            task: tokio::spawn(serving.run()),
        }
    }

    /// No more faults, for new connections and old.
    pub fn calm(&self) {
        self.proxy.set(Faults::default());
        self.proxy.kill_connections();
    }

    /// Both sides stop, and soon have exactly what the other has sent.
    pub async fn compare(&self, peer: &impl Peer) -> Result<String, String> {
        self.is_over.store(true, Ordering::SeqCst);
        peer.stop().await;
        let until = Instant::now() + SETTLED_WITHIN;
        loop {
            let (up, down) = (self.up.read(), peer.tally().await);
            let sent = self.sent.load(Ordering::SeqCst);
            if let Some(wrong) = up.wrong.or(down.wrong) {
                return Err(wrong);
            }
            if up.sessions != 1 || down.end.is_some() {
                return Err(format!("{} sessions, end {:?}", up.sessions, down.end));
            }
            let text = format!(
                "{} of {} up, {} of {sent} down",
                up.count, down.sent, down.received
            );
            if up.count == down.sent && down.received == sent {
                return Ok(format!("equal, {text}"));
            }
            if Instant::now() > until {
                return Err(format!("not equal after {SETTLED_WITHIN:?}: {text}"));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn app(
    mut socket: Socket,
    up: Arc<Ledger>,
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
) {
    up.begin();
    let sender = socket.sender();
    let sending = send_all(Way::Down, &sent, &is_over, |message| {
        let sender = sender.clone();
        async move { sender.send(message).await.is_ok() }
    });
    let receiving = async {
        while let Some(message) = socket.recv().await {
            up.hear(&message);
        }
    };
    tokio::join!(sending, receiving);
    up.end(socket.close_reason().cloned());
}

/// Sends numbered messages, a few and a pause, and counts those accepted, until it is over or one is not accepted.
pub async fn send_all<F: Future<Output = bool>>(
    way: Way,
    sent: &AtomicUsize,
    is_over: &AtomicBool,
    send: impl Fn(Message) -> F,
) {
    for index in 0.. {
        if is_over.load(Ordering::SeqCst) || !send(WORKLOAD.message(way, index)).await {
            return;
        }
        sent.store(index + 1, Ordering::SeqCst);
        if index % BURST == 0 {
            sleep(PAUSE).await;
        }
    }
}

const SETTLED_WITHIN: Duration = Duration::from_secs(90);

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Soak</title><link rel="icon" href="data:,">
<script src="/anywire/client.js"></script>"#;
