//! How a WebSocket ends: who says what last. When it ends is the driver's to find out.

use std::task::{Context, Waker};

use anywire_core::{Outgoing, Room};
use anywire_protocol::{CloseCode, CloseReason, Packet, ProtocolError};

use super::super::output::{is_enough, push_close, push_message, push_packet};
use super::{Driver, LEAVE_WITHIN, Phase, after};
use crate::frame::Violation;

impl<S> Driver<S> {
    /// The peer broke a rule of WebSocket: the connection fails, the session lives (PROTOCOL §5.7).
    pub(super) fn fail(&mut self, violation: &Violation) {
        if violation.code() == CloseCode::TOO_BIG {
            let error = ProtocolError::new(CloseCode::TOO_LARGE, violation.what());
            match &self.phase {
                // What is left to say is said with the next transmit.
                Phase::Carrying {
                    connection,
                    is_raw: false,
                    ..
                } => return connection.violate(error),
                Phase::Waiting(_) => return self.refuse(error.into()),
                Phase::Carrying { .. } | Phase::Leaving { .. } => {}
            }
        }
        self.close(CloseReason::new(violation.code(), violation.what()));
    }

    pub(super) fn refuse(&mut self, reason: CloseReason) {
        self.first = Some(Box::new(Packet::Close(reason)));
        self.leave();
    }

    /// Answers the peer's close by its own code (PROTOCOL §5.6), or closes first with a reason.
    pub(super) fn close(&mut self, reason: CloseReason) {
        let has_closed = match self.phase {
            Phase::Leaving { .. } => return,
            Phase::Carrying { has_closed, .. } => has_closed,
            Phase::Waiting(_) => false,
        };
        self.say_last_words();
        if !has_closed {
            self.output.push(|out| push_close(out, &reason));
        }
        self.leave();
    }

    /// What is still to be said to a peer that closes the WebSocket: *opened*, if it opened in the same breath, and above
    /// all the answer to its close packet.
    fn say_last_words(&mut self) {
        if let Some(packet) = self.first.take() {
            self.output.push(|out| push_packet(out, &packet));
        }
        if let Phase::Carrying {
            connection,
            is_raw: false,
            ..
        } = &self.phase
        {
            let cx = Context::from_waker(Waker::noop());
            self.output.push(|out| {
                let _ = connection.poll_transmit(&cx, |outgoing| {
                    match outgoing {
                        Outgoing::Packet(packet) => push_packet(out, &packet),
                        Outgoing::Message(message) => push_message(out, message),
                    }
                    if is_enough(out) {
                        Room::None
                    } else {
                        Room::Some
                    }
                });
            });
        }
    }

    /// Detaches, and says goodbye for a while.
    pub(super) fn leave(&mut self) {
        self.phase = Phase::Leaving {
            has_shut_down: false,
        };
        self.deadline = Some(after(LEAVE_WITHIN));
    }

    /// What a peer does not take keeps no session's connection that is over.
    pub(super) fn leave_if_over(&mut self) {
        if let Phase::Carrying { connection, .. } = &self.phase
            && connection.is_over()
        {
            self.leave();
        }
    }
}
