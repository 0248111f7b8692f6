//! How the driver carries the session by polling: one exchange that is held, and beside it one that sends (PROTOCOL
//! §6). The first exchange is not held: it opens or attaches, and its answer proves that the path works. What comes of
//! an exchange is left to `poll/answers.rs`.

mod answers;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{
    Attach, Carrier, Encoding, Generation, Offset, Packet, PayloadWriter, Timestamp, Transmit,
};
use bytes::Bytes;
use tokio::sync::{OnceCell, mpsc};

pub(super) use self::pace::Pace;
use super::{Driver, open, proof};
use crate::legs::exchange::Path;
use crate::legs::{Failure, Owned};

pub(crate) struct PollLeg {
    generation: Generation,
    path: Path,
    tell: mpsc::Sender<Answered>,
    answers: mpsc::Receiver<Answered>,
    is_attached: bool,
    hold: Option<Flight>,
    send: Option<Flight>,
    /// What the next hold or send waits for; none once that has passed.
    hold_at: Option<Timestamp>,
    send_at: Option<Timestamp>,
    /// When the server is to hear of us without a hold, while the inbox is full (PROTOCOL §7.4).
    life_at: Option<Timestamp>,
    /// The session is gone; until then the answer to our close may say how it ended.
    gone_at: Option<Timestamp>,
    /// The pause when the server leaves messages out.
    full_inbox: Duration,
    /// The next send carries the ping that proves the leg.
    is_to_prove: bool,
    is_close_sent: bool,
}

/// An exchange under way.
struct Flight {
    _task: Owned,
    began: Timestamp,
    /// How long the server may wait with the answer, if this is the held one.
    hold: Duration,
    /// The messages that it carries.
    batch: std::ops::Range<u64>,
    has_proof: bool,
    /// The last attempt that it reports.
    reported: u64,
    /// Whether it carries our close, and whether the server may have had that before.
    has_close: bool,
    was_close_out: bool,
    body_bytes: usize,
    received: Offset,
}

/// How an exchange went.
pub(crate) struct Answered {
    slot: Slot,
    outcome: Result<Bytes, Failure>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Hold,
    Send,
}

impl PollLeg {
    pub(super) async fn next(&mut self) -> Answered {
        let answered = self.answers.recv().await;
        answered.expect("the leg holds a sender")
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.send.is_none()
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        [self.hold_at, self.send_at, self.life_at, self.gone_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn begin(&mut self, slot: Slot, body: Bytes, patience: Duration, flight: FlightPlan) {
        let (path, tell) = (self.path.clone(), self.tell.clone());
        let body_bytes = body.len();
        let task = Owned::spawn(async move {
            let outcome = path.exchange(body, patience).await;
            let _ = tell.send(Answered { slot, outcome }).await;
        });
        let flight = Flight {
            _task: task,
            began: flight.now,
            hold: flight.hold,
            batch: flight.batch,
            has_proof: flight.has_proof,
            reported: flight.reported,
            has_close: flight.has_close,
            was_close_out: flight.was_close_out,
            body_bytes,
            received: flight.received,
        };
        match slot {
            Slot::Hold => self.hold = Some(flight),
            Slot::Send => self.send = Some(flight),
        }
    }
}

#[derive(Default)]
struct FlightPlan {
    now: Timestamp,
    hold: Duration,
    batch: std::ops::Range<u64>,
    has_proof: bool,
    reported: u64,
    has_close: bool,
    was_close_out: bool,
    received: Offset,
}

impl Driver {
    pub(super) fn start_poll(&mut self, generation: Generation, now: Timestamp) {
        let (tell, answers) = mpsc::channel(2);
        let limits = self.shared.lock().session.limits().clone();
        let leg = PollLeg {
            generation,
            path: Path {
                http: self.config.http.clone(),
                uri: self.config.endpoints.poll.clone(),
                headers: self.config.headers.clone(),
                asked: Arc::new(OnceCell::new()),
                max_answer_bytes: limits.max_payload_bytes.max(MIN_ANSWER_BYTES),
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
        };
        self.poll = Some(leg);
        // While a WebSocket is attached, the session's messages are that one's. Where larger bodies failed, the attach
        // goes alone, so that the session is carried again before they are tried.
        let has_messages = !self.pace.is_least()
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
            self.exchange(Slot::Send, None, true, now);
        } else if may_send && (has_proof || must_show_life) {
            // In an exchange of its own: a path that does not bear the proof is not to lose messages' turn over it.
            self.exchange(Slot::Send, None, false, now);
        }
    }

    /// Sends one exchange; with a hold it attaches.
    fn exchange(&mut self, slot: Slot, hold: Option<Duration>, has_messages: bool, now: Timestamp) {
        let Some(leg) = &mut self.poll else {
            return;
        };
        let mut state = self.shared.lock();
        let session = &mut state.session;
        let received = session.received();
        let limits = session.limits().clone();
        let mut writer = PayloadWriter::new(Encoding::Binary);
        writer.push(&match self.names {
            None => {
                // It attaches in any case, so that a greeting comes with the first answer.
                let has_messages = session.sent() > Offset::default();
                let hold = if has_messages {
                    EARLY_HOLD
                } else {
                    Duration::ZERO
                };
                let open = open(&self.config, leg.generation);
                Packet::Open(Box::new(anywire_protocol::Open {
                    hold: Some(hold),
                    ..open
                }))
            }
            Some((session, secret)) => Packet::Attach(Box::new(Attach {
                session,
                secret,
                generation: leg.generation,
                received,
                hold,
            })),
        });
        let mut plan = FlightPlan {
            now,
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
        if slot == Slot::Send && !has_messages && std::mem::take(&mut leg.is_to_prove) {
            plan.has_proof = true;
            writer.push(&proof(&limits));
        }
        if has_messages {
            let max_bytes = self.pace.batch_bytes(&limits);
            plan.has_close = push_messages(
                &mut state.session,
                leg.generation,
                &mut writer,
                max_bytes,
                &mut plan.batch,
                now,
            );
            plan.was_close_out = self.is_close_out;
            leg.is_close_sent = plan.has_close;
            self.is_close_out |= plan.has_close;
        }
        drop(state);
        let body = writer.finish();
        // What carries much may be long on its way, and its line slow.
        let on_the_way = Duration::from_millis((body.len() / SLOW_BYTES_PER_MS) as u64);
        let patience = plan.hold + limits.heartbeat_timeout + on_the_way;
        leg.begin(slot, body, patience, plan);
    }
}

/// Appends what waits in the outbox; says whether that includes a close.
fn push_messages(
    session: &mut anywire_protocol::Session,
    generation: Generation,
    writer: &mut PayloadWriter,
    max_bytes: usize,
    batch: &mut std::ops::Range<u64>,
    now: Timestamp,
) -> bool {
    let acknowledged = session.acknowledged();
    *batch = acknowledged.as_u64()..acknowledged.as_u64();
    let carrier = Carrier::Exchange {
        hold: Duration::ZERO,
    };
    // A newer leg has taken over: nothing is sent here.
    let Ok(at) = session.handle_attach(generation, acknowledged, carrier, now) else {
        return false;
    };
    let mut is_closing = false;
    let max_message_bytes = session.limits().max_message_bytes;
    let max_payload_bytes = session.limits().max_payload_bytes;
    let mut bytes = 0;
    while writer.has_room(max_message_bytes, max_payload_bytes) && (bytes == 0 || bytes < max_bytes)
    {
        match session.poll_transmit(at.id, now) {
            // The attach says it.
            Transmit::Packet(Packet::Ack(_)) => {}
            Transmit::Packet(packet) => {
                is_closing |= matches!(packet, Packet::Close(_));
                writer.push(&packet);
            }
            Transmit::Message(message) => {
                batch.end += 1;
                bytes += message.len().max(1);
                writer.push_message(message);
            }
            _ => break,
        }
    }
    session.handle_detach(at.id, now);
    is_closing
}

/// How long the open exchange waits for a first answer, if it carries messages.
const EARLY_HOLD: Duration = Duration::from_secs(1);

/// The first pause when the server leaves messages out.
const FULL_INBOX: Duration = Duration::from_millis(250);

/// A line that carries no more than this is slow, and an exchange takes its time on it.
const SLOW_BYTES_PER_MS: usize = 16;

/// Reports in one exchange.
const MAX_REPORTS: usize = 16;

/// Before *opened* has told the server's limits, an answer may be so long.
const MIN_ANSWER_BYTES: usize = 16 * 1_048_576;
