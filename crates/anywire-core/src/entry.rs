//! What a transport makes of a request, and what becomes of it. `enter.rs` lets it in.

use anywire_protocol::{
    Attach, ConnectionMode, Offset, Open, Opened, Packet, SessionId, ShortAnswer, Transport,
};

use crate::secrets::Secrets;

/// What a request begins with.
#[derive(Clone, Debug)]
pub enum Head {
    /// The client wants a session.
    Open(Box<Open>),
    /// The client has one.
    Attach(Box<Attach>),
}

impl Head {
    /// The session that it means.
    pub fn session(&self) -> SessionId {
        match self {
            Self::Open(open) => Secrets::id(&open.key),
            Self::Attach(attach) => attach.session,
        }
    }

    /// What the client has received.
    pub fn received(&self) -> Offset {
        match self {
            Self::Open(open) => open.received,
            Self::Attach(attach) => attach.received,
        }
    }
}

/// What a request asks of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To carry it.
    Carry(ConnectionMode),
    /// To bring packets, and hear what has been received (PROTOCOL §6.3).
    Send,
    /// To bring packets; nobody reads the answer, so that nothing counts as said (PROTOCOL §15.5).
    SendUnread,
}

/// A request as every transport makes one: read and judged, and nothing of it taken yet (PROTOCOL §8.6).
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which session, and by what right.
    pub head: Head,
    /// What the request brings.
    pub packets: Vec<Packet>,
    /// What it came by.
    pub transport: Transport,
    /// What it asks.
    pub intent: Intent,
}

/// What has become of an entry that was let in; `C` is what carries the session.
#[derive(Debug)]
pub struct Entered<C> {
    /// What to say first: to an open, and on every WebSocket.
    pub opened: Option<Box<Opened>>,
    /// The connection that carries the session from now on, and the offset of the first message that it will send.
    pub connection: Option<(C, Offset)>,
    /// The answer to an entry that only sends: what has been received, and the end if it has come.
    pub answer: Option<ShortAnswer>,
}
