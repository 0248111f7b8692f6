//! Polling: the exchanges under way. The driver decides what goes into them and reads the
//! answers.

use std::thread;
use std::time::Duration;

use anywire_protocol::{
    CloseCode, Encoding, Generation, Open, Outcome, Packet, PayloadWriter, Position, Timestamp,
};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::exchange::Exchanger;
use super::{Failure, Owned};
use crate::credential::Admission;

pub(crate) struct PollLeg {
    pub(crate) generation: Generation,
    pub(crate) exchanger: Exchanger,
    pub(crate) tell: mpsc::Sender<Answered>,
    pub(crate) answers: mpsc::Receiver<Answered>,
    pub(crate) is_attached: bool,
    pub(crate) hold: Option<Flight>,
    pub(crate) send: Option<Flight>,
    /// What the next hold or send waits for; none once that has passed.
    pub(crate) hold_at: Option<Timestamp>,
    pub(crate) send_at: Option<Timestamp>,
    /// When the server is to hear of us without a hold, while the inbox is full (PROTOCOL §7.4).
    pub(crate) life_at: Option<Timestamp>,
    /// The session is gone; until then the answer to our close may say how it ended.
    pub(crate) gone_at: Option<Timestamp>,
    /// The pause when the server leaves messages out.
    pub(crate) full_inbox: Duration,
    /// The next send carries the ping that proves the leg.
    pub(crate) is_to_prove: bool,
    pub(crate) is_close_sent: bool,
    /// So many messages go into one body, since the path has refused one with more as too long.
    pub(crate) most_messages: u64,
    /// Words have been refused on this leg, so it veils them, whatever is remembered.
    pub(crate) veils: bool,
    /// The path refuses what waits.
    pub(crate) refused: Option<Refused>,
}

/// That something between refuses the leg's messages.
pub(crate) struct Refused {
    pub(crate) since: Timestamp,
    /// Whether an exchange without messages has passed since.
    pub(crate) has_passed: bool,
}

/// An exchange under way.
pub(crate) struct Flight {
    _task: Owned,
    pub(crate) plan: FlightPlan,
    pub(crate) body_bytes: usize,
}

/// What an exchange is for.
#[derive(Default)]
pub(crate) struct FlightPlan {
    pub(crate) began: Timestamp,
    /// How long the server may wait with the answer, if this is the held one.
    pub(crate) hold: Duration,
    /// What it carries of the messages.
    pub(crate) batch: std::ops::Range<Position>,
    pub(crate) is_veiled: bool,
    pub(crate) has_proof: bool,
    /// The last attempt that it reports.
    pub(crate) reported: u64,
    /// Whether it carries our close, and whether the server may have had that before.
    pub(crate) has_close: bool,
    pub(crate) was_close_out: bool,
    /// What had been received when it began.
    pub(crate) received: Position,
}

impl FlightPlan {
    /// Of how many messages it carries something.
    pub(crate) fn messages(&self) -> u64 {
        let (begin, end) = (self.batch.start, self.batch.end);
        end.offset.as_u64() - begin.offset.as_u64() + u64::from(end.is_inside())
    }
}

/// What an exchange brings.
pub(crate) struct Body {
    /// The open that stands first, where it is to have a credential; `payload` is without it.
    pub(crate) opening: Option<(Box<Open>, Admission)>,
    pub(crate) payload: Bytes,
}

impl Body {
    /// Asks for what is missing.
    async fn whole(self, patience: Duration) -> Result<Bytes, Failure> {
        let Some((mut open, admission)) = self.opening else {
            return Ok(self.payload);
        };
        let asked = timeout(patience, admission.credential());
        let asked = asked
            .await
            .map_err(|_| Failure::new(Outcome::Failed, "credential: no answer"))?;
        open.credential = Some(asked.map_err(Failure::from)?);
        let mut writer = PayloadWriter::new(Encoding::Binary);
        writer.push(&Packet::Open(open));
        // The binary encoding of packets is theirs one after the other (PROTOCOL §4.2).
        let begin = writer.finish();
        Ok([begin, self.payload].concat().into())
    }
}

/// Answers for an exchange in which the app panics.
struct Panicked {
    slot: Slot,
    tell: mpsc::Sender<Answered>,
}

impl Drop for Panicked {
    fn drop(&mut self) {
        if thread::panicking() {
            let outcome = Err(Failure::new(Outcome::Failed, "a panic"));
            let slot = self.slot;
            let _ = self.tell.try_send(Answered { slot, outcome });
        }
    }
}

/// How an exchange went.
pub(crate) struct Answered {
    pub(crate) slot: Slot,
    pub(crate) outcome: Result<Bytes, Failure>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Hold,
    Send,
}

impl PollLeg {
    pub(crate) async fn next(&mut self) -> Answered {
        let answered = self.answers.recv().await;
        answered.expect("the leg holds a sender")
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.send.is_none()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        [self.hold_at, self.send_at, self.life_at, self.gone_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn begin(&mut self, slot: Slot, body: Body, patience: Duration, plan: FlightPlan) {
        let (exchanger, tell) = (self.exchanger.clone(), self.tell.clone());
        let content_type = match plan.is_veiled {
            true => FORM,
            false => Encoding::Binary.content_type(),
        };
        let body_bytes = body.payload.len();
        let task = Owned::spawn(async move {
            let panicked = Panicked { slot, tell };
            let outcome = match body.whole(patience).await {
                Ok(body) => exchanger.exchange(content_type, body, patience).await,
                Err(failure) => Err(failure),
            };
            let _ = panicked.tell.send(Answered { slot, outcome }).await;
        });
        let flight = Flight {
            _task: task,
            plan,
            body_bytes,
        };
        match slot {
            Slot::Hold => self.hold = Some(flight),
            Slot::Send => self.send = Some(flight),
        }
    }

    /// Whether the session may be unknown because of our close: the exchange that brought it says how it ended
    /// (PROTOCOL §8.2.1).
    pub(crate) fn awaits_close(&self, failure: &Failure) -> bool {
        let is_unknown = failure
            .refusal
            .as_ref()
            .is_some_and(|reason| reason.code == CloseCode::UNKNOWN_SESSION);
        is_unknown && self.is_close_sent && self.send.is_some()
    }
}

/// What filters let pass that refuse other types (PROTOCOL §4.13).
const FORM: &str = "application/x-www-form-urlencoded";
