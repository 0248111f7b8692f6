//! What a connection hands to its transport, and a connection whose session lives at another node.

use std::fmt::Debug;
use std::task::{Context, Poll};
use std::time::Duration;

use anywire_protocol::{Can, CloseReason, Message, Packet, ProtocolError};

use crate::refusal::Refusal;

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
    /// The client asked too much (PROTOCOL §10.9): close the connection with this. The session lives.
    Limited(CloseReason),
    /// The node where the session lives cannot be reached any more. The session may live: the client is to attach again.
    Lost,
}

/// What a connection is to send.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// A packet.
    Packet(Packet),
    /// A message, which stays in the outbox until it is acknowledged.
    Message(&'a Message),
}

/// What a connection says after each packet or message that it was handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The connection has room for more.
    Continue,
    /// The connection has no room now, and asks again when it has.
    Pause,
}

/// A connection whose session lives at another node, as [`Connection`](crate::Connection) shows it to transports. Dropping it detaches.
pub trait RemoteConnection: Debug + Send + Sync {
    /// What [`Connection::receive`](crate::Connection::receive) does.
    ///
    /// # Errors
    /// Those of [`Connection::receive`](crate::Connection::receive).
    fn receive(
        &self,
        packets: &mut dyn Iterator<Item = Packet>,
        frames: usize,
    ) -> Result<Duration, Refusal>;

    /// What [`Connection::hold`](crate::Connection::hold) does.
    fn hold(&self, bytes: usize);

    /// What [`Connection::can`](crate::Connection::can) does.
    fn can(&self) -> Can;

    /// What [`Connection::go_away`](crate::Connection::go_away) does.
    fn go_away(&self);

    /// What [`Connection::violate`](crate::Connection::violate) does.
    fn violate(&self, error: ProtocolError);

    /// What [`Connection::alive`](crate::Connection::alive) does.
    fn alive(&self);

    /// What [`Connection::stall`](crate::Connection::stall) does.
    fn stall(&self);

    /// What [`Connection::poll_transmit`](crate::Connection::poll_transmit) does.
    fn poll_transmit(
        &self,
        cx: &Context<'_>,
        send: &mut dyn FnMut(Outgoing<'_>) -> Flow,
    ) -> Poll<End>;

    /// What [`Connection::is_over`](crate::Connection::is_over) does.
    fn is_over(&self) -> bool;

    /// What [`Connection::poll_inbox_room`](crate::Connection::poll_inbox_room) does.
    fn poll_inbox_room(&self, cx: &Context<'_>) -> Poll<()>;
}
