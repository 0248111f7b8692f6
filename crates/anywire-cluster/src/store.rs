//! What the nodes of a cluster share, as they see it: where sessions live, which nodes are alive, and topics. `redis/` has it in
//! Redis, `memory.rs` in this process.

use std::fmt::{self, Debug, Display, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{Message, SessionId};
use tokio::sync::mpsc;

/// A call to the store under way.
pub(crate) type StoreFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Which store answers: another one after a restart or a failover, which may have forgotten something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct StoreId(pub(crate) [u8; 8]);

/// One process, from its start to its end; drawn at random.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) [u8; 8]);

impl NodeId {
    pub(crate) fn draw() -> Self {
        Self(draw())
    }
}

impl Debug for NodeId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl Display for NodeId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Which open of a session it was; drawn at random by the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) [u8; 8]);

impl Token {
    pub(crate) fn draw() -> Self {
        Self(draw())
    }
}

fn draw() -> [u8; 8] {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("a server cannot run without a random source");
    bytes
}

/// What the store knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// It lives, or lived, at this node.
    At(NodeId, Token),
    /// It has ended lately.
    Ended,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The store cannot be reached, or did not answer in time. Whether the call took effect is unknown.
    #[error("the store is away: {0}")]
    Away(String),
    /// Another store answers than the call was meant for. Nothing was changed.
    #[error("another store answers than before")]
    Other(StoreId),
    /// The store answers, and refuses.
    #[error("the store refuses: {0}")]
    Refused(String),
}

/// The calls. None is made again once it may have taken effect.
pub(crate) trait Store: Debug + Send + Sync {
    /// Makes this node the home of a session that has no header; returns the header that then stands. Fails if the store is
    /// not `seen`, which this node knew when it decided to open.
    fn open(
        &self,
        session: SessionId,
        home: NodeId,
        token: Token,
        seen: StoreId,
    ) -> StoreFuture<'_, Header>;

    /// The header, if there is one, and which store says so.
    fn find(&self, session: SessionId) -> StoreFuture<'_, (Option<Header>, StoreId)>;

    /// Makes the headers of living sessions that the store has not. Returns for each whether the header is now this open's.
    fn write_back<'a>(
        &'a self,
        home: NodeId,
        sessions: &'a [(SessionId, Token)],
        seen: StoreId,
    ) -> StoreFuture<'a, Vec<bool>>;

    /// Remembers ends that the store has forgotten, each for so long; a session that lives is not touched.
    fn write_back_ends<'a>(
        &'a self,
        ended: &'a [(SessionId, Duration)],
        seen: StoreId,
    ) -> StoreFuture<'a, ()>;

    /// Lets headers live on. Returns for each whether it still stands.
    fn renew<'a>(&'a self, sessions: &'a [(SessionId, Token)]) -> StoreFuture<'a, Vec<bool>>;

    /// A session has ended: the store remembers that for `keep`, if the header is this open's.
    fn close(&self, session: SessionId, token: Token, keep: Duration) -> StoreFuture<'_, ()>;

    /// This node lives: others can read its record for as long as a lease lives. Returns which store has heard it.
    fn beat<'a>(&'a self, node: NodeId, record: &'a [u8]) -> StoreFuture<'a, StoreId>;

    /// This node leaves.
    fn leave(&self, node: NodeId) -> StoreFuture<'_, ()>;

    /// The nodes that have a lease, and their records, and which store says so.
    fn nodes(&self) -> StoreFuture<'_, (Leased, StoreId)>;

    /// Whether a node has a connection to the store now.
    fn is_listening(&self, node: NodeId) -> StoreFuture<'_, bool>;

    /// Numbers a message of a topic, keeps it in the topic's log, and sends it to all that have subscribed. With a `key` that
    /// has been used for this topic lately, nothing is done, and the position is that of the message before.
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
        key: Option<&'a str>,
    ) -> StoreFuture<'a, TopicPosition>;

    /// Where topics stand; nothing for one to which nothing has been published lately.
    fn positions<'a>(
        &'a self,
        topics: &'a [Arc<str>],
    ) -> StoreFuture<'a, Vec<Option<TopicPosition>>>;

    /// From now on the feed brings these topics.
    fn subscribe<'a>(&'a self, topics: &'a [Arc<str>]) -> StoreFuture<'a, ()>;

    /// The feed need not bring this topic any more.
    fn unsubscribe<'a>(&'a self, topic: &'a str) -> StoreFuture<'a, ()>;

    /// What the topic's log has from behind a number on.
    fn read<'a>(&'a self, topic: &'a str, after: u64) -> StoreFuture<'a, Log>;

    /// Why the store cannot be used now; nothing if it can.
    fn trouble(&self) -> Option<String>;

    /// Whether the store can be used now, as far as is known; asked often.
    fn is_up(&self) -> bool {
        self.trouble().is_none()
    }

    /// Whether some of it can be used now.
    fn is_up_in_part(&self) -> bool {
        self.is_up()
    }

    /// Whether what has a topic can be used now.
    fn is_up_for(&self, _topic: &str) -> bool {
        self.is_up()
    }

    /// What comes of topics that this node has subscribed to. Taken once.
    fn feed(&self) -> Option<mpsc::Receiver<Fed>>;
}

/// Nodes that have a lease, and their records.
pub(crate) type Leased = Vec<(NodeId, Vec<u8>)>;

/// Where a message stands in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicPosition {
    /// Drawn anew when the store has forgotten the topic: numbers of two epochs say nothing of each other.
    pub epoch: u64,
    /// Counts the topic's messages from 1 on.
    pub number: u64,
}

/// What a topic's log has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// The position of the last message; nothing if there has been none.
    pub(crate) last: Option<TopicPosition>,
    /// The last position of the epoch before, as far as the store knew it then; nothing if the topic began with this one.
    pub(crate) before: Option<TopicPosition>,
    /// The last messages, as many as were asked for and are still there.
    pub(crate) messages: Vec<Message>,
}

/// What the feed brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// A message of a topic, in the store's order.
    Message {
        topic: Arc<str>,
        position: TopicPosition,
        message: Message,
    },
    /// Something may be missing from all topics: see their logs.
    Suspect,
}

/// 4 s: how long a node is believed to live that has said nothing.
pub(crate) const LEASE: Duration = Duration::from_secs(4);

/// 1,000: so many messages of a topic are kept, for those that missed some.
pub(crate) const MAX_LOG_MESSAGES: usize = 1_000;

/// 16,384: so many messages wait to be handed on; what comes beyond is read from the logs.
pub(crate) const FEED_LENGTH: usize = 16_384;
