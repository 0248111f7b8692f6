//! Topics and fan-out: one message to many sessions, its bytes shared by all.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use anywire_protocol::{CloseCode, CloseReason, Message, SessionId, TrySendError};
use dashmap::DashMap;

use crate::memory::Memory;
use crate::nodes::Nodes;
use crate::session_cell::{Origin, SessionCell};

/// Who follows what. A dashmap guard never leaves this file.
#[derive(Default)]
pub(crate) struct Topics {
    by_name: DashMap<Arc<str>, Arc<Topic>>,
}

#[derive(Default)]
struct Topic {
    followers: Mutex<Followers>,
}

type Followers = HashMap<SessionId, Arc<SessionCell>>;

impl Topic {
    fn followers(&self) -> MutexGuard<'_, Followers> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topics {
    /// `nodes` are told of a topic's first follower, and of its last, in the order in which that is so.
    pub(crate) fn subscribe(
        &self,
        name: &str,
        cell: &Arc<SessionCell>,
        nodes: Option<&Arc<dyn Nodes>>,
    ) {
        let name: Arc<str> = name.into();
        // The entry stays locked until the follower is in, so that an emptied topic is not removed under it.
        let topic = self.by_name.entry(name.clone()).or_insert_with(|| {
            if let Some(nodes) = nodes {
                nodes.follow(&name);
            }
            Arc::default()
        });
        let mut followers = topic.followers();
        // A session that ends after this leaves the topics that it has noted; one that has ended follows nothing.
        let has_ended = cell.peek(|state| {
            let has_ended = state.session.is_finished();
            if !has_ended && !state.topics.contains(&name) {
                state.topics.push(name.clone());
            }
            has_ended
        });
        if !has_ended {
            followers.insert(cell.id, cell.clone());
        }
        let is_empty = followers.is_empty();
        drop(followers);
        drop(topic);
        if is_empty {
            self.unsubscribe(&name, cell, nodes);
        }
    }

    /// Takes this session out, and no other that its opening key has made since (PROTOCOL §2.1): they share an id.
    pub(crate) fn unsubscribe(
        &self,
        name: &str,
        cell: &Arc<SessionCell>,
        nodes: Option<&Arc<dyn Nodes>>,
    ) {
        self.by_name.remove_if(name, |_, topic| {
            let mut followers = topic.followers();
            let follower = followers.get(&cell.id);
            if follower.is_some_and(|follower| Arc::ptr_eq(follower, cell)) {
                followers.remove(&cell.id);
            }
            let is_empty = followers.is_empty();
            if let Some(nodes) = nodes
                && is_empty
            {
                nodes.unfollow(name);
            }
            is_empty
        });
    }

    /// Sends to all followers; returns to how many. One whose outbox is full is closed, so that it slows no other.
    pub(crate) fn publish(&self, name: &str, message: Message, memory: &Memory) -> usize {
        let Some(topic) = self.topic(name) else {
            return 0;
        };
        let message = message.counted_by(|bytes| memory.count_shared(bytes));
        let followers = topic.followers();
        let offered = Offered::to(followers.values(), &message);
        drop(followers);
        offered.hand_over()
    }

    /// Sends to those followers of these topics that are meant, to each once; returns to how many. Who follows one of the topics hears this
    /// and what is published there in the order in which all hear it.
    pub(crate) fn publish_to(
        &self,
        names: &[String],
        is_meant: impl Fn(&SessionCell) -> bool,
        message: Message,
        memory: &Memory,
    ) -> usize {
        let message = message.counted_by(|bytes| memory.count_shared(bytes));
        // All take the locks in the same order.
        let names: BTreeSet<_> = names.iter().collect();
        let topics: Vec<_> = names.iter().filter_map(|name| self.topic(name)).collect();
        let followers: Vec<_> = topics.iter().map(|topic| topic.followers()).collect();
        let all = followers.iter().flat_map(|followers| followers.values());
        let each: HashMap<_, _> = all.map(|cell| (cell.id, cell)).collect();
        let meant = each.into_values().filter(|cell| is_meant(cell));
        let offered = Offered::to(meant, &message);
        drop(followers);
        offered.hand_over()
    }

    fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.get(name).map(|entry| entry.value().clone())
    }

    pub(crate) fn followers(&self, name: &str) -> usize {
        self.topic(name).map_or(0, |topic| topic.followers().len())
    }
}

/// A message that was offered to sessions under a lock, and what is to be done when that is let go.
pub(crate) struct Offered {
    count: usize,
    wakers: Vec<Waker>,
    slow: Vec<Arc<SessionCell>>,
}

impl Offered {
    pub(crate) fn to<'a>(
        cells: impl Iterator<Item = &'a Arc<SessionCell>>,
        message: &Message,
    ) -> Self {
        let mut offered = Self {
            count: 0,
            wakers: Vec::new(),
            slow: Vec::new(),
        };
        for cell in cells {
            match cell.offer(message.clone()) {
                Ok(waker) => {
                    offered.count += 1;
                    offered.wakers.extend(waker);
                }
                Err(TrySendError::Full(_)) => offered.slow.push(cell.clone()),
                Err(_) => {}
            }
        }
        offered
    }

    /// Has the sessions' connections take it, and closes those that have no room. Returns how many have taken it.
    pub(crate) fn hand_over(self) -> usize {
        for waker in self.wakers {
            waker.wake();
        }
        for cell in self.slow {
            let reason = CloseReason::new(CloseCode::TOO_SLOW, "the outbox is full");
            cell.step(Origin::Outside, |state, now| {
                state.session.abort(reason, now)
            });
        }
        self.count
    }
}
