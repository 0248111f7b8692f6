//! What the client does where something between refuses its messages: for their length, which shorter bodies mend
//! (PROTOCOL §6.7), or for what they say (PROTOCOL §6.8).

use std::time::Duration;

use anywire_protocol::{Can, CloseCode, CloseReason, Timestamp};

use super::state::Driver;
use crate::legs::Failure;
use crate::legs::poll::{Flight, Refused, Slot};

impl Driver {
    /// Whether the leg goes on after a refusal: with shorter bodies, without messages, or with the same ones once more.
    pub(super) fn goes_on_after(
        &mut self,
        flight: &Flight,
        failure: &Failure,
        now: Timestamp,
    ) -> bool {
        let messages = flight.plan.messages();
        let can = self.shared.lock().session.can();
        let can_cut = can.has(Can::PART);
        if failure.is_too_long
            && (messages > 1 || messages > 0 && can_cut)
            && self.pace.refused_as_too_long(flight.body_bytes, now)
        {
            if let Some(leg) = &mut self.poll
                && !can_cut
            {
                // One of them may be longer than all others together.
                leg.most_messages = messages / 2;
            }
            self.send_again(flight, true, now);
            return true;
        }
        if messages == 0 || !failure.is_dislike {
            return false;
        }
        let Some(leg) = &mut self.poll else {
            return false;
        };
        if !leg.is_attached {
            let was_bare = std::mem::replace(&mut self.pace.is_bare, true);
            if !was_bare {
                self.send_again(flight, false, now);
            }
            return !was_bare;
        }
        if messages > 1 {
            // It may dislike one of them alone: the others are to arrive.
            leg.most_messages = messages / 2;
            self.send_again(flight, true, now);
            return true;
        }
        if can.has(Can::VEIL) && !failure.is_too_long && !(flight.plan.is_veiled && leg.veils) {
            // It may dislike words; or veils, though another path did not.
            leg.veils = !flight.plan.is_veiled;
            self.pace.veil(leg.veils, now);
            self.send_again(flight, true, now);
            return true;
        }
        if flight.plan.is_veiled && self.pace.refused_veil(flight.body_bytes) {
            self.send_again(flight, true, now);
            return true;
        }
        let refused = leg.refused.get_or_insert(Refused {
            since: now,
            has_passed: false,
        });
        if now.since(refused.since) >= REFUSED {
            let text = format!(
                "something between refuses a message: {}",
                failure.loss.detail
            );
            let reason = CloseReason::new(CloseCode::REFUSED_ON_THE_WAY, &text);
            self.shared.lock().session.abort(reason, now);
        } else if refused.has_passed {
            leg.send_at = Some(now + leg.full_inbox);
            leg.full_inbox *= 2;
        }
        self.send_again(flight, false, now);
        true
    }

    /// The exchange is repeated on the same leg.
    fn send_again(&mut self, flight: &Flight, has_messages: bool, now: Timestamp) {
        if flight.plan.has_close {
            self.is_close_out = flight.plan.was_close_out;
            self.shared.lock().session.handle_close_lost();
        }
        let Some(leg) = &mut self.poll else {
            return;
        };
        leg.is_close_sent &= !flight.plan.has_close;
        // An attached leg sends whatever it may in its next turn.
        if !leg.is_attached {
            self.exchange(Slot::Hold, Some(Duration::ZERO), has_messages, now);
        }
    }
}

/// How long the path may refuse the same messages before the session ends.
const REFUSED: Duration = Duration::from_secs(3);
