//! The app's callbacks, for one session in order and one at a time, without a task per session.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;

use anywire_protocol::{CloseCode, CloseReason, Event, Message};

use crate::attachment::Attachment;
use crate::grant::Grant;
use crate::session_cell::{Origin, SessionCell, Slot, State};
use crate::socket::Sender;

/// What the app is told.
pub(crate) enum Call {
    Open,
    Message(Message),
    Attachment(Attachment),
    Grant(Grant),
    Close(CloseReason),
}

impl From<Event> for Call {
    fn from(event: Event) -> Self {
        match event {
            Event::Message(message) => Self::Message(message),
            Event::Closed(reason) => Self::Close(reason),
        }
    }
}

/// A handler whose state's type is forgotten, so that no hub, server or sender needs to name it.
pub(crate) trait Callbacks: Send + Sync {
    fn call(&self, slot: &mut Slot, sender: &Sender, call: Call);
}

/// The same of callbacks that may wait: they take their calls themselves, until there is none left.
pub(crate) trait AsyncCallbacks: Send + Sync {
    fn run(self: Arc<Self>, cell: Arc<SessionCell>) -> Task;
}

/// A task of the app's.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Calls the handler for all that has happened to a session, unless another thread does so now.
pub(crate) fn dispatch(cell: &Arc<SessionCell>, handler: &dyn Callbacks) {
    let mut calls = CALLS.take();
    let (mut is_mine, mut slot, mut has_failed) = (false, None, false);
    while !calls.is_empty() || next_calls(cell, &mut is_mine, &mut slot, &mut calls) {
        if has_failed {
            // An app that keeps nothing still hears of the end.
            calls.retain(|call| matches!(call, Call::Close(_)));
        }
        let sender = Sender::new(cell.clone());
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            while let Some(call) = calls.pop_front() {
                handler.call(&mut slot, &sender, call);
            }
        }));
        if outcome.is_err() {
            // The panic hook has printed it. The thread goes on: it may belong to another session.
            (slot, has_failed) = (None, true);
            fail(cell);
        }
    }
    CALLS.set(calls);
}

/// Collects the next calls to make, if no other thread is making calls; keeps others away until it returns `false`.
fn next_calls(
    cell: &SessionCell,
    is_mine: &mut bool,
    slot: &mut Slot,
    calls: &mut VecDeque<Call>,
) -> bool {
    let (connection, change) = cell.peek(|state| {
        if state.is_dispatching && !*is_mine {
            return (None, 0);
        }
        if !*is_mine {
            *slot = take_slot(state);
        }
        if let Some(call) = first_call(cell, state) {
            calls.push_back(call);
        }
        calls.extend(std::iter::from_fn(|| state.session.poll_event()).map(Call::from));
        *is_mine = !calls.is_empty();
        state.is_dispatching = *is_mine;
        if !*is_mine {
            put_slot(state, slot.take());
        }
        (state.resume_reading(*is_mine), state.weigh())
    });
    cell.count(change);
    if let Some(connection) = connection {
        connection.wake();
    }
    *is_mine
}

/// What the app is to be told before the session's events: that it has opened, or else the newest of what is a state.
fn first_call(cell: &SessionCell, state: &mut State) -> Option<Call> {
    if !mem::replace(&mut state.has_opened, true) {
        // It sees the grant and the attachment of this moment.
        (state.owes_attachment, state.owes_grant) = (false, false);
        return Some(Call::Open);
    }
    if mem::take(&mut state.owes_grant) && !state.session.is_ended() {
        return Some(Call::Grant(cell.grant_of(state)));
    }
    if mem::take(&mut state.owes_attachment) && !state.session.is_ended() {
        return Some(Call::Attachment(cell.attachment_of(state)));
    }
    None
}

/// A task that makes a session's calls, each when the one before is done.
pub(crate) struct Dispatching<'a> {
    cell: &'a Arc<SessionCell>,
    pub(crate) slot: Slot,
    is_done: bool,
}

/// Keeps others from making the session's calls, for a task that is to make them. `false` if another does.
pub(crate) fn claim(cell: &SessionCell) -> bool {
    cell.peek(|state| !mem::replace(&mut state.is_dispatching, true))
}

impl<'a> Dispatching<'a> {
    /// Begins what [`claim`] has claimed.
    pub(crate) fn begin(cell: &'a Arc<SessionCell>) -> Self {
        Self {
            cell,
            slot: cell.peek(take_slot),
            is_done: false,
        }
    }

    /// The next call, or the end of what there is to do.
    pub(crate) fn next(&mut self) -> Option<Call> {
        let (call, connection, change) = self.cell.peek(|state| {
            let call =
                first_call(self.cell, state).or_else(|| state.session.poll_event().map(Call::from));
            if call.is_none() {
                state.is_dispatching = false;
                put_slot(state, self.slot.take());
            }
            let has_taken = call.is_some();
            (call, state.resume_reading(has_taken), state.weigh())
        });
        self.cell.count(change);
        if let Some(connection) = connection {
            connection.wake();
        }
        self.is_done = call.is_none();
        call
    }
}

impl Drop for Dispatching<'_> {
    fn drop(&mut self) {
        // A runtime that ends drops it too, and then nobody needs to be told.
        if !self.is_done && thread::panicking() {
            fail(self.cell);
            // Nothing is called any more, and nothing piles up.
            self.cell.peek(|state| state.has_no_reader = true);
        }
    }
}

/// The app has failed: this session cannot go on.
fn fail(cell: &Arc<SessionCell>) {
    let reason = CloseReason::new(CloseCode::INTERNAL, "the application failed");
    cell.step(Origin::Transport, |state, now| {
        state.session.abort(reason, now);
    });
}

fn take_slot(state: &mut State) -> Slot {
    state.extra.as_mut().and_then(|extra| extra.slot.take())
}

fn put_slot(state: &mut State, slot: Slot) {
    if slot.is_some() {
        state.extra.get_or_insert_default().slot = slot;
    }
}

/// Takes what the app keeps out of its slot. `()` is always there.
pub(crate) fn take_state<S: 'static>(slot: &mut Slot) -> Option<Box<S>> {
    let kept = match is_unit::<S>() {
        true => Box::new(()),
        false => slot.take()?,
    };
    kept.downcast().ok()
}

/// Puts back what the app keeps, if that is anything.
pub(crate) fn put_state<S: Send + 'static>(slot: &mut Slot, state: Box<S>) {
    if !is_unit::<S>() {
        *slot = Some(state);
    }
}

fn is_unit<S: 'static>() -> bool {
    TypeId::of::<S>() == TypeId::of::<()>()
}

thread_local! {
    /// The calls to make next; shared by the sessions of a thread.
    static CALLS: RefCell<VecDeque<Call>> = const { RefCell::new(VecDeque::new()) };
}
