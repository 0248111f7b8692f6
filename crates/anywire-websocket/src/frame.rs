//! The frame codec, without I/O (RFC 6455 §5). Connections decide when to close.

mod decoder;
mod encoder;
mod mask;

pub use decoder::{Decoder, Role};
pub use encoder::Encoder;

use anywire_protocol::{CloseCode, Message};
use bytes::Bytes;

/// What a run of frames says, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text or binary message, fragments joined, text checked.
    Message(Message),
    /// To be answered with a pong of the same content.
    Ping(Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// The peer closes; `None` without a code.
    Close(Option<(CloseCode, String)>),
}

/// The peer broke a rule of RFC 6455: fail the connection with [`Violation::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Violation {
    code: CloseCode,
    what: &'static str,
}

impl Violation {
    pub(crate) const fn new(code: CloseCode, what: &'static str) -> Self {
        Self { code, what }
    }

    pub(crate) const fn protocol(what: &'static str) -> Self {
        Self::new(CloseCode::WEBSOCKET_PROTOCOL, what)
    }

    /// The close code: 1002, 1007, 1008 or 1009.
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// Which rule, in words for the peer's author.
    pub const fn what(&self) -> &'static str {
        self.what
    }
}

/// Longest payload of a control frame (RFC 6455 §5.5).
const MAX_CONTROL_BYTES: usize = 125;

mod opcode {
    pub(super) const CONTINUATION: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const BINARY: u8 = 2;
    pub(super) const CLOSE: u8 = 8;
    pub(super) const PING: u8 = 9;
    pub(super) const PONG: u8 = 10;
}
