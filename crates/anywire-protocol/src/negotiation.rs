//! Which leg a client tries when, and which carries the session (NEGOTIATION.md). How a leg connects, and what it
//! carries, is left to shells: they tell what happened, then drain [`Negotiation::poll_decision`]. The
//! state of one leg is in `leg`.

mod decision;
mod leg;
mod settings;
mod trace;
mod turns;

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

pub use self::decision::{Decision, Loss};
use self::leg::LegState;
pub use self::settings::{Memory, NegotiationSettings, PROOF_BYTES};
use self::trace::Trace;
pub use self::trace::{Attempt, Outcome, Phase, Report};
use self::turns::Turns;
use crate::{Generation, Timestamp, Transport};

/// The state of a client's legs, and the choice between them ([NEGOTIATION](crate::specification::negotiation)).
///
/// ```text
///          Start            handle_attached
///   idle ─────────▶ started ───────────────▶ attached ──▶ the carrier
///     ▲                │                        │
///     └────────────────┴──── handle_lost, Drop ─┘
/// ```
pub struct Negotiation {
    settings: NegotiationSettings,
    websocket: LegState,
    poll: LegState,
    carrier: Option<Transport>,
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
    /// Since when exchanges are answered as by a server that has no Anywire (NEGOTIATION §4.5).
    missing_since: Option<Timestamp>,
    /// Whether the WebSocket was proven since the network changed.
    was_proven: bool,
    /// Where new sessions follow those that end: when they are opened.
    turns: Option<Turns>,
    /// Whether this session is to follow another, and is not open yet.
    is_reopening: bool,
    /// The next turn, while nothing carries the session.
    turn_at: Option<Timestamp>,
    /// The application wants no session any more: no leg starts.
    is_leaving: bool,
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
            websocket: LegState::new(settings.websocket),
            poll: LegState::new(settings.poll),
            settings,
            carrier: None,
            is_open: false,
            last_generation: WEBSOCKET_GENERATION,
            poll_generation: Some(Generation::new(POLL_GENERATION)),
            not_before: Timestamp::default(),
            give_up_at: None,
            grace_until: None,
            steady_at: None,
            missing_since: None,
            was_proven: false,
            turns: None,
            is_reopening: false,
            turn_at: None,
            is_leaving: false,
            memory,
            random: Box::new(random),
            decisions: VecDeque::new(),
            trace: Trace::default(),
        }
    }

    /// Begins: starts the WebSocket at once, and polling a little later or as soon as the WebSocket fails (NEGOTIATION §2).
    ///
    /// Drain [`Negotiation::poll_decision`] next. With both legs forbidden it decides to give up.
    pub fn start(&mut self, now: Timestamp) {
        if !self.websocket.is_allowed && !self.poll.is_allowed {
            self.decisions.push_back(Decision::GiveUp);
            return;
        }
        self.give_up_at = Some(now + self.settings.connect_timeout);
        self.start_legs(now);
    }

    /// New sessions follow those that end, at turns that are so far apart (NEGOTIATION §12). After so many turns in a row without
    /// a session it decides to give up. Call it before [`Negotiation::start`].
    pub fn take_turns(&mut self, every: Duration, tries: u32) {
        self.turns = Some(Turns::new(every, tries));
    }

    /// The next session begins, at the moment that [`Negotiation::handle_ended`] has named or at a later turn. All legs are idle:
    /// the shell has dropped them. What was learnt of the path and the trace stay.
    ///
    /// Drain [`Negotiation::poll_decision`] next.
    pub fn reopen(&mut self, now: Timestamp) {
        self.decisions.clear();
        self.websocket = LegState::new(self.websocket.is_allowed);
        self.poll = LegState::new(self.poll.is_allowed);
        self.carry(None);
        (self.is_open, self.is_reopening) = (false, true);
        self.is_leaving = false;
        self.last_generation = WEBSOCKET_GENERATION;
        self.poll_generation = Some(Generation::new(POLL_GENERATION));
        (self.give_up_at, self.grace_until, self.steady_at) = (None, None, None);
        (self.missing_since, self.turn_at) = (None, None);
        self.handle_turn(now);
    }

    // What the world does.

    /// The WebSocket's upgrade was answered. A leg that made no offer is proven next.
    pub fn handle_connected(&mut self, now: Timestamp) {
        if self.websocket.phase == Some(Phase::Connect) && self.websocket.generation.is_none() {
            self.websocket.phase = Some(Phase::Probe);
            self.websocket.deadline = Some(now + settings::SILENCE);
            self.decisions.push_back(Decision::ProveWebSocket);
        }
    }

    /// The answer to the ping of [`PROOF_BYTES`] came.
    pub fn handle_proven(&mut self, leg: Transport, now: Timestamp) {
        match self.leg(leg).phase {
            Some(Phase::Probe) => {
                self.note(leg, Outcome::Ok, "", now);
                let generation = self.next_generation();
                self.websocket.is_proven = true;
                self.websocket.phase = Some(Phase::Attach);
                self.websocket.deadline = Some(now + settings::SILENCE);
                self.decisions
                    .push_back(Decision::AttachWebSocket(generation));
            }
            Some(Phase::Proof) => {
                self.note(leg, Outcome::Ok, "", now);
                let state = self.leg_mut(leg);
                state.is_proven = true;
                state.phase = Some(Phase::Carry);
                state.deadline = None;
                if leg == Transport::WebSocket {
                    self.websocket_proven(now);
                }
            }
            _ => {}
        }
    }

    /// The server has said that the leg carries the session.
    pub fn handle_attached(&mut self, leg: Transport, now: Timestamp) {
        if !self.leg(leg).is_started() || self.leg(leg).is_attached() {
            return;
        }
        self.note(leg, Outcome::Ok, "", now);
        (self.is_open, self.is_reopening) = (true, false);
        self.give_up_at = None;
        self.turn_at = None;
        self.missing_since = None;
        let state = self.leg_mut(leg);
        state.attach(now);
        let is_proven = state.is_proven;
        if leg == Transport::WebSocket {
            self.websocket_attached(is_proven, now);
        } else {
            self.poll_attached(now);
        }
        if !is_proven {
            self.decisions.push_back(if leg == Transport::WebSocket {
                Decision::ProveWebSocket
            } else {
                Decision::ProvePoll
            });
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

    /// The server answered a held poll: polling works. Its count of failures returns to 0, so the next pause is that of a
    /// first failure.
    pub fn handle_held(&mut self) {
        self.poll.failures = 0;
        self.missing_since = None;
    }

    /// The leg has ended without being told to.
    pub fn handle_lost(&mut self, leg: Transport, loss: &Loss, now: Timestamp) {
        if !self.leg(leg).is_started() {
            return;
        }
        self.note(leg, loss.outcome, &loss.detail, now);
        if let Some(wait) = loss.retry_after {
            self.not_before = self.not_before.max(now + wait);
        }
        if leg == Transport::WebSocket {
            self.websocket_lost(now);
        } else {
            self.missing_since = loss.is_missing.then(|| self.missing_since.unwrap_or(now));
            self.poll_lost(loss.outcome, now);
            if let Some(since) = self.missing_since {
                self.poll_missing(since, now);
            }
        }
    }

    /// The session has ended, and another is to follow: says when it is opened. `None` if no turns are taken, or enough of them have
    /// passed without a session.
    ///
    /// That is at a turn, or now if one has just been (NEGOTIATION §12.3).
    pub fn handle_ended(&mut self, now: Timestamp) -> Option<Timestamp> {
        let random = (self.random)();
        let turns = self.turns.as_mut().filter(|turns| turns.has_tries())?;
        turns.draw(random, now);
        let turns = *turns;
        if self.is_reopening {
            // Its open was refused: this turn is used up.
            return turns.from(self.not_before.max(now + Duration::from_millis(1)));
        }
        match turns.has_just_been(now) && self.not_before <= now {
            true => Some(now),
            false => turns.from(now.max(self.not_before)),
        }
    }

    /// The first turn behind this moment, while nothing carries the session and turns are taken.
    pub fn turn_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.turns.as_ref()?.after(now)
    }

    /// The device woke up, or its network changed: forgets pauses and failures, and tries at once (NEGOTIATION §7.1).
    ///
    /// `has_new_network` also forgets which transports this network was known to bear.
    pub fn handle_returned(&mut self, has_new_network: bool, now: Timestamp) {
        if has_new_network {
            self.was_proven = false;
            self.memory = None;
            self.decisions.push_back(Decision::Forget);
        }
        self.websocket.failures = 0;
        self.poll.failures = 0;
        if self.is_reopening {
            // A new session is opened at turns only.
            if self.poll.is_started() {
                self.drop_leg(Transport::Poll, Outcome::Dropped, "returned", now);
                self.await_turn(now);
            }
            return;
        }
        if self.websocket.is_attached() {
            self.decisions.push_back(Decision::CheckWebSocket);
        } else {
            self.start_websocket(now);
        }
        if self.poll.is_started() {
            self.drop_leg(Transport::Poll, Outcome::Dropped, "returned", now);
            self.start_poll(now);
        } else if self.is_open && self.carrier.is_none() {
            self.start_poll(now);
        }
    }

    /// The application has closed before the session is open: a leg that may have opened it goes on, no other starts
    /// (NEGOTIATION §7.4).
    pub fn handle_left(&mut self) {
        self.is_leaving = true;
        let starts = |decision: &Decision| {
            matches!(
                decision,
                Decision::StartWebSocket(_) | Decision::StartPoll(_)
            )
        };
        self.decisions.retain(|decision| !starts(decision));
        (self.websocket.deadline, self.websocket.retry_at) = (None, None);
        (self.poll.retry_at, self.grace_until, self.turn_at) = (None, None, None);
    }

    /// Allows or forbids a leg. A forbidden leg is dropped, and not started before it is allowed again (NEGOTIATION §7.3).
    pub fn allow(&mut self, leg: Transport, is_allowed: bool, now: Timestamp) {
        self.leg_mut(leg).is_allowed = is_allowed;
        if is_allowed {
            if leg == Transport::WebSocket {
                self.start_websocket(now);
            } else if self.carrier.is_none() {
                self.start_poll(now);
            }
        } else if self.leg(leg).is_started() {
            self.drop_leg(leg, Outcome::Dropped, "forbidden", now);
            if leg == Transport::WebSocket {
                self.websocket_lost(now);
            } else {
                self.detached(leg, now);
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
        // Before what the turn undoes.
        if is_due(self.turn_at) {
            self.handle_turn(now);
        }
        if is_due(self.grace_until) {
            self.grace_until = None;
            if self.websocket.is_started() && !self.websocket.is_attached() {
                self.drop_leg(Transport::WebSocket, Outcome::Silent, "", now);
                self.websocket_lost(now);
            }
        }
        if is_due(self.websocket.deadline) {
            self.websocket.deadline = None;
            if self.websocket.is_attached() {
                self.handle_stalled(now);
            } else {
                self.drop_leg(Transport::WebSocket, Outcome::Silent, "", now);
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
            self.turn_at,
            self.websocket.retry_at,
            self.poll.retry_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // Questions.

    /// The leg that carries the session now. `None` before the first one does, and while none does after a loss.
    pub fn carrier(&self) -> Option<Transport> {
        self.carrier
    }

    /// Whether the leg may be tried.
    pub fn is_allowed(&self, leg: Transport) -> bool {
        self.leg(leg).is_allowed
    }

    /// The last attempts, the oldest first, at most 64: why the carrier is what it is (NEGOTIATION §9).
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

    // What follows when a leg starts, attaches, is proven or lost.

    fn websocket_attached(&mut self, is_proven: bool, now: Timestamp) {
        self.grace_until = None;
        self.poll.retry_at = None;
        if self.poll.is_started() {
            self.drop_leg(Transport::Poll, Outcome::Dropped, "", now);
        }
        self.poll.failures = 0;
        self.poll_generation = None;
        self.carry(Some(Transport::WebSocket));
        if is_proven {
            self.websocket_proven(now);
        }
    }

    fn websocket_proven(&mut self, now: Timestamp) {
        self.websocket.is_stalled = false;
        self.was_proven = true;
        self.steady_at = Some(now + settings::STEADY);
        let attached_after = self.websocket.attached_after;
        self.remember(Memory::Works { attached_after });
    }

    fn websocket_lost(&mut self, now: Timestamp) {
        let was_proven = self.websocket.is_proven;
        self.websocket.reset();
        self.steady_at = None;
        self.retry(Transport::WebSocket, now);
        self.detached(Transport::WebSocket, now);
        if !was_proven && self.carrier == Some(Transport::Poll) && !self.was_proven {
            self.remember(Memory::Fails);
        }
        // After a failure of its own, polling waits for its own time.
        let is_waiting = match self.is_reopening {
            true => self.poll.retry_at.is_none(),
            false => self.poll.failures > 0 && self.poll.retry_at.is_some(),
        };
        if !self.poll.is_started() && !is_waiting {
            self.start_poll(now);
        }
    }

    fn poll_attached(&mut self, now: Timestamp) {
        if self.websocket.is_attached() {
            self.drop_leg(Transport::WebSocket, Outcome::Stalled, "", now);
            self.websocket.reset();
            self.steady_at = None;
            self.retry(Transport::WebSocket, now);
        }
        self.carry(Some(Transport::Poll));
        if self.websocket.failures > 0 && !self.was_proven {
            self.remember(Memory::Fails);
        }
    }

    fn poll_lost(&mut self, outcome: Outcome, now: Timestamp) {
        self.poll.reset();
        if outcome == Outcome::Superseded {
            self.poll_generation = None;
            if self.websocket.is_started() {
                self.poll.failures = 0;
                if !self.websocket.is_attached() {
                    self.grace_until = Some(now + settings::GRACE);
                }
                // What follows says who carries on: within the grace that is no loss to tell of.
                return;
            }
            if self.poll.failures == 0 {
                // By a WebSocket that is lost: its generation is in the way once.
                self.poll.failures = 1;
                self.detached(Transport::Poll, now);
                return self.start_poll(now);
            }
        }
        self.detached(Transport::Poll, now);
        if !self.websocket.is_attached() || self.websocket.is_stalled {
            self.retry(Transport::Poll, now);
        }
    }

    fn poll_missing(&mut self, since: Timestamp, now: Timestamp) {
        if self.is_reopening {
            // A proxy in front of a server that is away: the next turn tells.
            return;
        }
        let (patience, is_alone) = if self.is_open {
            (settings::GONE, !self.websocket.is_attached())
        } else {
            let has_websocket_failed = self.websocket.failures > 0 || !self.websocket.is_allowed;
            (settings::NOT_HERE, has_websocket_failed)
        };
        let last = since + patience;
        if now < last {
            self.poll.retry_at = self.poll.retry_at.map(|next| match self.is_open {
                true => next.min(last).max(self.not_before),
                false => next.max(last),
            });
        } else if is_alone {
            self.decisions.push_back(Decision::Missing);
        }
    }

    /// The WebSocket at once, and polling a little later.
    fn start_legs(&mut self, now: Timestamp) {
        self.start_websocket(now);
        let delay = match self.memory {
            _ if !self.websocket.is_started() => Duration::ZERO,
            None => self.settings.http_delay,
            Some(memory) => memory.http_delay(),
        };
        if delay.is_zero() {
            self.start_poll(now);
        } else if self.poll.is_allowed && !self.poll.is_started() {
            self.poll.retry_at = Some(now + delay);
        }
    }

    /// Nothing carries the session, and a turn has come (NEGOTIATION §12.4).
    fn handle_turn(&mut self, now: Timestamp) {
        let soon = now + settings::GRACE;
        let is_silent = |at: Option<Timestamp>| at.is_some_and(|at| at <= soon);
        if !self.websocket.is_attached() && is_silent(self.websocket.deadline) {
            // It has had all the time since the turn before.
            self.drop_leg(Transport::WebSocket, Outcome::Silent, "", now);
            self.websocket_lost(now);
            if !self.is_reopening {
                self.websocket.retry_at = Some(now);
            }
        }
        if self.is_reopening && self.turns.as_mut().is_none_or(Turns::attempt) {
            self.start_legs(now);
        }
        self.await_turn(now);
    }

    /// The next turn at which the server wants an attempt.
    fn await_turn(&mut self, now: Timestamp) {
        let soonest = self.not_before.max(now + Duration::from_millis(1));
        self.turn_at = self.turns.as_ref().and_then(|turns| turns.from(soonest));
        self.give_up_if_idle();
    }

    /// Enough turns have passed without a session, and no leg is under way.
    fn give_up_if_idle(&mut self) {
        let is_idle =
            !self.websocket.is_started() && !self.poll.is_started() && self.poll.retry_at.is_none();
        if is_idle && self.turns.as_ref().is_some_and(|turns| !turns.has_tries()) {
            self.turn_at = None;
            if !self.decisions.contains(&Decision::GiveUp) {
                self.decisions.push_back(Decision::GiveUp);
            }
        }
    }

    fn start_websocket(&mut self, now: Timestamp) {
        if self.websocket.is_started() || !self.websocket.is_allowed || self.is_leaving {
            return;
        }
        let generation = if self.is_open {
            None
        } else if self.websocket.starts == 0 {
            Some(Generation::new(WEBSOCKET_GENERATION))
        } else {
            Some(self.next_generation())
        };
        self.websocket.start(generation, now);
        self.websocket.deadline = Some(now + settings::SILENCE);
        self.decisions
            .push_back(Decision::StartWebSocket(generation));
    }

    fn start_poll(&mut self, now: Timestamp) {
        if self.poll.is_started() || !self.poll.is_allowed || self.is_leaving {
            return;
        }
        self.grace_until = None;
        let is_race = self.websocket.is_started() && !self.websocket.is_attached();
        let generation = match self.poll_generation {
            // It is below the WebSocket's, which wins the race, or none came after it.
            Some(generation) if is_race || self.websocket.starts == 0 => generation,
            Some(generation) if generation.as_u64() == self.last_generation => generation,
            // A WebSocket that is lost may have attached all the same, and the server does not know that it is lost.
            _ => self.next_generation(),
        };
        self.poll_generation = Some(generation);
        self.poll.start(Some(generation), now);
        self.decisions.push_back(Decision::StartPoll(generation));
    }

    // Private.

    fn drop_leg(&mut self, leg: Transport, outcome: Outcome, detail: &str, now: Timestamp) {
        self.note(leg, outcome, detail, now);
        self.leg_mut(leg).reset();
        self.decisions.push_back(if leg == Transport::WebSocket {
            Decision::DropWebSocket
        } else {
            Decision::DropPoll
        });
    }

    fn carry(&mut self, carrier: Option<Transport>) {
        if self.carrier != carrier {
            self.carrier = carrier;
            self.decisions.push_back(Decision::Carrier(carrier));
        }
        if let Some(turns) = self.turns.as_mut().filter(|_| carrier.is_some()) {
            turns.end();
        }
    }

    fn detached(&mut self, leg: Transport, now: Timestamp) {
        if self.carrier != Some(leg) {
            return;
        }
        self.carry(None);
        if let Some(turns) = &mut self.turns {
            turns.draw((self.random)(), now);
            self.websocket.retry_at = self.websocket.retry_at.map(|at| self.by_turn(at, now));
            self.poll.retry_at = self.poll.retry_at.map(|at| self.by_turn(at, now));
            self.await_turn(now);
        }
    }

    fn remember(&mut self, memory: Memory) {
        self.memory = Some(memory);
        self.decisions.push_back(Decision::Remember(memory));
    }

    /// Counts a failure; the leg is tried again after a pause (NEGOTIATION §5, §12.4).
    fn retry(&mut self, leg: Transport, now: Timestamp) {
        let state = self.leg_mut(leg);
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        if self.is_reopening {
            return self.await_turn(now);
        }
        let pause = self.settings.pause(failures, (self.random)());
        let at = self.by_turn((now + pause).max(self.not_before), now);
        self.leg_mut(leg).retry_at = Some(at);
    }

    /// While nothing carries the session, no pause goes beyond the next turn, unless the server wants it; from the first turn on legs
    /// are tried at turns alone (NEGOTIATION §12.4).
    fn by_turn(&self, at: Timestamp, now: Timestamp) -> Timestamp {
        let Some(turn) = self.turn_after(now) else {
            return at;
        };
        let turn = turn.max(self.not_before);
        let has_begun = self
            .turns
            .as_ref()
            .is_some_and(|turns| turns.have_begun(now));
        if has_begun { turn } else { at.min(turn) }
    }

    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation::new(self.last_generation)
    }

    fn note(&mut self, leg: Transport, outcome: Outcome, detail: &str, now: Timestamp) {
        let state = self.leg(leg);
        if let Some(phase) = state.phase {
            let after = now.since(state.started_at);
            self.trace.note(leg, phase, after, outcome, detail);
        }
    }

    /// A client has two legs: the WebSocket, and one over HTTP.
    fn leg(&self, leg: Transport) -> &LegState {
        if leg == Transport::WebSocket {
            &self.websocket
        } else {
            &self.poll
        }
    }

    fn leg_mut(&mut self, leg: Transport) -> &mut LegState {
        if leg == Transport::WebSocket {
            &mut self.websocket
        } else {
            &mut self.poll
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
