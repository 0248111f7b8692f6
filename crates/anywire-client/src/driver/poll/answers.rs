//! What comes of an exchange: an answer with packets, or the end of the leg.

use std::time::Duration;

use anywire_protocol::{
    AttachError, CloseCode, Disposition, Encoding, Fence, Outcome, Packet, Timestamp, Transport,
    decode_payload, is_answer,
};
use bytes::Bytes;

use super::{Answered, FULL_INBOX, Flight, PollLeg, Slot};
use crate::driver::{Driver, end_refused, is_proof};
use crate::legs::Failure;

impl Driver {
    pub(in crate::driver) fn poll_answered(&mut self, answered: Answered, now: Timestamp) {
        let Some(leg) = &mut self.poll else {
            return;
        };
        let flight = match answered.slot {
            Slot::Hold => leg.hold.take(),
            Slot::Send => leg.send.take(),
        };
        let Some(flight) = flight else {
            return;
        };
        match answered.outcome {
            Ok(payload) => self.poll_arrived(answered.slot, &flight, payload, now),
            Err(failure) if leg.awaits_close(&failure) => {
                leg.gone_at.get_or_insert(now + CLOSE_ANSWER);
            }
            Err(failure) => self.poll_failed(&flight, &failure, now),
        }
    }

    /// The session is gone, and no answer has said how it ended.
    pub(super) fn poll_gone(&mut self, now: Timestamp) {
        let reason = CloseCode::UNKNOWN_SESSION.into();
        end_refused(&mut self.shared.lock(), &reason, self.is_close_out, now);
        self.poll = None;
        self.lost(Transport::Poll, &Failure::new(Outcome::Refused, ""), now);
    }

    fn poll_arrived(&mut self, slot: Slot, flight: &Flight, payload: Bytes, now: Timestamp) {
        let Ok(packets) = decode_payload(Encoding::Binary, payload) else {
            let failure = Failure::new(Outcome::Refused, "the answer is no payload");
            return self.poll_failed(flight, &failure, now);
        };
        if !is_answer(&packets) {
            let failure = Failure::new(Outcome::Refused, "not the server's answer");
            return self.poll_failed(flight, &failure, now);
        }
        for packet in packets {
            if let Err(failure) = self.poll_packet(packet, now) {
                return self.poll_failed(flight, &failure, now);
            }
        }
        let Some(leg) = &mut self.poll else {
            return;
        };
        if flight.has_close {
            // It was taken, which ends the session, or left out.
            self.is_close_out = flight.was_close_out;
        }
        let mut state = self.shared.lock();
        if flight.reported > 0 {
            state.negotiation.handle_reported(flight.reported);
        }
        if !leg.is_attached {
            leg.is_attached = true;
            state.negotiation.handle_attached(Transport::Poll, now);
        }
        let session = &state.session;
        self.pace.bore_body(flight.body_bytes);
        if slot == Slot::Hold && flight.hold > Duration::ZERO {
            state.negotiation.handle_held();
            if state.session.received() == flight.received {
                let lasted = now.since(flight.began);
                if lasted < SHORT_HOLD.min(flight.hold / 2) && !flight.has_proof {
                    // Something in between does not allow holds.
                    leg.hold_at = Some(now + HOLD_PAUSE);
                } else {
                    self.pace.bore_hold();
                }
            }
            return;
        }
        let acknowledged = session.acknowledged().as_u64();
        if acknowledged > flight.batch.start {
            leg.full_inbox = FULL_INBOX;
        }
        let is_close_unheard = leg.is_close_sent && !session.is_finished();
        if acknowledged < flight.batch.end || is_close_unheard {
            // The server had no room (PROTOCOL §6.6).
            leg.send_at = Some(now + leg.full_inbox);
            leg.full_inbox = (leg.full_inbox * 2).min(MAX_FULL_INBOX);
        }
    }

    fn poll_packet(&mut self, packet: Packet, now: Timestamp) -> Result<(), Failure> {
        let generation = self.poll.as_ref().map(|leg| leg.generation);
        match packet {
            Packet::Opened(opened) if self.adopt(&opened) => Ok(()),
            Packet::Opened(_) => Err(Failure::new(Outcome::Refused, "another session")),
            Packet::Padding(_) => Ok(()),
            Packet::Pong(content) => {
                let mut state = self.shared.lock();
                if is_proof(&content, state.session.limits()) {
                    state.negotiation.handle_proven(Transport::Poll, now);
                }
                Ok(())
            }
            Packet::Close(reason) if reason.code.disposition() == Disposition::Retry => {
                Err(Failure::new(Outcome::Refused, reason.to_string()))
            }
            packet => {
                let fence = Fence::Generation(generation.unwrap_or_default());
                match self.shared.lock().session.handle_packet(fence, packet, now) {
                    Err(AttachError::Superseded) => {
                        Err(Failure::new(Outcome::Superseded, "by our own WebSocket"))
                    }
                    // A broken rule has closed the session, and the next exchange tells the server.
                    Ok(()) | Err(_) => Ok(()),
                }
            }
        }
    }

    fn poll_failed(&mut self, flight: &Flight, failure: &Failure, now: Timestamp) {
        if let Some(reason) = &failure.refusal {
            let is_credential = reason.code == CloseCode::UNAUTHORIZED;
            let was_attached = self.poll.as_ref().is_some_and(|leg| leg.is_attached);
            // A credential that was good may have run out: the next leg asks for another.
            if !(is_credential && was_attached && self.config.headers.token.is_some()) {
                let is_close_out = match flight.has_close {
                    true => flight.was_close_out,
                    false => self.is_close_out,
                };
                end_refused(&mut self.shared.lock(), reason, is_close_out, now);
            }
        } else if failure.loss.outcome != Outcome::Superseded {
            self.pace.failed(flight.body_bytes, flight.hold);
            if flight.has_proof && flight.batch.is_empty() {
                // It stays unproven; what it bears, it carries.
                return;
            }
        }
        self.poll = None;
        let loss = Failure {
            loss: failure.loss.clone(),
            refusal: None,
        };
        self.lost(Transport::Poll, &loss, now);
    }
}

impl PollLeg {
    /// Whether the session may be unknown because of our close: the exchange that brought it says how it ended
    /// (PROTOCOL §8.2.1).
    fn awaits_close(&self, failure: &Failure) -> bool {
        let is_unknown = failure
            .refusal
            .as_ref()
            .is_some_and(|reason| reason.code == CloseCode::UNKNOWN_SESSION);
        is_unknown && self.is_close_sent && self.send.is_some()
    }
}

/// The answer to a close comes so soon after another exchange has found the session gone.
const CLOSE_ANSWER: Duration = Duration::from_secs(1);

/// After a hold that ends sooner than this and brings nothing comes a pause (PROTOCOL §6.4).
const SHORT_HOLD: Duration = Duration::from_millis(500);
const HOLD_PAUSE: Duration = Duration::from_secs(1);

/// The pause when the server leaves messages out is doubled while it takes nothing, up to this.
const MAX_FULL_INBOX: Duration = Duration::from_secs(5);
