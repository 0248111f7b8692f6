//! A session alive on this server: plain state behind a short lock, with the wakers of the tasks that wait for it. It owns
//! no task and no timer. `anywire-protocol` knows what the state means, `dispatch.rs`
//! calls the app.

use std::any::Any;
use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};

use anywire_protocol::{
    Can, CloseCode, CloseReason, Credential, Event, Message, Session, SessionId, Timestamp,
    Transport, TrySendError,
};

use crate::accounts::{Caller, Owners};
use crate::clock::Clock;
use crate::deadlines::{Deadlines, Due, tick};
use crate::grant::Grant;
use crate::memory::Memory;
use crate::opening::Opening;
use crate::reports::Reports;
use crate::usage::Traffic;

/// The hub, as its sessions see it.
pub(crate) trait Home: Send + Sync {
    /// Calls the app's callbacks for what has happened to a session: at once, or on a task of its own.
    fn dispatch(&self, cell: &Arc<SessionCell>, origin: Origin);

    /// The session has ended, and its client need not be told any more.
    fn forget(&self, cell: &Arc<SessionCell>, topics: &[Arc<str>]);

    /// The session follows a topic.
    fn subscribe(&self, topic: &str, cell: &Arc<SessionCell>);

    /// The session follows a topic no more.
    fn unsubscribe(&self, topic: &str, cell: &Arc<SessionCell>);

    /// Sends to all followers of a topic; returns to how many.
    fn publish(&self, topic: &str, message: Message) -> usize;

    /// Asks the app about a credential, on a task of its own.
    fn judge(&self, cell: &Arc<SessionCell>, credential: Credential);

    /// More bytes are held than may be: gives some up, on a task of its own.
    fn relieve(&self);
}

/// One session, and the tasks that wait for it.
///
/// Wakers are called, and the app is called, only after the lock is let go.
pub(crate) struct SessionCell {
    pub(crate) id: SessionId,
    /// Whose shares the session counts in.
    pub(crate) owners: Owners,
    kept: Option<Box<Kept>>,
    /// What both sides can (PROTOCOL §2.5), as the first open agreed.
    pub(crate) can: Can,
    /// What lets the client in is its grant, and no request by itself (PROTOCOL §10.10).
    pub(crate) is_by_grant: bool,
    pub(crate) home: Weak<dyn Home>,
    node: Arc<Node>,
    /// Whether the app is made of callbacks.
    has_handler: bool,
    /// What carried the session last, as [`Transport::index`].
    transport: AtomicU8,
    state: Mutex<State>,
}

/// What all sessions of a hub share.
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) memory: Memory,
    /// Not the hub's own: a session enters its deadline under its lock, where it must not be the last to hold the hub.
    pub(crate) deadlines: Arc<Deadlines<Due>>,
}

/// What stays the same for a session's whole life.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) protocol: &'a str,
    pub(crate) can: Can,
    pub(crate) is_by_grant: bool,
}

impl About<'_> {
    fn kept_bytes(&self) -> u32 {
        let opening = self.caller.opening.as_ref();
        let bytes = self.protocol.len() + opening.map_or(0, Opening::held_bytes);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// What few sessions have.
struct Kept {
    protocol: Box<str>,
    opening: Option<Opening>,
}

/// What the app's callbacks keep of a session; nothing for those that keep nothing.
pub(crate) type Slot = Option<Box<dyn Any + Send>>;

/// What few sessions need while they live.
#[derive(Default)]
pub(crate) struct Extra {
    /// What lets the client in, where that says more than who it is.
    pub(crate) grant: Option<Grant>,
    /// What the app's callbacks keep.
    pub(crate) slot: Slot,
    /// The tasks that wait for changes of the attachment, and their numbers.
    pub(crate) watchers: Vec<(u32, Waker)>,
    pub(crate) last_watcher: u32,
}

pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) reports: Reports,
    /// The connection that carries the session, while it has nothing to do.
    pub(crate) connection: Option<Waker>,
    /// The connection withholds acks, or does not read, because the inbox is full.
    is_reading_paused: bool,
    /// The tasks that wait for room in the outbox.
    pub(crate) senders: Vec<Waker>,
    /// The app's `recv`.
    receiver: Option<Waker>,
    /// Topics that the session follows.
    pub(crate) topics: Vec<Arc<str>>,
    /// The tick of the wheel entry that counts, or `NEVER`. (An `Option` would take twice the room.)
    armed: u64,
    /// The tick of a later entry, left from before an earlier one was needed; used again when that has passed.
    spare: u64,
    pub(crate) extra: Option<Box<Extra>>,
    /// The version of the contact that the app has been told of.
    told_contact: u32,
    /// How often the grant was renewed, and how often when the app was told last.
    pub(crate) renewals: u16,
    told_renewals: u16,
    /// The contact has changed, and the app's callbacks are to be told.
    pub(crate) owes_attachment: bool,
    /// The grant was renewed, and the app's callbacks are to be told.
    pub(crate) owes_grant: bool,
    pub(crate) has_opened: bool,
    /// The app takes no messages any more.
    pub(crate) has_no_reader: bool,
    /// A thread is calling the app's callbacks now, and will go on until there is nothing left.
    pub(crate) is_dispatching: bool,
    has_left: bool,
    /// The client has sent something since it opened the session.
    pub(crate) is_used: bool,
    /// What has come and is not yet counted in the shares.
    pub(crate) traffic: Traffic,
    /// Bytes that the connection holds: what has come of a frame, and what the peer does not take.
    pub(crate) under_way: u32,
    /// The connection must end, for what it holds under way.
    pub(crate) must_end: bool,
    /// The bytes of what is kept of the request that opened the session.
    kept_bytes: u32,
    /// The bytes that the hub counts for this session.
    counted: u32,
}

/// A session with its places in the index and in the wheel.
const SESSION_BYTES: usize = size_of::<SessionCell>() + 96;

/// No transport yet.
const UNKNOWN: u8 = u8::MAX;

/// No tick at all.
const NEVER: u64 = u64::MAX;

/// Who makes a step, and so needs not be woken for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The connection that carries the session: it goes on by itself.
    Connection,
    /// A transport's request beside that connection.
    Transport,
    /// The wheel, another session or the app. They must not run this session's callbacks.
    Outside,
}

impl SessionCell {
    pub(crate) fn new(
        id: SessionId,
        session: Session,
        owners: Owners,
        about: About<'_>,
        home: Weak<dyn Home>,
        node: Arc<Node>,
        has_handler: bool,
    ) -> Self {
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
            extra: None,
            told_contact: 0,
            renewals: 0,
            told_renewals: 0,
            owes_attachment: false,
            owes_grant: false,
            has_opened: false,
            has_no_reader: false,
            is_dispatching: false,
            has_left: false,
            is_used: false,
            traffic: Traffic::default(),
            under_way: 0,
            must_end: false,
            kept_bytes: about.kept_bytes(),
            counted: 0,
        };
        let transport = AtomicU8::new(UNKNOWN);
        let About {
            caller,
            protocol,
            can,
            is_by_grant,
        } = about;
        let opening = caller.opening.clone();
        let is_plain = protocol.is_empty() && opening.is_none();
        let protocol = protocol.into();
        let kept = (!is_plain).then(|| Box::new(Kept { protocol, opening }));
        let state = Mutex::new(state);
        Self {
            id,
            owners,
            kept,
            can,
            is_by_grant,
            home,
            node,
            has_handler,
            transport,
            state,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.peek(|state| state.session.is_ended())
    }

    /// The code that the session ended with, or 1006 if it has not ended.
    pub(crate) fn close_code(&self) -> CloseCode {
        self.peek(|state| {
            let reason = state.session.close_reason();
            reason.map_or(CloseCode::ABNORMAL, |reason| reason.code)
        })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.peek(|state| state.session.is_finished())
    }

    pub(crate) fn clock(&self) -> Clock {
        self.node.clock
    }

    /// The application's sub-protocol, or nothing.
    pub(crate) fn protocol(&self) -> &str {
        self.kept.as_ref().map_or("", |kept| &kept.protocol)
    }

    /// What is kept of the request that opened it.
    pub(crate) fn opening(&self) -> Option<&Opening> {
        self.kept.as_ref()?.opening.as_ref()
    }

    /// What carries the session, or carried it last.
    pub(crate) fn transport(&self) -> Transport {
        let index = usize::from(self.transport.load(Ordering::Relaxed));
        Transport::ALL
            .get(index)
            .copied()
            .unwrap_or(Transport::Poll)
    }

    /// Whether anything has carried it, or brought it something.
    pub(crate) fn has_transport(&self) -> bool {
        self.transport.load(Ordering::Relaxed) != UNKNOWN
    }

    /// Whether its grant says more than who the client is.
    pub(crate) fn has_terms(&self) -> bool {
        self.peek(|state| {
            state
                .extra
                .as_ref()
                .is_some_and(|extra| extra.grant.is_some())
        })
    }

    /// This carries the session. `true` if something else did before.
    pub(crate) fn set_transport(&self, transport: Transport) -> bool {
        let index = transport.index() as u8;
        let before = self.transport.swap(index, Ordering::Relaxed);
        before != index && before != UNKNOWN
    }

    /// The session begins with this grant.
    pub(crate) fn admit(&self, grant: Grant) {
        let (clock, now) = (self.node.clock, self.node.clock.now());
        drop(self.peek(|state| state.set_grant(grant, clock, now)));
    }

    /// Feeds the state one input, then wakes, arms the deadline, tells the app, and leaves the hub if all is over.
    pub(crate) fn step<T>(
        self: &Arc<Self>,
        origin: Origin,
        input: impl FnOnce(&mut State, Timestamp) -> T,
    ) -> T {
        let now = self.node.clock.now();
        let mut state = self.lock();
        let output = input(&mut state, now);
        let mut after = self.settle(&mut state, origin, now);
        let change = state.weigh();
        drop(state);
        self.count(change);
        after.wake();
        self.wake_wheel(after.is_sooner);
        if let Some(news) = after.news.take() {
            self.spread(*news);
        }
        if after.has_calls
            && let Some(home) = self.home.upgrade()
        {
            home.dispatch(self, origin);
        }
        if let Some(topics) = after.left
            && let Some(home) = self.home.upgrade()
        {
            home.forget(self, &topics);
        }
        output
    }

    /// Counts the bytes that came or went; call it when the lock is let go.
    pub(crate) fn count(&self, change: i64) {
        if change != 0
            && self
                .node
                .memory
                .change(usize::from(self.id.as_bytes()[0]), change)
            && let Some(home) = self.home.upgrade()
        {
            home.relieve();
        }
    }

    /// Looks at or changes the state in a way that wakes no task, and changes no bytes that it holds.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.lock())
    }

    /// The app sends; the caller wakes the connection later, if there is one to wake.
    pub(crate) fn offer(self: &Arc<Self>, message: Message) -> Result<Option<Waker>, TrySendError> {
        let now = self.node.clock.now();
        let mut state = self.lock();
        let was_empty = state.session.buffered_messages() == 0;
        state.session.send(message, now)?;
        // Behind another message, nothing falls due sooner than before.
        let is_sooner = was_empty && self.arm(&mut state, now);
        let connection = state.connection.take();
        let change = state.weigh();
        drop(state);
        self.count(change);
        self.wake_wheel(is_sooner);
        Ok(connection)
    }

    /// The wheel has come to an entry of this session.
    pub(crate) fn handle_deadline(self: &Arc<Self>, tick: u64) {
        self.step(Origin::Outside, |state, now| {
            if state.armed == tick {
                state.armed = NEVER;
                state.session.handle_timeout(now);
            } else if state.spare == tick {
                state.spare = NEVER;
            }
        });
    }

    /// What follows from any input.
    fn settle(self: &Arc<Self>, state: &mut State, origin: Origin, now: Timestamp) -> After {
        if state.has_no_reader {
            while state.session.poll_event().is_some() {}
        }
        let is_sooner = self.arm(state, now);
        let has_left = state.session.is_finished() && !mem::replace(&mut state.has_left, true);
        let has_room = state.session.has_room(0) || !state.session.is_open();
        let is_news = state.session.contact_version() != state.told_contact
            || state.renewals != state.told_renewals
            || state.session.has_credential()
            || (state.extra.is_some() && state.session.is_ended());
        let news = if is_news {
            self.settle_news(state)
        } else {
            None
        };
        After {
            connection: state.connection.take_if(|_| origin != Origin::Connection),
            receiver: state.receiver.take_if(|_| state.session.has_event()),
            news,
            senders: if has_room {
                mem::take(&mut state.senders)
            } else {
                Vec::new()
            },
            has_calls: self.has_handler
                && !state.is_dispatching
                && (!state.has_opened || state.session.has_event() || state.has_calls()),
            is_sooner,
            left: has_left.then(|| mem::take(&mut state.topics)),
        }
    }

    /// What follows where something has changed that is told beside messages.
    #[cold]
    fn settle_news(&self, state: &mut State) -> Option<Box<News>> {
        let version = state.session.contact_version();
        let has_new_contact = mem::replace(&mut state.told_contact, version) != version;
        let has_new_grant =
            mem::replace(&mut state.told_renewals, state.renewals) != state.renewals;
        state.owes_attachment |= has_new_contact && self.has_handler;
        state.owes_grant |= has_new_grant && self.has_handler;
        let watchers = state
            .extra
            .as_mut()
            .map(|extra| mem::take(&mut extra.watchers));
        Some(Box::new(News {
            wakers: watchers
                .into_iter()
                .flatten()
                .map(|(_, waker)| waker)
                .chain(state.receiver.take())
                .collect(),
            credential: state.session.poll_credential(),
        }))
    }

    #[cold]
    fn spread(self: &Arc<Self>, news: News) {
        news.wakers.into_iter().for_each(Waker::wake);
        if let Some(credential) = news.credential
            && let Some(home) = self.home.upgrade()
        {
            home.judge(self, credential);
        }
    }

    /// Enters the session's deadline into the wheel, if it comes before the entry that counts. `true` if the wheel must
    /// be woken for it.
    fn arm(self: &Arc<Self>, state: &mut State, now: Timestamp) -> bool {
        let Some(at) = state.session.poll_timeout() else {
            return false;
        };
        let tick = tick(at, now);
        if state.armed <= tick {
            return false;
        }
        if state.armed == NEVER && state.spare <= tick {
            state.armed = mem::replace(&mut state.spare, NEVER);
            return false;
        }
        let (deadlines, due) = (&self.node.deadlines, Due::Session(self.id));
        if state.armed != NEVER {
            let unused = mem::replace(&mut state.spare, state.armed);
            if unused != NEVER {
                deadlines.remove(unused, &due);
            }
        }
        state.armed = tick;
        deadlines.insert(tick, due)
    }

    fn wake_wheel(&self, is_sooner: bool) {
        if is_sooner {
            self.node.deadlines.wake();
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
        let change = state.weigh();
        drop(state);
        self.count(change);
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
    /// Whether the app's callbacks are to be told of something that is no event of the session.
    fn has_calls(&self) -> bool {
        self.owes_attachment || self.owes_grant
    }

    /// The app has let the client in. Returns the grant before, for the caller to drop when the lock is let go: its values are the
    /// app's.
    #[must_use = "it must not be dropped under the lock"]
    pub(crate) fn set_grant(
        &mut self,
        grant: Grant,
        clock: Clock,
        now: Timestamp,
    ) -> Option<Grant> {
        let until = grant.ends_at().map(|until| clock.timestamp(until));
        self.session.grant(until, now);
        if !grant.is_plain() || self.extra.is_some() {
            let kept = &mut self.extra.get_or_insert_default().grant;
            let grant = match kept {
                Some(before) => grant.after(before),
                None => grant,
            };
            return kept.replace(grant);
        }
        None
    }

    /// The session has ended: the ticks of the wheel that it does not wait for any more.
    pub(crate) fn disarm(&mut self) -> [Option<u64>; 2] {
        let ticks = [&mut self.armed, &mut self.spare];
        ticks.map(|tick| Some(mem::replace(tick, NEVER)).filter(|tick| *tick != NEVER))
    }

    /// The client sends something; `true` if it has sent nothing before.
    pub(crate) fn begin_use(&mut self) -> bool {
        !mem::replace(&mut self.is_used, true)
    }

    /// How many bytes more the session holds than the hub counts for it; from now on it counts them.
    pub(crate) fn weigh(&mut self) -> i64 {
        let held = SESSION_BYTES
            + self.session.held_bytes()
            + self.under_way as usize
            + self.kept_bytes as usize;
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let before = mem::replace(&mut self.counted, held);
        i64::from(held) - i64::from(before)
    }

    /// The connection waits to be woken. If acks are withheld, or reading pauses, that is when the app takes messages.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        self.is_reading_paused = !self.session.has_inbox_room();
        match &mut self.connection {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Takes out a task that waits for changes of the attachment.
    pub(crate) fn take_watcher(&mut self, number: u32) -> Option<Waker> {
        let watchers = &mut self.extra.as_mut()?.watchers;
        let index = watchers.iter().position(|(other, _)| *other == number)?;
        Some(watchers.swap_remove(index).1)
    }

    /// What carries the session goes, with what it holds.
    pub(crate) fn let_go(&mut self) {
        self.connection = None;
        (self.under_way, self.must_end) = (0, false);
    }

    /// The app has taken a message: a connection that paused for want of room is to go on.
    pub(crate) fn resume_reading(&mut self, has_taken: bool) -> Option<Waker> {
        let is_paused = has_taken && mem::take(&mut self.is_reading_paused);
        if is_paused {
            self.connection.take()
        } else {
            None
        }
    }
}

impl Drop for SessionCell {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let counted = i64::from(state.counted);
        self.node
            .memory
            .change(usize::from(self.id.as_bytes()[0]), -counted);
    }
}

/// What few steps bring.
struct News {
    /// The socket's owner, and those who wait for a change of the attachment.
    wakers: Vec<Waker>,
    /// For the app to judge.
    credential: Option<Credential>,
}

/// What to do once the lock is let go.
struct After {
    connection: Option<Waker>,
    receiver: Option<Waker>,
    senders: Vec<Waker>,
    news: Option<Box<News>>,
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
