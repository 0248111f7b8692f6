//! How many bytes an upgraded connection may carry, both ways together, and what comes then.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults::Faults;

/// The bytes that may still pass.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicU64,
    /// Whether the connection ends after them; else it falls silent.
    pub(super) kills: bool,
}

impl Budget {
    /// Of two limits the smaller one counts: what is silent or closed carries nothing towards the other.
    pub(super) fn new(faults: &Faults) -> Self {
        let kill = faults.kill_after_bytes.unwrap_or(u64::MAX);
        let silence = faults.silent_after_bytes.unwrap_or(u64::MAX);
        Self {
            left: AtomicU64::new(kill.min(silence)),
            kills: kill < silence,
        }
    }

    /// How many of so many bytes may pass; they are taken as passed.
    pub(super) fn take(&self, wanted: usize) -> usize {
        let take = |left: u64| Some(left.saturating_sub(wanted as u64));
        // Without a limit nothing is counted down in any lifetime.
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .unwrap_or_else(|left| left);
        usize::try_from(left).unwrap_or(usize::MAX).min(wanted)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}
