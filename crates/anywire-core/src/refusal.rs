//! Why a client is not let in. `answer.rs` of `anywire-polling` gives a refusal its HTTP status.

use std::time::Duration;

use anywire_protocol::{AttachError, CloseCode, CloseReason, ProtocolError};

/// Why the hub does not let a connection in. Tell the client [`Refusal::reason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    reason: CloseReason,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with a code and what to do about it.
    pub fn new(code: CloseCode, text: &str) -> Self {
        CloseReason::new(code, text).into()
    }

    /// The same, and when the client may come again.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The code and text for the client.
    pub fn reason(&self) -> &CloseReason {
        &self.reason
    }

    /// When the client may come again, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same in whole seconds, at least one, as people and headers say it.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after.map(whole_seconds)
    }

    /// The server takes no new sessions.
    pub fn draining() -> Self {
        Self::new(
            CloseCode::DRAINING,
            "the server is about to stop: try again",
        )
    }

    /// The server has no memory left.
    pub fn no_memory() -> Self {
        let text = "the server has no memory left for this: try later";
        Self::new(CloseCode::OVERLOADED, text)
    }

    /// The node where the session lives cannot be reached. The session may live.
    pub fn node_lost() -> Self {
        let text = "the session's node cannot be reached: attach again";
        Self::new(CloseCode::OVERLOADED, text)
    }

    /// The app must know who the client is, and does not.
    pub fn unauthorized() -> Self {
        let text = "this session is for clients that say who they are: log in, then open a new one";
        Self::new(CloseCode::UNAUTHORIZED, text)
    }

    /// The app has failed, and cannot tell.
    pub fn internal() -> Self {
        Self::new(CloseCode::INTERNAL, "the application failed: try again")
    }

    /// The session is not here, or not the client's.
    pub fn unknown_session() -> Self {
        Self::new(
            CloseCode::UNKNOWN_SESSION,
            "no such session: open a new one",
        )
    }
}

/// A wait in whole seconds, at least one.
pub(crate) fn whole_seconds(wait: Duration) -> u32 {
    wait.as_secs_f64().ceil().max(1.0) as u32
}

impl From<AttachError> for Refusal {
    fn from(error: AttachError) -> Self {
        match error {
            AttachError::Protocol(error) => error.into(),
            other => Self::new(CloseCode::SUPERSEDED, &other.to_string()),
        }
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        CloseReason::from(error).into()
    }
}

impl From<CloseReason> for Refusal {
    fn from(reason: CloseReason) -> Self {
        let retry_after = None;
        Self {
            reason,
            retry_after,
        }
    }
}
