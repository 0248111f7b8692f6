//! Topics and fan-out: one message to many sessions, its bytes shared by all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    followers: Mutex<HashMap<SessionId, Arc<SessionCell>>>,
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
        let mut followers = topic
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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
            let mut followers = topic
                .followers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
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
        let Some(topic) = self.by_name.get(name).map(|entry| entry.value().clone()) else {
            return 0;
        };
        let message = message.counted_by(|bytes| memory.count_shared(bytes));
        let mut wakers = Vec::new();
        let mut slow = Vec::new();
        let mut count = 0;
        let followers = topic
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for cell in followers.values() {
            match cell.offer(message.clone()) {
                Ok(waker) => {
                    count += 1;
                    wakers.extend(waker);
                }
                Err(TrySendError::Full(_)) => slow.push(cell.clone()),
                Err(_) => {}
            }
        }
        drop(followers);
        for waker in wakers {
            waker.wake();
        }
        for cell in slow {
            let reason = CloseReason::new(CloseCode::TOO_SLOW, "the outbox is full");
            cell.step(Origin::Outside, |state, now| {
                state.session.abort(reason, now)
            });
        }
        count
    }

    /// Those who follow it.
    pub(crate) fn cells(&self, name: &str) -> Vec<Arc<SessionCell>> {
        let Some(topic) = self.by_name.get(name).map(|entry| entry.value().clone()) else {
            return Vec::new();
        };
        let followers = topic
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        followers.values().cloned().collect()
    }

    pub(crate) fn followers(&self, name: &str) -> usize {
        let Some(topic) = self.by_name.get(name).map(|entry| entry.value().clone()) else {
            return 0;
        };
        topic
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}
