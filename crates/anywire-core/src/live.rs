//! A session alive on this server: plain state behind a short lock, with wakers for whoever waits. It owns no task and
//! no timer. What the state means is left to `anywire-protocol`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};

use anywire_protocol::{
    Can, CloseCode, CloseReason, Event, Message, SendError, Session, SessionId, Timestamp,
    Transport,
};

use crate::clock::Clock;
use crate::deadlines::{Deadlines, Due};
use crate::hub::Inner;
use crate::reports::Reports;
use crate::socket::{Principal, Sender};

/// One session and whoever waits for it.
///
/// Wakers are called, and the app is called, only after the lock is let go.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) principal: Option<Principal>,
    pub(crate) protocol: Box<str>,
    /// What both sides can (PROTOCOL §2.5), as the first open agreed.
    pub(crate) can: Can,
    pub(crate) hub: Weak<Inner>,
    clock: Clock,
    /// Whether the app is made of callbacks.
    has_handler: bool,
    /// What carried the session last, as [`Transport::index`].
    transport: AtomicU8,
    state: Mutex<State>,
}

/// What stays the same for a session's whole life.
#[derive(Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub(crate) principal: Option<&'a Principal>,
    pub(crate) protocol: &'a str,
    pub(crate) can: Can,
}

pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) reports: Reports,
    /// The connection that carries the session, while it has nothing to do.
    pub(crate) connection: Option<Waker>,
    /// The connection withholds acks, or does not read, because the inbox is full.
    is_reading_paused: bool,
    /// Whoever waits for room in the outbox.
    pub(crate) senders: Vec<Waker>,
    /// The app's `recv`.
    receiver: Option<Waker>,
    /// Topics that the session follows.
    pub(crate) topics: Vec<Arc<str>>,
    /// The tick of the wheel entry that counts, or `NEVER`. (An `Option` would take twice the room.)
    armed: u64,
    /// The tick of a later entry, left from before an earlier one was needed; used again when that has passed.
    spare: u64,
    has_opened: bool,
    /// Nobody will take messages any more.
    pub(crate) is_deaf: bool,
    /// Somebody is calling the app's callbacks now, and will go on until there is nothing left.
    is_dispatching: bool,
    has_left: bool,
}

/// No tick at all.
const NEVER: u64 = u64::MAX;

/// Who is to be woken after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The step is the connection's own: it goes on by itself.
    Others,
    /// A transport's step, but not that of the connection that carries the session.
    Connection,
    /// As `Connection`, from somewhere (the wheel, another session, the app) that must not run this session's callbacks.
    Elsewhere,
}

impl Live {
    pub(crate) fn new(id: SessionId, session: Session, about: About<'_>, hub: &Arc<Inner>) -> Self {
        let state = State {
            session,
            reports: Reports::default(),
            connection: None,
            is_reading_paused: false,
            senders: Vec::new(),
            receiver: None,
            topics: Vec::new(),
            armed: NEVER,
            spare: NEVER,
            has_opened: false,
            is_deaf: false,
            is_dispatching: false,
            has_left: false,
        };
        let (clock, has_handler) = (hub.clock, hub.app.handler().is_some());
        let transport = AtomicU8::new(Transport::Poll.index() as u8);
        let About {
            principal,
            protocol,
            can,
        } = about;
        let (principal, protocol) = (principal.cloned(), protocol.into());
        let (hub, state) = (Arc::downgrade(hub), Mutex::new(state));
        Self {
            id,
            principal,
            protocol,
            can,
            hub,
            clock,
            has_handler,
            transport,
            state,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.peek(|state| state.session.is_ended())
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.peek(|state| state.session.is_finished())
    }

    pub(crate) fn transport(&self) -> Transport {
        Transport::ALL[usize::from(self.transport.load(Ordering::Relaxed))]
    }

    pub(crate) fn set_transport(&self, transport: Transport) {
        self.transport
            .store(transport.index() as u8, Ordering::Relaxed);
    }

    /// Feeds the state one input, then wakes, arms the deadline, tells the app, and leaves the hub if all is over.
    pub(crate) fn step<T>(
        self: &Arc<Self>,
        wake: Wake,
        input: impl FnOnce(&mut State, Timestamp) -> T,
    ) -> T {
        let now = self.clock.now();
        let mut state = self.lock();
        let output = input(&mut state, now);
        let mut after = self.settle(&mut state, wake, now);
        drop(state);
        after.wake();
        self.wake_wheel(after.is_sooner);
        if after.has_calls {
            self.start_dispatch(wake);
        }
        if let Some(topics) = after.left
            && let Some(hub) = self.hub.upgrade()
        {
            hub.forget_session(self, &topics);
        }
        output
    }

    /// Looks at or changes the state in a way that wakes nobody.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.lock())
    }

    /// The app sends; the caller wakes the connection later, if there is one to wake.
    pub(crate) fn offer(self: &Arc<Self>, message: Message) -> Result<Option<Waker>, SendError> {
        let now = self.clock.now();
        let mut state = self.lock();
        let was_empty = state.session.buffered_messages() == 0;
        state.session.send(message, now)?;
        // Behind another message, nothing falls due sooner than before.
        let is_sooner = was_empty && self.arm(&mut state, now);
        let connection = state.connection.take();
        drop(state);
        self.wake_wheel(is_sooner);
        Ok(connection)
    }

    /// The wheel has come to an entry of this session.
    pub(crate) fn handle_deadline(self: &Arc<Self>, tick: u64) {
        self.step(Wake::Elsewhere, |state, now| {
            if state.armed == tick {
                state.armed = NEVER;
                state.session.handle_timeout(now);
            } else if state.spare == tick {
                state.spare = NEVER;
            }
        });
    }

    /// Sees to it that the app's callbacks are called: here, or on a task of its own.
    fn start_dispatch(self: &Arc<Self>, wake: Wake) {
        if wake != Wake::Elsewhere {
            return self.dispatch();
        }
        if let Some(hub) = self.hub.upgrade() {
            let live = self.clone();
            hub.spawn(async move { live.dispatch() });
        }
    }

    /// Calls the app's callbacks for whatever has happened, in order, one at a time.
    fn dispatch(self: &Arc<Self>) {
        let Some(hub) = self.hub.upgrade() else {
            return;
        };
        let Some(handler) = hub.app.handler() else {
            return;
        };
        let mut calls = CALLS.take();
        let mut is_mine = false;
        while !calls.is_empty() || self.next_calls(&mut is_mine, &mut calls) {
            let sender = Sender::new(self.clone());
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                while let Some(call) = calls.pop_front() {
                    match call {
                        Call::Open => handler.on_open(&sender),
                        Call::Event(Event::Message(message)) => {
                            handler.on_message(&sender, message)
                        }
                        Call::Event(Event::Closed(reason)) => handler.on_close(&sender, &reason),
                    }
                }
            }));
            if outcome.is_err() {
                // The panic hook has told of it. This session cannot go on, but its end is told; whoever else's thread
                // this is goes on.
                calls.retain(|call| matches!(call, Call::Event(Event::Closed(_))));
                let reason = CloseReason::new(CloseCode::INTERNAL, "the application failed");
                self.step(Wake::Connection, |state, now| {
                    state.session.abort(reason, now)
                });
            }
        }
        CALLS.set(calls);
    }

    /// Collects the next calls to make, if nobody else is making calls; keeps others away until it returns `false`.
    fn next_calls(&self, is_mine: &mut bool, calls: &mut VecDeque<Call>) -> bool {
        let mut state = self.lock();
        if state.is_dispatching && !*is_mine {
            return false;
        }
        if !mem::replace(&mut state.has_opened, true) {
            calls.push_back(Call::Open);
        }
        calls.extend(std::iter::from_fn(|| state.session.poll_event()).map(Call::Event));
        *is_mine = !calls.is_empty();
        state.is_dispatching = *is_mine;
        let connection = state.resume_reading(*is_mine);
        drop(state);
        if let Some(connection) = connection {
            connection.wake();
        }
        *is_mine
    }

    /// What follows from any input.
    fn settle(self: &Arc<Self>, state: &mut State, wake: Wake, now: Timestamp) -> After {
        if state.is_deaf {
            while state.session.poll_event().is_some() {}
        }
        let is_sooner = self.arm(state, now);
        let has_left = state.session.is_finished() && !mem::replace(&mut state.has_left, true);
        let has_room = state.session.has_room(0) || !state.session.is_open();
        After {
            connection: state.connection.take_if(|_| wake != Wake::Others),
            receiver: state.receiver.take_if(|_| state.session.has_event()),
            senders: if has_room {
                mem::take(&mut state.senders)
            } else {
                Vec::new()
            },
            has_calls: self.has_handler
                && !state.is_dispatching
                && (!state.has_opened || state.session.has_event()),
            is_sooner,
            left: has_left.then(|| mem::take(&mut state.topics)),
        }
    }

    /// Enters the session's deadline into the wheel, if it comes before the entry that counts. `true` if the wheel must
    /// be woken for it.
    fn arm(self: &Arc<Self>, state: &mut State, now: Timestamp) -> bool {
        let Some(at) = state.session.poll_timeout() else {
            return false;
        };
        let tick = Deadlines::tick(at, now);
        if state.armed <= tick {
            return false;
        }
        if state.armed == NEVER && state.spare <= tick {
            state.armed = mem::replace(&mut state.spare, NEVER);
            return false;
        }
        let Some(hub) = self.hub.upgrade() else {
            return false;
        };
        if state.armed != NEVER {
            state.spare = state.armed;
        }
        state.armed = tick;
        hub.deadlines
            .insert(tick, Due::Session(Arc::downgrade(self), tick))
    }

    fn wake_wheel(&self, is_sooner: bool) {
        if is_sooner && let Some(hub) = self.hub.upgrade() {
            hub.deadlines.wake();
        }
    }

    /// The next message, for an app that receives; `Err` is the end. Leaves `waker` if there is nothing yet.
    pub(crate) fn poll_receive(
        self: &Arc<Self>,
        waker: &Waker,
    ) -> Option<Result<Message, CloseReason>> {
        let mut state = self.lock();
        let event = state.session.poll_event();
        let output = match event {
            Some(Event::Message(message)) => Some(Ok(message)),
            Some(Event::Closed(reason)) => Some(Err(reason)),
            None if state.session.is_ended() => {
                let reason = state.session.close_reason().cloned();
                Some(Err(reason.expect("an ended session has a reason")))
            }
            None => {
                state.receiver = Some(waker.clone());
                None
            }
        };
        let connection = state.resume_reading(output.is_some());
        drop(state);
        if let Some(connection) = connection {
            connection.wake();
        }
        output
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain data: a panic of the app never happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The connection waits to be woken. If acks are withheld, or reading pauses, that is when the app takes messages.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        self.is_reading_paused = !self.session.has_inbox_room();
        match &mut self.connection {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// The app has taken a message: a connection that paused for want of room is to go on.
    fn resume_reading(&mut self, has_taken: bool) -> Option<Waker> {
        let is_paused = has_taken && mem::take(&mut self.is_reading_paused);
        if is_paused {
            self.connection.take()
        } else {
            None
        }
    }
}

enum Call {
    Open,
    Event(Event),
}

thread_local! {
    /// The calls to make next; shared by the sessions of a thread.
    static CALLS: RefCell<VecDeque<Call>> = const { RefCell::new(VecDeque::new()) };
}

/// What to do once the lock is let go.
struct After {
    connection: Option<Waker>,
    receiver: Option<Waker>,
    senders: Vec<Waker>,
    /// Whether the app is to be called.
    has_calls: bool,
    /// Whether the wheel waits for a later deadline than there is now.
    is_sooner: bool,
    /// The topics to leave, when the session is to be forgotten.
    left: Option<Vec<Arc<str>>>,
}

impl After {
    fn wake(&mut self) {
        let senders = mem::take(&mut self.senders);
        for waker in self
            .connection
            .take()
            .into_iter()
            .chain(self.receiver.take())
            .chain(senders)
        {
            waker.wake();
        }
    }
}
