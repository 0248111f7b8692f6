//! The one place that reads the clock for sessions.

use anywire_protocol::Timestamp;
use tokio::time::Instant;

/// Milliseconds since the hub began; follows tokio's paused time in tests.
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

    /// The moment on this clock.
    pub(crate) fn timestamp(self, at: Instant) -> Timestamp {
        let millis = at.saturating_duration_since(self.0).as_millis();
        Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(self, at: Timestamp) -> Instant {
        self.0 + std::time::Duration::from_millis(at.as_millis())
    }
}
