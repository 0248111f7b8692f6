//! The session and its negotiation, behind a short lock that the app's handles and the driver share. No lock is held
//! while a waker is called.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use anywire_protocol::{
    CloseReason, Event, Limits, Message, Negotiation, Role, Session, SessionId, Timestamp,
    TrySendError,
};
use tokio::sync::{Notify, watch};

use crate::Transport;
use crate::clock::Clock;
use crate::reopen::{ClientEvent, Decision, Left, Reopened};

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
    /// Whether new sessions follow those that end.
    reopens: bool,
    /// What the app has yet to take of sessions before this one, and that this one has followed.
    earlier: VecDeque<ClientEvent>,
    /// This session is to follow another, and is not open yet.
    pub(crate) is_opening: bool,
    /// What the app has closed with.
    pub(crate) closed: Option<CloseReason>,
    /// The end that no session follows, where others are followed.
    pub(crate) end: Option<CloseReason>,
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
    pub(crate) fn new(limits: Limits, negotiation: Negotiation, reopens: bool) -> Self {
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
                reopens,
                earlier: VecDeque::new(),
                is_opening: false,
                closed: None,
                end: None,
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
        let sent = match state.is_between_sessions() {
            // It has its place behind what is sent again.
            true => Err(TrySendError::Full(message)),
            false => state.session.send(message, self.now()),
        };
        if let (Err(TrySendError::Full(_)), Some(waker)) = (&sent, waker)
            && !state.senders.iter().any(|other| other.will_wake(waker))
        {
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
        let mut state = self.lock();
        state.closed.get_or_insert_with(|| reason.clone());
        state.session.close(reason, self.now());
        drop(state);
        self.changed.notify_one();
    }

    /// What the app is to be told next; `Err` is the end. Leaves `waker` if there is nothing yet.
    pub(crate) fn receive(&self, waker: &Waker) -> Option<Result<ClientEvent, CloseReason>> {
        let mut state = self.lock();
        let (received, is_awaited) = match state.earlier.pop_front() {
            Some(event) => (Some(Ok(event)), true),
            None => {
                let received = state.receive();
                let has_room = std::mem::take(&mut state.is_reading_paused) && received.is_some();
                (received, has_room)
            }
        };
        if received.is_none() {
            state.receiver = Some(waker.clone());
        }
        drop(state);
        if is_awaited {
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
            state.earlier.clear();
            while state.session.poll_event().is_some() {}
        }
        let has_event =
            state.session.has_event() || !state.earlier.is_empty() || state.end.is_some();
        let receiver = state.receiver.take_if(|_| has_event);
        let has_room =
            !state.is_between_sessions() && (state.session.has_room(0) || !state.session.is_open());
        let senders = if has_room {
            std::mem::take(&mut state.senders)
        } else {
            Vec::new()
        };
        drop(state);
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }
}

impl State {
    /// What the session tells the app.
    fn receive(&mut self) -> Option<Result<ClientEvent, CloseReason>> {
        if let Some(Event::Message(message)) = self.session.poll_event() {
            return Some(Ok(ClientEvent::Message(message)));
        }
        if !self.session.is_ended() || self.may_be_followed() {
            return None;
        }
        let reason = self.end.as_ref().or(self.session.close_reason());
        Some(Err(reason.expect("an ended session has a reason").clone()))
    }

    /// Whether this session's end is not yet known to be the last.
    fn may_be_followed(&self) -> bool {
        self.reopens && self.id.is_some() && self.end.is_none()
    }

    /// Whether a session has ended that another may follow, which is not open.
    fn is_between_sessions(&self) -> bool {
        self.may_be_followed()
            && self.closed.is_none()
            && (self.is_opening || self.session.is_ended())
    }

    /// Whether the app has yet to take something of an earlier session: only one may leave so much.
    pub(crate) fn is_burdened(&self) -> bool {
        self.earlier.iter().any(|event| match event {
            ClientEvent::Message(_) => true,
            ClientEvent::Reopened(reopened) => !reopened.unacknowledged.is_empty(),
        })
    }

    /// The next session begins in place of the one that has ended.
    pub(crate) fn begin_anew(&mut self, limits: Arc<Limits>, now: Timestamp) {
        while let Some(event) = self.session.poll_event() {
            if let Event::Message(message) = event {
                self.earlier.push_back(ClientEvent::Message(message));
            }
        }
        self.session = Session::new(Role::Client, limits, now);
        self.negotiation.reopen(now);
    }

    /// The session that follows another is open, and takes what is left of that one.
    pub(crate) fn follow(&mut self, left: Left, now: Timestamp) {
        let Left { ended, decision } = left;
        let mut unacknowledged = ended.unacknowledged;
        match decision {
            Decision::Drop => unacknowledged.clear(),
            Decision::Keep => {}
            Decision::Resend => {
                // What is behind one that finds no room must not overtake it.
                let mut is_full = false;
                let left = unacknowledged.into_iter().filter_map(|message| {
                    if is_full {
                        return Some(message);
                    }
                    let refused = self.session.send(message, now).err()?;
                    is_full = matches!(refused, TrySendError::Full(_));
                    Some(refused.into_message())
                });
                unacknowledged = left.collect();
            }
        }
        // An app that takes no events is told of the last one.
        self.earlier.pop_back_if(|last| match last {
            ClientEvent::Message(_) => false,
            ClientEvent::Reopened(reopened) => reopened.unacknowledged.is_empty(),
        });
        self.earlier.push_back(ClientEvent::Reopened(Reopened {
            reason: ended.reason,
            previous: ended.session,
            unacknowledged,
        }));
        self.is_opening = false;
    }
}

#[cfg(test)]
mod tests {
    use anywire_protocol::{CloseCode, NegotiationSettings};

    use super::*;
    use crate::reopen::Ended;

    fn shared() -> Shared {
        let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
        negotiation.take_turns(std::time::Duration::from_secs(5), u32::MAX);
        let shared = Shared::new(Limits::default(), negotiation, true);
        shared.lock().id = "00112233445566778899aabbccddeeff".parse().ok();
        shared
    }

    /// The session has ended, and another is about to follow.
    fn end(shared: &Shared) -> Left {
        let mut state = shared.lock();
        state.session.abort(CloseCode::RESTART.into(), shared.now());
        state.is_opening = true;
        let ended = Ended {
            reason: CloseCode::RESTART.into(),
            session: state.id.expect("it has a name"),
            unacknowledged: state.session.take_unacknowledged(),
        };
        Left {
            ended,
            decision: Decision::Resend,
        }
    }

    fn follow(shared: &Shared, left: Left) {
        let mut state = shared.lock();
        state.begin_anew(Arc::default(), shared.now());
        state.follow(left, shared.now());
    }

    #[tokio::test]
    async fn what_is_sent_between_two_sessions_waits_for_what_is_sent_again() {
        let shared = shared();
        for text in ["one", "two"] {
            assert!(shared.send(text.into(), None).is_ok());
        }
        let left = end(&shared);
        let refused = shared.send("three".into(), None);
        assert!(matches!(refused, Err(TrySendError::Full(_))), "{refused:?}");
        follow(&shared, left);
        assert!(shared.send("three".into(), None).is_ok());
        let mut state = shared.lock();
        state.session.abort(CloseCode::RESTART.into(), shared.now());
        let sent = state.session.take_unacknowledged();
        let texts: Vec<_> = sent.iter().filter_map(Message::as_text).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }

    #[tokio::test]
    async fn a_task_that_tries_again_and_again_between_two_sessions_waits_once() {
        let shared = shared();
        end(&shared);
        for _ in 0..3 {
            let refused = shared.send("more".into(), Some(Waker::noop()));
            assert!(matches!(refused, Err(TrySendError::Full(_))), "{refused:?}");
        }
        assert_eq!(shared.lock().senders.len(), 1);
    }

    #[tokio::test]
    async fn what_is_sent_again_keeps_its_order_where_the_next_server_takes_less() {
        let shared = shared();
        let long = "x".repeat(900);
        for text in ["one", &long, "three"] {
            assert!(shared.send(text.into(), None).is_ok());
        }
        let left = end(&shared);
        let limits = Limits::default().max_outbox_bytes(500);
        let mut state = shared.lock();
        state.begin_anew(Arc::new(limits), shared.now());
        state.follow(left, shared.now());
        let told = state.earlier.pop_front();
        let Some(ClientEvent::Reopened(reopened)) = told else {
            panic!("{told:?}");
        };
        let back: Vec<_> = reopened
            .unacknowledged
            .iter()
            .filter_map(Message::as_text)
            .collect();
        assert_eq!(back, [&long, "three"]);
    }

    #[tokio::test]
    async fn an_app_that_takes_no_events_is_told_of_the_last_session_that_followed() {
        let shared = shared();
        for _ in 0..3 {
            let left = end(&shared);
            follow(&shared, left);
        }
        assert!(!shared.lock().is_burdened());
        let told = shared.receive(Waker::noop());
        assert!(matches!(told, Some(Ok(ClientEvent::Reopened(_)))));
        assert!(shared.receive(Waker::noop()).is_none());
    }

    #[tokio::test]
    async fn messages_that_are_given_back_keep_further_sessions_away_until_they_are_taken() {
        let shared = shared();
        assert!(shared.send("one".into(), None).is_ok());
        let left = Left {
            decision: Decision::Keep,
            ..end(&shared)
        };
        follow(&shared, left);
        assert!(shared.lock().is_burdened());
        let told = shared.receive(Waker::noop());
        let Some(Ok(ClientEvent::Reopened(reopened))) = told else {
            panic!("{told:?}");
        };
        assert_eq!(reopened.unacknowledged.len(), 1);
        assert!(!shared.lock().is_burdened());
    }
}
