//! Topics over all nodes: what is published goes to the store, which numbers it, and comes back from there to every node that has
//! followers, in one order. What a node misses shows by the numbers, and is read from the topic's log.

use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anywire_protocol::Message;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::commands::Command;
use crate::node::Node;
use crate::store::{Fed, Log, StoreError, TopicPosition};

/// Messages of a topic that were published and that this node cannot hand to its followers any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The topic.
    pub topic: Arc<str>,
    /// How many are missing; nothing if that cannot be said, since the store has forgotten the topic, or another server has taken
    /// its place: then there may be none.
    pub missing: Option<u64>,
}

/// Follows topics for this node, and publishes for it.
pub(crate) async fn run(
    node: Arc<Node>,
    mut commands: mpsc::Receiver<Command>,
    mut feed: mpsc::Receiver<Fed>,
    gaps: mpsc::Sender<Gap>,
) {
    let mut followed = Followed {
        node: &node,
        positions: HashMap::new(),
        suspects: HashSet::new(),
        gaps,
    };
    let mut published = FuturesUnordered::new();
    loop {
        tokio::select! {
            // What has been published is heard first, so that the feed does not overflow.
            biased;
            Some(fed) = feed.recv() => followed.hear(fed).await,
            Some(outcome) = published.next(), if !published.is_empty() => note(&node, outcome),
            () = sleep(READ_AGAIN), if !followed.suspects.is_empty() => {
                followed.repair_suspects().await;
            }
            command = commands.recv(), if published.len() < MAX_PUBLISHED_AT_ONCE => match command {
                Some(Command::Publish(topic, message)) => {
                    let publisher = node.clone();
                    let publish = async move { publisher.store.publish(&topic, &message, None).await };
                    // It must not be made to wait for its turn before it has begun.
                    let mut publish = Box::pin(unconstrained(publish));
                    // Begun in this order, they come to the store in this order.
                    let begun = poll_fn(|cx| Poll::Ready(publish.as_mut().poll(cx))).await;
                    match begun {
                        Poll::Ready(outcome) => note(&node, outcome),
                        Poll::Pending => published.push(publish),
                    }
                }
                Some(Command::Follow(topic)) => followed.follow(topic).await,
                Some(Command::Unfollow(topic)) => followed.unfollow(&topic).await,
                None => return,
            },
        }
    }
}

fn note(node: &Node, outcome: Result<TopicPosition, StoreError>) {
    match outcome {
        Ok(_) => node.counters.published.add(),
        Err(error) => {
            node.counters.lost_publishes.add();
            debug!(%error, "a message was not published");
        }
    }
}

/// The topics that this node has followers of.
struct Followed<'a> {
    node: &'a Node,
    /// The last position that followers were given, or from which on they are to be given what comes.
    positions: HashMap<Arc<str>, Option<TopicPosition>>,
    /// The topics of which something may be missing, and whose logs could not be read yet.
    suspects: HashSet<Arc<str>>,
    gaps: mpsc::Sender<Gap>,
}

impl Followed<'_> {
    /// Follows a topic from where it is now.
    async fn follow(&mut self, topic: Arc<str>) {
        if self.positions.contains_key(&topic) {
            return;
        }
        let names = [topic.clone()];
        let position = match self.node.store.positions(&names).await {
            Ok(positions) => positions.into_iter().next().flatten(),
            Err(error) => {
                debug!(%topic, %error, "where a topic stands is not known");
                None
            }
        };
        self.positions.insert(topic.clone(), position);
        match self.node.store.subscribe(&names).await {
            // What came between the two would be seen only with the next message.
            Ok(()) => self.repair(&topic).await,
            // The store subscribes when it is there again, and says that all is suspect.
            Err(error) => debug!(%topic, %error, "a topic is not subscribed to yet"),
        }
    }

    async fn unfollow(&mut self, topic: &str) {
        let hub = self.node.hub.upgrade();
        if hub.is_some_and(|hub| hub.followers(topic) > 0) {
            // Somebody has followed it again since, and has heard what came meanwhile: nothing may be missing from there on.
            return;
        }
        self.positions.remove(topic);
        // One that stays subscribed is ignored.
        let _ = self.node.store.unsubscribe(topic).await;
    }

    async fn hear(&mut self, fed: Fed) {
        match fed {
            Fed::Suspect => {
                self.suspects.extend(self.positions.keys().cloned());
                self.repair_suspects().await;
            }
            Fed::Message {
                topic,
                position,
                message,
            } => {
                let Some(last) = self.positions.get_mut(&topic) else {
                    return;
                };
                let is_next = match last {
                    None => position.number == 1,
                    Some(last) => {
                        last.epoch == position.epoch && last.number + 1 == position.number
                    }
                };
                if is_next {
                    *last = Some(position);
                    self.deliver(&topic, message);
                } else if last.is_none_or(|last| {
                    last.epoch != position.epoch || last.number < position.number
                }) {
                    self.repair(&topic).await;
                }
            }
        }
    }

    async fn repair_suspects(&mut self) {
        for topic in self.suspects.iter().cloned().collect::<Vec<_>>() {
            self.repair(&topic).await;
        }
    }

    /// Gives followers what the log has that they have not, and tells of what it has not.
    async fn repair(&mut self, topic: &Arc<str>) {
        let Some(known) = self.positions.get(topic).copied() else {
            self.suspects.remove(topic);
            return;
        };
        let mut after = known.map_or(0, |known| known.number);
        let mut log = self.read(topic, after).await;
        let last = log.as_ref().and_then(|log| log.last);
        let is_other =
            known.is_some_and(|known| last.is_some_and(|last| last.epoch != known.epoch));
        if let (true, Some(known), Some(other)) = (is_other, known, &log) {
            // What the store had of the epoch before is told apart by its numbers; of an older one nothing can be said.
            let before = other.before.map_or(0, |before| before.number);
            after = match other.before {
                Some(before) if before.epoch == known.epoch => known.number.min(before.number),
                _ => before,
            };
            log = self.read(topic, after).await;
        }
        let Some(log) = log else {
            self.suspects.insert(topic.clone());
            return;
        };
        self.suspects.remove(topic);
        let Some(last) = log.last else {
            return;
        };
        let wanted = last.number.saturating_sub(after);
        let found = log.messages.len() as u64;
        if is_other || found < wanted {
            let missing = (!is_other).then(|| wanted - found);
            warn!(%topic, ?missing, "messages of a topic are lost to this node");
            let topic = topic.clone();
            self.node.counters.gaps.add();
            // The app may not listen.
            let _ = self.gaps.try_send(Gap { topic, missing });
        }
        self.positions.insert(topic.clone(), Some(last));
        for message in log.messages {
            self.deliver(topic, message);
        }
    }

    /// Nothing if the log cannot be read now.
    async fn read(&self, topic: &str, after: u64) -> Option<Log> {
        let log = self.node.store.read(topic, after).await;
        log.inspect_err(|error| debug!(%topic, %error, "a topic's log cannot be read"))
            .ok()
    }

    fn deliver(&self, topic: &str, message: Message) {
        if let Some(hub) = self.node.hub.upgrade() {
            hub.deliver(topic, message);
        }
    }
}

/// 1,024: so many messages are on their way to the store.
const MAX_PUBLISHED_AT_ONCE: usize = 1_024;

/// 200 ms: after which a log that could not be read is read again.
const READ_AGAIN: Duration = Duration::from_millis(200);
