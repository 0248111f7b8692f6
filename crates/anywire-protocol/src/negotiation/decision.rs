//! What goes in and out of a negotiation: how a leg was lost, and what a shell is to do.

use std::time::Duration;

use super::{Memory, Outcome};
use crate::{Generation, Transport};

/// What a shell is to do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start the WebSocket, which is idle. With a generation the upgrade offers to open; without one it makes no offer,
    /// and the leg attaches later (NEGOTIATION §3.1).
    StartWebSocket(Option<Generation>),
    /// Start polling, which is idle, with this generation.
    StartPoll(Generation),
    /// Send a ping of [`PROOF_BYTES`](crate::PROOF_BYTES) on the WebSocket, after what waits to be sent.
    ProveWebSocket,
    /// Send that ping in an exchange of its own.
    ProvePoll,
    /// The WebSocket has been proven: send the attach packet with this generation.
    AttachWebSocket(Generation),
    /// End the WebSocket, without a word to the server.
    DropWebSocket,
    /// End the exchanges under way, without a word to the server.
    DropPoll,
    /// Ask on the WebSocket whether the server is there: a ping with the silence budget.
    CheckWebSocket,
    /// This leg carries the session from now on, or none does.
    Carrier(Option<Transport>),
    /// Remember this of the origin.
    Remember(Memory),
    /// Forget what is remembered of the origin.
    Forget,
    /// No leg has attached in time.
    GiveUp,
    /// The address answers 404, 405 or 501 as a server without Anywire does (NEGOTIATION §4.5): end the session.
    Missing,
}

/// How a leg was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// In one word.
    pub outcome: Outcome,
    /// In more words, for people; may be empty.
    pub detail: String,
    /// How long the server wants no attempt.
    pub retry_after: Option<Duration>,
    /// Whether the answer was 404, 405 or 501, without a code of the protocol's: another server, or a proxy, has no such
    /// endpoint.
    pub is_missing: bool,
}

impl Loss {
    /// A loss of which no more is known.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            detail: detail.into(),
            retry_after: None,
            is_missing: false,
        }
    }
}
