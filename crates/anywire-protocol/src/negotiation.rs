//! Which leg a client tries when, and which carries the session (NEGOTIATION.md). How a leg connects, and what it
//! carries, is left to shells: they tell what happened, then drain [`Negotiation::poll_decision`]. What follows for the
//! legs is in `legs`.

mod decision;
mod legs;
mod line;
mod settings;
mod trace;

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

pub use self::decision::{Decision, Loss};
use self::line::Line;
pub use self::settings::{Memory, NegotiationSettings, PROOF_BYTES};
use self::trace::Trace;
pub use self::trace::{Attempt, Leg, Outcome, Phase, Report};
use crate::{Generation, Timestamp};

/// The state of a client's legs.
///
/// ```text
///          Start            handle_attached
///   idle ─────────▶ started ───────────────▶ attached ──▶ the carrier
///     ▲                │                        │
///     └────────────────┴──── handle_lost, Drop ─┘
/// ```
pub struct Negotiation {
    settings: NegotiationSettings,
    websocket: Line,
    poll: Line,
    carrier: Option<Leg>,
    /// Whether a leg has ever attached.
    is_open: bool,
    last_generation: u64,
    /// What polling attaches with; `None` asks for a generation above all others.
    poll_generation: Option<Generation>,
    /// Before this the server wants no attempt.
    not_before: Timestamp,
    give_up_at: Option<Timestamp>,
    /// When a WebSocket that seems to have superseded polling is dropped (NEGOTIATION §4.4).
    grace_until: Option<Timestamp>,
    /// When the WebSocket counts as steady.
    steady_at: Option<Timestamp>,
    /// Whether the WebSocket was proven since the network changed.
    was_proven: bool,
    memory: Option<Memory>,
    random: Box<dyn FnMut() -> f64 + Send>,
    decisions: VecDeque<Decision>,
    trace: Trace,
}

impl Negotiation {
    /// A negotiation that has not started; `random` gives numbers in [0, 1).
    pub fn new(
        settings: NegotiationSettings,
        memory: Option<Memory>,
        random: impl FnMut() -> f64 + Send + 'static,
    ) -> Self {
        Self {
            websocket: Line::new(settings.websocket),
            poll: Line::new(settings.poll),
            settings,
            carrier: None,
            is_open: false,
            last_generation: WEBSOCKET_GENERATION,
            poll_generation: Some(Generation::new(POLL_GENERATION)),
            not_before: Timestamp::default(),
            give_up_at: None,
            grace_until: None,
            steady_at: None,
            was_proven: false,
            memory,
            random: Box::new(random),
            decisions: VecDeque::new(),
            trace: Trace::default(),
        }
    }

    /// Begins (NEGOTIATION §2).
    pub fn start(&mut self, now: Timestamp) {
        if !self.websocket.is_allowed && !self.poll.is_allowed {
            self.decisions.push_back(Decision::GiveUp);
            return;
        }
        self.give_up_at = Some(now + self.settings.connect_timeout);
        self.start_websocket(now);
        let delay = match self.memory {
            _ if !self.websocket.is_started() => Duration::ZERO,
            None => self.settings.http_delay,
            Some(memory) => memory.http_delay(),
        };
        if delay.is_zero() {
            self.start_poll(now);
        } else {
            self.poll.retry_at = Some(now + delay);
        }
    }

    // What the world does.

    /// The WebSocket's upgrade was answered. A leg that made no offer is proven next.
    pub fn handle_connected(&mut self, now: Timestamp) {
        if self.websocket.phase == Some(Phase::Connect) && self.websocket.generation.is_none() {
            self.websocket.phase = Some(Phase::Probe);
            self.websocket.deadline = Some(now + settings::SILENCE);
            self.decisions.push_back(Decision::Prove(Leg::WebSocket));
        }
    }

    /// The answer to the ping of [`PROOF_BYTES`] came.
    pub fn handle_proven(&mut self, leg: Leg, now: Timestamp) {
        match self.line(leg).phase {
            Some(Phase::Probe) => {
                self.note(leg, Outcome::Ok, "", now);
                let generation = self.next_generation();
                self.websocket.is_proven = true;
                self.websocket.phase = Some(Phase::Attach);
                self.websocket.deadline = Some(now + settings::SILENCE);
                self.decisions.push_back(Decision::Attach(generation));
            }
            Some(Phase::Proof) => {
                self.note(leg, Outcome::Ok, "", now);
                let line = self.line_mut(leg);
                line.is_proven = true;
                line.phase = Some(Phase::Carry);
                line.deadline = None;
                if leg == Leg::WebSocket {
                    self.websocket_proven(now);
                }
            }
            _ => {}
        }
    }

    /// The server has said that the leg carries the session.
    pub fn handle_attached(&mut self, leg: Leg, now: Timestamp) {
        if !self.line(leg).is_started() || self.line(leg).is_attached() {
            return;
        }
        self.note(leg, Outcome::Ok, "", now);
        self.is_open = true;
        self.give_up_at = None;
        let line = self.line_mut(leg);
        line.attach(now);
        let is_proven = line.is_proven;
        match leg {
            Leg::WebSocket => self.websocket_attached(is_proven, now),
            Leg::Poll => self.poll_attached(now),
        }
        if !is_proven {
            self.decisions.push_back(Decision::Prove(leg));
        }
    }

    /// A question on the attached WebSocket was not answered within [`NegotiationSettings::STALL`].
    pub fn handle_stalled(&mut self, now: Timestamp) {
        if self.websocket.is_attached() && !self.websocket.is_stalled {
            self.websocket.is_stalled = true;
            if self.poll.retry_at.is_none() {
                self.start_poll(now);
            }
        }
    }

    /// Something came on the attached WebSocket: if it was stalled, it is no longer.
    pub fn handle_heard(&mut self) {
        if std::mem::take(&mut self.websocket.is_stalled) {
            self.poll.retry_at = None;
        }
    }

    /// A hold was answered: polling works, and a failure after it is a new one.
    pub fn handle_held(&mut self) {
        self.poll.failures = 0;
    }

    /// The leg has ended without being told to.
    pub fn handle_lost(&mut self, leg: Leg, loss: &Loss, now: Timestamp) {
        if !self.line(leg).is_started() {
            return;
        }
        self.note(leg, loss.outcome, &loss.detail, now);
        if let Some(wait) = loss.retry_after {
            self.not_before = self.not_before.max(now + wait);
        }
        match leg {
            Leg::WebSocket => self.websocket_lost(now),
            Leg::Poll => self.poll_lost(loss.outcome, now),
        }
    }

    /// The client is back, from sleep or on another network (NEGOTIATION §7.1).
    pub fn handle_returned(&mut self, has_new_network: bool, now: Timestamp) {
        if has_new_network {
            self.was_proven = false;
            self.memory = None;
            self.decisions.push_back(Decision::Forget);
        }
        self.websocket.failures = 0;
        self.poll.failures = 0;
        if self.websocket.is_attached() {
            self.decisions.push_back(Decision::Check(Leg::WebSocket));
        } else {
            self.start_websocket(now);
        }
        if self.poll.is_started() {
            self.drop_leg(Leg::Poll, Outcome::Dropped, "returned", now);
            self.start_poll(now);
        } else if self.is_open && self.carrier.is_none() {
            self.start_poll(now);
        }
    }

    /// Allows or forbids a leg (NEGOTIATION §7.3).
    pub fn allow(&mut self, leg: Leg, is_allowed: bool, now: Timestamp) {
        self.line_mut(leg).is_allowed = is_allowed;
        if is_allowed {
            match leg {
                Leg::WebSocket => self.start_websocket(now),
                Leg::Poll if self.carrier.is_none() => self.start_poll(now),
                Leg::Poll => {}
            }
        } else if self.line(leg).is_started() {
            self.drop_leg(leg, Outcome::Dropped, "forbidden", now);
            match leg {
                Leg::WebSocket => self.websocket_lost(now),
                Leg::Poll => self.detached(Leg::Poll),
            }
        }
    }

    /// Time has passed. Call it when [`Negotiation::poll_timeout`] says.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(self.give_up_at) {
            self.give_up_at = None;
            self.decisions.push_back(Decision::GiveUp);
        }
        if is_due(self.grace_until) {
            self.grace_until = None;
            if self.websocket.is_started() && !self.websocket.is_attached() {
                self.drop_leg(Leg::WebSocket, Outcome::Silent, "", now);
                self.websocket_lost(now);
            }
        }
        if is_due(self.websocket.deadline) {
            self.websocket.deadline = None;
            if self.websocket.is_attached() {
                self.handle_stalled(now);
            } else {
                self.drop_leg(Leg::WebSocket, Outcome::Silent, "", now);
                self.websocket_lost(now);
            }
        }
        if is_due(self.steady_at) {
            self.steady_at = None;
            self.websocket.failures = 0;
        }
        if is_due(self.websocket.retry_at) {
            self.websocket.retry_at = None;
            self.start_websocket(now);
        }
        if is_due(self.poll.retry_at) {
            self.poll.retry_at = None;
            self.start_poll(now);
        }
    }

    // What must be done next.

    /// The next decision.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// When to call [`Negotiation::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [
            self.give_up_at,
            self.grace_until,
            self.websocket.deadline,
            self.steady_at,
            self.websocket.retry_at,
            self.poll.retry_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // Questions.

    /// What carries the session.
    pub fn carrier(&self) -> Option<Leg> {
        self.carrier
    }

    /// Whether the leg may be tried.
    pub fn is_allowed(&self, leg: Leg) -> bool {
        self.line(leg).is_allowed
    }

    /// The last attempts, the oldest first (NEGOTIATION §9).
    pub fn trace(&self) -> impl Iterator<Item = &Attempt> {
        self.trace.attempts()
    }

    /// What the server is to be told, if something did not go well; call [`Negotiation::handle_reported`] when it was.
    pub fn reports(&self) -> impl Iterator<Item = Report> + '_ {
        self.trace.reports()
    }

    /// The server was told of all attempts up to this number.
    pub fn handle_reported(&mut self, number: u64) {
        self.trace.handle_reported(number);
    }

    // Private.

    fn drop_leg(&mut self, leg: Leg, outcome: Outcome, detail: &str, now: Timestamp) {
        self.note(leg, outcome, detail, now);
        self.line_mut(leg).reset();
        self.decisions.push_back(Decision::Drop(leg));
    }

    fn carry(&mut self, carrier: Option<Leg>) {
        if self.carrier != carrier {
            self.carrier = carrier;
            self.decisions.push_back(Decision::Carrier(carrier));
        }
    }

    fn detached(&mut self, leg: Leg) {
        if self.carrier == Some(leg) {
            self.carry(None);
        }
    }

    fn remember(&mut self, memory: Memory) {
        self.memory = Some(memory);
        self.decisions.push_back(Decision::Remember(memory));
    }

    /// Counts a failure and says when the leg is tried again (NEGOTIATION §5).
    fn after_failure(&mut self, leg: Leg, now: Timestamp) -> Timestamp {
        let line = self.line_mut(leg);
        line.failures = line.failures.saturating_add(1);
        let failures = line.failures;
        let pause = self.settings.pause(failures, (self.random)());
        (now + pause).max(self.not_before)
    }

    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation::new(self.last_generation)
    }

    fn note(&mut self, leg: Leg, outcome: Outcome, detail: &str, now: Timestamp) {
        let line = self.line(leg);
        if let Some(phase) = line.phase {
            let after = now.since(line.started_at);
            self.trace.note(leg, phase, after, outcome, detail);
        }
    }

    fn line(&self, leg: Leg) -> &Line {
        match leg {
            Leg::WebSocket => &self.websocket,
            Leg::Poll => &self.poll,
        }
    }

    fn line_mut(&mut self, leg: Leg) -> &mut Line {
        match leg {
            Leg::WebSocket => &mut self.websocket,
            Leg::Poll => &mut self.poll,
        }
    }
}

impl Debug for Negotiation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiation")
            .field("carrier", &self.carrier)
            .field("websocket", &self.websocket)
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}

/// The first generations: the WebSocket is rather kept (PROTOCOL §2.3).
const POLL_GENERATION: u64 = 1;
const WEBSOCKET_GENERATION: u64 = 2;
