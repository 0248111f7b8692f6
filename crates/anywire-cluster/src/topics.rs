//! Topics over all nodes: what is published goes to the store, which numbers it, and comes back from there to every node that has
//! followers, in one order. What a node misses shows by the numbers, and is read from the topic's log.

use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn, ready};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anywire_protocol::Message;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, warn};

use crate::commands::Publish;
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
    mut publishes: mpsc::Receiver<Publish>,
    mut feed: mpsc::Receiver<Fed>,
    gaps: mpsc::Sender<Gap>,
) {
    let mut followed = Followed {
        node: &node,
        positions: HashMap::new(),
        suspects: HashSet::new(),
        unfinished: HashSet::new(),
        gaps,
    };
    let mut published = FuturesUnordered::new();
    let mut again = interval(READ_AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut next, mut held_since): (Option<Publish>, Option<Instant>) = (None, None);
    loop {
        let is_up = node.store.is_up();
        if is_up {
            held_since = None;
        }
        let may_publish = match next.as_ref().filter(|_| !is_up) {
            None => published.len() < MAX_PUBLISHED_AT_ONCE,
            // While the store is away, what is to be published waits; while a part of it is, for a while.
            Some(Publish { topic, .. }) => {
                let held_since = held_since.get_or_insert_with(Instant::now);
                let is_late = held_since.elapsed() >= MAX_HELD && node.store.is_up_in_part();
                is_late || node.store.is_up_for(topic)
            }
        };
        tokio::select! {
            // What has been published is heard first, so that the feed does not overflow.
            biased;
            _ = again.tick(), if followed.owes_something() => {
                followed.repair_suspects().await;
                followed.finish().await;
            }
            Some(fed) = feed.recv() => followed.hear(fed).await,
            Some(outcome) = published.next(), if !published.is_empty() => note(&node, outcome),
            changed = node.topics.changed() => followed.look(changed).await,
            () = ready(()), if next.is_some() && may_publish => {
                let Some(publish) = next.take() else {
                    continue;
                };
                let publisher = node.clone();
                let publish = async move {
                    let Publish { topic, message, room } = publish;
                    let outcome = publisher.store.publish(&topic, &message, None).await;
                    drop(room);
                    outcome
                };
                // It must not be made to wait for its turn before it has begun.
                let mut publish = Box::pin(unconstrained(publish));
                // Begun in this order, they come to the store in this order.
                let begun = poll_fn(|cx| Poll::Ready(publish.as_mut().poll(cx))).await;
                match begun {
                    Poll::Ready(outcome) => note(&node, outcome),
                    Poll::Pending => published.push(publish),
                }
            }
            Some(publish) = publishes.recv(), if next.is_none() => next = Some(publish),
            () = sleep(LOOK_AGAIN), if !may_publish => {}
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
    /// The topics that are to be followed, and that the store has not subscribed to yet.
    unfinished: HashSet<Arc<str>>,
    gaps: mpsc::Sender<Gap>,
}

impl Followed<'_> {
    /// Follows the topics that have followers here, and lets go of those that have none.
    async fn look(&mut self, topics: HashSet<Arc<str>>) {
        let hub = self.node.hub.upgrade();
        let has_followers =
            |topic: &Arc<str>| hub.as_ref().is_some_and(|hub| hub.followers(topic) > 0);
        let (followed, left): (Vec<_>, Vec<_>) = topics.into_iter().partition(has_followers);
        drop(hub);
        for topic in left {
            self.unfollow(&topic).await;
        }
        // One that somebody has followed again since has heard what came meanwhile: nothing may be missing from there on.
        let is_new = |topic: &Arc<str>| {
            !self.positions.contains_key(topic) || self.unfinished.contains(topic)
        };
        let new: Vec<_> = followed.into_iter().filter(is_new).collect();
        self.unfinished.extend(new.iter().cloned());
        if !self.follow(&new).await && new.len() > 1 {
            // What one server of the store does not do must not keep the others from it.
            for topic in &new {
                self.follow(std::slice::from_ref(topic)).await;
            }
        }
    }

    /// Follows topics from where they are now; `false` if that is to be tried again.
    async fn follow(&mut self, topics: &[Arc<str>]) -> bool {
        let unknown = topics
            .iter()
            .filter(|topic| !self.positions.contains_key(*topic));
        let unknown: Vec<_> = unknown.cloned().collect();
        match self.node.store.positions(&unknown).await {
            Ok(positions) => self.positions.extend(unknown.into_iter().zip(positions)),
            Err(error) => {
                debug!(?unknown, %error, "where topics stand is not known");
                return false;
            }
        }
        if let Err(error) = self.node.store.subscribe(topics).await {
            debug!(?topics, %error, "topics are not subscribed to yet");
            return false;
        }
        // What came between the two would be seen only with the next message.
        let Ok(positions) = self.node.store.positions(topics).await else {
            return false;
        };
        for (topic, position) in topics.iter().zip(positions) {
            self.unfinished.remove(topic);
            if self.positions.get(topic) != Some(&position) {
                self.repair(topic).await;
            }
        }
        true
    }

    fn owes_something(&self) -> bool {
        !self.suspects.is_empty() || !self.unfinished.is_empty()
    }

    async fn finish(&mut self) {
        self.look(self.unfinished.clone()).await;
    }

    async fn unfollow(&mut self, topic: &str) {
        self.unfinished.remove(topic);
        if self.positions.remove(topic).is_none() {
            return;
        }
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

/// 5 s: so long messages wait for a part of the store that is away, while others could be published.
const MAX_HELD: Duration = Duration::from_secs(5);

/// 50 ms: how often a store that is away is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// 200 ms: after which a log that could not be read is read again.
const READ_AGAIN: Duration = Duration::from_millis(200);
