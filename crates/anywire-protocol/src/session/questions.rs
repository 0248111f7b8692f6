//! What may be asked of a session. Nothing here changes it.

use super::Session;
use crate::connection::{Carrier, ConnectionId};
use crate::{CloseReason, Generation, Limits, Offset, Timestamp};

impl Session {
    /// Whether this connection carries the session.
    pub fn is_current(&self, id: ConnectionId) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.id == id)
    }

    /// Whether messages may be sent.
    pub fn is_open(&self) -> bool {
        self.closing.is_open()
    }

    /// Whether the session has ended and the peer need not be told any more: forget it.
    pub fn is_finished(&self) -> bool {
        self.closing.is_finished()
    }

    /// Whether the session has ended; the peer may still have to be told.
    pub fn is_ended(&self) -> bool {
        self.closing.is_ended()
    }

    /// Whether [`Session::poll_event`] has something.
    pub fn has_event(&self) -> bool {
        self.inbox.is_waiting() || self.closing.is_unreported()
    }

    /// Why the session has ended or is about to.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.closing.reason()
    }

    /// Whether a message of so many bytes would be accepted now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.outbox.has_room(bytes, &self.limits)
    }

    /// Whether the app has taken enough for more to be accepted. If not, acks are withheld, which stops an honest peer
    /// (PROTOCOL §7.5), and an exchange is to leave messages out.
    pub fn has_inbox_room(&self) -> bool {
        self.inbox.has_room(&self.limits)
    }

    /// Whether the peer has gone on after its window was used up: read no more until the app has taken messages.
    pub fn is_flooded(&self) -> bool {
        self.inbox.is_flooded(&self.limits)
    }

    /// Since when a ping is unanswered on a connection that lasts.
    pub fn unanswered_since(&self) -> Option<Timestamp> {
        self.heartbeat.pinged().filter(|_| {
            self.carrier()
                .is_some_and(|carrier| carrier == Carrier::Duplex)
        })
    }

    /// The limits that the session keeps to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many messages came from the peer.
    pub fn received(&self) -> Offset {
        self.inbox.received()
    }

    /// How many messages the app has sent.
    pub fn sent(&self) -> Offset {
        self.outbox.end()
    }

    /// Bytes of messages that the peer has not acknowledged.
    pub fn buffered_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Messages that the peer has not acknowledged.
    pub fn buffered_messages(&self) -> u64 {
        self.outbox.end().as_u64() - self.outbox.base().as_u64()
    }

    /// How many messages the peer has acknowledged.
    pub fn acknowledged(&self) -> Offset {
        self.outbox.base()
    }

    /// The highest generation seen.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What carries the session now.
    pub fn carrier(&self) -> Option<Carrier> {
        self.connection
            .as_ref()
            .map(|connection| connection.carrier)
    }
}
