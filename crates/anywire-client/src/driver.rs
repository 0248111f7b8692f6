//! The task behind a client: it feeds the session and the negotiation what the legs and the app do, and does what they
//! ask. `driver/websocket.rs` and `driver/poll.rs` say how each leg speaks.

mod asking;
mod poll;
mod refused;
mod renewal;
mod reopening;
mod state;
mod websocket;

use std::time::Duration;

use anywire_protocol::{
    CloseCode, CloseReason, Decision, Limits, NegotiationSettings, Outcome, Timestamp,
};
use tokio::time::{Instant, sleep_until};

use self::asking::Renewed;
pub(crate) use self::reopening::new_key;
pub(crate) use self::state::{Config, Driver};
use self::state::{LARGE_BYTES, end_refused};
use crate::legs::Failure;
use crate::legs::poll::PollLeg;
use crate::legs::websocket::WebSocketLeg;
use crate::memory::network;
use crate::shared::{End, State};

/// What a driver wakes up for.
enum Input {
    WebSocket(crate::legs::websocket::Happened),
    Poll(crate::legs::poll::Answered),
    Renewal(Renewed),
    App,
    Time,
}

impl Driver {
    /// Runs until the session has ended, its last words are out, and none follows.
    pub(crate) async fn run(mut self) {
        let now = self.shared.now();
        self.shared.lock().negotiation.start(now);
        loop {
            self.carry().await;
            let Some(at) = self.opens_at.take() else {
                return;
            };
            if !self.begin_anew(at).await {
                return;
            }
        }
    }

    /// Runs until the session has ended and its last words are out.
    async fn carry(&mut self) {
        loop {
            let deadline = self.drain();
            if self.is_over() {
                return;
            }
            let input = self.next(deadline).await;
            let now = self.shared.now();
            let is_time = matches!(input, Input::Time);
            if self.sleepwatch.has_slept(deadline.filter(|_| is_time)) {
                self.handle_sleep(now);
            }
            self.handle(input, now);
            // Much that comes must not keep what is due waiting.
            if !is_time && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                self.handle(Input::Time, now);
            }
        }
    }

    /// Waits for whatever comes first. Everything here may be dropped at any await.
    async fn next(&mut self, deadline: Option<Instant>) -> Input {
        let may_read = !self.is_flooded();
        let websocket = async {
            match &mut self.websocket {
                Some(leg) if may_read => leg.next().await,
                _ => std::future::pending().await,
            }
        };
        let poll = async {
            match &mut self.poll {
                Some(leg) => leg.next().await,
                None => std::future::pending().await,
            }
        };
        let time = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            happened = websocket => Input::WebSocket(happened),
            answered = poll => Input::Poll(answered),
            renewed = self.renewal.next() => Input::Renewal(renewed),
            () = self.shared.changed.notified() => Input::App,
            () = time => Input::Time,
        }
    }

    fn is_flooded(&self) -> bool {
        let mut state = self.shared.lock();
        state.is_reading_paused = !state.session.has_inbox_room();
        state.session.is_flooded()
    }

    fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::WebSocket(happened) => self.websocket_happened(happened, now),
            Input::Poll(answered) => self.poll_answered(answered, now),
            Input::Renewal(renewed) => self.renewed(renewed, now),
            Input::App => {}
            Input::Time => {
                let mut state = self.shared.lock();
                state.session.handle_timeout(now);
                state.negotiation.handle_timeout(now);
                let blocked = self.blocked_since();
                let stall_at = self.stall_at(&state, blocked);
                if !self.is_stalled && stall_at.is_some_and(|at| at <= now) {
                    self.is_stalled = true;
                    if state.session.buffered_bytes() > LARGE_BYTES {
                        self.bytes_per_ms = (self.bytes_per_ms / 2).max(Limits::SLOW_BYTES_PER_MS);
                    }
                    state.negotiation.handle_stalled(now);
                }
                drop(state);
                self.leave_blocked(now);
            }
        }
    }

    /// After a sleep the deadlines that passed say nothing: ask first.
    fn handle_sleep(&mut self, now: Timestamp) {
        let mut state = self.shared.lock();
        if let Some(id) = self.websocket.as_ref().and_then(WebSocketLeg::attachment) {
            state.session.handle_alive(id, now);
        }
        let has_new_network = network() != self.config.network;
        state.negotiation.handle_returned(has_new_network, now);
    }

    /// Does all that is to be done now, and says when to look again.
    fn drain(&mut self) -> Option<Instant> {
        let now = self.shared.now();
        if self.config.reopen.is_some() {
            // No leg is to try for a session that another follows at once.
            self.tell_end(now);
            if self.is_over() {
                return None;
            }
        }
        // Before the negotiation has another leg try.
        self.leave_unopened(now);
        loop {
            let decision = self.shared.lock().negotiation.poll_decision();
            match decision {
                Some(decision) => self.decide(decision, now),
                None => break,
            }
        }
        self.renew(now);
        self.show_headers();
        self.transmit_websocket(now);
        self.transmit_poll(now);
        self.shared.wake();
        self.tell_end(now);
        let state = self.shared.lock();
        let blocked = self.blocked_since();
        // A line that takes nothing does not let the session do what is due: look again, but not at once.
        let soonest = blocked.map_or(Timestamp::default(), |_| now + BLOCKED_PAUSE);
        let due = [
            state.session.poll_timeout().map(|at| at.max(soonest)),
            state.negotiation.poll_timeout(),
            self.stall_at(&state, blocked).filter(|_| !self.is_stalled),
            self.poll.as_ref().and_then(PollLeg::poll_timeout),
            self.renewal.poll_timeout(),
            self.linger_until,
        ];
        drop(state);
        let at = due.into_iter().flatten().min()?;
        Some(self.shared.clock.instant(at))
    }

    fn decide(&mut self, decision: Decision, now: Timestamp) {
        match decision {
            Decision::StartWebSocket(generation) => self.start_websocket(generation),
            Decision::StartPoll(generation) => self.start_poll(generation, now),
            Decision::ProveWebSocket => self.prove_websocket(now),
            Decision::ProvePoll => self.prove_poll(),
            Decision::AttachWebSocket(generation) => self.attach_websocket(generation),
            Decision::DropWebSocket => self.drop_websocket(now),
            Decision::DropPoll => self.poll = None,
            Decision::CheckWebSocket => self.shared.lock().session.check(),
            Decision::Carrier(transport) => self.shared.status.send_modify(|status| {
                status.transport = transport;
                status.is_open = true;
            }),
            Decision::Remember(memory) => {
                let Config {
                    memory: all,
                    endpoints,
                    network,
                    ..
                } = &*self.config;
                all.remember(&endpoints.origin, memory, *network);
            }
            Decision::Forget => self.config.memory.forget(&self.config.endpoints.origin),
            Decision::GiveUp => {
                self.has_given_up = true;
                self.shared.lock().session.abort(unreachable(), now);
            }
            Decision::Missing => {
                let uri = &self.config.endpoints.poll;
                let host = uri.authority().map_or("", |authority| authority.as_str());
                let text = format!("no Anywire at {host}{}", uri.path());
                self.has_given_up = self.names.is_none();
                let code = match self.has_given_up {
                    true => CloseCode::ABNORMAL,
                    false => CloseCode::UNKNOWN_SESSION,
                };
                let reason = CloseReason::new(code, &text);
                end_refused(&mut self.shared.lock(), &reason, self.is_close_out, now);
            }
        }
    }

    /// Ends a session that the app closed before it heard that a server knows it. A leg under way may open it all the same, and then
    /// closes it (NEGOTIATION §7.4).
    fn leave_unopened(&mut self, now: Timestamp) {
        let mut state = self.shared.lock();
        if self.names.is_none() && !state.session.is_open() {
            state.session.cut_short(CloseCode::NORMAL.into(), now);
            state.negotiation.handle_left();
        }
    }

    /// Since when the attached WebSocket takes nothing.
    fn blocked_since(&self) -> Option<Timestamp> {
        self.websocket
            .as_ref()
            .and_then(WebSocketLeg::blocked_since)
    }

    /// When an unanswered ping, or a line that takes nothing, becomes a stall (NEGOTIATION §3.4).
    fn stall_at(&self, state: &State, blocked: Option<Timestamp>) -> Option<Timestamp> {
        let unanswered = state.session.unanswered_since();
        let since = unanswered.into_iter().chain(blocked).min()?;
        Some(since + NegotiationSettings::STALL + self.on_the_way(state))
    }

    /// How long messages may be on the way.
    fn on_the_way(&self, state: &State) -> Duration {
        Duration::from_millis(state.session.buffered_bytes() as u64 / self.bytes_per_ms)
    }

    /// A line that has taken nothing for as long as a ping may go unanswered is dead: no ping can be sent on it.
    fn leave_blocked(&mut self, now: Timestamp) {
        let state = self.shared.lock();
        let patience = state.session.limits().heartbeat_timeout + self.on_the_way(&state);
        drop(state);
        if self.blocked_since().is_some_and(|at| at + patience <= now) {
            self.websocket_lost(&Failure::new(Outcome::Stalled, "takes nothing"), now);
        }
    }

    /// Tells of the end once, unless another session follows, and gives last words their time.
    fn tell_end(&mut self, now: Timestamp) {
        let state = self.shared.lock();
        let ended = state.session.close_reason();
        let Some(reason) = ended.filter(|_| state.session.is_ended()).cloned() else {
            return;
        };
        drop(state);
        if self.linger_until.is_some() {
            return;
        }
        if !self.has_given_up {
            self.opens_at = self.follow(&reason, now);
        }
        if let Some(at) = self.opens_at {
            let is_heard = self.shared.lock().negotiation.carrier().is_some();
            let last_words = match is_heard {
                true => LINGER,
                false => Duration::ZERO,
            };
            self.linger_until = Some(at.min(now + last_words));
            return self
                .shared
                .status
                .send_modify(|status| status.transport = None);
        }
        let state = self.shared.lock();
        let last_words = match self.names {
            Some(_) => LINGER,
            // A leg may be about to open it.
            None => state.session.limits().close_timeout,
        };
        drop(state);
        self.linger_until = Some(now + last_words);
        let (end, reason) = match self.has_given_up {
            true => (End::Unreachable, unreachable()),
            false => (End::Closed(reason.clone()), reason),
        };
        if self.config.reopen.is_some() {
            self.shared.lock().end = Some(reason);
        }
        self.tell(end);
    }

    /// Tells of the end that no session follows.
    fn tell(&self, end: End) {
        self.shared.status.send_modify(|status| {
            status.transport = None;
            status.end = Some(end);
        });
        self.shared.wake();
    }

    /// Whether the driver may end: all has been said, no server knows the session, or the last words had their time.
    fn is_over(&self) -> bool {
        let state = self.shared.lock();
        let Some(until) = self.linger_until else {
            return false;
        };
        let is_quiet = self.websocket.as_ref().is_none_or(WebSocketLeg::is_quiet)
            && self.poll.as_ref().is_none_or(PollLeg::is_quiet);
        let is_idle = self.websocket.is_none() && self.poll.is_none();
        (state.session.is_finished() && is_quiet)
            || self.names.is_none() && (is_idle || self.has_given_up)
            || self.shared.now() >= until
    }
}

fn unreachable() -> CloseReason {
    CloseReason::new(CloseCode::ABNORMAL, "no transport could reach the server")
}

/// How long a close may still take on its way when the session has ended.
const LINGER: Duration = Duration::from_secs(2);

/// How often a line that takes nothing is looked at.
const BLOCKED_PAUSE: Duration = Duration::from_secs(1);
