//! What goes in and out of a negotiation: how a leg was lost, and what a shell is to do.

use std::time::Duration;

use super::{Leg, Memory, Outcome};
use crate::Generation;

/// What a shell is to do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start the leg, which is idle. A WebSocket without a generation makes no offer and attaches later
    /// (NEGOTIATION §3.1).
    Start {
        /// Which leg.
        leg: Leg,
        /// What it attaches with.
        generation: Option<Generation>,
    },
    /// Send a ping of [`PROOF_BYTES`](crate::PROOF_BYTES) on the leg, after what waits to be sent.
    Prove(Leg),
    /// The WebSocket has been proven: send the attach packet with this generation.
    Attach(Generation),
    /// End the leg's connections; tell nobody.
    Drop(Leg),
    /// Ask on the leg whether the peer is there: a ping with the silence budget.
    Check(Leg),
    /// This leg carries the session from now on, or none does.
    Carrier(Option<Leg>),
    /// Remember this of the origin.
    Remember(Memory),
    /// Forget what is remembered of the origin.
    Forget,
    /// No leg has attached in time.
    GiveUp,
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
}

impl Loss {
    /// A loss of which no more is known.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            detail: detail.into(),
            retry_after: None,
        }
    }
}
