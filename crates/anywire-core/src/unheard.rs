//! Refusals that their clients could not read: a page cannot see what becomes of a form (PROTOCOL §15.6). The next open with the same
//! key is told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anywire_protocol::{SessionId, Timestamp};

use crate::refusal::Refusal;

/// 1,000: then the oldest is forgotten. A flood of forms costs no more memory than that.
const MAX_UNHEARD: usize = 1_000;

/// Refusals, the oldest first.
#[derive(Default)]
pub(crate) struct Unheard(Mutex<VecDeque<(SessionId, Timestamp, Refusal)>>);

impl Unheard {
    /// An open was refused, and nobody reads that.
    pub(crate) fn put(&self, session: SessionId, until: Timestamp, refusal: Refusal) {
        let mut all = self.lock();
        all.retain(|(other, _, _)| *other != session);
        if all.len() == MAX_UNHEARD {
            all.pop_front();
        }
        all.push_back((session, until, refusal));
    }

    /// Why the open was refused that came before, if that is not long ago. It is told once.
    pub(crate) fn take(&self, session: SessionId, now: Timestamp) -> Option<Refusal> {
        let mut all = self.lock();
        while all.front().is_some_and(|(_, until, _)| *until <= now) {
            all.pop_front();
        }
        let index = all.iter().position(|(other, _, _)| *other == session)?;
        all.remove(index).map(|(_, _, refusal)| refusal)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(SessionId, Timestamp, Refusal)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
