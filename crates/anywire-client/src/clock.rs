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
