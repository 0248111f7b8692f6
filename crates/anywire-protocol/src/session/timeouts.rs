//! When something falls due in a session, and what happens then. The durations are `Limits`.

use std::time::Duration;

use super::{Role, Session};
use crate::connection::{Carrier, Connection};
use crate::{CloseCode, CloseReason, Timestamp};

impl Session {
    /// Time has passed. Call it when [`Session::poll_timeout`] says, then drain.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.outbox.shrink();
        self.inbox.shrink();
        if self.outbox_expires_at().is_some_and(|at| at <= now) {
            let text = "a message waited too long to be acknowledged";
            self.abort(CloseReason::new(CloseCode::TOO_OLD, text), now);
        }
        if self.heartbeat_applies()
            && self
                .heartbeat
                .dead_at(&self.limits)
                .is_some_and(|at| at <= now)
        {
            if self.has_inbox_room() {
                self.end_if_raw();
                self.detach(now);
            } else {
                // We are the ones who do not read, so silence says nothing.
                self.heartbeat.hear(now);
            }
        }
        if self.expires_at().is_some_and(|at| at <= now) {
            let text = "no connection carried the session within its resume window";
            self.closing.end(CloseReason::new(CloseCode::EXPIRED, text));
            self.forget();
        }
        if self.close_deadline().is_some_and(|at| at <= now) {
            self.closing.handle_timeout();
        }
    }

    /// When to call [`Session::handle_timeout`], and [`Session::poll_transmit`] after it.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let applies = self.heartbeat_applies();
        let connection = self.connection.as_ref();
        [
            self.outbox_expires_at(),
            self.inbox
                .ack_due(&self.limits)
                .filter(|_| connection.is_some_and(Connection::sends_acks) && applies)
                .filter(|_| self.inbox.has_room(&self.limits)),
            self.heartbeat
                .ping_due(self.heartbeat_interval(), &self.limits)
                .filter(|_| applies),
            self.heartbeat.dead_at(&self.limits).filter(|_| applies),
            connection.and_then(Connection::held_until),
            self.expires_at(),
            self.close_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the oldest message will have waited too long.
    fn outbox_expires_at(&self) -> Option<Timestamp> {
        self.outbox
            .expires_at(&self.limits)
            .filter(|_| !self.is_ended())
    }

    /// When a close is given up. While messages still have to arrive before it, their age and the resume window decide.
    fn close_deadline(&self) -> Option<Timestamp> {
        let is_first_in_line = self.is_ended() || self.outbox.end() == self.outbox.base();
        self.closing.deadline().filter(|_| is_first_in_line)
    }

    fn heartbeat_applies(&self) -> bool {
        matches!(self.carrier(), Some(Carrier::Duplex | Carrier::Raw)) && !self.closing.is_ended()
    }

    /// The client waits a quarter longer, so that in an idle session only the server pings.
    pub(super) fn heartbeat_interval(&self) -> Duration {
        match self.role {
            Role::Server => self.limits.heartbeat,
            Role::Client => self.limits.heartbeat + self.limits.heartbeat / 4,
        }
    }

    /// When the resume window ends (PROTOCOL §7.4).
    fn expires_at(&self) -> Option<Timestamp> {
        if self.closing.is_ended() {
            return None;
        }
        let since = match (self.role, self.carrier()) {
            (_, Some(Carrier::Duplex | Carrier::Raw)) => return None,
            (Role::Server, Some(Carrier::Exchange { .. })) => return None,
            (Role::Server, None) => self.detached_at.max(self.heartbeat.heard()),
            // A client makes its exchanges itself: only an answer proves that the session lives.
            (Role::Client, _) => self.heartbeat.heard(),
        };
        Some(since + self.limits.resume_window)
    }
}
