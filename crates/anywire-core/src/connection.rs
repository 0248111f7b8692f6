//! A connection that carries a session, as a transport drives it: packets in, packets and messages out. How they become
//! bytes is left to the transport.

use std::fmt::{self, Debug, Formatter};
use std::task::{Context, Poll};
use std::time::Duration;

use anywire_protocol::{Can, Packet, ProtocolError};

use crate::local::Local;
use crate::refusal::Refusal;
use crate::remote::{End, Flow, Outgoing, RemoteConnection};

/// A connection that carries a session, of this node or of another one. Dropping it detaches.
pub struct Connection(Carrier);

enum Carrier {
    Here(Local),
    Elsewhere(Box<dyn RemoteConnection>),
}

impl Debug for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Carrier::Here(local) => f
                .debug_struct("Connection")
                .field("session", &local.cell.id)
                .field("id", &local.id)
                .finish_non_exhaustive(),
            Carrier::Elsewhere(remote) => f.debug_tuple("Connection").field(remote).finish(),
        }
    }
}

impl Connection {
    pub(crate) fn here(local: Local) -> Self {
        Self(Carrier::Here(local))
    }

    /// A connection whose session lives at another node.
    pub(crate) fn elsewhere(remote: Box<dyn RemoteConnection>) -> Self {
        Self(Carrier::Elsewhere(remote))
    }

    /// Feeds packets that came in so many frames; then call [`Connection::poll_transmit`]. Returns how long to read no more, so
    /// that a client that sends much is slowed.
    ///
    /// # Errors
    /// The connection is superseded, or the packets break a rule and the session has closed: transmit what is left. With
    /// the codes 4904 and 4902 the packets were taken and the client asks too much: close the
    /// connection with that code.
    pub fn receive(
        &self,
        mut packets: impl Iterator<Item = Packet>,
        frames: usize,
    ) -> Result<Duration, Refusal> {
        match &self.0 {
            Carrier::Here(local) => local.receive(packets, frames),
            Carrier::Elsewhere(remote) => remote.receive(&mut packets, frames),
        }
    }

    /// The connection holds so many bytes, beside what the session has: what has come of a frame, and what the peer does
    /// not take.
    pub fn hold(&self, bytes: usize) {
        match &self.0 {
            Carrier::Here(local) => local.hold(bytes),
            Carrier::Elsewhere(remote) => remote.hold(bytes),
        }
    }

    /// What both sides of the session can.
    pub fn can(&self) -> Can {
        match &self.0 {
            Carrier::Here(local) => local.can(),
            Carrier::Elsewhere(remote) => remote.can(),
        }
    }

    /// The peer closes the connection as browsers close those of pages that go (PROTOCOL §8.8).
    pub fn go_away(&self) {
        match &self.0 {
            Carrier::Here(local) => local.go_away(),
            Carrier::Elsewhere(remote) => remote.go_away(),
        }
    }

    /// The peer broke a rule below the packets: the session closes. Transmit what is left.
    pub fn violate(&self, error: ProtocolError) {
        match &self.0 {
            Carrier::Here(local) => local.violate(error),
            Carrier::Elsewhere(remote) => remote.violate(error),
        }
    }

    /// The peer showed life without completing a packet.
    pub fn alive(&self) {
        match &self.0 {
            Carrier::Here(local) => local.alive(),
            Carrier::Elsewhere(remote) => remote.alive(),
        }
    }

    /// The peer has taken nothing for too long: drop the connection behind this.
    pub fn stall(&self) {
        match &self.0 {
            Carrier::Here(local) => local.stall(),
            Carrier::Elsewhere(remote) => remote.stall(),
        }
    }

    /// Hands what is to be sent now to `send`, until `send` says that it has no room. Pending means that the task is
    /// woken when there is more.
    pub fn poll_transmit(
        &self,
        cx: &Context<'_>,
        mut send: impl FnMut(Outgoing<'_>) -> Flow,
    ) -> Poll<End> {
        match &self.0 {
            Carrier::Here(local) => local.poll_transmit(cx, send),
            Carrier::Elsewhere(remote) => remote.poll_transmit(cx, &mut send),
        }
    }

    /// Whether the session is no longer this connection's to carry: what waits to be written matters no more.
    pub fn is_over(&self) -> bool {
        match &self.0 {
            Carrier::Here(local) => local.is_over(),
            Carrier::Elsewhere(remote) => remote.is_over(),
        }
    }

    /// Whether more may be read off the wire; if not, the task is woken when the app has taken messages.
    pub fn poll_inbox_room(&self, cx: &Context<'_>) -> Poll<()> {
        match &self.0 {
            Carrier::Here(local) => local.poll_inbox_room(cx),
            Carrier::Elsewhere(remote) => remote.poll_inbox_room(cx),
        }
    }
}
