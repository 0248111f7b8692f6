//! How attempts to connect went: for the app, and as *report* packets for the server (NEGOTIATION §9, PROTOCOL §7.6).

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::wire::identity::parse_number;
use crate::words::words;
use crate::{ProtocolError, Transport};

words! {
    /// What a leg was about when something became of it.
    Phase {
        /// Reaching the server, and its first answer.
        Connect = "connect",
        /// Proving the path before the attach.
        Probe = "probe",
        /// Waiting for *opened* after that.
        Attach = "attach",
        /// Attached, not proven yet.
        Proof = "proof",
        /// Attached and proven.
        Carry = "carry",
    }
}

words! {
    /// What became of it.
    Outcome {
        /// The phase went well.
        Ok = "ok",
        /// The server, or something in between, refused.
        Refused = "refused",
        /// The connection ended.
        Closed = "closed",
        /// Nothing came in time.
        Silent = "silent",
        /// It was attached, and a question was not answered in time.
        Stalled = "stalled",
        /// The server says that a newer connection carries the session.
        Superseded = "superseded",
        /// It was no longer needed.
        Dropped = "dropped",
        /// It could not even be tried.
        Failed = "failed",
    }
}

/// One attempt to connect, or what became of it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u64,
    /// The transport of the leg.
    pub leg: Transport,
    /// What it was about.
    pub phase: Phase,
    /// Since the leg started.
    pub after: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// More for people; may be empty.
    pub detail: Box<str>,
}

impl Display for Attempt {
    /// `websocket connect 5000 ms: silent`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ms = self.after.as_millis();
        write!(f, "{} {} {ms} ms: {}", self.leg, self.phase, self.outcome)?;
        if !self.detail.is_empty() {
            write!(f, " {}", self.detail)?;
        }
        Ok(())
    }
}

/// An attempt as the client reports it to the server, once something did not go well (PROTOCOL §7.6).
///
/// The words are the client's: a server counts those that it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Counts from 1 in a session.
    pub number: u64,
    /// The name of the leg's transport, as the client says it.
    pub leg: Box<str>,
    /// What it was about.
    pub phase: Box<str>,
    /// Since the leg started.
    pub after: Duration,
    /// `ok`, or what went wrong.
    pub outcome: Box<str>,
}

impl Report {
    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let mut words = content.split(' ');
        let mut next = || {
            words
                .next()
                .ok_or_else(|| ProtocolError::malformed("a report that does not have five words"))
        };
        let number = parse_number(next()?)?;
        if number == 0 {
            return Err(ProtocolError::malformed(
                "a report with the number 0: attempts count from 1",
            ));
        }
        let (leg, phase) = (word(next()?)?, word(next()?)?);
        let after = Duration::from_millis(parse_number(next()?)?);
        let outcome = word(next()?)?;
        if words.next().is_some() {
            return Err(ProtocolError::malformed(
                "a report that does not have five words",
            ));
        }
        Ok(Self {
            number,
            leg,
            phase,
            after,
            outcome,
        })
    }

    pub(crate) fn content(&self) -> String {
        let Self {
            number,
            leg,
            phase,
            after,
            outcome,
        } = self;
        format!("{number} {leg} {phase} {} {outcome}", after.as_millis())
    }
}

impl From<&Attempt> for Report {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            leg: attempt.leg.name().into(),
            phase: attempt.phase.name().into(),
            after: attempt.after,
            outcome: attempt.outcome.name().into(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Trace {
    attempts: VecDeque<Attempt>,
    noted: u64,
    reported: u64,
    /// The number of the last attempt that went wrong.
    trouble: u64,
}

impl Trace {
    pub(super) fn note(
        &mut self,
        leg: Transport,
        phase: Phase,
        after: Duration,
        outcome: Outcome,
        detail: &str,
    ) {
        self.noted += 1;
        if !matches!(outcome, Outcome::Ok | Outcome::Dropped) {
            self.trouble = self.noted;
        }
        if self.attempts.len() == MAX_ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(Attempt {
            number: self.noted,
            leg,
            phase,
            after,
            outcome,
            detail: detail.into(),
        });
    }

    pub(super) fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter()
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = Report> + '_ {
        let from = if self.trouble > 0 {
            self.reported
        } else {
            u64::MAX
        };
        self.attempts
            .iter()
            .filter(move |attempt| attempt.number > from)
            .map(Report::from)
    }

    pub(super) fn handle_reported(&mut self, number: u64) {
        self.reported = self.reported.max(number);
    }
}

fn word(text: &str) -> Result<Box<str>, ProtocolError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=MAX_WORD_BYTES).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text.into())
    } else {
        Err(ProtocolError::malformed(
            "a report with a word that is not 1 to 16 lower-case letters, digits and hyphens",
        ))
    }
}

/// How many attempts are kept.
const MAX_ATTEMPTS: usize = 64;

const MAX_WORD_BYTES: usize = 16;
