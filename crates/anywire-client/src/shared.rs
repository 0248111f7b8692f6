//! The session and its negotiation, behind a short lock that the app's handles and the driver share. No lock is held
//! while a waker is called.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use anywire_protocol::{
    CloseReason, Event, Limits, Message, Negotiation, Role, Session, SessionId, Timestamp,
    TrySendError,
};
use tokio::sync::{Notify, watch};

use crate::Transport;
use crate::clock::Clock;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    state: Mutex<State>,
    /// Tells the driver that the app has done something.
    pub(crate) changed: Notify,
    pub(crate) status: watch::Sender<Status>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) negotiation: Negotiation,
    pub(crate) id: Option<SessionId>,
    pub(crate) protocol: Box<str>,
    receiver: Option<Waker>,
    senders: Vec<Waker>,
    /// The app takes no messages any more.
    pub(crate) has_no_reader: bool,
    /// The driver waits for room in the inbox.
    pub(crate) is_reading_paused: bool,
}

/// What the app may wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    /// What carries the session.
    pub(crate) transport: Option<Transport>,
    pub(crate) is_open: bool,
    /// Why the session has ended, or was never opened.
    pub(crate) end: Option<End>,
}

#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The session closed.
    Closed(CloseReason),
    /// No leg came through.
    Unreachable,
}

impl Shared {
    pub(crate) fn new(limits: Limits, negotiation: Negotiation) -> Self {
        let clock = Clock::start();
        Self {
            clock,
            state: Mutex::new(State {
                session: Session::new(Role::Client, Arc::new(limits), clock.now()),
                negotiation,
                id: None,
                protocol: "".into(),
                receiver: None,
                senders: Vec::new(),
                has_no_reader: false,
                is_reading_paused: false,
            }),
            changed: Notify::new(),
            status: watch::Sender::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain data: nothing of the app's runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The app sends.
    pub(crate) fn send(&self, message: Message, waker: Option<&Waker>) -> Result<(), TrySendError> {
        let mut state = self.lock();
        let sent = state.session.send(message, self.now());
        if let (Err(TrySendError::Full(_)), Some(waker)) = (&sent, waker) {
            state.senders.push(waker.clone());
        }
        drop(state);
        if sent.is_ok() {
            self.changed.notify_one();
        }
        sent
    }

    /// The app closes.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.lock().session.close(reason, self.now());
        self.changed.notify_one();
    }

    /// The next message for the app; `Err` is the end. Leaves `waker` if there is nothing yet.
    pub(crate) fn receive(&self, waker: &Waker) -> Option<Result<Message, CloseReason>> {
        let mut state = self.lock();
        let received = match state.session.poll_event() {
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
        let has_room = std::mem::take(&mut state.is_reading_paused) && received.is_some();
        drop(state);
        if has_room {
            self.changed.notify_one();
        }
        received
    }

    /// The app will take no more messages: those that come are dropped.
    pub(crate) fn deafen(&self) {
        self.lock().has_no_reader = true;
        self.changed.notify_one();
    }

    /// Wakes the tasks that wait for what the session has now: a message, room in the outbox, the end.
    pub(crate) fn wake(&self) {
        let mut state = self.lock();
        if state.has_no_reader {
            while state.session.poll_event().is_some() {}
        }
        let has_event = state.session.has_event();
        let receiver = state.receiver.take_if(|_| has_event);
        let has_room = state.session.has_room(0) || !state.session.is_open();
        let senders = if has_room {
            std::mem::take(&mut state.senders)
        } else {
            Vec::new()
        };
        drop(state);
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }
}
