//! One wheel of deadlines, and the one task that turns it. The wheel's owner knows what a deadline is for: the hub's are
//! those of `Session::poll_timeout` in `anywire-protocol`.
//!
//! A session has at most one entry that counts, at or before its real deadline; when that comes too early, the session
//! enters itself again. So moving a deadline back costs nothing, and an idle session owns no timer.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::mem;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_protocol::{SessionId, Timestamp};
use tokio::sync::Notify;
use tokio::time;

use crate::clock::Clock;

/// What a deadline of the hub's wheel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Due {
    /// A session.
    Session(SessionId),
    /// Sessions that ended so long ago that they are to be forgotten.
    Tombstones,
    /// Addresses and principals without sessions, which have shares to get back.
    Accounts,
}

/// Deadlines by tick. What is entered twice for one tick is due once.
pub(crate) struct Deadlines<D> {
    wheel: Mutex<BTreeMap<u64, HashSet<D>>>,
    is_earlier: Notify,
}

impl<D> Default for Deadlines<D> {
    fn default() -> Self {
        Self {
            wheel: Mutex::default(),
            is_earlier: Notify::new(),
        }
    }
}

/// Delay before an overdue deadline is checked again: 1 s.
const OVERDUE_TICKS: u64 = 100;

/// The wheel's tick: deadlines within one are due together.
const TICK: Duration = Duration::from_millis(10);

/// The tick to wake at for a deadline `at`: later than `now`, and not after it by more than a tick.
///
/// A deadline that is far off is woken for early, at a round tick that it shares with others, and then entered
/// again: thousands of sessions need few entries in the map.
pub(crate) fn tick(at: Timestamp, now: Timestamp) -> u64 {
    let millis = TICK.as_millis() as u64;
    let (tick, now) = (at.as_millis().div_ceil(millis), now.as_millis() / millis);
    if tick <= now {
        // What is overdue waits for its connection, which acts when it can; this is to look after it, not to press.
        return now + OVERDUE_TICKS;
    }
    let distance = tick.saturating_sub(now);
    let round = (distance / 4).checked_ilog2().map_or(1, |log| 1 << log);
    (tick / round * round).max(now + 1)
}

impl<D: Eq + Hash> Deadlines<D> {
    /// The tick that a moment belongs to.
    fn tick_of(at: Timestamp) -> u64 {
        at.as_millis() / TICK.as_millis() as u64
    }

    /// Enters a deadline. `true` if the wheel waits for a later one: call [`Deadlines::wake`] once no lock is held.
    pub(crate) fn insert(&self, tick: u64, due: D) -> bool {
        let mut wheel = self.lock();
        let is_first = wheel
            .first_key_value()
            .is_none_or(|(first, _)| tick < *first);
        wheel.entry(tick).or_default().insert(due);
        is_first
    }

    /// Takes a deadline out that is not waited for any more.
    pub(crate) fn remove(&self, tick: u64, due: &D) {
        let mut wheel = self.lock();
        if let Some(all) = wheel.get_mut(&tick) {
            all.remove(due);
            if all.is_empty() {
                wheel.remove(&tick);
            } else if all.len() < all.capacity() / 4 {
                all.shrink_to_fit();
            }
        }
    }

    /// Lets the task look again: for a sooner deadline, or whether its hub is still there.
    pub(crate) fn wake(&self) {
        self.is_earlier.notify_one();
    }

    /// Turns the wheel: hands over what is due, until `handle` breaks off.
    pub(crate) async fn run(
        self: Arc<Self>,
        clock: Clock,
        mut handle: impl FnMut(Vec<(u64, D)>) -> ControlFlow<()>,
    ) {
        while handle(self.take_due(clock.now())).is_continue() {
            match self.next() {
                None => self.is_earlier.notified().await,
                Some(at) => {
                    // Either way it is time to look again.
                    let _ = time::timeout_at(clock.instant(at), self.is_earlier.notified()).await;
                }
            }
        }
    }

    fn take_due(&self, now: Timestamp) -> Vec<(u64, D)> {
        let mut wheel = self.lock();
        let later = wheel.split_off(&(Self::tick_of(now) + 1));
        mem::replace(&mut *wheel, later)
            .into_iter()
            .flat_map(|(tick, all)| all.into_iter().map(move |due| (tick, due)))
            .collect()
    }

    fn next(&self) -> Option<Timestamp> {
        let tick = *self.lock().first_key_value()?.0;
        Some(Timestamp::from_millis(tick * TICK.as_millis() as u64))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, HashSet<D>>> {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_busy_session_enters_the_wheel_only_a_few_times() {
        use crate::{App, Budgets, Caller, Flow, Hub};
        use anywire_protocol::{
            Can, ConnectionMode, Generation, Limits, Offset, Open, OpeningKey, Packet, Transport,
        };

        let app = App::task(|mut socket| async move { while socket.recv().await.is_some() {} });
        let hub = Hub::new(Limits::default(), Budgets::default(), Vec::new(), app);
        let open = Open {
            key: OpeningKey::from_bytes([1; 16]),
            generation: Generation::new(1),
            received: Offset::default(),
            hold: None,
            protocols: Vec::new(),
            can: Can::NONE,
            credential: None,
        };
        let visit = hub
            .open(&open, &[], &Caller::default())
            .expect("the hub is empty");
        let (transport, mode) = (Transport::WebSocket, ConnectionMode::Duplex);
        let attached = visit.attach(Offset::default(), Vec::new(), transport, mode);
        let (connection, _) = attached.expect("nobody else attaches");
        for _ in 0..500 {
            let message = Packet::Message("tick".into());
            connection
                .receive(std::iter::once(message), 1)
                .expect("it is open");
            tokio::time::sleep(Duration::from_secs(2)).await;
            std::future::poll_fn(|cx| {
                let _ = connection.poll_transmit(cx, |_| Flow::Continue);
                std::task::Poll::Ready(())
            })
            .await;
            let entries: usize = hub
                .inner
                .node
                .deadlines
                .lock()
                .values()
                .map(HashSet::len)
                .sum();
            assert!(entries <= 6, "{entries} entries");
        }
    }

    #[test]
    fn deadlines_are_never_late_and_end_exact() {
        for at in [1, 9, 10, 11, 95, 1_000, 25_000, 119_999] {
            let at = Timestamp::from_millis(at);
            let (mut now, mut steps) = (Timestamp::default(), 0);
            while now < at {
                let next = Timestamp::from_millis(tick(at, now) * 10);
                assert!(next > now && next.since(at) < TICK, "{at:?} {next:?}");
                (now, steps) = (next, steps + 1);
            }
            assert!(steps <= 12, "{steps} steps to {at:?}");
        }
    }
}
