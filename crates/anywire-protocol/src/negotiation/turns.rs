//! When a session that nothing carries may be tried again, and when another is opened after its end (NEGOTIATION §12): many
//! clients that lose one server come back evenly. Which leg goes then is left to `negotiation.rs`.

use std::time::Duration;

use crate::Timestamp;

/// A grid of moments with a random phase, while nothing carries the session. It is drawn anew each time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    every: Duration,
    /// How many turns in a row may pass in which no session is opened.
    tries: u32,
    /// The first of them.
    first: Option<Timestamp>,
    /// How many have passed so.
    tried: u32,
}

impl Turns {
    pub(super) fn new(every: Duration, tries: u32) -> Self {
        Self {
            // The grid is in whole milliseconds.
            every: every.max(Duration::from_millis(1)),
            tries: tries.max(1),
            first: None,
            tried: 0,
        }
    }

    /// Nothing carries the session from now on; `random` is in [0, 1).
    pub(super) fn draw(&mut self, random: f64, now: Timestamp) {
        if self.first.is_none() {
            self.first = Some(now + self.every.mul_f64(random.clamp(0.0, 1.0)));
        }
    }

    /// A session is carried.
    pub(super) fn end(&mut self) {
        (self.first, self.tried) = (None, 0);
    }

    /// A session is to be opened at this turn; `false` if enough have been tried.
    pub(super) fn attempt(&mut self) -> bool {
        let may = self.has_tries();
        self.tried = self.tried.saturating_add(1);
        may
    }

    pub(super) fn has_tries(&self) -> bool {
        self.tried < self.tries
    }

    /// The first turn at this moment or behind it; `None` while something carries the session.
    pub(super) fn from(&self, at: Timestamp) -> Option<Timestamp> {
        let first = self.first?;
        let every = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX);
        let late = at.as_millis().saturating_sub(first.as_millis());
        Some(first + Duration::from_millis(late.div_ceil(every).saturating_mul(every)))
    }

    /// The first turn behind this moment.
    pub(super) fn after(&self, now: Timestamp) -> Option<Timestamp> {
        self.from(now + Duration::from_millis(1))
    }

    /// Whether there has been one.
    pub(super) fn have_begun(&self, now: Timestamp) -> bool {
        self.first.is_some_and(|first| first <= now)
    }

    /// Whether a turn has been within the last 3 s: what was tried at it shows only now what became of it.
    pub(super) fn has_just_been(&self, now: Timestamp) -> bool {
        let soon =
            Timestamp::from_millis(now.as_millis().saturating_sub(AT_ONCE.as_millis() as u64));
        self.from(soon).is_some_and(|turn| turn <= now)
    }
}

/// So long after a turn what it shows counts as shown at it.
const AT_ONCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn turns_lie_on_a_grid_that_holds_until_a_session_is_carried() {
        let mut turns = Turns::new(Duration::from_secs(5), u32::MAX);
        assert_eq!(turns.from(at(0)), None);
        turns.draw(0.5, at(1_000));
        turns.draw(0.1, at(2_000));
        assert_eq!(turns.from(at(1_000)), Some(at(3_500)));
        assert_eq!(turns.from(at(3_500)), Some(at(3_500)));
        assert_eq!(turns.after(at(3_500)), Some(at(8_500)));
        assert_eq!(turns.from(at(61_000)), Some(at(63_500)));
        turns.end();
        assert_eq!(turns.after(at(61_000)), None);
    }

    #[test]
    fn what_shows_soon_after_a_turn_shows_at_it() {
        let mut turns = Turns::new(Duration::from_secs(5), u32::MAX);
        assert!(!turns.has_just_been(at(0)));
        turns.draw(0.0, at(10_000));
        assert!(!turns.have_begun(at(9_999)) && turns.have_begun(at(10_000)));
        for (moment, expected) in [
            (9_999, false),
            (10_000, true),
            (10_001, true),
            (13_000, true),
            (13_001, false),
            (14_999, false),
            (15_003, true),
        ] {
            assert_eq!(turns.has_just_been(at(moment)), expected, "{moment}");
        }
    }

    #[test]
    fn tries_are_counted_from_the_last_session() {
        let mut turns = Turns::new(Duration::from_secs(5), 2);
        assert!(turns.attempt() && turns.has_tries() && turns.attempt());
        assert!(!turns.has_tries() && !turns.attempt());
        turns.end();
        assert!(turns.attempt());
    }
}
