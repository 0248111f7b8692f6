//! The two sides.

/// Which side of the conversation a session is. Both run the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that connections come to.
    Server,
    /// The side that makes them.
    Client,
}
