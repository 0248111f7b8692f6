//! The session: joins outbox, inbox, heartbeat and close for either role. Clocks, bytes and apps are left to
//! shells, which feed one input and then drain [`Session::poll_transmit`], [`Session::poll_event`] and
//! [`Session::poll_timeout`].

mod closing;
pub(crate) mod connection;
pub(crate) mod contact;
mod heartbeat;
mod inbox;
mod outbox;
mod reading;
mod renewal;
mod role;

use std::sync::Arc;
use std::time::Duration;

use self::closing::Closing;
use self::connection::Connection;
use self::contact::Contacts;
use self::heartbeat::Heartbeat;
use self::inbox::{Count, Extent, Inbox};
use self::outbox::{Outbox, Piece};
use self::reading::{Cursor, gap};
use self::renewal::Renewing;
use crate::{
    AttachError, Can, CloseCode, CloseReason, Credential, Generation, Limits, Message, Offset,
    Packet, Position, ProtocolError, Timestamp, TrySendError, check_agreed, check_size,
};

pub use self::connection::{Attached, ConnectionId, ConnectionMode, Fence, Transmit};
pub use self::contact::{Contact, Detach};
pub use self::role::Role;

/// What the app is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next message from the peer.
    Message(Message),
    /// The session has ended; comes once, after the last message.
    Closed(CloseReason),
}

/// What the answer to an exchange says that attaches nothing (PROTOCOL §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortAnswer {
    /// What this side has received.
    pub received: Position,
    /// What there is to say of credentials.
    pub credential: Option<Credential>,
    /// The end, if it has come and nothing is to arrive before it.
    pub close: Option<CloseReason>,
}

impl ShortAnswer {
    /// The packets of the answer, in their order.
    pub fn packets(self) -> impl Iterator<Item = Packet> {
        let credential = self.credential.map(Packet::Credential);
        let close = self.close.map(Packet::Close);
        [Some(Packet::Ack(self.received)), credential, close]
            .into_iter()
            .flatten()
    }
}

/// An ordered stream of messages both ways, that outlives its connections.
///
/// At most one connection carries it; the newest attach wins. Every message that [`Session::send`] accepted stays in
/// the outbox until the peer acknowledges it.
#[derive(Debug)]
pub struct Session {
    role: Role,
    /// What both sides can (PROTOCOL §2.5).
    can: Can,
    limits: Arc<Limits>,
    outbox: Outbox,
    inbox: Inbox,
    heartbeat: Heartbeat,
    closing: Closing,
    connection: Option<Connection>,
    generation: Generation,
    attaches: u32,
    /// A server knows it: a client's.
    is_adopted: bool,
    /// When the last connection was let go, or the session began.
    detached_at: Timestamp,
    /// Until when a page that has left may come back (PROTOCOL §8.8).
    leaves_at: Option<Timestamp>,
    contacts: Contacts,
    renewing: Renewing,
}

impl Session {
    /// A session that no connection carries yet; its resume window begins now.
    pub fn new(role: Role, limits: Arc<Limits>, now: Timestamp) -> Self {
        Self {
            role,
            can: Can::NONE,
            limits,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            heartbeat: Heartbeat::start(now),
            closing: Closing::Open,
            connection: None,
            generation: Generation::default(),
            attaches: 0,
            is_adopted: false,
            detached_at: now,
            leaves_at: None,
            contacts: Contacts::start(now),
            renewing: Renewing::default(),
        }
    }

    /// Both sides can so much beyond version 1, as the first open has agreed.
    pub fn agree(&mut self, can: Can) {
        self.can = can;
    }

    /// What both sides can (PROTOCOL §2.5).
    pub fn can(&self) -> Can {
        self.can
    }

    /// The connection that carries the session now bears no longer parts from here on; messages that are longer go in such
    /// parts if both sides can. The next connection is bounded by the limits alone.
    pub fn bound_parts(&mut self, max_bytes: usize) {
        if let Some(connection) = &mut self.connection {
            connection.bound_parts(max_bytes);
        }
    }

    // What the world does.

    /// A connection begins to carry the session; the one before is superseded.
    ///
    /// `received` is what the peer says it has. For a client, call [`Session::seek`] with *opened*'s `first` next.
    ///
    /// A client whose server says what cannot be true attaches all the same, to say so: the session has closed, and the
    /// connection tells why.
    ///
    /// # Errors
    /// [`AttachError::Superseded`]: tell the peer, nothing has changed. [`AttachError::Protocol`], for a server only: tell
    /// the peer; the session has closed.
    pub fn handle_attach(
        &mut self,
        generation: Generation,
        received: Offset,
        mode: ConnectionMode,
        now: Timestamp,
    ) -> Result<Attached, AttachError> {
        let received = self.outbox.since(received);
        let set_out_before_leave = self.leaves_at.is_some() && generation == self.generation;
        if generation < self.generation || set_out_before_leave {
            return Err(AttachError::Superseded);
        }
        match self.role {
            Role::Server => self.judge_ack(received, now)?,
            Role::Client => self.judge_opened(received, now),
        }
        self.connection = None;
        self.leaves_at = None;
        self.contacts.hear(now);
        self.acknowledge(received, now)?;
        self.generation = generation;
        self.attaches += 1;
        let id = ConnectionId(self.attaches);
        if self.role == Role::Server || mode.is_both_ways() {
            self.heartbeat = Heartbeat::start(now);
        }
        let base = self.outbox.base();
        // A WebSocket carries whole messages, since its receiver counts them (PROTOCOL §4.11).
        let cursor = match mode.is_both_ways() {
            true => base.offset.into(),
            false => base,
        };
        self.connection = Some(Connection::new(id, mode, cursor, now));
        if mode.is_both_ways() {
            let received = self.inbox.received();
            self.inbox.seek(Count::Connection, received.into());
        }
        Ok(Attached {
            id,
            received: self.inbox.received(),
            first: self.outbox.base().offset,
        })
    }

    /// The next message on the connection has this offset: *opened*'s `first`, for a client. One above what was received
    /// closes the session, since the messages between are lost.
    pub fn seek(&mut self, first: Offset, now: Timestamp) {
        if first > self.inbox.received() && !self.is_ended() {
            self.abort(gap().into(), now);
        }
        self.inbox.seek(Count::Connection, first.into());
    }

    /// The exchange that carried a client's close has failed or was not answered: the close goes out again.
    pub fn handle_close_lost(&mut self) {
        self.closing.lose();
    }

    /// Whether what a request brings can be true of this session (PROTOCOL §8.6). Asking changes nothing.
    ///
    /// # Errors
    /// A gap, or an ack above what was sent. Refuse the request; the session is for the caller to close.
    pub fn judge(&self, received: Offset, packets: &[Packet]) -> Result<(), ProtocolError> {
        if self.closing.is_ended() {
            return Ok(());
        }
        self.outbox.judge(received.into())?;
        let mut reading = self.inbox.reading(Cursor::default());
        for packet in packets {
            let (piece, extent) = match packet {
                Packet::Ack(received) => {
                    self.outbox.judge(*received)?;
                    continue;
                }
                Packet::Offset(at) => {
                    reading.seek(*at);
                    continue;
                }
                Packet::Part(part) => (part, Extent::Part),
                Packet::Message(message) => (message, Extent::End),
                _ => continue,
            };
            reading.read(piece, extent, self.max_message_bytes())?;
        }
        Ok(())
    }

    /// A request came whose packets [`check_request`](crate::check_request) has judged: takes them, or none of them. With
    /// a mode, the connection attaches.
    ///
    /// When the inbox is full, or the request begins above what was received of a message, messages are left out, and a close
    /// behind them (PROTOCOL §4.11, §6.6).
    ///
    /// # Errors
    /// [`AttachError::Superseded`]: tell the peer, nothing has changed. [`AttachError::Protocol`]: tell the peer; none of
    /// the packets was taken, and the session has closed.
    pub fn handle_request(
        &mut self,
        generation: Generation,
        received: Offset,
        packets: Vec<Packet>,
        mode: Option<ConnectionMode>,
        now: Timestamp,
    ) -> Result<Option<Attached>, AttachError> {
        self.pass(Fence::Generation(generation), now)?;
        if let Err(error) = self.judge(received, &packets) {
            self.abort(error.into(), now);
            return Err(error.into());
        }
        let attachment = match mode {
            Some(mode) => Some(self.handle_attach(generation, received, mode, now)?),
            None => {
                self.acknowledge(self.outbox.since(received), now)?;
                None
            }
        };
        let leaves_out = self.leaves_out(&packets);
        for packet in packets {
            if matches!(packet, Packet::Leave(_)) {
                // What sets out with this generation, or has, came before.
                self.generation = generation;
            }
            let is_left_out = matches!(
                packet,
                Packet::Offset(_) | Packet::Message(_) | Packet::Part(_) | Packet::Close(_)
            );
            if !(leaves_out && is_left_out) {
                self.take(Count::Payload, packet, now)?;
            }
        }
        Ok(attachment)
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
        let is_counted = self
            .connection_mode()
            .is_some_and(ConnectionMode::is_both_ways);
        let count = match fence {
            Fence::Connection(_) if is_counted => Count::Connection,
            Fence::Connection(_) | Fence::Generation(_) => Count::Payload,
        };
        Ok(self.take(count, packet, now)?)
    }

    /// Does what a packet asks for that may pass.
    fn take(&mut self, count: Count, packet: Packet, now: Timestamp) -> Result<(), ProtocolError> {
        let judged = check_size(&packet, &self.limits)
            .and_then(|()| check_agreed(std::slice::from_ref(&packet), self.can));
        if let Err(error) = judged {
            self.abort(error.into(), now);
            return Err(error);
        }
        match packet {
            // Behind a close (PROTOCOL §8.1).
            Packet::Message(_) | Packet::Part(_) | Packet::Offset(_)
                if !self.is_open() && !self.closing.is_ours() =>
            {
                Ok(())
            }
            Packet::Offset(at) => {
                self.inbox.seek(count, at);
                Ok(())
            }
            Packet::Message(message) => self.accept(count, message, Extent::End, now),
            Packet::Part(part) => self.accept(count, part, Extent::Part, now),
            Packet::Ack(received) => self.acknowledge(received, now),
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
            Packet::Leave(keep) if self.role == Role::Server => {
                self.leave(keep, now);
                Ok(())
            }
            Packet::Credential(content) if self.role == Role::Client || !content.is_empty() => {
                let taken = self.renewing.take(self.role, content);
                taken.inspect_err(|error| self.abort((*error).into(), now))
            }
            Packet::Close(reason) => {
                let until = now + self.limits.close_timeout;
                match self.role {
                    Role::Server => self.closing.hear(reason, until),
                    Role::Client => self.closing.hear_server(reason, until),
                }
                self.forget();
                self.end_if_raw();
                Ok(())
            }
            Packet::Superseded if self.role == Role::Client => {
                self.detach(Detach::Lost, now);
                Ok(())
            }
            Packet::Open(_)
            | Packet::Attach(_)
            | Packet::Opened(_)
            | Packet::Superseded
            | Packet::Leave(_)
            | Packet::Credential(_)
            | Packet::Report(_) => {
                let error = ProtocolError::malformed(
                    "a packet that does not belong here: one of another direction, transport or time",
                );
                self.abort(error.into(), now);
                Err(error)
            }
        }
    }

    fn accept(
        &mut self,
        count: Count,
        piece: Message,
        extent: Extent,
        now: Timestamp,
    ) -> Result<(), ProtocolError> {
        let max_bytes = self.max_message_bytes();
        self.inbox
            .accept(count, piece, extent, max_bytes, now)
            .inspect_err(|error| self.abort((*error).into(), now))
    }

    /// Bytes came that are no packet yet, or the peer took bytes that waited: restarts the heartbeat's silence.
    ///
    /// Does nothing if `id` is not the current connection.
    pub fn handle_alive(&mut self, id: ConnectionId, now: Timestamp) {
        if self.is_current(id) {
            self.hear(now);
        }
    }

    /// The peer broke a rule below the packets (a frame, a size): the session closes.
    pub fn handle_violation(&mut self, fence: Fence, error: ProtocolError, now: Timestamp) {
        if self.pass(fence, now).is_ok() {
            self.abort(error.into(), now);
        }
    }

    /// A connection was closed as browsers close those of pages that go: counts as a leave in a session that can leave.
    ///
    /// Does nothing if `id` is not the current connection.
    pub fn handle_going_away(&mut self, id: ConnectionId, now: Timestamp) {
        if self.is_current(id) && self.can.has(Can::LEAVE) {
            self.leave(None, now);
        }
    }

    /// A connection has ended. Nothing is lost: what it may not have delivered is still in the outbox.
    pub fn handle_detach(&mut self, id: ConnectionId, now: Timestamp) {
        self.lose_connection(id, Detach::Lost, now);
    }

    /// The connection has taken nothing for too long, and is dropped.
    pub fn handle_stall(&mut self, id: ConnectionId, now: Timestamp) {
        self.lose_connection(id, Detach::Stalled, now);
    }

    /// Takes the limits that *opened* announced: for a client, before its first attach.
    pub fn adopt(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
        self.is_adopted = true;
    }

    /// Asks the peer for a sign of life now, on a connection that lasts.
    pub fn check(&mut self) {
        self.heartbeat.ask();
    }

    /// Does what is due at `now`: pings, drops a silent connection, ends a session that was detached for too long.
    ///
    /// Call it when the moment that [`Session::poll_timeout`] returned has come; earlier calls do nothing. Then drain
    /// [`Session::poll_transmit`] and [`Session::poll_event`].
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
                self.detach(Detach::Stalled, now);
            } else {
                // We are the ones who do not read, so silence says nothing.
                self.heartbeat.hear(now);
            }
        }
        if self.part_stalls_at().is_some_and(|at| at <= now) {
            match (self.connection_mode(), self.has_inbox_room()) {
                (Some(ConnectionMode::Duplex), true) => self.detach(Detach::Stalled, now),
                // We are the ones who do not read, so it says nothing.
                (Some(ConnectionMode::Duplex), false) => self.inbox.excuse(now),
                _ => self.inbox.forget_unfinished(),
            }
        }
        if self.fades_at().is_some_and(|at| at <= now) {
            self.contacts.fade(self.detached_at);
        }
        if self.grant_ends_at().is_some_and(|at| at <= now) {
            let text = "what let the client in has run out, and was not renewed";
            self.cut_short(CloseReason::new(CloseCode::CREDENTIAL_EXPIRED, text), now);
        }
        // Before the resume window, which may end at the same moment and says less.
        if self.left_at().is_some_and(|at| at <= now) {
            self.end_left();
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

    // What the app asks.

    /// Accepts a message: from here it arrives once and in order while the session lives.
    ///
    /// # Errors
    /// The message comes back; see [`TrySendError`].
    pub fn send(&mut self, message: Message, now: Timestamp) -> Result<(), TrySendError> {
        if !self.is_open() {
            return Err(TrySendError::Closed(message));
        }
        if message.len() > self.max_message_bytes() {
            return Err(TrySendError::TooLarge(message));
        }
        self.outbox.push(message, &self.limits, now)
    }

    /// Closes after everything accepted has been sent. Later calls change nothing. A code that no close may carry
    /// (PROTOCOL §3.5) becomes 1000.
    pub fn close(&mut self, reason: CloseReason, now: Timestamp) {
        let (until, latest) = self.close_wait(now);
        self.closing.begin(reason.sendable(), until, latest);
    }

    /// Closes at once: the close overtakes messages, which are dropped. Codes are as in [`Session::close`].
    pub fn abort(&mut self, reason: CloseReason, now: Timestamp) {
        let until = now + self.limits.close_timeout;
        self.closing.abort(reason.sendable(), until);
        self.forget();
    }

    /// Closes at once, as [`Session::abort`] does, but for the reason of the close that was asked for before, if one was.
    pub fn cut_short(&mut self, reason: CloseReason, now: Timestamp) {
        let asked = self.close_reason().cloned();
        self.abort(asked.unwrap_or(reason), now);
    }

    /// Gives up what has come of a message that is not whole, for want of memory: its sender begins it again (PROTOCOL
    /// §4.11). A connection that counts messages by itself is dropped for it.
    pub fn give_up_unfinished(&mut self, now: Timestamp) {
        if self.unfinished_bytes() == 0 {
            return;
        }
        if self.connection_mode() == Some(ConnectionMode::Duplex) {
            self.detach(Detach::Lost, now);
        }
        self.inbox.forget_unfinished();
    }

    /// The app has let the client in until then, or for good: a server's. What a credential asked for is answered.
    pub fn grant(&mut self, until: Option<Timestamp>, now: Timestamp) {
        self.renewing.grant(until, &self.limits, now);
    }

    /// The credential that came is taken: the client is told so (PROTOCOL §10.11). A server's, behind [`Session::grant`].
    pub fn confirm_credential(&mut self) {
        self.renewing.confirm();
    }

    /// The app cannot judge a credential now: the client is asked again after a while, if its grant holds so long.
    pub fn ask_again(&mut self, after: Duration, now: Timestamp) {
        self.renewing.ask_again(after, now);
    }

    /// Asks the client to renew its grant now: a server's. Nothing happens where that holds for good.
    pub fn ask_now(&mut self, now: Timestamp) {
        self.renewing.ask_now(now);
    }

    /// Says a credential to the server, on each connection until it confirms: a client's. Where the two sides have not agreed that
    /// they can, nothing is said.
    pub fn renew(&mut self, credential: Credential) {
        self.renewing.offer(credential);
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
        let can_renew = self.can.has(Can::CREDENTIAL);
        let has_news = self.outbox.end() > connection.cursor.offset
            || !self.closing.is_open()
            || !self.renewing.is_idle() && self.renewing.has_news(self.role, id, can_renew, now);
        if !connection.is_due(has_news, now) {
            return Transmit::Idle;
        }
        let aborted = self.closing.is_ended();
        if !connection.withholds_ack(aborted, &self.inbox, &self.limits)
            && connection.owes_ack(&self.inbox, &self.limits, now)
        {
            return Transmit::Packet(Packet::Ack(self.inbox.acknowledge()));
        }
        if !aborted && let Some(content) = self.renewing.tell(self.role, Some(id), can_renew, now) {
            return Transmit::Packet(Packet::Credential(content));
        }
        let is_worn_out = connection.cursor.is_inside()
            && connection.ends_at(&self.limits).is_some_and(|at| at <= now);
        if is_worn_out && !aborted {
            return Transmit::Finished;
        }
        if !aborted && self.outbox.end() > connection.cursor.offset {
            return self.transmit_message(now);
        }
        if let Some(reason) = self.closing.reason().filter(|_| connection.tell_close()) {
            let packet = Packet::Close(reason.clone());
            let is_duplex = connection.mode == ConnectionMode::Duplex;
            self.closing.tell();
            if self.role == Role::Client && self.closing.is_ours() && is_duplex {
                // Pings tell whether the server that does not answer is there.
                self.heartbeat.await_ack(now);
            }
            return Transmit::Packet(packet);
        }
        if aborted || connection.ends_with_close() {
            return Transmit::Finished;
        }
        self.transmit_when_quiet(now)
    }

    /// What the answer to an exchange that does not attach says: what has been received, what there is to say of credentials, and
    /// the close, if no message is to arrive before it (PROTOCOL §6.2).
    pub fn poll_answer(&mut self, now: Timestamp) -> ShortAnswer {
        let is_next = self.outbox.base().offset == self.outbox.end();
        let end = self.closing.reason().filter(|_| is_next).cloned();
        if end.is_some() {
            self.closing.tell();
        }
        let can_renew = self.can.has(Can::CREDENTIAL) && !self.is_ended();
        ShortAnswer {
            received: self.inbox.acknowledge(),
            credential: self.renewing.tell(self.role, None, can_renew, now),
            close: end,
        }
    }

    /// Whether [`Session::poll_credential`] has something, on a server.
    pub fn has_credential(&self) -> bool {
        !self.renewing.is_idle() && self.renewing.has_credential()
    }

    /// A credential that came, for the app to judge: then [`Session::grant`] and [`Session::confirm_credential`], or
    /// [`Session::ask_again`], or [`Session::abort`]. The next one comes behind that.
    pub fn poll_credential(&mut self) -> Option<Credential> {
        match self.role {
            Role::Server => self.renewing.poll_credential(),
            Role::Client => None,
        }
    }

    /// The server asks for a credential: what let this client in holds for so long. Then [`Session::renew`].
    pub fn poll_ask(&mut self) -> Option<Duration> {
        self.renewing.poll_ask()
    }

    /// What this client had accepted and the server had not acknowledged when the session ended, in order; once. A message is
    /// whole in it, whatever the server has of it. Some of them may have arrived.
    ///
    /// Nothing before the end, and nothing at a server.
    pub fn take_unacknowledged(&mut self) -> Vec<Message> {
        self.closing.take_left()
    }

    /// What the app is to be told next.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(message) = self.inbox.take() {
            return Some(Event::Message(message));
        }
        self.closing.report().map(Event::Closed)
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
            self.part_stalls_at(),
            self.expires_at(),
            self.rare_deadline(),
            self.close_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // Questions. Nothing here changes anything.

    /// Whether this connection carries the session.
    pub fn is_current(&self, id: ConnectionId) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.id == id)
    }

    /// Whether the peer is there. It counts as gone when nothing has carried the session for
    /// [`detached_after`](field@Limits::detached_after), and at once when the page has left.
    pub fn contact(&self) -> Contact {
        match self.contacts.contact() {
            Contact::Attached { .. } if self.is_ended() => Contact::Detached {
                since: self.detached_at.max(self.heartbeat.heard()),
                why: Detach::Closed,
            },
            contact => contact,
        }
    }

    /// How often the contact has changed: a number that wraps.
    pub fn contact_version(&self) -> u32 {
        self.contacts.version()
    }

    /// What carries the session is of another kind than before: that is a change of the contact.
    pub fn touch_contact(&mut self) {
        self.contacts.touch();
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
            self.connection_mode()
                .is_some_and(|mode| mode == ConnectionMode::Duplex)
        })
    }

    /// The limits that the session keeps to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The credential that the server has not confirmed: a client says it in each exchange (PROTOCOL §10.11).
    pub fn unconfirmed_credential(&self) -> Option<&Credential> {
        let can = self.role == Role::Client && self.can.has(Can::CREDENTIAL) && !self.is_ended();
        self.renewing.offered().filter(|_| can)
    }

    /// How many messages came from the peer.
    pub fn received(&self) -> Offset {
        self.inbox.received()
    }

    /// How many messages came from the peer, and how many bytes of the next one.
    pub fn received_position(&self) -> Position {
        self.inbox.position()
    }

    /// How many messages the app has sent.
    pub fn sent(&self) -> Offset {
        self.outbox.end()
    }

    /// Bytes that the session holds of messages: those not acknowledged, those not taken by the app, and what has come of one
    /// that is not whole; and the room of its queues. Bytes that another counts ([`Message::counted_by`]) are left out.
    pub fn held_bytes(&self) -> usize {
        self.outbox.held_bytes() + self.inbox.held_bytes()
    }

    /// How many bytes have come of a message that is not whole.
    pub fn unfinished_bytes(&self) -> usize {
        usize::try_from(self.inbox.position().bytes).unwrap_or(usize::MAX)
    }

    /// Since when no connection carries the session; `None` while one does.
    pub fn detached_since(&self) -> Option<Timestamp> {
        self.connection.is_none().then_some(self.detached_at)
    }

    /// Since when the oldest message waits that the peer has not acknowledged, or has not taken further.
    pub fn unacknowledged_since(&self) -> Option<Timestamp> {
        self.outbox.oldest()
    }

    /// Bytes of messages that the peer has not acknowledged.
    pub fn buffered_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Messages that the peer has not acknowledged.
    pub fn buffered_messages(&self) -> u64 {
        self.outbox.end().as_u64() - self.outbox.base().offset.as_u64()
    }

    /// How many messages the peer has acknowledged.
    pub fn acknowledged(&self) -> Offset {
        self.outbox.base().offset
    }

    /// How many messages the peer has acknowledged, and how many bytes of the next one.
    pub fn acknowledged_position(&self) -> Position {
        self.outbox.base()
    }

    /// The highest generation seen.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// How the connection carries the session; `None` while the session is detached.
    pub fn connection_mode(&self) -> Option<ConnectionMode> {
        self.connection.as_ref().map(|connection| connection.mode)
    }

    // Private.

    /// The longest message, either way. Nothing but a WebSocket carries a raw session, and it takes any.
    fn max_message_bytes(&self) -> usize {
        match self.connection_mode() {
            Some(ConnectionMode::Raw) => self.limits.max_message_bytes,
            _ => self.limits.longest_message(self.can),
        }
    }

    /// Lets a packet pass only from the newest connection, or from an exchange that is not older (PROTOCOL §6.5), and notes
    /// that the peer is alive.
    fn pass(&mut self, fence: Fence, now: Timestamp) -> Result<(), AttachError> {
        let is_duplex = self.connection_mode() == Some(ConnectionMode::Duplex);
        match fence {
            Fence::Connection(id) if self.is_current(id) => self.hear(now),
            Fence::Generation(generation) if generation >= self.generation => match self.role {
                Role::Server => {
                    if self.connection.is_none() {
                        self.detached_at = now;
                        if self.leaves_at.is_none() {
                            self.contacts.brush(now);
                        }
                    }
                    // An exchange says nothing of the WebSocket beside it.
                    if !is_duplex {
                        self.hear(now);
                    }
                }
                // A leg that has attached a WebSocket hears nothing elsewhere.
                Role::Client if generation == self.generation && is_duplex => {
                    return Err(AttachError::Superseded);
                }
                Role::Client => {
                    if generation > self.generation {
                        // An answer that overtook the attach of its own leg.
                        self.generation = generation;
                        self.attaches += 1;
                        self.detach(Detach::Lost, now);
                    }
                    self.hear(now);
                }
            },
            Fence::Connection(_) | Fence::Generation(_) => return Err(AttachError::Superseded),
        }
        Ok(())
    }

    /// The peer is alive.
    fn hear(&mut self, now: Timestamp) {
        self.heartbeat.hear(now);
        if self.role == Role::Client {
            self.closing.hear_life(now + self.limits.close_timeout);
        }
    }

    /// Until when the answer to a close is waited for that is first in line now, and until when at the latest.
    fn close_wait(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let until = now + self.limits.close_timeout;
        (until, until.max(now + self.limits.resume_window))
    }

    fn acknowledge(&mut self, received: Position, now: Timestamp) -> Result<(), ProtocolError> {
        self.judge_ack(received, now)?;
        if self.closing.is_ended() {
            return Ok(());
        }
        let connection = self.connection.as_ref();
        let carried = connection.map_or(received, |connection| connection.carried(received));
        if self.outbox.acknowledge(carried, now) {
            let (until, latest) = self.close_wait(now);
            self.closing.postpone(until, latest);
        }
        if let Some(connection) = &mut self.connection {
            connection.skip_to(self.outbox.base());
            let awaits_close = self.role == Role::Client && connection.has_told_close();
            if connection.cursor == self.outbox.base() && !awaits_close {
                self.heartbeat.settle();
            }
        }
        Ok(())
    }

    /// A server that has received less than it had acknowledged has lost state (PROTOCOL §3.2). No ack can have overtaken
    /// *opened*: it would have come with a higher generation.
    fn judge_opened(&mut self, received: Position, now: Timestamp) {
        if received.offset < self.outbox.base().offset && !self.closing.is_ended() {
            let text = "the server has received less than it had acknowledged";
            self.abort(ProtocolError::new(CloseCode::STATE_LOST, text).into(), now);
        }
        // Too much is told by the session's end too.
        let _ = self.judge_ack(received, now);
    }

    /// An ack above what was sent closes the session.
    fn judge_ack(&mut self, received: Position, now: Timestamp) -> Result<(), ProtocolError> {
        if self.closing.is_ended() {
            return Ok(());
        }
        let judged = self.outbox.judge(received);
        judged.inspect_err(|error| self.abort((*error).into(), now))
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
        let at = connection.cursor;
        match connection.mode {
            ConnectionMode::Raw => {
                connection.cursor = at.after_message();
                return Transmit::Packet(Packet::Message(self.outbox.release(at.offset)));
            }
            ConnectionMode::Duplex => self.heartbeat.await_ack(now),
            ConnectionMode::Exchange { .. } => {}
            ConnectionMode::Stream => connection.speak(now),
        }
        let max_bytes = match self.can.has(Can::PART) {
            true => self.limits.max_part_bytes.min(connection.max_part_bytes()),
            false => usize::MAX,
        };
        let (piece, after) = self
            .outbox
            .transmit(at, max_bytes)
            .expect("the cursor is below the end");
        connection.cursor = after;
        match piece {
            Piece::Whole(message) => Transmit::Message(message),
            Piece::Part(part) => Transmit::Packet(Packet::Part(part)),
            Piece::End(end) => Transmit::Packet(Packet::Message(end)),
        }
    }

    /// Whether the messages of a request are left out: there is no room for them, or what they begin with is above what was
    /// received of a message (PROTOCOL §4.11, §6.6).
    fn leaves_out(&self, packets: &[Packet]) -> bool {
        let has_messages = packets
            .iter()
            .any(|packet| matches!(packet, Packet::Message(_) | Packet::Part(_)));
        let received = self.inbox.position();
        let begins_above = |packet: &Packet| matches!(packet, Packet::Offset(at) if at.offset == received.offset && at.bytes > received.bytes);
        has_messages && (!self.has_inbox_room() || packets.iter().any(begins_above))
    }

    /// The page goes: nothing carries the session until it comes back.
    fn leave(&mut self, keep: Option<Duration>, now: Timestamp) {
        let keep = keep.unwrap_or(self.limits.leave_window);
        self.leaves_at = Some(now + keep.min(self.limits.resume_window));
        self.detach(Detach::Left, now);
        self.contacts.end(Detach::Left, now);
        if keep.is_zero() && !self.is_ended() {
            self.end_left();
        }
    }

    fn end_left(&mut self) {
        let reason = CloseReason::new(CloseCode::GOING_AWAY, "the page left");
        self.closing.end(reason);
        self.forget();
    }

    fn lose_connection(&mut self, id: ConnectionId, why: Detach, now: Timestamp) {
        if self.is_current(id) {
            self.end_if_raw();
            self.detach(why, now);
        }
    }

    fn detach(&mut self, why: Detach, now: Timestamp) {
        // An answer ends its exchange before it has arrived.
        let is_exchange = self
            .connection
            .as_ref()
            .is_some_and(Connection::is_exchange);
        let on_its_way = match is_exchange {
            true => Limits::on_a_slow_line(self.outbox.bytes()),
            false => Duration::ZERO,
        };
        // A client's exchanges are under way when it has detached them, and the client knows what becomes of them.
        if self.role == Role::Server || self.connection_mode() == Some(ConnectionMode::Duplex) {
            self.closing.lose();
        }
        self.connection = None;
        self.detached_at = now;
        self.contacts.lose(why, on_its_way);
    }

    /// A raw session ends with its connection (PROTOCOL §9).
    fn end_if_raw(&mut self) {
        if matches!(self.connection_mode(), Some(ConnectionMode::Raw)) {
            self.closing.end(CloseReason::new(
                CloseCode::ABNORMAL,
                "the connection ended",
            ));
        }
    }

    /// Drops what can no longer be delivered. A client keeps the messages that it had accepted, for its app to judge.
    fn forget(&mut self) {
        let outbox = std::mem::take(&mut self.outbox);
        if self.role == Role::Client {
            self.closing.leave(outbox.into_messages());
        }
        self.inbox.forget_unfinished();
    }

    /// What the connection does that has nothing to say: an exchange or an old stream ends; a stream pads, others ping.
    fn transmit_when_quiet(&mut self, now: Timestamp) -> Transmit<'static> {
        let Some(connection) = &mut self.connection else {
            return Transmit::Idle;
        };
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if connection.is_exchange() || is_due(connection.ends_at(&self.limits)) {
            return Transmit::Finished;
        }
        if connection.mode == ConnectionMode::Stream {
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
        let on_the_way = Limits::on_a_slow_line(self.outbox.bytes());
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
        let is_first_in_line = self.is_ended() || self.buffered_messages() == 0;
        self.closing.deadline().filter(|_| is_first_in_line)
    }

    /// When a message in parts has come no further for too long (PROTOCOL §4.12): on a WebSocket, which then is dropped. What
    /// exchanges bring is on its way in bodies, which may take longer; it is forgotten with the resume window.
    fn part_stalls_at(&self) -> Option<Timestamp> {
        let grown_at = self.inbox.grown_at()?;
        match &self.connection {
            Some(connection) if connection.mode == ConnectionMode::Duplex => {
                Some(grown_at.max(connection.attached_at()) + Limits::PART_STALL)
            }
            _ => Some(grown_at + self.limits.resume_window),
        }
    }

    /// When nothing will have carried the session for so long that its peer counts as gone.
    fn fades_at(&self) -> Option<Timestamp> {
        let is_gone = self.role == Role::Server && self.connection.is_none() && !self.is_ended();
        let after = self.limits.detached_after;
        is_gone.then(|| self.contacts.fades_at(self.detached_at, after))?
    }

    /// Of what few sessions wait for while they are carried.
    fn rare_deadline(&self) -> Option<Timestamp> {
        if self.connection.is_some() && self.renewing.is_idle() {
            return None;
        }
        let connection = self.connection.as_ref();
        [
            self.left_at(),
            self.fades_at(),
            connection.and_then(|connection| self.asks_at(connection)),
            self.grant_ends_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the client is to be asked for a credential on this connection.
    fn asks_at(&self, connection: &Connection) -> Option<Timestamp> {
        let can = self.can.has(Can::CREDENTIAL) && !self.is_ended();
        let at = self.renewing.asks_at().filter(|_| can)?;
        (!self.renewing.has_told(connection.id)).then_some(at)
    }

    /// When what let the client in will have run out.
    fn grant_ends_at(&self) -> Option<Timestamp> {
        self.renewing.ends_at().filter(|_| !self.is_ended())
    }

    /// When a page that has left is not waited for any more.
    fn left_at(&self) -> Option<Timestamp> {
        self.leaves_at.filter(|_| !self.is_ended())
    }

    fn heartbeat_applies(&self) -> bool {
        self.connection_mode()
            .is_some_and(ConnectionMode::is_both_ways)
            && !self.closing.is_ended()
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
        let since = match (self.role, self.connection_mode()) {
            (_, Some(ConnectionMode::Duplex | ConnectionMode::Raw)) => return None,
            (Role::Server, Some(ConnectionMode::Exchange { .. } | ConnectionMode::Stream)) => {
                return None;
            }
            (Role::Server, None) => self.detached_at.max(self.heartbeat.heard()),
            // One that no server knows has no window: how long it may take to open is the negotiation's.
            (Role::Client, _) if !self.is_adopted => return None,
            // A client makes its exchanges itself: only an answer proves that the session lives.
            (Role::Client, _) => self.heartbeat.heard(),
        };
        Some(since + self.limits.resume_window)
    }
}
