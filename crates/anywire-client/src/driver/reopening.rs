//! What the driver does between two sessions: it waits for the turn at which the next one is opened (NEGOTIATION §12). Turns are
//! the negotiation's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anywire_protocol::{CloseCode, CloseReason, Disposition, OpeningKey, Timestamp};
use tokio::time::sleep_until;

use super::asking::Renewal;
use super::state::Driver;
use crate::Why;
use crate::clock::Sleepwatch;
use crate::reopen::{Ended, Left};
use crate::shared::End;

impl Driver {
    /// Whether another session follows the one that has ended for this reason, and when it is opened at the soonest.
    pub(super) fn follow(&mut self, reason: &CloseReason, now: Timestamp) -> Option<Timestamp> {
        let reopen = self.config.reopen.clone()?;
        let mut state = self.shared.lock();
        let session = state.id.filter(|_| state.closed.is_none())?;
        let is_unauthorized = reason.code == CloseCode::UNAUTHORIZED;
        let may_ask_anew = self.config.credentials.is_some() && !self.was_unauthorized;
        if !(is_to_start_anew(reason.code) || is_unauthorized && may_ask_anew) {
            return None;
        }
        let at = state.negotiation.handle_ended(now)?;
        let unacknowledged = state.session.take_unacknowledged();
        state.is_opening = true;
        drop(state);
        if self.left.is_none() {
            let ended = Ended {
                reason: reason.clone(),
                session,
                unacknowledged,
            };
            // A panic must not leave the app waiting for an end.
            let decided = catch_unwind(AssertUnwindSafe(|| (reopen.decide)(&ended)));
            let decision = decided.ok()?;
            self.left = Some(Left { ended, decision });
        }
        self.was_unauthorized |= is_unauthorized;
        self.why = match reason.code {
            CloseCode::UNAUTHORIZED | CloseCode::CREDENTIAL_EXPIRED => Why::Expired,
            _ => Why::Reopen,
        };
        Some(at)
    }

    /// Waits for the turn at which the next session is opened, and begins it; `false` if the app closes before that.
    pub(super) async fn begin_anew(&mut self, mut at: Timestamp) -> bool {
        (self.websocket, self.poll) = (None, None);
        self.renewal = Renewal::default();
        loop {
            self.shared.wake();
            match self.look(at) {
                Between::Closed => return false,
                Between::Begun => return true,
                Between::Waits(until) => at = until,
            }
            tokio::select! {
                () = self.shared.changed.notified() => {}
                () = sleep_until(self.shared.clock.instant(at)) => {}
            }
        }
    }

    fn look(&mut self, at: Timestamp) -> Between {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        if let Some(reason) = state.closed.clone() {
            state.end = Some(reason.clone());
            drop(state);
            self.tell(End::Closed(reason));
            return Between::Closed;
        }
        if now < at {
            return Between::Waits(at);
        }
        let Some(key) = new_key().filter(|_| !state.is_burdened()) else {
            let turn = state.negotiation.turn_after(now);
            return Between::Waits(turn.expect("nothing carries a session that has ended"));
        };
        state.begin_anew(Arc::new(self.config.limits.clone()), now);
        drop(state);
        self.forget_session(key);
        Between::Begun
    }

    /// What belonged to the session that has ended; what was learnt of the path stays.
    fn forget_session(&mut self, key: OpeningKey) {
        self.key = key;
        self.names = None;
        self.admission = None;
        self.linger_until = None;
        // A sleep between the two says nothing of the legs that begin now.
        self.sleepwatch = Sleepwatch::start();
        (self.is_stalled, self.is_close_out, self.has_given_up) = (false, false, false);
    }
}

/// How it is between two sessions.
enum Between {
    /// The app has closed.
    Closed,
    /// The next one has begun.
    Begun,
    /// The next one begins at this moment at the soonest.
    Waits(Timestamp),
}

/// Whether a session may follow one that has ended with this code, whoever closed (NEGOTIATION §12.1).
fn is_to_start_anew(code: CloseCode) -> bool {
    code.disposition() == Disposition::StartAnew
        || matches!(code, CloseCode::RESTART | CloseCode::TRY_LATER)
}

/// A key that no other session has (PROTOCOL §2.2); `None` while the system has no randomness.
pub(crate) fn new_key() -> Option<OpeningKey> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).ok()?;
    Some(OpeningKey::from_bytes(key))
}
