//! For how long the store has answered without a stall or a change: nobody is taken for dead by a lease before that has been so
//! for a while, since after a stall all leases are gone at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Steady(Mutex<Option<Instant>>);

impl Steady {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The store answered in time.
    pub(crate) fn answered(&self) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert_with(Instant::now);
    }

    /// It did not, or it is another one.
    pub(crate) fn shaken(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it has answered for so long.
    pub(crate) fn is_for(&self, long: Duration) -> bool {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= long)
    }
}
