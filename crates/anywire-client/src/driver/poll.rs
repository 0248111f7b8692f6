//! How the driver carries the session by polling: one exchange that is held, and beside it one that sends (PROTOCOL
//! §6). The first exchange is not held: it opens or attaches, and its answer proves that the path works.

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{
    Attach, AttachError, Can, CloseCode, ConnectionMode, Credential, Disposition, Encoding, Fence,
    Generation, Limits, Offset, Outcome, Packet, PayloadWriter, Renewal, Timestamp, Transmit,
    Transport, decode_payload, is_answer, unveil, veil, veiled_bytes,
};
use bytes::Bytes;
use tokio::sync::{OnceCell, mpsc};

use super::state::{Driver, end_refused, is_proof, proof};
use crate::legs::Failure;
use crate::legs::exchange::Exchanger;
use crate::legs::poll::{Answered, Body, Flight, FlightPlan, PollLeg, Slot};

impl Driver {
    pub(super) fn start_poll(&mut self, generation: Generation, now: Timestamp) {
        let (tell, answers) = mpsc::channel(2);
        let limits = self.shared.lock().session.limits().clone();
        let leg = PollLeg {
            generation,
            exchanger: Exchanger {
                http: self.config.http.clone(),
                uri: self.config.endpoints.poll.clone(),
                headers: self.config.headers.clone(),
                asked: Arc::new(OnceCell::new()),
                max_answer_bytes: veiled_bytes(limits.max_payload_bytes).max(MIN_ANSWER_BYTES),
            },
            tell,
            answers,
            is_attached: false,
            hold: None,
            send: None,
            hold_at: None,
            send_at: None,
            life_at: None,
            gone_at: None,
            full_inbox: FULL_INBOX,
            is_to_prove: false,
            is_close_sent: false,
            most_messages: u64::MAX,
            veils: false,
            refused: None,
        };
        self.poll = Some(leg);
        // While a WebSocket is attached, the session's messages are that one's. Where larger bodies failed, the attach
        // goes alone, so that the session is carried again before they are tried.
        let has_messages = !self.pace.is_least()
            && !self.pace.is_bare
            && self
                .websocket
                .as_ref()
                .is_none_or(|leg| leg.attachment().is_none());
        self.exchange(Slot::Hold, Some(Duration::ZERO), has_messages, now);
    }

    pub(super) fn prove_poll(&mut self) {
        if let Some(leg) = &mut self.poll {
            leg.is_to_prove = true;
        }
    }

    /// Begins whatever exchange is due.
    pub(super) fn transmit_poll(&mut self, now: Timestamp) {
        let Some(leg) = &mut self.poll else {
            return;
        };
        let is_due = |at: &mut Timestamp| *at <= now;
        if leg.gone_at.take_if(is_due).is_some() {
            return self.poll_gone(now);
        }
        leg.hold_at.take_if(is_due);
        let is_again = leg.send_at.take_if(is_due).is_some();
        let mut must_show_life = leg.life_at.take_if(is_due).is_some();
        let state = self.shared.lock();
        let session = &state.session;
        if !leg.is_attached || session.is_finished() {
            return;
        }
        let may_hold = leg.hold.is_none()
            && leg.hold_at.is_none()
            && leg.gone_at.is_none()
            && !session.is_ended()
            && session.has_inbox_room();
        let may_send = leg.send.is_none() && leg.send_at.is_none();
        let has_news = session.sent() > session.acknowledged();
        let has_close = !session.is_open() && (!leg.is_close_sent || is_again);
        let has_proof = leg.is_to_prove;
        let is_ended = session.is_ended();
        // Whether it is what they say that is refused: one that says nothing passes.
        let is_bare = leg
            .refused
            .as_ref()
            .is_some_and(|refused| !refused.has_passed);
        if session.has_inbox_room() {
            (leg.life_at, must_show_life) = (None, false);
        } else {
            leg.life_at
                .get_or_insert(now + session.limits().resume_window / 4);
        }
        let hold = self.pace.hold(session.limits());
        drop(state);
        if may_hold {
            self.exchange(Slot::Hold, Some(hold), false, now);
        }
        if may_send && (has_news || has_close) {
            self.exchange(Slot::Send, None, is_ended || !is_bare, now);
        } else if may_send && (has_proof || must_show_life || self.renewal.is_owed) {
            // In an exchange of its own: a path that does not bear the proof is not to lose messages' turn over it.
            self.exchange(Slot::Send, None, false, now);
        }
    }

    /// Sends one exchange; with a hold it attaches.
    pub(super) fn exchange(
        &mut self,
        slot: Slot,
        hold: Option<Duration>,
        has_messages: bool,
        now: Timestamp,
    ) {
        let admission = match self.names {
            None => self.admission(),
            Some(_) => None,
        };
        let Some(generation) = self.poll.as_ref().map(|leg| leg.generation) else {
            return;
        };
        let open = self.open(generation);
        let Some(leg) = &mut self.poll else {
            return;
        };
        let mut opening = None;
        let mut state = self.shared.lock();
        let session = &mut state.session;
        let received = session.received_position();
        let limits = session.limits().clone();
        let mut writer = PayloadWriter::new(Encoding::Binary);
        match self.names {
            None => {
                // It attaches in any case, so that a greeting comes with the first answer.
                let has_messages = session.sent() > Offset::default();
                let hold = if has_messages {
                    EARLY_HOLD
                } else {
                    Duration::ZERO
                };
                let open = Box::new(anywire_protocol::Open {
                    hold: Some(hold),
                    ..open
                });
                match admission {
                    None => writer.push(&Packet::Open(open)),
                    Some(admission) => opening = Some((open, admission)),
                }
            }
            Some((session, secret)) => writer.push(&Packet::Attach(Box::new(Attach {
                session,
                secret,
                generation: leg.generation,
                received: received.offset,
                hold,
            }))),
        }
        if received.is_inside() {
            // The attach names whole messages (PROTOCOL §4.11).
            writer.push(&Packet::Ack(received));
        }
        let mut plan = FlightPlan {
            began: now,
            hold: hold.unwrap_or_default(),
            received,
            ..FlightPlan::default()
        };
        if self.names.is_some() {
            for report in state.negotiation.reports().take(MAX_REPORTS) {
                plan.reported = report.number;
                writer.push(&Packet::Report(Box::new(report)));
            }
        }
        if self.names.is_some() {
            let is_owed = std::mem::take(&mut self.renewal.is_owed);
            if let Some(credential) = state.session.unconfirmed_credential() {
                writer.push(&Packet::Credential(credential.clone()));
            } else if is_owed && self.config.credentials.is_none() {
                // It is about the headers, which are to be those of now.
                writer.push(&Packet::Credential(Credential::new("")));
                leg.exchanger.asked = Arc::new(OnceCell::new());
            }
        }
        if slot == Slot::Send && !has_messages && std::mem::take(&mut leg.is_to_prove) {
            plan.has_proof = true;
            writer.push(&proof(&limits));
        }
        if has_messages {
            let mut max_bytes = self.pace.body_bytes(&limits, now);
            if opening.is_some() {
                max_bytes = max_bytes.saturating_sub(Limits::MAX_OPEN_BYTES);
            }
            let can_veil = state.session.can().has(Can::VEIL);
            plan.is_veiled = can_veil && self.pace.is_veiled(now);
            if plan.is_veiled {
                max_bytes = self.pace.veiled_payload_bytes(max_bytes);
            }
            plan.has_close = push_messages(
                &mut state.session,
                leg.generation,
                &mut writer,
                (max_bytes, leg.most_messages),
                &mut plan,
                now,
            );
            plan.was_close_out = self.is_close_out;
            leg.is_close_sent = plan.has_close;
            self.is_close_out |= plan.has_close;
        }
        drop(state);
        plan.is_veiled &= !plan.batch.is_empty();
        let mut payload = writer.finish();
        if plan.is_veiled {
            // A letter follows the mark.
            let mask = fastrand::u32(..) >> 1;
            payload = veil(&payload, mask.to_be_bytes());
        }
        // What carries much may be long on its way, and its line slow.
        let on_the_way = Limits::on_a_slow_line(payload.len());
        let patience = plan.hold + limits.heartbeat_timeout + on_the_way;
        leg.begin(slot, Body { opening, payload }, patience, plan);
    }

    pub(super) fn poll_answered(&mut self, answered: Answered, now: Timestamp) {
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
        let payload = match flight.plan.is_veiled {
            true => unveil(&payload),
            false => Ok(payload),
        };
        let packets = payload.and_then(|payload| decode_payload(Encoding::Binary, payload));
        let Ok(packets) = packets else {
            let failure = Failure::new(Outcome::Refused, "the answer is no payload");
            return self.poll_failed(flight, &failure, now);
        };
        if !is_answer(&packets) {
            let failure = Failure::new(Outcome::Refused, "not the server's answer");
            return self.poll_failed(flight, &failure, now);
        }
        let renewal = packets.iter().find_map(renewal);
        let had_ended = self.shared.lock().session.is_ended();
        for packet in packets {
            if let Err(failure) = self.poll_packet(packet, now) {
                return self.poll_failed(flight, &failure, now);
            }
        }
        let Some(leg) = &mut self.poll else {
            return;
        };
        if flight.plan.has_close {
            // It was taken, which ends the session, or left out.
            self.is_close_out = flight.plan.was_close_out;
            self.shared.lock().session.handle_close_lost();
        }
        let mut state = self.shared.lock();
        if flight.plan.reported > 0 {
            state.negotiation.handle_reported(flight.plan.reported);
        }
        if !leg.is_attached {
            leg.is_attached = true;
            if !had_ended {
                state.negotiation.handle_attached(Transport::Poll, now);
            }
        }
        let session = &state.session;
        self.pace.bore_body(flight.body_bytes);
        if !flight.plan.batch.is_empty() {
            leg.refused = None;
            leg.most_messages = u64::MAX;
            self.pace.is_bare = false;
        } else if slot == Slot::Send
            && let Some(refused) = &mut leg.refused
        {
            refused.has_passed = true;
        }
        if session.sent() == session.acknowledged() {
            // The server has them after all.
            leg.refused = None;
        }
        if slot == Slot::Hold && flight.plan.hold > Duration::ZERO {
            state.negotiation.handle_held();
            if state.session.received_position() == flight.plan.received {
                let lasted = now.since(flight.plan.began);
                if lasted < SHORT_HOLD.min(flight.plan.hold / 2) && !flight.plan.has_proof {
                    // Something in between does not allow holds, or the server asks for a credential in each answer.
                    leg.hold_at = match renewal {
                        Some(Renewal::Done) => None,
                        Some(Renewal::Ask(left)) => Some(now + HOLD_PAUSE.min(left / 4)),
                        None => Some(now + HOLD_PAUSE),
                    };
                } else {
                    self.pace.bore_hold();
                }
            }
            return;
        }
        let acknowledged = session.acknowledged_position();
        if acknowledged > flight.plan.batch.start {
            leg.full_inbox = FULL_INBOX;
        }
        let is_close_unheard = leg.is_close_sent && !session.is_finished();
        if acknowledged < flight.plan.batch.end || is_close_unheard {
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
        if let Some(reason) = failure.session_end() {
            let is_credential = reason.code == CloseCode::UNAUTHORIZED;
            let was_attached = self.poll.as_ref().is_some_and(|leg| leg.is_attached);
            // A credential that was good may have run out: the next leg asks for another.
            if !(is_credential && was_attached && self.config.headers.token.is_some()) {
                let is_close_out = match flight.plan.has_close {
                    true => flight.plan.was_close_out,
                    false => self.is_close_out,
                };
                end_refused(&mut self.shared.lock(), reason, is_close_out, now);
            }
        } else if self.goes_on_after(flight, failure, now) {
            return;
        } else if failure.loss.outcome != Outcome::Superseded {
            self.pace.failed(flight.body_bytes, flight.plan.hold);
            if flight.plan.has_proof && flight.plan.batch.is_empty() {
                // It stays unproven; what it bears, it carries.
                return;
            }
        }
        if flight.plan.has_close {
            if failure.refusal.is_some() {
                // The server itself refused the exchange: it has taken nothing of it.
                self.is_close_out = flight.plan.was_close_out;
            }
            self.shared.lock().session.handle_close_lost();
        }
        self.poll = None;
        let loss = Failure::from(failure.loss.clone());
        self.lost(Transport::Poll, &loss, now);
    }
}

/// What an answer says of credentials.
fn renewal(packet: &Packet) -> Option<Renewal> {
    match packet {
        Packet::Credential(content) => Renewal::parse(content.as_str()).ok(),
        _ => None,
    }
}

/// Appends what waits in the outbox; says whether that includes a close.
fn push_messages(
    session: &mut anywire_protocol::Session,
    generation: Generation,
    writer: &mut PayloadWriter,
    (max_bytes, max_messages): (usize, u64),
    plan: &mut FlightPlan,
    now: Timestamp,
) -> bool {
    let acknowledged = session.acknowledged_position();
    plan.batch = acknowledged..acknowledged;
    let mode = ConnectionMode::Exchange {
        hold: Duration::ZERO,
    };
    // A newer leg has taken over: nothing is sent here.
    let Ok(at) = session.handle_attach(generation, acknowledged.offset, mode, now) else {
        return false;
    };
    let mut is_closing = false;
    let longest = session.limits().longest_piece(session.can());
    let max_payload_bytes = session.limits().max_payload_bytes;
    while writer.has_room(longest, max_payload_bytes) {
        let left = max_bytes.saturating_sub(writer.pending_bytes() + PACKET_BYTES);
        let is_full = plan.messages() >= max_messages && !plan.batch.end.is_inside();
        if !plan.batch.is_empty() && (left < MIN_PIECE_BYTES || is_full) {
            break;
        }
        session.bound_parts(left.max(MIN_PIECE_BYTES));
        let end = &mut plan.batch.end;
        match session.poll_transmit(at.id, now) {
            // The attach says it, and what stands behind it.
            Transmit::Packet(Packet::Ack(_) | Packet::Credential(_)) => {}
            Transmit::Packet(packet) => {
                match &packet {
                    Packet::Part(part) => *end = end.after_bytes(part.len() as u64),
                    Packet::Message(_) => *end = end.after_message(),
                    Packet::Close(_) => is_closing = true,
                    _ => {}
                }
                writer.push(&packet);
            }
            Transmit::Message(message) => {
                *end = end.after_message();
                writer.push_message(message);
            }
            _ => break,
        }
    }
    session.handle_detach(at.id, now);
    is_closing
}

/// More than a packet of the binary encoding adds to its content.
const PACKET_BYTES: usize = 8;

/// No shorter part is cut to fill a body.
const MIN_PIECE_BYTES: usize = 256;

/// How long the open exchange waits for a first answer, if it carries messages.
const EARLY_HOLD: Duration = Duration::from_secs(1);

/// The first pause when the server leaves messages out.
const FULL_INBOX: Duration = Duration::from_millis(250);

/// Reports in one exchange.
const MAX_REPORTS: usize = 16;

/// Before *opened* has told the server's limits, an answer may be so long.
const MIN_ANSWER_BYTES: usize = 16 * 1_048_576;

/// The answer to a close comes so soon after another exchange has found the session gone.
const CLOSE_ANSWER: Duration = Duration::from_secs(1);

/// After a hold that ends sooner than this and brings nothing comes a pause (PROTOCOL §6.4).
const SHORT_HOLD: Duration = Duration::from_millis(500);
const HOLD_PAUSE: Duration = Duration::from_secs(1);

/// The pause when the server leaves messages out is doubled while it takes nothing, up to this.
const MAX_FULL_INBOX: Duration = Duration::from_secs(5);
