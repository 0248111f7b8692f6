//! The session: joins outbox, inbox, heartbeat and close for either role. Clocks, bytes and apps are left to
//! shells, which feed one input and then drain [`Session::poll_transmit`], [`Session::poll_event`] and
//! [`Session::poll_timeout`].

mod questions;
mod timeouts;

use std::sync::Arc;

use crate::closing::Closing;
use crate::connection::Connection;
use crate::heartbeat::Heartbeat;
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::{
    AttachError, CloseCode, CloseReason, Generation, Limits, Message, Offset, Packet,
    ProtocolError, SendError, Timestamp,
};

pub use crate::connection::{Attachment, Carrier, ConnectionId, Fence, Transmit};

/// Which side of the conversation a session is. Both run the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that connections come to.
    Server,
    /// The side that makes them.
    Client,
}

/// What the app is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next message from the peer.
    Message(Message),
    /// The session has ended; comes once, after the last message.
    Closed(CloseReason),
}

/// An ordered stream of messages both ways, that outlives its connections.
///
/// At most one connection carries it; the newest attach wins. Every message that [`Session::send`] accepted stays in
/// the outbox until the peer acknowledges it.
#[derive(Debug)]
pub struct Session {
    role: Role,
    limits: Arc<Limits>,
    outbox: Outbox,
    inbox: Inbox,
    heartbeat: Heartbeat,
    closing: Closing,
    connection: Option<Connection>,
    generation: Generation,
    attaches: u32,
    /// When the last connection was let go, or the session began.
    detached_at: Timestamp,
}

impl Session {
    /// A session that no connection carries yet; its resume window begins now.
    pub fn new(role: Role, limits: Arc<Limits>, now: Timestamp) -> Self {
        Self {
            role,
            limits,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            heartbeat: Heartbeat::start(now),
            closing: Closing::Open,
            connection: None,
            generation: Generation::default(),
            attaches: 0,
            detached_at: now,
        }
    }

    // What the world does.

    /// A connection begins to carry the session; the one before is superseded.
    ///
    /// `received` is what the peer says it has. For a client, call [`Session::seek`] with *opened*'s `first` next.
    ///
    /// # Errors
    /// [`AttachError::Superseded`]: tell the peer, nothing has changed. [`AttachError::Protocol`]: tell the peer; the
    /// session has closed.
    pub fn handle_attach(
        &mut self,
        generation: Generation,
        received: Offset,
        carrier: Carrier,
        now: Timestamp,
    ) -> Result<Attachment, AttachError> {
        if generation < self.generation {
            return Err(AttachError::Superseded);
        }
        self.acknowledge(received, now)?;
        self.generation = generation;
        self.attaches += 1;
        let id = ConnectionId(self.attaches);
        if self.role == Role::Server || matches!(carrier, Carrier::Duplex | Carrier::Raw) {
            self.heartbeat = Heartbeat::start(now);
        }
        self.connection = Some(Connection::new(id, carrier, self.outbox.base(), now));
        if matches!(carrier, Carrier::Duplex | Carrier::Raw) {
            // Payloads say their offset themselves, and one may be half read: a stream beside which we send.
            self.inbox.seek(self.inbox.received());
        }
        Ok(Attachment {
            id,
            received: self.inbox.received(),
            first: self.outbox.base(),
        })
    }

    /// The next message that comes has this offset: *opened*'s `first`, for a client.
    pub fn seek(&mut self, first: Offset) {
        self.inbox.seek(first);
    }

    /// A packet came.
    ///
    /// # Errors
    /// [`AttachError::Superseded`]: its connection no longer carries the session, the packet is ignored.
    /// [`AttachError::Protocol`]: the session has closed; transmit what it still has to say.
    pub fn handle_packet(
        &mut self,
        fence: Fence,
        packet: Packet,
        now: Timestamp,
    ) -> Result<(), AttachError> {
        self.pass(fence, now)?;
        self.heartbeat.hear(now);
        match packet {
            Packet::Message(_) | Packet::Offset(_)
                if !self.is_open() && !self.closing.is_ours() =>
            {
                Ok(())
            }
            Packet::Offset(offset) => {
                self.inbox.seek(offset);
                Ok(())
            }
            Packet::Message(message) => self.accept(message, now),
            Packet::Ack(received) => self.acknowledge(received, now),
            Packet::Ping(content) if content.len() > self.limits.max_ping_bytes => {
                let text = "a ping is longer than maxPingBytes";
                let error = ProtocolError::new(CloseCode::TOO_LARGE, text);
                self.abort(error.into(), now);
                Err(error)
            }
            Packet::Ping(content) => {
                if let Some(connection) = &mut self.connection {
                    connection.pong_owed = Some(content);
                }
                Ok(())
            }
            Packet::Padding(_) => {
                if let Some(connection) = &mut self.connection {
                    connection.ask_for_padding();
                }
                Ok(())
            }
            Packet::Pong(_) => Ok(()),
            // For metrics: nothing depends on it (PROTOCOL §7.6).
            Packet::Report(_) if self.role == Role::Server => Ok(()),
            Packet::Close(reason) => {
                self.closing.hear(reason, now + self.limits.close_timeout);
                self.forget();
                self.end_if_raw();
                Ok(())
            }
            Packet::Superseded if self.role == Role::Client => {
                self.detach(now);
                Ok(())
            }
            Packet::Open(_)
            | Packet::Attach(_)
            | Packet::Opened(_)
            | Packet::Superseded
            | Packet::Report(_) => {
                let error = ProtocolError::malformed("this packet does not belong here");
                self.abort(error.into(), now);
                Err(error)
            }
        }
        .map_err(AttachError::from)
    }

    /// Bytes came that are no packet yet, or the peer took bytes that waited: it is alive.
    pub fn handle_alive(&mut self, id: ConnectionId, now: Timestamp) {
        if self.is_current(id) {
            self.heartbeat.hear(now);
        }
    }

    /// The peer broke a rule below the packets (a frame, a size): the session closes.
    pub fn handle_violation(&mut self, fence: Fence, error: ProtocolError, now: Timestamp) {
        if self.pass(fence, now).is_ok() {
            self.abort(error.into(), now);
        }
    }

    /// A connection has ended. Nothing is lost: what it may not have delivered is still in the outbox.
    pub fn handle_detach(&mut self, id: ConnectionId, now: Timestamp) {
        if self.is_current(id) {
            self.end_if_raw();
            self.detach(now);
        }
    }

    /// Takes the limits that *opened* announced: for a client, before its first attach.
    pub fn adopt(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
    }

    /// Asks the peer for a sign of life now, on a connection that lasts.
    pub fn check(&mut self) {
        self.heartbeat.ask();
    }

    // What the app asks.

    /// Accepts a message: from here it arrives once and in order while the session lives.
    ///
    /// # Errors
    /// The message comes back; see [`SendError`].
    pub fn send(&mut self, message: Message, now: Timestamp) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed(message));
        }
        self.outbox.push(message, &self.limits, now)
    }

    /// Closes after everything accepted has been sent. Later calls change nothing.
    pub fn close(&mut self, reason: CloseReason, now: Timestamp) {
        self.closing.begin(reason, now + self.limits.close_timeout);
    }

    /// Closes at once: the close overtakes messages, which are dropped.
    pub fn abort(&mut self, reason: CloseReason, now: Timestamp) {
        self.closing.abort(reason, now + self.limits.close_timeout);
        self.forget();
    }

    // What must be done next.

    /// What the connection is to send next. Ask until it says otherwise than [`Transmit::Packet`].
    pub fn poll_transmit(&mut self, id: ConnectionId, now: Timestamp) -> Transmit<'_> {
        let Some(connection) = self.connection.as_mut().filter(|current| current.id == id) else {
            return if self.attaches > id.0 {
                Transmit::Superseded
            } else {
                Transmit::Stalled
            };
        };
        if let Some(content) = connection.take_pong() {
            return Transmit::Packet(Packet::Pong(content));
        }
        let has_news = self.outbox.end() > connection.cursor || !self.closing.is_open();
        if !connection.is_due(has_news, now) {
            return Transmit::Idle;
        }
        let aborted = self.closing.is_ended();
        let may_ack = connection.is_exchange() || (!aborted && self.inbox.has_room(&self.limits));
        if may_ack && connection.owes_ack(&self.inbox, &self.limits, now) {
            return Transmit::Packet(Packet::Ack(self.inbox.acknowledge()));
        }
        if !aborted && self.outbox.end() > connection.cursor {
            return self.transmit_message(now);
        }
        if let Some(reason) = self.closing.reason().filter(|_| connection.tell_close()) {
            let packet = Packet::Close(reason.clone());
            self.closing.tell();
            return Transmit::Packet(packet);
        }
        if aborted {
            return Transmit::Finished;
        }
        self.transmit_when_quiet(now)
    }

    /// What the answer to an exchange that does not attach says: what has been received, and the end if it has come.
    pub fn poll_answer(&mut self) -> (Offset, Option<CloseReason>) {
        let end = self
            .closing
            .reason()
            .filter(|_| self.closing.is_ended())
            .cloned();
        self.closing.tell();
        (self.inbox.acknowledge(), end)
    }

    /// What the app is to be told next.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(message) = self.inbox.take() {
            return Some(Event::Message(message));
        }
        self.closing.report().map(Event::Closed)
    }

    // Private.

    /// Lets a packet pass only from the newest connection (PROTOCOL §6.5).
    fn pass(&mut self, fence: Fence, now: Timestamp) -> Result<(), AttachError> {
        match fence {
            Fence::Connection(id) if self.is_current(id) => Ok(()),
            // A leg that has attached a WebSocket sends on that and nowhere else.
            Fence::Generation(generation)
                if generation == self.generation && self.carrier() == Some(Carrier::Duplex) =>
            {
                Err(AttachError::Superseded)
            }
            Fence::Generation(generation) if generation >= self.generation => {
                if generation > self.generation {
                    // A send that overtook the poll of its own leg.
                    self.generation = generation;
                    self.attaches += 1;
                    self.detach(now);
                }
                if self.connection.is_none() {
                    self.detached_at = now;
                }
                Ok(())
            }
            Fence::Connection(_) | Fence::Generation(_) => Err(AttachError::Superseded),
        }
    }

    fn accept(&mut self, message: Message, now: Timestamp) -> Result<(), ProtocolError> {
        let accepted = if message.len() > self.limits.max_message_bytes {
            let text = "a message is longer than maxMessageBytes";
            Err(ProtocolError::new(CloseCode::TOO_LARGE, text))
        } else {
            self.inbox.accept(message, now)
        };
        accepted.inspect_err(|error| self.abort((*error).into(), now))
    }

    fn acknowledge(&mut self, received: Offset, now: Timestamp) -> Result<(), ProtocolError> {
        if self.closing.is_ended() {
            return Ok(());
        }
        let before = self.outbox.base();
        if let Err(error) = self.outbox.acknowledge(received) {
            self.abort(error.into(), now);
            return Err(error);
        }
        if self.outbox.base() > before {
            self.closing.postpone(now + self.limits.close_timeout);
        }
        if let Some(connection) = &mut self.connection {
            connection.skip_to(self.outbox.base());
            if connection.cursor == self.outbox.base() {
                self.heartbeat.settle();
            }
        }
        Ok(())
    }

    /// The next message for the current connection, or the offset that must come before it.
    fn transmit_message(&mut self, now: Timestamp) -> Transmit<'_> {
        let connection = self
            .connection
            .as_mut()
            .expect("only a connection transmits");
        if connection.tell_offset() {
            return Transmit::Packet(Packet::Offset(connection.cursor));
        }
        let offset = connection.cursor;
        connection.cursor = offset.after(1);
        match connection.carrier {
            Carrier::Raw => return Transmit::Packet(Packet::Message(self.outbox.release(offset))),
            Carrier::Duplex => self.heartbeat.await_ack(now),
            Carrier::Exchange { .. } => {}
            Carrier::Stream => connection.speak(now),
        }
        Transmit::Message(
            self.outbox
                .transmit(offset)
                .expect("the cursor is below the end"),
        )
    }

    fn detach(&mut self, now: Timestamp) {
        self.connection = None;
        self.detached_at = now;
    }

    /// A raw session ends with its connection (PROTOCOL §9).
    fn end_if_raw(&mut self) {
        if matches!(self.carrier(), Some(Carrier::Raw)) {
            self.closing.end(CloseReason::new(
                CloseCode::ABNORMAL,
                "the connection ended",
            ));
        }
    }

    /// Drops what can no longer be delivered.
    fn forget(&mut self) {
        self.outbox = Outbox::default();
    }
}
