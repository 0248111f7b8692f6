//! Links between nodes: each node has one to each other, over which it relays the clients of the other's sessions. Who makes the
//! link is the edge, who takes it the home.

mod edge;
mod frame;
mod home;
mod pipe;
mod reach;
pub(crate) mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::key::LinkKey;
use crate::metrics::Counters;
use crate::store::{NodeId, StoreId};

pub(crate) use edge::{Link, NotEntered};
pub(crate) use frame::Claim;
pub(crate) use home::{Making, Sessions};
pub(crate) use pipe::LinkError;
use pipe::Pipe;
use wire::{Listener, Network};

/// 64 KiB: so much of one stream is on its way; a client that takes less slows itself alone.
const WINDOW_BYTES: usize = 65_536;

/// 100,000: as many streams as a server has sessions.
const MAX_STREAMS: usize = 100_000;

/// 64: connections that have not shown the cluster's key.
const MAX_STRANGERS: usize = 64;

/// 1,000: processes that are gone; beyond that all are forgotten for good.
const MAX_FORGOTTEN: usize = 1_000;

/// From 100 ms to 1 s between two attempts to reach a node.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// How a node is reached.
#[derive(Clone, Debug)]
enum State {
    Trying,
    Up(Arc<Link>),
    /// The process is gone: its host refuses connections, or another process answers.
    Gone,
    /// It did not answer in time.
    Silent,
}

/// Why there is no link to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoLink {
    /// The process is gone, as far as its host says.
    Gone,
    /// Nothing is heard of it.
    Silent,
}

/// The links of this node, as their edge.
#[derive(Debug)]
pub(crate) struct Links {
    own: NodeId,
    key: LinkKey,
    network: Arc<dyn Network>,
    counters: Arc<Counters>,
    peers: Mutex<HashMap<NodeId, Peer>>,
    /// Where nodes were that it keeps no link to any more: one that has stood still may be there again, before the store hears of it.
    forgotten: Mutex<HashMap<NodeId, SocketAddr>>,
}

#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    state: watch::Receiver<State>,
    task: AbortHandle,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Links {
    pub(crate) fn new(
        own: NodeId,
        key: LinkKey,
        network: Arc<dyn Network>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            own,
            key,
            network,
            counters,
            peers: Mutex::default(),
            forgotten: Mutex::default(),
        }
    }

    /// Keeps a link to a node from now on.
    pub(crate) fn keep(&self, node: NodeId, address: SocketAddr) {
        let mut peers = self.peers();
        peers.entry(node).or_insert_with(|| {
            let (sender, state) = watch::channel(State::Trying);
            let (own, key, network) = (self.own, self.key.clone(), self.network.clone());
            let counters = self.counters.clone();
            let keeping = keep(network, own, node, address, key, sender, counters);
            let task = tokio::spawn(keeping).abort_handle();
            Peer {
                address,
                state,
                task,
            }
        });
    }

    /// Forgets a node if the last try to connect has failed: one whose link has only just broken may be there.
    pub(crate) fn forget(&self, node: NodeId) {
        let mut peers = self.peers();
        let has_failed = |peer: &Peer| matches!(*peer.state.borrow(), State::Gone | State::Silent);
        if peers.get(&node).is_some_and(has_failed)
            && let Some(peer) = peers.remove(&node)
        {
            let mut forgotten = self.forgotten();
            if forgotten.len() >= MAX_FORGOTTEN {
                forgotten.clear();
            }
            forgotten.insert(node, peer.address);
        }
    }

    /// Whether each other node has a link, or is gone by what its host says.
    pub(crate) fn has_no_silent(&self) -> bool {
        self.peers()
            .values()
            .all(|peer| match &*peer.state.borrow() {
                State::Up(link) => link.is_alive(),
                State::Gone => true,
                State::Trying | State::Silent => false,
            })
    }

    /// Connects to a node anew, whatever is known of it. One that was forgotten, and is there, is kept a link to again.
    pub(crate) async fn probe(&self, node: NodeId) -> Result<(), NoLink> {
        let known = self.peers().get(&node).map(|peer| peer.address);
        let address = known.or_else(|| self.forgotten().get(&node).copied());
        let address = address.ok_or(NoLink::Silent)?;
        match Pipe::connect(&*self.network, address, self.own, node, &self.key).await {
            Ok(_) => {
                self.forgotten().remove(&node);
                self.keep(node, address);
                Ok(())
            }
            Err(LinkError::Refused(_) | LinkError::OtherNode(_)) => Err(NoLink::Gone),
            Err(_) => Err(NoLink::Silent),
        }
    }

    /// The nodes that it keeps links to.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.peers().keys().copied().collect()
    }

    /// The links that are up.
    pub(crate) fn up(&self) -> Vec<(NodeId, Arc<Link>)> {
        let up = |(node, peer): (&NodeId, &Peer)| match &*peer.state.borrow() {
            State::Up(link) if link.is_alive() => Some((*node, link.clone())),
            _ => None,
        };
        self.peers().iter().filter_map(up).collect()
    }

    /// How many nodes may live to which there is no link now.
    pub(crate) fn missing(&self) -> usize {
        let is_missing = |peer: &&Peer| match &*peer.state.borrow() {
            State::Up(link) => !link.is_alive(),
            State::Trying | State::Silent => true,
            State::Gone => false,
        };
        self.peers().values().filter(is_missing).count()
    }

    /// The link to a node, waiting until it is up or known to be down.
    ///
    /// Cancel safety: dropping the future changes nothing.
    pub(crate) async fn to(&self, node: NodeId, within: Duration) -> Result<Arc<Link>, NoLink> {
        let state = self.peers().get(&node).map(|peer| peer.state.clone());
        let mut state = state.ok_or(NoLink::Silent)?;
        let decided = state.wait_for(|state| match state {
            State::Up(link) => link.is_alive(),
            State::Gone => true,
            State::Trying | State::Silent => false,
        });
        match timeout(within, decided).await {
            Ok(Ok(state)) => match &*state {
                State::Up(link) => Ok(link.clone()),
                _ => Err(NoLink::Gone),
            },
            _ => Err(NoLink::Silent),
        }
    }

    fn forgotten(&self) -> MutexGuard<'_, HashMap<NodeId, SocketAddr>> {
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<NodeId, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a link to a node again and again.
async fn keep(
    network: Arc<dyn Network>,
    own: NodeId,
    node: NodeId,
    address: SocketAddr,
    key: LinkKey,
    state: watch::Sender<State>,
    counters: Arc<Counters>,
) {
    let [first, last] = RETRY;
    let (mut wait, mut has_warned) = (first, false);
    loop {
        let error = match Pipe::connect(&*network, address, own, node, &key).await {
            Ok(pipe) => {
                info!(%node, %address, "linked to a node");
                (wait, has_warned) = (first, false);
                let link = Arc::new(Link::new());
                state.send_replace(State::Up(link.clone()));
                let error = link.run(pipe).await;
                info!(%node, %address, %error, "lost the link to a node");
                counters.links_lost.add();
                state.send_replace(State::Trying);
                continue;
            }
            Err(error) => error,
        };
        debug!(%node, %address, %error, "no link to a node");
        if wait >= last && !std::mem::replace(&mut has_warned, true) {
            warn!(%node, %address, %error, "no link to a node: unless it has ended, other nodes must reach its address and port");
        }
        if let LinkError::Foreign(_) = error {
            warn!(%node, %address, %error, "a node of another cluster, or with another key: give all nodes the same key");
        }
        state.send_replace(match error {
            LinkError::Refused(_) | LinkError::OtherNode(_) => State::Gone,
            _ => State::Silent,
        });
        sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        wait = (wait * 2).min(last);
    }
}

/// Takes the links that other nodes make, until it is dropped.
pub(crate) async fn listen(
    mut listener: Box<dyn Listener>,
    own: NodeId,
    keys: Vec<LinkKey>,
    sessions: Arc<dyn Sessions>,
    settled: watch::Receiver<Option<StoreId>>,
) {
    let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
    let keys: Arc<[LinkKey]> = keys.into();
    // Links end with their listener.
    let mut links = tokio::task::JoinSet::new();
    loop {
        while links.try_join_next().is_some() {}
        let wire = match listener.accept().await {
            Ok(wire) => wire,
            Err(error) => {
                warn!(%error, "cannot take a link");
                sleep(RETRY[0]).await;
                continue;
            }
        };
        let Ok(permit) = strangers.clone().try_acquire_owned() else {
            warn!("a link was refused: too many connections that have not shown the cluster's key");
            continue;
        };
        let (keys, sessions, settled) = (keys.clone(), sessions.clone(), settled.clone());
        links.spawn(async move {
            match Pipe::accept(wire, own, &keys).await {
                Ok((pipe, node)) => {
                    drop(permit);
                    debug!(%node, "a node has linked");
                    let Err(error) = home::serve(pipe, sessions, settled).await;
                    debug!(%node, %error, "a node's link broke");
                }
                Err(error) => warn!(%error, "a link was refused"),
            }
        });
    }
}
