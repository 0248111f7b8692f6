//! Which sessions have ended lately, so that a late repeat of an open makes no second one (PROTOCOL §2.2). When the wheel
//! looks at them is left to `hub.rs`.

use std::collections::{HashSet, VecDeque};
use std::mem;

use anywire_protocol::{SessionId, Timestamp};

use crate::memory::Charge;

/// Ids of ended sessions, for the open window after the end.
///
/// All stay for the same time, so they leave in the order in which they came: the queue is the only timer. There are never
/// more than a hub may have sessions, or [`Tombstones::MIN_BOUND`]; beyond that the oldest is forgotten.
#[derive(Debug)]
pub(crate) struct Tombstones {
    ids: HashSet<SessionId>,
    queue: VecDeque<(Timestamp, SessionId)>,
    /// Whether the wheel has an entry for the oldest; it has one at most.
    is_armed: bool,
    /// Counts what they take.
    charge: Charge,
}

impl Tombstones {
    /// So many are remembered however few sessions a hub may have: those come and go, and a repeat of an open may be late.
    pub(crate) const MIN_BOUND: usize = 1_024;

    /// None yet.
    pub(crate) fn new(charge: Charge) -> Self {
        Self {
            ids: HashSet::new(),
            queue: VecDeque::new(),
            is_armed: false,
            charge,
        }
    }

    /// Remembers an ended session until `until`. Returns whether the wheel is to look again then.
    pub(crate) fn insert(&mut self, id: SessionId, until: Timestamp, most: usize) -> bool {
        if self.queue.len() >= most {
            self.forget_first();
        }
        self.ids.insert(id);
        self.queue.push_back((until, id));
        self.weigh();
        !mem::replace(&mut self.is_armed, true)
    }

    /// Whether the session has ended lately.
    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.ids.contains(&id)
    }

    /// The wheel looks: forgets those whose time has passed; returns when to look again.
    pub(crate) fn sweep(&mut self, now: Timestamp) -> Option<Timestamp> {
        while self.queue.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
        let next = self.queue.front().map(|(until, _)| *until);
        self.is_armed = next.is_some();
        if self.ids.len() * 4 <= self.ids.capacity() {
            // An idle hub owns no buffer, and one that has little to do none that is too large.
            self.ids.shrink_to_fit();
            self.queue.shrink_to_fit();
        }
        self.weigh();
        next
    }

    fn weigh(&mut self) {
        let ids = self.ids.capacity() * (size_of::<SessionId>() + 1) * 8 / 7;
        let queue = self.queue.capacity() * size_of::<(Timestamp, SessionId)>();
        self.charge.set(ids + queue);
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.queue.pop_front() {
            self.ids.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    #[test]
    fn each_is_remembered_for_its_time_and_never_too_many() {
        let at = Timestamp::from_millis;
        let mut tombstones = Tombstones::new(Memory::new(u64::MAX).charge());
        assert!(tombstones.insert(id(1), at(10), 2));
        assert!(!tombstones.insert(id(2), at(20), 2));
        assert!(tombstones.contains(id(1)));
        tombstones.insert(id(3), at(30), 2);
        assert!(!tombstones.contains(id(1)), "the oldest makes room");
        assert_eq!(tombstones.sweep(at(20)), Some(at(30)));
        assert!(!tombstones.contains(id(2)));
        assert!(!tombstones.insert(id(4), at(30), 2), "one look at a time");
        assert_eq!(tombstones.sweep(at(30)), None);
        assert!(!tombstones.contains(id(3)));
        assert_eq!(tombstones.queue.capacity(), 0);
        // With one place each replaces the one before, and the wheel still looks once.
        assert!(tombstones.insert(id(5), at(50), 1));
        assert!(!tombstones.insert(id(6), at(60), 1));
        assert_eq!(tombstones.sweep(at(50)), Some(at(60)));
    }
}
