//! What holds when a node meets another store than before: one that may have forgotten sessions that live. Until all nodes have
//! written back what they have, nobody opens a session and nobody says that there is none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::store::StoreId;

/// 6 s: longer than a lease lives, so that a node that has not written back by then is dead or alone.
pub(crate) const MAX_HOLD: Duration = Duration::from_secs(6);

#[derive(Debug)]
pub(crate) struct Barrier {
    state: Mutex<State>,
    /// Counts what may have changed who waits.
    changes: watch::Sender<u64>,
    /// The store that this node has written back to, for others to hear.
    settled: watch::Sender<Option<StoreId>>,
}

#[derive(Debug)]
struct State {
    met: Option<(StoreId, Instant)>,
    /// All others have written back too.
    passed: Option<StoreId>,
}

/// What a node may do under the store that it has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The store.
    pub(crate) store: StoreId,
    /// Some node has not said that it has written back, and has had the time: ask all who can be reached before a session is
    /// made, and before it is said that there is none.
    pub(crate) is_late: bool,
}

impl Barrier {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                met: None,
                passed: None,
            }),
            changes: watch::Sender::new(0),
            settled: watch::Sender::new(None),
        }
    }

    /// A store answers. `true` if it is another one than before.
    pub(crate) fn meet(&self, store: StoreId) -> bool {
        let mut state = self.lock();
        if state.met.is_some_and(|(met, _)| met == store) {
            return false;
        }
        state.met = Some((store, Instant::now()));
        state.passed = None;
        drop(state);
        self.look_again();
        true
    }

    /// Whether this is still the store that the node has met last: what another one said before counts no more.
    pub(crate) fn is_met(&self, store: StoreId) -> bool {
        self.lock().met.is_some_and(|(met, _)| met == store)
    }

    /// Whether a store has ever answered.
    pub(crate) fn has_met(&self) -> bool {
        self.lock().met.is_some()
    }

    /// The store that this node has met last, if it has not written back there yet.
    pub(crate) fn unsettled(&self) -> Option<StoreId> {
        let met = self.lock().met.map(|(met, _)| met);
        met.filter(|_| *self.settled.borrow() != met)
    }

    /// This node has written back what it has.
    pub(crate) fn settle(&self, store: StoreId) {
        self.settled.send_replace(Some(store));
        self.look_again();
    }

    /// The store that this node has written back to, as it changes.
    pub(crate) fn settled(&self) -> watch::Receiver<Option<StoreId>> {
        self.settled.subscribe()
    }

    /// Another node may have written back, or may be gone.
    pub(crate) fn look_again(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// What is allowed, if nothing holds. `others` says whether all other nodes have written back to the store, or are gone.
    pub(crate) fn passed(&self, others: impl Fn(StoreId) -> bool) -> Option<Passed> {
        let mut state = self.lock();
        let (store, since) = state.met?;
        if *self.settled.borrow() != Some(store) {
            return None;
        }
        if state.passed != Some(store) && others(store) {
            state.passed = Some(store);
        }
        let is_late = state.passed != Some(store);
        (!is_late || since.elapsed() >= MAX_HOLD).then_some(Passed { store, is_late })
    }

    /// Waits until nothing holds; nothing if that is not before `deadline`.
    ///
    /// Cancel safety: dropping the future changes nothing.
    pub(crate) async fn pass(
        &self,
        others: impl Fn(StoreId) -> bool,
        deadline: Instant,
    ) -> Option<Passed> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(passed) = self.passed(&others) {
                return Some(passed);
            }
            let held_until = self.lock().met.map(|(_, since)| since + MAX_HOLD);
            let now = Instant::now();
            if now >= deadline {
                return None;
            }
            let until = held_until.filter(|until| *until > now);
            let until = until.map_or(deadline, |until| until.min(deadline));
            // The time may be over, or something has changed.
            let _ = timeout_at(until, changes.changed()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn another_store_holds_until_all_have_written_back_or_have_had_the_time() {
        let barrier = Barrier::new();
        let (one, two) = (StoreId([1; 8]), StoreId([2; 8]));
        let soon = || Instant::now() + Duration::from_millis(10);
        let passed = |store, is_late| Some(Passed { store, is_late });
        let none = barrier.pass(|_| true, soon()).await;
        assert_eq!(none, None, "no store has been met");
        assert!(barrier.meet(one) && !barrier.meet(one));
        assert_eq!(barrier.unsettled(), Some(one));
        let none = barrier.pass(|_| true, soon()).await;
        assert_eq!(none, None, "it has not written back");
        barrier.settle(one);
        assert_eq!(barrier.unsettled(), None);
        assert_eq!(barrier.pass(|_| true, soon()).await, passed(one, false));
        // Once all have said so, it stays so.
        assert_eq!(barrier.passed(|_| false), passed(one, false));
        assert!(barrier.meet(two) && !barrier.is_met(one));
        barrier.settle(two);
        let none = barrier.pass(|_| false, soon()).await;
        assert_eq!(none, None, "others have not");
        // Silence is no word: the time is over, and the node is late.
        let begun = Instant::now();
        let late = begun + MAX_HOLD * 2;
        assert_eq!(barrier.pass(|_| false, late).await, passed(two, true));
        assert!(begun.elapsed() <= MAX_HOLD);
        assert_eq!(barrier.passed(|_| true), passed(two, false));
    }
}
