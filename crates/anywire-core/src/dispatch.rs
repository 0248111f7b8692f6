//! The app's callbacks, for one session in order and one at a time, without a task per session.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use anywire_protocol::{CloseCode, CloseReason, Event};

use crate::app::Handler;
use crate::session_cell::{Origin, SessionCell};
use crate::socket::Sender;

/// Calls the handler for all that has happened to a session, unless another thread does so now.
pub(crate) fn dispatch(cell: &Arc<SessionCell>, handler: &dyn Handler) {
    let mut calls = CALLS.take();
    let mut is_mine = false;
    while !calls.is_empty() || next_calls(cell, &mut is_mine, &mut calls) {
        let sender = Sender::new(cell.clone());
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            while let Some(call) = calls.pop_front() {
                match call {
                    Call::Open => handler.on_open(&sender),
                    Call::Event(Event::Message(message)) => handler.on_message(&sender, message),
                    Call::Event(Event::Closed(reason)) => handler.on_close(&sender, &reason),
                }
            }
        }));
        if outcome.is_err() {
            // The panic hook has printed it. This session cannot go on, but the app hears of its end. The thread goes
            // on: it may belong to another session.
            calls.retain(|call| matches!(call, Call::Event(Event::Closed(_))));
            let reason = CloseReason::new(CloseCode::INTERNAL, "the application failed");
            cell.step(Origin::Transport, |state, now| {
                state.session.abort(reason, now);
            });
        }
    }
    CALLS.set(calls);
}

/// Collects the next calls to make, if no other thread is making calls; keeps others away until it returns `false`.
fn next_calls(cell: &SessionCell, is_mine: &mut bool, calls: &mut VecDeque<Call>) -> bool {
    let (connection, change) = cell.peek(|state| {
        if state.is_dispatching && !*is_mine {
            return (None, 0);
        }
        if !mem::replace(&mut state.has_opened, true) {
            calls.push_back(Call::Open);
        }
        calls.extend(std::iter::from_fn(|| state.session.poll_event()).map(Call::Event));
        *is_mine = !calls.is_empty();
        state.is_dispatching = *is_mine;
        (state.resume_reading(*is_mine), state.weigh())
    });
    cell.count(change);
    if let Some(connection) = connection {
        connection.wake();
    }
    *is_mine
}

enum Call {
    Open,
    Event(Event),
}

thread_local! {
    /// The calls to make next; shared by the sessions of a thread.
    static CALLS: RefCell<VecDeque<Call>> = const { RefCell::new(VecDeque::new()) };
}
