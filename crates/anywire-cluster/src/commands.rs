//! What a node asks of its topics, while locks are held: it is kept, and never waited for.

use std::collections::HashSet;
use std::fmt::{self, Debug, Formatter};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anywire_protocol::Message;
use tokio::sync::{Notify, mpsc};

use crate::metrics::Counters;

/// The way to a node's topics: bounded, and never waited for.
pub(crate) struct Commands {
    publishes: mpsc::Sender<Publish>,
    waiting_bytes: Arc<AtomicUsize>,
    /// Topics that have followers now and had none, or the other way round: as many as there are topics.
    changed: Mutex<HashSet<Arc<str>>>,
    has_changed: Notify,
    counters: Arc<Counters>,
}

/// A message that waits to be published.
pub(crate) struct Publish {
    pub(crate) topic: Arc<str>,
    pub(crate) message: Message,
    pub(crate) room: Room,
}

/// What a message takes of the room for those that wait; given back when it is dropped.
pub(crate) struct Room {
    bytes: usize,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Debug for Commands {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}

impl Commands {
    pub(crate) fn new(counters: Arc<Counters>) -> (Self, mpsc::Receiver<Publish>) {
        let (publishes, receiver) = mpsc::channel(MAX_WAITING);
        let this = Self {
            publishes,
            waiting_bytes: Arc::default(),
            changed: Mutex::default(),
            has_changed: Notify::new(),
            counters,
        };
        (this, receiver)
    }

    /// Publishes a message in its turn; one that there is no room for is lost, and counted.
    pub(crate) fn publish(&self, topic: &str, message: Message) {
        let bytes = topic.len() + message.len();
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let publish = Publish {
            topic: topic.into(),
            message,
            room: Room {
                bytes,
                waiting_bytes: self.waiting_bytes.clone(),
            },
        };
        let is_full = before > 0 && before + bytes > MAX_WAITING_BYTES;
        if is_full || self.publishes.try_send(publish).is_err() {
            self.counters.lost_publishes.add();
        }
    }

    /// A topic has its first follower here, or has lost its last.
    pub(crate) fn change(&self, topic: &str) {
        self.lock().insert(topic.into());
        self.has_changed.notify_one();
    }

    /// The topics that have changed since they were asked for last, once there are any.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken none.
    pub(crate) async fn changed(&self) -> HashSet<Arc<str>> {
        self.has_changed.notified().await;
        mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        // What it guards is plain data.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 65,536: so many messages wait while the store does not answer; more are lost.
const MAX_WAITING: usize = 65_536;

/// 16 MiB: those that wait take no more.
const MAX_WAITING_BYTES: usize = 16_777_216;
