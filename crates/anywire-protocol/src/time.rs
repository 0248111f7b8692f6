//! The moment that shells pass in. They read the clock.

use std::num::NonZeroU64;
use std::ops::Add;
use std::time::Duration;

/// Milliseconds since a start that the shell chooses and keeps.
///
/// Within one session `now` never goes backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(
    /// One more than the milliseconds, so that a moment that may be missing takes no more room than one that is there.
    NonZeroU64,
);

impl Timestamp {
    /// The moment `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        match NonZeroU64::new(millis.saturating_add(1)) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MAX),
        }
    }

    /// Milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}
