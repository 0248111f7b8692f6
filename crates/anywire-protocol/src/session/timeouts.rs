//! When something falls due in a session, and what happens then. The durations are `Limits`.

use std::time::Duration;

use super::{Role, Session};
use crate::connection::{Carrier, Connection, Transmit};
use crate::{CloseCode, CloseReason, Packet, Timestamp};

impl Session {
    /// Time has passed. Call it when [`Session::poll_timeout`] says, then drain.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.outbox.shrink();
        self.inbox.shrink();
        if self.outbox_expires_at().is_some_and(|at| at <= now) {
            let text = "a message waited too long to be acknowledged";
            self.abort(CloseReason::new(CloseCode::TOO_OLD, text), now);
        }
        if self.heartbeat_applies() && self.dead_at().is_some_and(|at| at <= now) {
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
            self.inbox.ack_due(&self.limits).filter(|_| {
                connection.is_some_and(|connection| {
                    connection.sends_acks()
                        && !connection.withholds_ack(self.is_ended(), &self.inbox, &self.limits)
                })
            }),
            self.heartbeat
                .ping_due(self.heartbeat_interval(), &self.limits)
                .filter(|_| applies),
            self.dead_at().filter(|_| applies),
            connection.and_then(Connection::held_until),
            connection.and_then(|connection| connection.padding_due(&self.limits)),
            connection.and_then(|connection| connection.ends_at(&self.limits)),
            self.expires_at(),
            self.close_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What the connection does that has nothing to say: an exchange or an old stream ends; a stream pads, others ping.
    pub(super) fn transmit_when_quiet(&mut self, now: Timestamp) -> Transmit<'static> {
        let Some(connection) = &mut self.connection else {
            return Transmit::Idle;
        };
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if connection.is_exchange() || is_due(connection.ends_at(&self.limits)) {
            return Transmit::Finished;
        }
        if connection.carrier == Carrier::Stream {
            return match connection.take_padding(&self.limits, now) {
                true => Transmit::Packet(Packet::Padding(0)),
                false => Transmit::Idle,
            };
        }
        let interval = self.heartbeat_interval();
        if is_due(self.heartbeat.ping_due(interval, &self.limits)) {
            self.heartbeat.ping(now);
            return Transmit::Packet(Packet::Ping("".into()));
        }
        Transmit::Idle
    }

    /// When the connection counts as dead. Messages may be on the way before the ping, on a slow line.
    fn dead_at(&self) -> Option<Timestamp> {
        let on_the_way = Duration::from_millis((self.outbox.bytes() / SLOW_BYTES_PER_MS) as u64);
        Some(self.heartbeat.dead_at(&self.limits)? + on_the_way)
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
    fn heartbeat_interval(&self) -> Duration {
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
            (Role::Server, Some(Carrier::Exchange { .. } | Carrier::Stream)) => return None,
            (Role::Server, None) => self.detached_at.max(self.heartbeat.heard()),
            // A client makes its exchanges itself: only an answer proves that the session lives.
            (Role::Client, _) => self.heartbeat.heard(),
        };
        Some(since + self.limits.resume_window)
    }
}

/// A line that carries no more than this is slow.
const SLOW_BYTES_PER_MS: usize = 16;
