//! Why there is no session.

use anywire_protocol::{Attempt, CloseReason};

/// A session could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be used.
    #[error("the address `{url}` cannot be used: {why}")]
    Address {
        /// As it was given, without credentials.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The server answered, and said no. Its code's [`disposition`](anywire_protocol::CloseCode::disposition) says
    /// whether to come back.
    #[error("the server refused the session: {0}")]
    Refused(CloseReason),
    /// Nothing got through within the connect budget. The attempts say what was tried, and what became of it.
    #[error("no transport could reach the server ({})", last(attempts))]
    Unreachable {
        /// The oldest first.
        attempts: Vec<Attempt>,
    },
}

fn last(attempts: &[Attempt]) -> String {
    let last = attempts.iter().rev().take(2).rev();
    let words: Vec<_> = last.map(ToString::to_string).collect();
    if words.is_empty() {
        "is the server running, and the address right?".to_owned()
    } else {
        words.join("; ")
    }
}
