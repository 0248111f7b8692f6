//! Why a client is not let in. `answer.rs` of `anywire-polling` gives a refusal its HTTP status.

use anywire_protocol::{AttachError, CloseCode, CloseReason, ProtocolError};

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
