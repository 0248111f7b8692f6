//! How a server joins a cluster, and what keeps it one of its nodes: it beats, hears of the others, writes back what a store has
//! forgotten, and says what has ended.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anywire_core::Hub;
use anywire_protocol::{CloseCode, CloseReason, Message, SessionId};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use crate::barrier::MAX_HOLD;
use crate::commands::Commands;
use crate::key::ClusterKey;
use crate::link::wire::{Listener, Network, Tcp};
use crate::link::{Links, listen};
use crate::memory::MemoryStore;
use crate::metrics::{ClusterMetrics, Counters};
use crate::node::{Ended, Node, lock};
use crate::publisher::{PublishError, Publisher};
use crate::redis::{RedisSettings, RedisStore, UrlError};
use crate::store::{NodeId, Store, StoreError, StoreId, Token, TopicPosition};
use crate::topics::{self, Gap};

/// Settings of a cluster, the same at all nodes but for where each listens.
#[derive(Debug)]
#[must_use = "a cluster that no server joins does nothing"]
pub struct Cluster {
    store: StoreSettings,
    keys: Vec<ClusterKey>,
    listen: SocketAddr,
    advertise: Option<SocketAddr>,
}

/// Where the nodes' store is.
#[derive(Debug)]
enum StoreSettings {
    Memory(MemoryStore),
    Redis(Box<RedisSettings>),
}

/// Why a server cannot join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No other node could reach this one.
    #[error("cannot listen for links at {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The address tells others nothing.
    #[error(
        "links are taken at {0}, which other nodes cannot reach: set the address that they can with Cluster::advertise"
    )]
    NoAddress(SocketAddr),
}

impl Cluster {
    /// A cluster whose nodes share a Redis, or a Valkey, of version 6.2 or later: `redis://user:password@host:6379/0`, `rediss://` with
    /// TLS, `redis+sentinel://host:26379,host:26379/master`, or `redis+cluster://host:6379,host:6379` for a Redis Cluster of version 7.0 or later
    /// (`rediss+cluster://` with TLS).
    ///
    /// # Errors
    /// The URL names no Redis.
    pub fn redis(url: &str, key: ClusterKey) -> Result<Self, UrlError> {
        Ok(Self::new(
            StoreSettings::Redis(Box::new(RedisSettings::new(url)?)),
            key,
        ))
    }

    /// A cluster whose nodes are all in this process: to see how one behaves, and for tests.
    pub fn in_process(store: &MemoryStore, key: ClusterKey) -> Self {
        Self::new(StoreSettings::Memory(store.clone()), key)
    }

    /// What all keys and channels in Redis begin with; `aw` by default. Clusters that share a Redis need one each.
    pub fn prefix(mut self, prefix: &str) -> Self {
        if let StoreSettings::Redis(settings) = &mut self.store {
            prefix.clone_into(&mut settings.prefix);
        }
        self
    }

    fn new(store: StoreSettings, key: ClusterKey) -> Self {
        Self {
            store,
            keys: vec![key],
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            advertise: None,
        }
    }

    /// A key that was the cluster's before: what it has made is believed, nothing new is made with it. While a key is rotated,
    /// first give all nodes the new one as this, then as the key itself, then take the old one away.
    pub fn previous_key(mut self, key: ClusterKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Where this node takes the links of others; by default a free port of 127.0.0.1, which suffices for nodes on one machine.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// Where others reach this node, if that is another address than it listens at.
    pub fn advertise(mut self, address: impl Into<SocketAddr>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Publishes to the cluster's topics without being one of its nodes: for programs that serve nobody. Call it within a tokio runtime.
    pub fn publisher(self) -> Publisher {
        let store: Arc<dyn Store> = match self.store {
            StoreSettings::Memory(store) => Arc::new(store.node()),
            StoreSettings::Redis(settings) => {
                Arc::new(RedisStore::start(*settings, NodeId::draw(), false))
            }
        };
        Publisher::new(store, Arc::default())
    }

    /// Makes a hub a node of the cluster. Do so before it has sessions.
    ///
    /// Cancel safety: dropping the future joins nothing.
    ///
    /// # Errors
    /// The node cannot take links. A store that is away is no error: the node joins when it comes.
    pub async fn join(self, hub: &Hub) -> Result<ClusterNode, ClusterError> {
        let cannot = |error| ClusterError::Listen(self.listen, error);
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let bound = listener.local_addr().map_err(cannot)?;
        let address = self.advertise.unwrap_or(bound);
        if address.ip().is_unspecified() {
            return Err(ClusterError::NoAddress(address));
        }
        let id = NodeId::draw();
        let store: Arc<dyn Store> = match self.store {
            StoreSettings::Memory(store) => Arc::new(store.node()),
            StoreSettings::Redis(settings) => Arc::new(RedisStore::start(*settings, id, true)),
        };
        let ground = Ground {
            store,
            network: Arc::new(Tcp),
            listener: Box::new(listener),
            address,
        };
        Ok(ground.start(id, hub, &self.keys))
    }
}

/// What a node stands on: all that it has of the world outside.
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) listener: Box<dyn Listener>,
    /// Where others reach the listener.
    pub(crate) address: SocketAddr,
}

impl Ground {
    /// Makes a hub a node, with the present key and those before.
    pub(crate) fn start(self, id: NodeId, hub: &Hub, keys: &[ClusterKey]) -> ClusterNode {
        let Self {
            store,
            network,
            listener,
            address,
        } = self;
        let link_keys: Vec<_> = keys.iter().map(ClusterKey::link).collect();
        let secrets: Vec<_> = keys.iter().map(ClusterKey::sessions).collect();
        let counters = Arc::<Counters>::default();
        let links = Links::new(id, link_keys[0].clone(), network, counters.clone());
        let (ended, ends) = mpsc::unbounded_channel();
        let (commands, commanded) = Commands::new(counters.clone());
        let (gaps, gaps_heard) = mpsc::channel(MAX_GAPS);
        let feed = store.feed().expect("a new store has its feed");
        let node = Arc::new(Node::new(id, hub, store, links, ended, commands, counters));
        hub.join(node.clone(), &secrets);
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(
            listener,
            id,
            link_keys,
            node.clone(),
            node.barrier.settled(),
        ));
        tasks.spawn(beat(node.clone(), address));
        tasks.spawn(tell_ends(node.clone(), ends));
        tasks.spawn(renew(node.clone()));
        tasks.spawn(topics::run(node.clone(), commanded, feed, gaps));
        info!(node = %id, %address, "joined a cluster");
        ClusterNode {
            node,
            address,
            gaps: gaps_heard,
            _tasks: tasks,
        }
    }
}

/// A server as a node of its cluster. Dropping it ends what makes it one: links break, and its lease runs out.
#[derive(Debug)]
pub struct ClusterNode {
    node: Arc<Node>,
    address: SocketAddr,
    gaps: mpsc::Receiver<Gap>,
    _tasks: JoinSet<()>,
}

impl ClusterNode {
    /// The node's name, drawn when it joined.
    pub fn id(&self) -> NodeId {
        self.node.id
    }

    /// Where other nodes reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next gap in a topic that this node's sessions follow: messages that were published, and that neither came nor are in
    /// the topic's log any more. The sessions go on; the application decides what to tell them.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken no gap.
    pub async fn gap(&mut self) -> Option<Gap> {
        self.gaps.recv().await
    }

    /// Publishes a message to the followers of a topic at all nodes, once the store has numbered it; waits up to 5 s for a store that
    /// cannot be used. With a `key`, a repeat within 5 minutes publishes nothing, and returns the position of the first.
    ///
    /// Cancel safety: if the future is dropped, the message may have been published; repeat it with the same key.
    ///
    /// # Errors
    /// The store does not answer, or refuses. Whether the message was published is then unknown.
    pub async fn publish(
        &self,
        topic: &str,
        message: impl Into<Message>,
        key: Option<&str>,
    ) -> Result<TopicPosition, PublishError> {
        self.publisher().publish(topic, message, key).await
    }

    /// What publishes as [`ClusterNode::publish`] does, wherever it is taken.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.node.store.clone(), self.node.counters.clone())
    }

    /// Says that this node is gone, so that the others need not wait for its lease to run out: call it when the server has
    /// drained. Links break.
    ///
    /// Cancel safety: if the future is dropped, the lease runs out by itself.
    pub async fn leave(self) {
        let Self { node, _tasks, .. } = self;
        // No beat may follow.
        drop(_tasks);
        if let Err(error) = node.store.leave(node.id).await {
            debug!(node = %node.id, %error, "the store did not hear that this node leaves");
        }
    }

    /// Whether a balancer is to send clients here. Not while the server drains, nor before the node has met its store, nor while the
    /// store cannot be used although other nodes can use it. When no node can, all stay ready: what lives goes on.
    pub fn is_ready(&self) -> bool {
        is_ready(&self.node)
    }

    /// What answers a balancer's probe as [`ClusterNode::is_ready`] does, wherever it is taken.
    pub fn readiness(&self) -> Readiness {
        Readiness(self.node.clone())
    }

    /// Why the store cannot be used now, and what to mend; nothing if it can.
    pub fn trouble(&self) -> Option<String> {
        self.node.store.trouble()
    }

    /// A reading of the node's counters.
    pub fn metrics(&self) -> ClusterMetrics {
        let Node {
            links,
            store,
            counters,
            ..
        } = &*self.node;
        ClusterMetrics {
            links: links.up().len() as u64,
            links_lost: counters.links_lost.get(),
            has_store: store.trouble().is_none(),
            store_outages: counters.store_outages.get(),
            // The first one is none.
            other_stores: counters.other_stores.get().saturating_sub(1),
            relayed: counters.relayed.get(),
            brought: counters.brought.get(),
            published: counters.published.get(),
            lost_publishes: counters.lost_publishes.get(),
            gaps: counters.gaps.get(),
        }
    }

    /// The nodes that this one has a link to now.
    pub fn linked(&self) -> Vec<NodeId> {
        self.node
            .links
            .up()
            .into_iter()
            .map(|(node, _)| node)
            .collect()
    }
}

/// Whether a node is ready: see [`ClusterNode::is_ready`]. Clones say the same.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Node>);

impl Readiness {
    /// Whether a balancer is to send clients to the node.
    pub fn is_ready(&self) -> bool {
        is_ready(&self.0)
    }
}

fn is_ready(node: &Node) -> bool {
    let is_draining = node.hub.upgrade().is_none_or(|hub| hub.is_draining());
    let has_trouble = || node.store.trouble().is_some();
    !is_draining && node.barrier.has_met() && (!has_trouble() || node.none_has_store())
}

/// Says that this node lives, and hears which others do.
async fn beat(node: Arc<Node>, address: SocketAddr) {
    let record = address.to_string();
    let mut ticks = interval(BEAT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_away, mut has_answered) = (false, false);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = node.must_settle.notified() => {}
        }
        match beat_once(&node, record.as_bytes()).await {
            Ok(()) => {
                has_answered = true;
                if std::mem::take(&mut is_away) {
                    info!(node = %node.id, "the store answers again");
                }
                node.steady.answered();
            }
            Err(error) => {
                if !std::mem::replace(&mut is_away, true) {
                    // One that has not come yet has not gone.
                    if has_answered {
                        node.counters.store_outages.add();
                    }
                    warn!(node = %node.id, %error, "the store does not answer");
                }
                node.steady.shaken();
            }
        }
    }
}

async fn beat_once(node: &Node, record: &[u8]) -> Result<(), StoreError> {
    let store = node.store.beat(node.id, record).await?;
    if node.meet(store) {
        info!(node = %node.id, "met a store for the first time, or another one than before");
    }
    let (nodes, heard) = node.store.nodes().await?;
    if heard != store {
        // Few have beaten there yet.
        node.meet(heard);
        return Ok(());
    }
    for (other, record) in &nodes {
        let address = std::str::from_utf8(record).ok();
        if let Some(address) = address.and_then(|text| text.parse().ok())
            && *other != node.id
        {
            node.links.keep(*other, address);
        }
    }
    let up = node.links.up();
    for other in node.links.nodes() {
        let is_leased = nodes.iter().any(|(leased, _)| *leased == other);
        let is_up = up.iter().any(|(linked, _)| *linked == other);
        // While the barrier holds after another store was met, it waits for those that paused too.
        if !is_leased && !is_up && node.steady.is_for(MAX_HOLD) {
            node.links.forget(other);
        }
    }
    if let Some(store) = node.barrier.unsettled() {
        write_back(node, store).await?;
    }
    node.barrier.look_again();
    Ok(())
}

/// Gives another store what this node has.
async fn write_back(node: &Node, store: StoreId) -> Result<(), StoreError> {
    for sessions in own_sessions(node).chunks(MAX_SESSIONS_A_CALL) {
        let stand = node.store.write_back(node.id, sessions, store).await?;
        give_up(node, sessions, &stand);
    }
    let now = Instant::now();
    let ended: Vec<_> = {
        let mut lately = lock(&node.ended_lately);
        lately.retain(|(until, _)| *until > now);
        lately
            .iter()
            .map(|(until, session)| (*session, *until - now))
            .collect()
    };
    for ended in ended.chunks(MAX_SESSIONS_A_CALL) {
        node.store.write_back_ends(ended, store).await?;
    }
    node.barrier.settle(store);
    Ok(())
}

/// Lets the store remember this node's sessions for as long as they live.
async fn renew(node: Arc<Node>) {
    loop {
        sleep(RENEW_EVERY).await;
        for sessions in own_sessions(&node).chunks(MAX_SESSIONS_A_CALL) {
            if let Ok(stand) = node.store.renew(sessions).await {
                give_up(&node, sessions, &stand);
            }
        }
    }
}

/// Sessions whose header is not this node's are not its own any more: another node has opened them after the store had forgotten
/// them, and two must not go on.
fn give_up(node: &Node, sessions: &[(SessionId, Token)], stand: &[bool]) {
    for ((session, _), stands) in sessions.iter().zip(stand) {
        if !stands
            && let Some(hub) = node.hub.upgrade()
            && hub.has_session(*session)
        {
            warn!(%session, "another node has this session: given up here");
            let text = "the session is at another node, and what was here is lost";
            hub.abort(*session, CloseReason::new(CloseCode::STATE_LOST, text));
        }
    }
}

/// The sessions that live here; one that is about to begin is the store's to decide.
fn own_sessions(node: &Node) -> Vec<(SessionId, Token)> {
    let own = node.own.iter();
    let own = own.map(|entry| (*entry.key(), entry.value().token));
    let mut own: Vec<_> = own.collect();
    let hub = node.hub.upgrade();
    own.retain(|(session, _)| hub.as_ref().is_some_and(|hub| hub.has_session(*session)));
    own
}

/// Tells the store of sessions that have ended here.
async fn tell_ends(node: Arc<Node>, mut ends: mpsc::UnboundedReceiver<Ended>) {
    while let Some(Ended {
        session,
        token,
        keep,
    }) = ends.recv().await
    {
        // A header that stays says no more than that the session was here: the node answers for itself.
        if let Err(error) = node.store.close(session, token, keep).await {
            debug!(%session, %error, "the store did not hear of an end");
        }
    }
}

/// 1 s, a quarter of what a lease lives.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// 5 min, half of what a header lives.
const RENEW_EVERY: Duration = Duration::from_secs(300);

/// 1,000: a script takes so many arguments well.
const MAX_SESSIONS_A_CALL: usize = 1_000;

/// 1,024: gaps that the application has not asked for; those that come then are only logged.
const MAX_GAPS: usize = 1_024;
