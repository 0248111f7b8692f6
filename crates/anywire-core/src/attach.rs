//! The seam that transports attach to: from an open or attach packet to a connection that carries the session. How
//! packets become bytes is left to transports.

use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_protocol::{
    Attach, AttachError, Attachment, Can, Carrier, CloseCode, CloseReason, ConnectionId, Fence,
    Generation, Message, Offset, Open, Opened, Packet, ProtocolError, Transmit, Transport,
    choose_protocol,
};

use crate::Principal;
use crate::hub::{Hub, Inner};
use crate::live::{About, Live, Wake};

/// Why the hub does not let a connection in. Tell the client [`Refusal::reason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(CloseReason);

impl Refusal {
    /// A refusal with a code and what to do about it.
    pub fn new(code: CloseCode, text: &str) -> Self {
        Self(CloseReason::new(code, text))
    }

    /// The code and text for the client.
    pub fn reason(&self) -> &CloseReason {
        &self.0
    }

    /// The server takes no new sessions.
    pub(crate) fn draining() -> Self {
        Self::new(
            CloseCode::DRAINING,
            "the server is about to stop: try again",
        )
    }

    /// The session is not here, or not the client's.
    pub(crate) fn unknown_session() -> Self {
        Self::new(
            CloseCode::UNKNOWN_SESSION,
            "no such session: open a new one",
        )
    }
}

impl From<AttachError> for Refusal {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Protocol(error) => Self(error.into()),
            other => Self::new(CloseCode::SUPERSEDED, &other.to_string()),
        }
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self(error.into())
    }
}

impl Hub {
    /// Opens a session, or finds the one that the key means (PROTOCOL §2.2). `packets` are those that the open brings, for
    /// [`Visit::attach`]: a new session is made only if they can begin one.
    ///
    /// # Errors
    /// The hub drains or is full, the key's session is another principal's or has ended, or the packets cannot begin a
    /// session. Nothing has changed.
    pub fn open(
        &self,
        open: &Open,
        packets: &[Packet],
        principal: Option<&Principal>,
    ) -> Result<Visit, Refusal> {
        let about = About {
            principal,
            protocol: choose_protocol(&open.protocols, self.protocols()).unwrap_or_default(),
            can: open.can.and(Can::SPOKEN),
        };
        let found = self.inner.open(open, packets, about);
        self.counted(found.and_then(|live| self.visit(live, open.generation, principal)))
    }

    /// Finds the session that an attach names.
    ///
    /// # Errors
    /// Unknown session, wrong secret and wrong principal look the same.
    pub fn find(&self, attach: &Attach, principal: Option<&Principal>) -> Result<Visit, Refusal> {
        // The secret is checked in any case, so that both refusals take the same time.
        let is_valid = self.inner.secrets.is_valid(attach.session, &attach.secret);
        let found = match self.inner.session(attach.session) {
            Some(live) if is_valid => self.visit(live, attach.generation, principal),
            _ => Err(Refusal::unknown_session()),
        };
        self.counted(found)
    }

    /// Opens a session for a raw connection (PROTOCOL §9).
    ///
    /// # Errors
    /// The hub drains or is full.
    pub fn open_raw(
        &self,
        protocol: &str,
        principal: Option<&Principal>,
    ) -> Result<Connection, Refusal> {
        let about = About {
            principal,
            protocol,
            can: Can::NONE,
        };
        let live = self.counted(self.inner.open_raw(about))?;
        let visit = self.visit(live, Generation::new(1), principal)?;
        visit
            .attach(Offset::default(), Vec::new(), Transport::Raw, Carrier::Raw)
            .map(|(connection, _)| connection)
    }

    /// Whether an open may be let in, as far as that can be told without it: call it before an upgrade.
    ///
    /// # Errors
    /// The hub drains or is full, and the key is new.
    pub fn admit(&self, open: &Open) -> Result<(), Refusal> {
        self.counted(self.inner.admit(open))
    }

    fn visit(
        &self,
        live: Arc<Live>,
        generation: Generation,
        principal: Option<&Principal>,
    ) -> Result<Visit, Refusal> {
        if live.principal.as_ref() != principal {
            return Err(Refusal::unknown_session());
        }
        Ok(Visit {
            hub: self.inner.clone(),
            live,
            generation,
        })
    }

    fn counted<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        outcome.inspect_err(|_| self.inner.counters.refused.add(1))
    }
}

/// A client that has shown what it may attach to, and has not attached yet.
pub struct Visit {
    hub: Arc<Inner>,
    live: Arc<Live>,
    generation: Generation,
}

impl Visit {
    /// A connection begins to carry the session, and brings packets, which a request may; the connection before is
    /// superseded. Send [`Visit::opened`] first where the client asked for it.
    ///
    /// # Errors
    /// A newer connection carries the session, or the packets cannot be true. None of them was taken (PROTOCOL §8.6).
    pub fn attach(
        &self,
        received: Offset,
        packets: Vec<Packet>,
        transport: Transport,
        carrier: Carrier,
    ) -> Result<(Connection, Attachment), Refusal> {
        let attached = self.take(received, packets, Some(carrier))?;
        let at = attached.expect("an attach that is not refused has a connection");
        self.live.set_transport(transport);
        self.hub.counters.attaches[transport].add(1);
        let connection = Connection {
            live: self.live.clone(),
            hub: self.hub.clone(),
            id: at.id,
        };
        Ok((connection, at))
    }

    /// What tells the client of its session, and of an attach if there is one (PROTOCOL §3.2). Without one, nothing is said
    /// on the connection but what has been received and acknowledged.
    pub fn opened(&self, at: Option<Attachment>) -> Opened {
        let names = (self.live.id, self.hub.secrets.secret(self.live.id));
        let counts = match at {
            Some(at) => (at.received, at.first),
            None => self.live.peek(|state| {
                let session = &state.session;
                (session.received(), session.acknowledged())
            }),
        };
        let agreed = (&*self.live.protocol, self.live.can);
        Opened::new(names, self.generation, counts, agreed, &self.hub.limits)
    }

    /// Takes the packets of an exchange that only sends (PROTOCOL §6.3); `received` acts as an ack.
    ///
    /// When the inbox is full, messages are left out (PROTOCOL §6.6).
    ///
    /// # Errors
    /// As [`Visit::attach`].
    pub fn receive(&self, received: Offset, packets: Vec<Packet>) -> Result<(), Refusal> {
        self.take(received, packets, None).map(drop)
    }

    fn take(
        &self,
        received: Offset,
        packets: Vec<Packet>,
        carrier: Option<Carrier>,
    ) -> Result<Option<Attachment>, Refusal> {
        let counters = &self.hub.counters;
        let is_message = |packet: &&Packet| matches!(packet, Packet::Message(_));
        let messages = packets.iter().filter(is_message).count();
        let (reports, packets): (Vec<_>, Vec<_>) = packets
            .into_iter()
            .partition(|packet| matches!(packet, Packet::Report(_)));
        let taken = self.live.step(Wake::Connection, |state, now| {
            let session = &mut state.session;
            let taken = session.handle_request(self.generation, received, packets, carrier, now)?;
            for report in reports {
                if let Packet::Report(report) = report {
                    state.reports.take(*report, &counters.attempts);
                }
            }
            Ok(taken)
        });
        match taken {
            Ok(taken) => {
                counters.messages_up.add(messages as u64);
                Ok(taken)
            }
            Err(error) => {
                counters.refused.add(1);
                Err(AttachError::into(error))
            }
        }
    }

    /// What the answer to an exchange that does not attach says: what the server has received, and the end if it has
    /// come.
    pub fn answer(&self) -> (Offset, Option<CloseReason>) {
        self.live
            .step(Wake::Others, |state, _| state.session.poll_answer())
    }
}

/// How a connection's part ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All has been said for now.
    Finished,
    /// The session closes, and that has been said.
    Closed(CloseReason),
    /// A newer connection carries the session: say so.
    Superseded,
    /// The peer was silent for too long.
    Stalled,
}

/// A connection that carries a session. Dropping it detaches.
pub struct Connection {
    hub: Arc<Inner>,
    live: Arc<Live>,
    id: ConnectionId,
}

impl Connection {
    /// Feeds packets that came; then call [`Connection::poll_transmit`].
    ///
    /// # Errors
    /// The connection is superseded, or the packets break a rule and the session has closed: transmit what is left.
    pub fn receive(&self, packets: impl Iterator<Item = Packet>) -> Result<(), Refusal> {
        let fence = Fence::Connection(self.id);
        let mut messages = 0;
        let outcome = self.live.step(Wake::Others, |state, now| {
            // Whatever the app sends meanwhile is transmitted next; nobody need be woken for it.
            if state.session.is_current(self.id) {
                state.connection = None;
            }
            for packet in packets {
                messages += u64::from(matches!(packet, Packet::Message(_)));
                if let Packet::Report(report) = packet {
                    state.reports.take(*report, &self.hub.counters.attempts);
                } else {
                    state.session.handle_packet(fence, packet, now)?;
                }
            }
            Ok(())
        });
        self.hub.counters.messages_up.add(messages);
        outcome
    }

    /// The peer broke a rule below the packets: the session closes. Transmit what is left.
    pub fn violate(&self, error: ProtocolError) {
        let fence = Fence::Connection(self.id);
        self.live.step(Wake::Others, |state, now| {
            state.session.handle_violation(fence, error, now);
        });
    }

    /// The peer showed life without completing a packet.
    pub fn alive(&self) {
        let now = self.live.now();
        self.live
            .peek(|state| state.session.handle_alive(self.id, now));
    }

    /// Hands what is to be sent now to `send`, until `send` says that it has no room. Pending means that the task is
    /// woken when there is more.
    pub fn poll_transmit(
        &self,
        cx: &Context<'_>,
        mut send: impl FnMut(Outgoing<'_>) -> Room,
    ) -> Poll<End> {
        let mut messages = 0;
        let poll = self.live.step(Wake::Others, |state, now| {
            loop {
                let outgoing = match state.session.poll_transmit(self.id, now) {
                    Transmit::Packet(packet) => {
                        messages += u64::from(matches!(packet, Packet::Message(_)));
                        Outgoing::Packet(packet)
                    }
                    Transmit::Message(message) => {
                        messages += 1;
                        Outgoing::Message(message)
                    }
                    Transmit::Idle => {
                        state.wait(cx);
                        return Poll::Pending;
                    }
                    Transmit::Finished => {
                        let reason = state.session.close_reason().cloned();
                        return Poll::Ready(reason.map_or(End::Finished, End::Closed));
                    }
                    Transmit::Superseded => return Poll::Ready(End::Superseded),
                    Transmit::Stalled => return Poll::Ready(End::Stalled),
                };
                if send(outgoing) == Room::None {
                    state.wait(cx);
                    return Poll::Pending;
                }
            }
        });
        if messages > 0 {
            self.hub.counters.messages_down.add(messages);
        }
        poll
    }

    /// Whether the session is no longer this connection's to carry: what waits to be written matters no more.
    pub fn is_over(&self) -> bool {
        self.live
            .peek(|state| !state.session.is_current(self.id) || state.session.is_ended())
    }

    /// Whether more may be read off the wire; if not, the task is woken when the app has taken messages.
    pub fn poll_inbox_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.live.peek(|state| {
            if !state.session.is_flooded() || !state.session.is_current(self.id) {
                return Poll::Ready(());
            }
            state.wait(cx);
            Poll::Pending
        })
    }
}

/// What a connection is to send.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// A packet.
    Packet(Packet),
    /// A message, which stays in the outbox until it is acknowledged.
    Message(&'a Message),
}

/// Whether a connection takes more to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Go on.
    Some,
    /// Enough for now; the connection asks again.
    None,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.live.step(Wake::Others, |state, now| {
            if state.session.is_current(self.id) {
                state.connection = None;
            }
            state.session.handle_detach(self.id, now);
        });
    }
}
