//! A reverse proxy that misbehaves on command, as proxies, middleboxes and radio links do: a lab for whoever speaks
//! through it. What it does wrong is data, [`Faults`], and its words compose: `refuse-upgrade,delay=50ms,rate=64k`.
//!
//! It is deterministic: a fault meets every connection, each n-th request, or those that follow from a seed.
//!
//! ```text
//! client ── line ── exchange ── answer ── server        and, after a 101,        client ── line ── tunnel ── server
//! ```

mod answer;
mod body;
mod counts;
mod cuts;
mod exchange;
mod faults;
mod filter;
mod head;
mod line;
mod live;
mod order;
mod random;
mod tunnel;
mod wire;
mod words;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

pub use self::{
    counts::Counts,
    faults::{Buffer, Faults, Upgrade},
    words::FaultsError,
};
use self::{
    head::Head,
    line::{Fate, Line},
    live::Live,
    order::{Encounter, Order},
    tunnel::Mode,
};

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
    upstream: String,
    order: Mutex<Order>,
    counts: watch::Sender<Counts>,
    /// How many POSTs have been sent on, for those that wait to be overtaken.
    posts_sent: watch::Sender<u64>,
    lines: Live<Fate>,
    tunnels: Live<Mode>,
}

impl FaultProxy {
    /// Starts a proxy without a fault in front of `upstream`, on a free loopback port.
    ///
    /// # Panics
    /// Outside a runtime, or when no loopback port can be had.
    pub fn start(upstream: SocketAddr) -> Self {
        Self::start_seeded(upstream, 0)
    }

    /// The same, with all chances drawn from this seed.
    ///
    /// # Panics
    /// As `start` does.
    pub fn start_seeded(upstream: SocketAddr, seed: u64) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::bind(any, upstream.to_string(), seed).expect("loopback has a free port")
    }

    /// Starts a proxy without a fault on this address, in front of this `host:port`, which is looked up for each
    /// request.
    ///
    /// # Errors
    /// When the address cannot be listened on: choose another one.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn bind(listen: SocketAddr, upstream: String, seed: u64) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            order: Mutex::new(Order::new(seed)),
            counts: watch::Sender::default(),
            posts_sent: watch::Sender::default(),
            lines: Live::default(),
            tunnels: Live::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            addr,
            shared,
            accepting,
        })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The `http:` address of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Changes the faults, for requests that arrive from now on, on new connections and on kept-alive ones.
    ///
    /// Requests under way and upgraded connections stay with the faults that they began with. What happens to a
    /// connection and not to a request (`delay`, `rate`, `dribble`, `idle_cut`, the cuts) stays with it while it
    /// lives.
    pub fn set(&self, faults: Faults) {
        self.shared.order().set(faults);
    }

    /// Resets all upgraded connections now, and tells how many there were.
    pub fn kill_websockets(&self) -> usize {
        self.shared.tunnels.end(Mode::Killed)
    }

    /// Resets all connections of clients now, whatever they carry, and tells how many there were.
    pub fn kill_connections(&self) -> usize {
        self.shared.lines.end(Fate::Reset)
    }

    /// From now on swallows both ways what the upgraded connections of this moment carry, without closing
    /// them, and tells how many they are.
    ///
    /// Not even their ends pass: when one side closes, the other is told nothing.
    pub fn mute_websockets(&self) -> usize {
        self.shared.tunnels.tell(Mode::Muted)
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

    fn meet(&self, request: &Head) -> Encounter {
        self.order().meet(request)
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
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
                connections.spawn(carry(client, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One client's connection: the line that it goes over, and what is said on it.
async fn carry(client: TcpStream, shared: Arc<Shared>) {
    if client.set_nodelay(true).is_err() {
        return;
    }
    let (faults, cuts) = shared.order().connect();
    let place = shared.lines.enter(Fate::Open);
    let (line, end) = Line::new(client, Arc::clone(&faults), cuts, place);
    let said = async {
        if faults.refuse_connections {
            shared.count(|counts| counts.refusals += 1);
            end.finish(faults.rst);
            drop(end);
        } else {
            exchange::serve(end, &shared).await;
        }
    };
    tokio::join!(line.run(&shared), said);
}

#[cfg(test)]
mod tests;
