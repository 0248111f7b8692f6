//! One wheel of deadlines per hub, and the one task that turns it. What a deadline means is left to sessions.
//!
//! A session has at most one entry that counts, at or before its real deadline; when that comes too early, the session
//! enters itself again. So moving a deadline back costs nothing, and an idle session owns no timer.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anywire_protocol::{OpeningKey, Timestamp};
use tokio::sync::Notify;
use tokio::time;

use crate::clock::Clock;
use crate::hub::Inner;
use crate::live::Live;

/// Who is to be told that time has passed.
pub(crate) enum Due {
    Session(Weak<Live>),
    /// An opening key that is to be forgotten.
    Opening(OpeningKey),
}

/// Deadlines by tick.
#[derive(Default)]
pub(crate) struct Deadlines {
    wheel: Mutex<BTreeMap<u64, Vec<Due>>>,
    is_earlier: Notify,
}

/// How finely deadlines are told apart.
const TICK: Duration = Duration::from_millis(10);

impl Deadlines {
    /// The tick at which `at` has passed, later than `now`.
    pub(crate) fn tick(at: Timestamp, now: Timestamp) -> u64 {
        let tick = TICK.as_millis() as u64;
        at.as_millis()
            .div_ceil(tick)
            .max(now.as_millis() / tick + 1)
    }

    pub(crate) fn insert(&self, tick: u64, due: Due) {
        let mut wheel = self.lock();
        let is_first = wheel
            .first_key_value()
            .is_none_or(|(first, _)| tick < *first);
        wheel.entry(tick).or_default().push(due);
        drop(wheel);
        if is_first {
            self.is_earlier.notify_one();
        }
    }

    /// Lets the task look whether its hub is still there.
    pub(crate) fn wake(&self) {
        self.is_earlier.notify_one();
    }

    /// Turns the wheel until the hub is gone.
    pub(crate) async fn run(self: Arc<Self>, clock: Clock, hub: Weak<Inner>) {
        while let Some(inner) = hub.upgrade() {
            for due in self.take_due(clock.now()) {
                match due {
                    Due::Session(live) => {
                        if let Some(live) = live.upgrade() {
                            live.handle_deadline();
                        }
                    }
                    Due::Opening(key) => inner.forget_opening(&key),
                }
            }
            // Waiting must not keep the hub alive.
            drop(inner);
            match self.next() {
                None => self.is_earlier.notified().await,
                Some(at) => {
                    // Either way it is time to look again.
                    let _ = time::timeout_at(clock.instant(at), self.is_earlier.notified()).await;
                }
            }
        }
    }

    fn take_due(&self, now: Timestamp) -> Vec<Due> {
        let mut wheel = self.lock();
        let later = wheel.split_off(&(now.as_millis() / TICK.as_millis() as u64 + 1));
        mem::replace(&mut *wheel, later)
            .into_values()
            .flatten()
            .collect()
    }

    fn next(&self) -> Option<Timestamp> {
        let tick = *self.lock().first_key_value()?.0;
        Some(Timestamp::from_millis(tick * TICK.as_millis() as u64))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Due>>> {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
