//! A reverse proxy on loopback that misbehaves on command, as proxies, middleboxes and radio links do. Reading
//! HTTP is left to `http` and `body`, one client's requests to `exchange`, upgraded connections to `tunnel`.
//!
//! It is deterministic: a fault happens to every connection, or to each n-th request, never by chance.

mod body;
mod exchange;
mod http;
mod live;
mod tunnel;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use self::live::{Live, Mode};

/// What the proxy does wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Answers an upgrade itself with 403 and closes: a proxy that knows no WebSocket.
    RefuseUpgrade,
    /// Swallows an upgrade and never answers: a proxy that waits for a body.
    HangUpgrade,
    /// Passes an upgrade and its 101, then swallows everything both ways and closes nothing: a middlebox that
    /// inspects what it does not understand.
    SilentAfterUpgrade,
    /// Resets an upgraded connection so long after its 101: a proxy with a deadline for any request.
    KillAfterUpgrade(Duration),
    /// Each n-th `POST …/poll` reaches the server, but its answer does not reach the client, whose connection
    /// closes instead: a network that ends between the two.
    ///
    /// A browser may send a request again by itself when a connection that it has used before closes without
    /// an answer; that request is the next one in the count.
    LoseAnswers {
        /// Which polls, counted from when the fault was set; 0 means none.
        every: u32,
    },
    /// Each n-th POST is sent twice, on two connections, and the client gets the second answer: a proxy that
    /// tries again.
    ///
    /// The second is sent once the first is answered or has been held for a moment, so the server sees them in
    /// this order, and a held one is crossed by its own repeat.
    RepeatRequests {
        /// Which POSTs, counted from when the fault was set; 0 means none.
        every: u32,
    },
}

/// What has passed through the proxy since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections of clients.
    pub connections: u32,
    /// Requests with `Upgrade: websocket`.
    pub upgrades_seen: u32,
    /// Those that the server answered with 101.
    pub upgrades_passed: u32,
    /// Requests `POST …/poll`.
    pub polls: u32,
    /// Answers that a fault dropped.
    pub answers_lost: u32,
    /// Requests that a fault sent a second time.
    pub repeats: u32,
}

/// A running proxy. Its tasks end, and its connections close, when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What the connections of a proxy have in common.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    order: Mutex<Order>,
    counts: watch::Sender<Counts>,
    live: Live,
}

/// The fault, and how many requests have met it since it was set.
#[derive(Debug, Default)]
struct Order {
    fault: Fault,
    met: u32,
}

impl FaultProxy {
    /// Starts a proxy without a fault in front of `upstream`, on a free loopback port.
    ///
    /// # Panics
    /// Outside a runtime, or when no loopback port can be had.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .and_then(TcpListener::from_std)
            .expect("loopback has a free port");
        let addr = listener
            .local_addr()
            .expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            upstream,
            order: Mutex::default(),
            counts: watch::Sender::default(),
            live: Live::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            addr,
            shared,
            accepting,
        }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The `http:` address of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Changes the fault, for requests that arrive from now on, on new connections and on kept-alive ones.
    ///
    /// Requests under way and upgraded connections stay with the fault that they began with.
    pub fn set(&self, fault: Fault) {
        *self
            .shared
            .order
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Order { fault, met: 0 };
    }

    /// Resets all upgraded connections now, and tells how many there were.
    pub fn kill_websockets(&self) -> usize {
        self.shared.live.order(Mode::Killed)
    }

    /// From now on swallows both ways what the upgraded connections of this moment carry, without closing
    /// them, and tells how many they are.
    ///
    /// Not even their ends pass: when one side closes, the other is told nothing.
    pub fn mute_websockets(&self) -> usize {
        self.shared.live.order(Mode::Muted)
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// Waits until the counts are as `is_enough` says, and gives them. The caller sets the deadline.
    pub async fn counted(&self, is_enough: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        let reached = counts.wait_for(is_enough).await;
        *reached.expect("the proxy holds the sender")
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The connections' tasks are owned by this one and end with it.
        self.accepting.abort();
    }
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    /// The fault that a request meets. Asking counts the request, so it is asked once for each.
    fn fault_for(&self, request: &http::Head) -> Fault {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let (every, counts) = match order.fault {
            Fault::LoseAnswers { every } => (every, request.is_poll()),
            Fault::RepeatRequests { every } => (every, request.is_post()),
            fault @ (Fault::None
            | Fault::RefuseUpgrade
            | Fault::HangUpgrade
            | Fault::SilentAfterUpgrade
            | Fault::KillAfterUpgrade(_)) => return fault,
        };
        if !counts {
            return Fault::None;
        }
        order.met += 1;
        if order.met.is_multiple_of(every) {
            order.fault
        } else {
            Fault::None
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone before it was accepted is nobody's loss.
                let Ok((client, _)) = accepted else { continue };
                shared.count(|counts| counts.connections += 1);
                connections.spawn(exchange::serve(client, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests;
