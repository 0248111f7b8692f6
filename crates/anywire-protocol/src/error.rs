//! The three kinds of failure: the peer broke the rules, an attach is refused, the app must choose.

use crate::{CloseCode, CloseReason, Message};

/// The peer broke a rule of [PROTOCOL](crate::specification::protocol).
///
/// Close the session, or refuse the exchange, with [`Self::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ProtocolError {
    code: CloseCode,
    what: &'static str,
}

impl ProtocolError {
    /// A rule broken; `what` says which, in words for the peer's author.
    pub const fn new(code: CloseCode, what: &'static str) -> Self {
        Self { code, what }
    }

    /// A rule broken by what came, not by how much or when: code 4960.
    pub const fn malformed(what: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL_ERROR, what)
    }

    /// The close code.
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// Which rule, in words for the peer's author.
    pub const fn what(&self) -> &'static str {
        self.what
    }
}

impl From<ProtocolError> for CloseReason {
    fn from(error: ProtocolError) -> Self {
        Self::new(error.code, error.what)
    }
}

/// Why a connection may not carry a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// A newer connection carries it: attach again with a higher generation, if at all (PROTOCOL §6.5).
    #[error("a newer connection carries the session")]
    Superseded,
    /// The claim cannot be true; the session has been closed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// Why a message was not accepted at once; gives the message back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The outbox is full: wait for room, drop the message, or close the session.
    #[error("the outbox is full: the peer has not acknowledged enough yet")]
    Full(Message),
    /// The message is longer than `max_message_bytes`: split it.
    #[error("the message is longer than max_message_bytes: split it")]
    TooLarge(Message),
    /// The session closes or has closed: open a new one.
    #[error("the session is closed: open a new one")]
    Closed(Message),
}

/// Why a message will never be accepted; gives the message back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message is longer than `max_message_bytes`: split it.
    #[error("the message is longer than max_message_bytes: split it")]
    TooLarge(Message),
    /// The session closes or has closed: open a new one.
    #[error("the session is closed: open a new one")]
    Closed(Message),
    /// The session lives at another node, which does not answer: the message may arrive, or not.
    #[error("the node where the session lives does not answer: the message may arrive, or not")]
    Unanswered(Message),
}

impl TrySendError {
    /// The message that was not accepted.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::TooLarge(message) | Self::Closed(message) => message,
        }
    }

    /// What a sender does that may wait: `Ok` gives the message back, to be sent when there is room.
    ///
    /// # Errors
    /// Waiting does not help.
    pub fn wait(self) -> Result<Message, SendError> {
        match self {
            Self::Full(message) => Ok(message),
            Self::TooLarge(message) => Err(SendError::TooLarge(message)),
            Self::Closed(message) => Err(SendError::Closed(message)),
        }
    }
}

impl SendError {
    /// The message that was not accepted.
    pub fn into_message(self) -> Message {
        match self {
            Self::TooLarge(message) | Self::Closed(message) | Self::Unanswered(message) => message,
        }
    }
}
