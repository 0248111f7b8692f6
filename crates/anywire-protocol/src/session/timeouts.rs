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
        if self.is_open()
            && self
                .outbox
                .expires_at(&self.limits)
                .is_some_and(|at| at <= now)
        {
            let text = "a message waited too long to be acknowledged";
            self.abort(CloseReason::new(CloseCode::TOO_OLD, text), now);
        }
        if self.heartbeat_applies()
            && self
                .heartbeat
                .dead_at(&self.limits)
                .is_some_and(|at| at <= now)
        {
            self.end_if_raw();
            self.detach(now);
        }
        if self.expires_at().is_some_and(|at| at <= now) {
            let text = "no connection carried the session within its resume window";
            self.closing.end(CloseReason::new(CloseCode::EXPIRED, text));
            self.forget();
        }
        self.closing.handle_timeout(now);
    }

    /// When to call [`Session::handle_timeout`], and [`Session::poll_transmit`] after it.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let applies = self.heartbeat_applies();
        let connection = self.connection.as_ref();
        [
            self.outbox
                .expires_at(&self.limits)
                .filter(|_| self.is_open()),
            self.inbox
                .ack_due(&self.limits)
                .filter(|_| connection.is_some_and(Connection::sends_acks)),
            self.heartbeat
                .ping_due(self.heartbeat_interval(), &self.limits)
                .filter(|_| applies),
            self.heartbeat.dead_at(&self.limits).filter(|_| applies),
            connection.and_then(Connection::held_until),
            self.expires_at(),
            self.closing.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
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
