//! A store in this process, with the semantics of the one in Redis: for tests, and to see a cluster without a Redis.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_protocol::{Message, SessionId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::store::{
    FEED_LENGTH, Fed, Header, LEASE, Leased, Log, MAX_LOG_MESSAGES, NodeId, Store, StoreError,
    StoreFuture, StoreId, Token, TopicPosition,
};

/// A store in this process; clones are the same store. It ends with the process, and so do all nodes: nothing is gained by it
/// but to see how a cluster behaves.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Counts how often it has forgotten all.
    life: u64,
    is_away: bool,
    is_deaf: bool,
    headers: HashMap<SessionId, (Header, Option<Instant>)>,
    nodes: HashMap<NodeId, (Vec<u8>, Instant)>,
    topics: HashMap<Arc<str>, Topic>,
    feeds: Vec<Feed>,
}

/// A topic that was published to.
#[derive(Debug)]
struct Topic {
    epoch: u64,
    number: u64,
    log: VecDeque<Message>,
    keys: HashMap<String, u64>,
}

/// What one node hears.
#[derive(Debug)]
struct Feed {
    node: u64,
    topics: HashSet<Arc<str>>,
    sender: mpsc::Sender<Fed>,
}

/// The store as one node has it.
#[derive(Debug)]
pub(crate) struct MemoryNode {
    store: MemoryStore,
    node: u64,
    feed: Mutex<Option<mpsc::Receiver<Fed>>>,
}

impl Drop for MemoryNode {
    fn drop(&mut self) {
        self.store
            .lock()
            .feeds
            .retain(|feed| feed.node != self.node);
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The store answers no more, or again.
    pub fn set_away(&self, is_away: bool) {
        self.lock().is_away = is_away;
    }

    /// The store forgets all, and is another one from now on: as a Redis does that restarts without persistence.
    pub fn forget(&self) {
        let mut state = self.lock();
        state.tell_suspect();
        *state = State {
            life: state.life + 1,
            is_away: state.is_away,
            is_deaf: state.is_deaf,
            feeds: mem::take(&mut state.feeds),
            ..State::default()
        };
    }

    /// The feeds lose what is published, until they hear again and are told so: as when connections to a Redis break.
    pub fn set_deaf(&self, is_deaf: bool) {
        let mut state = self.lock();
        state.is_deaf = is_deaf;
        if !is_deaf {
            state.tell_suspect();
        }
    }

    /// The store as another node has it.
    pub(crate) fn node(&self) -> MemoryNode {
        let mut state = self.lock();
        let (sender, feed) = mpsc::channel(FEED_LENGTH);
        let node = state.feeds.last().map_or(0, |feed| feed.node + 1);
        state.feeds.push(Feed {
            node,
            topics: HashSet::new(),
            sender,
        });
        MemoryNode {
            store: self.clone(),
            node,
            feed: Mutex::new(Some(feed)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryNode {
    fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&mut State) -> Result<T, StoreError> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let mut state = self.store.lock();
            if state.is_away {
                return Err(StoreError::Away(SWITCHED_OFF.to_owned()));
            }
            call(&mut state)
        })
    }
}

impl State {
    fn tell_suspect(&self) {
        for feed in &self.feeds {
            // One that is full is seen by the next number.
            let _ = feed.sender.try_send(Fed::Suspect);
        }
    }

    fn id(&self) -> StoreId {
        StoreId(self.life.to_be_bytes())
    }

    fn expect(&self, seen: StoreId) -> Result<(), StoreError> {
        match self.id() == seen {
            true => Ok(()),
            false => Err(StoreError::Other(self.id())),
        }
    }

    fn header(&mut self, session: SessionId) -> Option<Header> {
        let (header, until) = self.headers.get(&session)?;
        if until.is_some_and(|until| until <= Instant::now()) {
            self.headers.remove(&session);
            return None;
        }
        Some(*header)
    }

    fn stands(&mut self, session: SessionId, token: Token) -> bool {
        matches!(self.header(session), Some(Header::At(_, opened)) if opened == token)
    }
}

impl Store for MemoryNode {
    fn open(
        &self,
        session: SessionId,
        home: NodeId,
        token: Token,
        seen: StoreId,
    ) -> StoreFuture<'_, Header> {
        self.call(move |state| {
            state.expect(seen)?;
            if let Some(header) = state.header(session) {
                return Ok(header);
            }
            let header = Header::At(home, token);
            state.headers.insert(session, (header, None));
            Ok(header)
        })
    }

    fn find(&self, session: SessionId) -> StoreFuture<'_, (Option<Header>, StoreId)> {
        self.call(move |state| Ok((state.header(session), state.id())))
    }

    fn write_back<'a>(
        &'a self,
        home: NodeId,
        sessions: &'a [(SessionId, Token)],
        seen: StoreId,
    ) -> StoreFuture<'a, Vec<bool>> {
        self.call(move |state| {
            state.expect(seen)?;
            let mut stand = Vec::with_capacity(sessions.len());
            for &(session, token) in sessions {
                if state.header(session).is_none() {
                    let header = Header::At(home, token);
                    state.headers.insert(session, (header, None));
                }
                stand.push(state.stands(session, token));
            }
            Ok(stand)
        })
    }

    fn write_back_ends<'a>(
        &'a self,
        ended: &'a [(SessionId, Duration)],
        seen: StoreId,
    ) -> StoreFuture<'a, ()> {
        self.call(move |state| {
            state.expect(seen)?;
            for &(session, keep) in ended {
                if state.header(session).is_none() {
                    let until = Some(Instant::now() + keep);
                    state.headers.insert(session, (Header::Ended, until));
                }
            }
            Ok(())
        })
    }

    fn renew<'a>(&'a self, sessions: &'a [(SessionId, Token)]) -> StoreFuture<'a, Vec<bool>> {
        self.call(move |state| {
            let stand = sessions
                .iter()
                .map(|&(session, token)| state.stands(session, token));
            Ok(stand.collect())
        })
    }

    fn close(&self, session: SessionId, token: Token, keep: Duration) -> StoreFuture<'_, ()> {
        self.call(move |state| {
            if state.stands(session, token) {
                let until = Some(Instant::now() + keep);
                state.headers.insert(session, (Header::Ended, until));
                // What is over at once is as if it had not been.
                state.header(session);
            }
            Ok(())
        })
    }

    fn beat<'a>(&'a self, node: NodeId, record: &'a [u8]) -> StoreFuture<'a, StoreId> {
        self.call(move |state| {
            let until = Instant::now() + LEASE;
            state.nodes.insert(node, (record.to_vec(), until));
            Ok(state.id())
        })
    }

    fn leave(&self, node: NodeId) -> StoreFuture<'_, ()> {
        self.call(move |state| {
            state.nodes.remove(&node);
            Ok(())
        })
    }

    fn nodes(&self) -> StoreFuture<'_, (Leased, StoreId)> {
        self.call(move |state| {
            let now = Instant::now();
            state.nodes.retain(|_, (_, until)| *until > now);
            let nodes = state.nodes.iter();
            let nodes = nodes.map(|(node, (record, _))| (*node, record.clone()));
            Ok((nodes.collect(), state.id()))
        })
    }

    fn is_listening(&self, node: NodeId) -> StoreFuture<'_, bool> {
        // A node of this process is not connected to anything; its lease is all there is.
        self.call(move |state| Ok(state.nodes.contains_key(&node)))
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
        key: Option<&'a str>,
    ) -> StoreFuture<'a, TopicPosition> {
        self.call(move |state| {
            let name: Arc<str> = topic.into();
            let topic = state.topics.entry(name.clone()).or_insert_with(|| Topic {
                epoch: fastrand::u64(..),
                number: 0,
                log: VecDeque::new(),
                keys: HashMap::new(),
            });
            let epoch = topic.epoch;
            if let Some(&number) = key.and_then(|key| topic.keys.get(key)) {
                return Ok(TopicPosition { epoch, number });
            }
            topic.number += 1;
            let position = TopicPosition {
                epoch,
                number: topic.number,
            };
            if let Some(key) = key {
                topic.keys.insert(key.to_owned(), topic.number);
            }
            topic.log.push_back(message.clone());
            if topic.log.len() > MAX_LOG_MESSAGES {
                topic.log.pop_front();
            }
            let hears = |feed: &&Feed| !state.is_deaf && feed.topics.contains(&name);
            for feed in state.feeds.iter().filter(hears) {
                let fed = Fed::Message {
                    topic: name.clone(),
                    position,
                    message: message.clone(),
                };
                // What a full feed misses is seen by the next number.
                let _ = feed.sender.try_send(fed);
            }
            Ok(position)
        })
    }

    fn positions<'a>(
        &'a self,
        topics: &'a [Arc<str>],
    ) -> StoreFuture<'a, Vec<Option<TopicPosition>>> {
        self.call(move |state| {
            let position = |topic: &Arc<str>| {
                let topic = state.topics.get(topic)?;
                Some(TopicPosition {
                    epoch: topic.epoch,
                    number: topic.number,
                })
            };
            Ok(topics.iter().map(position).collect())
        })
    }

    fn subscribe<'a>(&'a self, topics: &'a [Arc<str>]) -> StoreFuture<'a, ()> {
        self.call(move |state| {
            let own = state.feeds.iter_mut().filter(|feed| feed.node == self.node);
            own.for_each(|feed| feed.topics.extend(topics.iter().cloned()));
            Ok(())
        })
    }

    fn unsubscribe<'a>(&'a self, topic: &'a str) -> StoreFuture<'a, ()> {
        self.call(move |state| {
            let own = state.feeds.iter_mut().filter(|feed| feed.node == self.node);
            for feed in own {
                feed.topics.remove(topic);
            }
            Ok(())
        })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64) -> StoreFuture<'a, Log> {
        self.call(move |state| {
            let Some(topic) = state.topics.get(topic) else {
                return Ok(Log {
                    last: None,
                    before: None,
                    messages: Vec::new(),
                });
            };
            let last = TopicPosition {
                epoch: topic.epoch,
                number: topic.number,
            };
            let wanted = usize::try_from(topic.number.saturating_sub(after)).unwrap_or(usize::MAX);
            let skipped = topic.log.len().saturating_sub(wanted);
            Ok(Log {
                last: Some(last),
                before: None,
                messages: topic.log.iter().skip(skipped).cloned().collect(),
            })
        })
    }

    fn trouble(&self) -> Option<String> {
        let is_away = self.store.lock().is_away;
        is_away.then(|| SWITCHED_OFF.to_owned())
    }

    fn feed(&self) -> Option<mpsc::Receiver<Fed>> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.take()
    }
}

const SWITCHED_OFF: &str = "it is switched off";
