//! The one place that reads clocks.

use std::time::{Duration, SystemTime};

use anywire_protocol::Timestamp;
use tokio::time::Instant;

/// Milliseconds since the client began; follows tokio's paused time in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Timestamp {
        let millis = self.0.elapsed().as_millis();
        Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(self, at: Timestamp) -> Instant {
        self.0 + Duration::from_millis(at.as_millis())
    }
}

/// Tells that the machine or the process has slept: the monotonic clock stands still in one case, timers are late in
/// the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleepwatch {
    wall: SystemTime,
    monotonic: Instant,
}

impl Sleepwatch {
    pub(crate) fn start() -> Self {
        Self {
            wall: SystemTime::now(),
            monotonic: Instant::now(),
        }
    }

    /// Whether there was a sleep since the last time; `deadline` is when this was to be asked at the latest.
    pub(crate) fn has_slept(&mut self, deadline: Option<Instant>) -> bool {
        let before = std::mem::replace(self, Self::start());
        let monotonic = self.monotonic - before.monotonic;
        let wall = self.wall.duration_since(before.wall).unwrap_or_default();
        let is_late = deadline.is_some_and(|deadline| self.monotonic > deadline + LATE);
        is_late || wall > monotonic + JUMP
    }
}

/// A timer that is so late was not merely kept waiting by other tasks.
const LATE: Duration = Duration::from_secs(1);

/// The wall clock may be set by a little; further, it is taken for a sleep.
const JUMP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumped_and_a_timer_that_is_late_tell_of_a_sleep() {
        let mut watch = Sleepwatch::start();
        assert!(!watch.has_slept(None));
        // The monotonic clock stood still while the wall clock went on.
        watch.wall -= HOUR;
        assert!(watch.has_slept(None));
        assert!(!watch.has_slept(None));
        // It is set back: that is no sleep.
        watch.wall += HOUR;
        assert!(!watch.has_slept(None));
        // The monotonic clock went on while no task ran.
        let deadline = Instant::now();
        tokio::time::advance(HOUR).await;
        assert!(watch.has_slept(Some(deadline)));
    }
}
