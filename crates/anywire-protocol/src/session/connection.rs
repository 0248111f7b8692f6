//! The connection that carries a session now, as the session sees it. Shells hold the sockets.

use std::time::Duration;

use super::inbox::Inbox;
use crate::{Generation, Limits, Message, Offset, Packet, Position, Timestamp};

/// Tells a session's connections apart, in the order in which they attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub(crate) u32);

/// How a connection carries a session: which ways, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionMode {
    /// A WebSocket: both ways, until it breaks (PROTOCOL §5).
    Duplex,
    /// A plain WebSocket: both ways, without acks. The session ends with it (PROTOCOL §9).
    Raw,
    /// One answer: a payload, sent as soon as there is something to say, or when the hold is over (PROTOCOL §6.3).
    Exchange {
        /// How long it may wait for something to send. Zero: it is answered at once.
        hold: Duration,
    },
    /// A stream: down only, until it is old. What goes up are exchanges beside it (PROTOCOL §13). A server's only: a client
    /// takes what a stream brings as packets of its leg's generation.
    Stream,
}

impl ConnectionMode {
    /// Whether one connection carries both ways until it breaks.
    pub(crate) fn is_both_ways(self) -> bool {
        matches!(self, Self::Duplex | Self::Raw)
    }
}

/// What a successful attach says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The connection's name in this session.
    pub id: ConnectionId,
    /// What this side has received.
    pub received: Offset,
    /// The offset of the first message that this side will send on the connection.
    pub first: Offset,
}

/// Identifies the sender of a packet, so that packets of a superseded connection are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// On a connection that carries the session.
    Connection(ConnectionId),
    /// In an exchange, or on a stream, of a leg of this generation.
    Generation(Generation),
}

/// What a connection is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit<'a> {
    /// Send this, then ask again.
    Packet(Packet),
    /// Send this message, which stays in the outbox, then ask again.
    Message(&'a Message),
    /// Nothing now: wait for input, the app, or the deadline.
    Idle,
    /// All has been said: end the connection, or the answer.
    Finished,
    /// A newer connection carries the session: say so and end.
    Superseded,
    /// The peer was silent for too long: end.
    Stalled,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) mode: ConnectionMode,
    /// Where what it sends next belongs.
    pub(crate) cursor: Position,
    pub(crate) pong_owed: Option<Box<str>>,
    attached_at: Timestamp,
    /// When a message or padding went out last.
    said_at: Timestamp,
    owes_padding: bool,
    has_told_pong: bool,
    has_told_ack: bool,
    has_told_offset: bool,
    has_told_close: bool,
    /// The longest part that it bears, if that is less than the limits say.
    max_part_bytes: u32,
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        mode: ConnectionMode,
        cursor: Position,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            mode,
            cursor,
            pong_owed: None,
            attached_at: now,
            said_at: now,
            owes_padding: false,
            has_told_pong: false,
            has_told_ack: false,
            has_told_offset: false,
            has_told_close: false,
            max_part_bytes: u32::MAX,
        }
    }

    pub(crate) fn is_exchange(&self) -> bool {
        matches!(self.mode, ConnectionMode::Exchange { .. })
    }

    /// Whether acks go out on their own, when they fall due.
    pub(crate) fn sends_acks(&self) -> bool {
        matches!(self.mode, ConnectionMode::Duplex | ConnectionMode::Stream)
    }

    /// Whether to transmit now: an exchange has one chance, and waits for something worth it.
    pub(crate) fn is_due(&self, has_news: bool, now: Timestamp) -> bool {
        has_news
            || self.has_told_pong
            || self.has_told_ack
            || self.has_told_close
            || self.held_until().is_none_or(|until| until <= now)
    }

    /// The pong to send now, which ends an exchange's wait.
    pub(crate) fn take_pong(&mut self) -> Option<Box<str>> {
        let pong = self.pong_owed.take();
        self.has_told_pong |= self.is_exchange() && pong.is_some();
        pong
    }

    /// When a held exchange is answered whatever there is.
    pub(crate) fn held_until(&self) -> Option<Timestamp> {
        match self.mode {
            ConnectionMode::Exchange { hold } => Some(self.attached_at + hold),
            ConnectionMode::Duplex | ConnectionMode::Raw | ConnectionMode::Stream => None,
        }
    }

    /// It bears no longer parts from now on.
    pub(crate) fn bound_parts(&mut self, max_bytes: usize) {
        self.max_part_bytes = u32::try_from(max_bytes).unwrap_or(u32::MAX);
    }

    /// The longest part that it bears, whatever the limits say.
    pub(crate) fn max_part_bytes(&self) -> usize {
        self.max_part_bytes as usize
    }

    /// Something went out that shows a stream's life.
    pub(crate) fn speak(&mut self, now: Timestamp) {
        self.said_at = now;
    }

    /// The peer asks whether the stream is held back (PROTOCOL §13.9).
    pub(crate) fn ask_for_padding(&mut self) {
        self.owes_padding = self.mode == ConnectionMode::Stream;
    }

    /// When a stream says padding (PROTOCOL §13.4).
    pub(crate) fn padding_due(&self, limits: &Limits) -> Option<Timestamp> {
        (self.mode == ConnectionMode::Stream).then(|| self.said_at + limits.padding)
    }

    /// Whether to say padding now; marks it as said.
    pub(crate) fn take_padding(&mut self, limits: &Limits, now: Timestamp) -> bool {
        let is_due = self.owes_padding || self.padding_due(limits).is_some_and(|at| at <= now);
        if is_due {
            self.owes_padding = false;
            self.speak(now);
        }
        is_due
    }

    /// When a stream is so old that it ends: between two messages, and when it is twice as old also between two parts
    /// (PROTOCOL §13.5).
    pub(crate) fn ends_at(&self, limits: &Limits) -> Option<Timestamp> {
        let age = limits.stream_age * if self.cursor.is_inside() { 2 } else { 1 };
        (self.mode == ConnectionMode::Stream).then(|| self.attached_at + age)
    }

    /// When it began to carry.
    pub(crate) fn attached_at(&self) -> Timestamp {
        self.attached_at
    }

    /// Whether acks wait although they are due: on a WebSocket they tell the client that the app takes messages, and stop it
    /// while it does not (PROTOCOL §7.5). A session that has ended acknowledges in answers alone, which a stream begins as.
    pub(crate) fn withholds_ack(&self, has_ended: bool, inbox: &Inbox, limits: &Limits) -> bool {
        match self.mode {
            ConnectionMode::Exchange { .. } => false,
            ConnectionMode::Stream => has_ended && self.has_told_ack,
            ConnectionMode::Duplex | ConnectionMode::Raw => has_ended || !inbox.has_room(limits),
        }
    }

    /// Whether an ack is to go out now. An exchange carries one always, a stream at its begin.
    pub(crate) fn owes_ack(&mut self, inbox: &Inbox, limits: &Limits, now: Timestamp) -> bool {
        let is_due = |inbox: &Inbox| inbox.ack_due(limits).is_some_and(|due| due <= now);
        match self.mode {
            ConnectionMode::Raw => false,
            ConnectionMode::Duplex => is_due(inbox),
            ConnectionMode::Exchange { .. } => !std::mem::replace(&mut self.has_told_ack, true),
            ConnectionMode::Stream => {
                !std::mem::replace(&mut self.has_told_ack, true) || is_due(inbox)
            }
        }
    }

    /// What an ack may say here: a WebSocket carries every message, since its receiver counts them. So what it has yet to
    /// carry is kept, though the peer has it from elsewhere.
    pub(crate) fn carried(&self, received: Position) -> Position {
        match self.mode {
            ConnectionMode::Duplex => received.min(self.cursor),
            ConnectionMode::Raw | ConnectionMode::Exchange { .. } | ConnectionMode::Stream => {
                received
            }
        }
    }

    /// The peer has all up to here, and is sent nothing of it any more.
    pub(crate) fn skip_to(&mut self, base: Position) {
        if self.cursor.offset < base.offset {
            self.cursor = base;
            // The client counts on from the last offset that it heard, so it must hear the new one.
            self.has_told_offset = false;
        } else if self.cursor.offset == base.offset && self.is_payload() && !self.has_told_offset {
            // The peer says behind its attach what it has of a message (PROTOCOL §4.11).
            self.cursor = base;
        }
    }

    /// Whether it says offsets, and does not count from its attach on.
    fn is_payload(&self) -> bool {
        self.is_exchange() || self.mode == ConnectionMode::Stream
    }

    /// Whether an offset must come before the next message; marks it as told.
    pub(crate) fn tell_offset(&mut self) -> bool {
        self.is_payload() && !std::mem::replace(&mut self.has_told_offset, true)
    }

    /// Whether the close has been told here.
    pub(crate) fn has_told_close(&self) -> bool {
        self.has_told_close
    }

    /// Whether all has been said here once the close has: a stream ends behind it (PROTOCOL §13.2).
    pub(crate) fn ends_with_close(&self) -> bool {
        self.mode == ConnectionMode::Stream && self.has_told_close
    }

    /// Whether the close is still to be told here; marks it as told.
    pub(crate) fn tell_close(&mut self) -> bool {
        !std::mem::replace(&mut self.has_told_close, true)
    }
}
