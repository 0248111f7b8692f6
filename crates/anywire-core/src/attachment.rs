//! Whether a session's client is there, as apps see it.

use std::time::Instant;

use anywire_protocol::{Detach, Transport};

/// Whether a session's client is there.
///
/// A client counts as gone when nothing has carried its session for
/// [`detached_after`](field@anywire_protocol::Limits::detached_after), 5 s, and at once when its page has left. So the moment between
/// two polls is no absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attachment {
    /// A connection carries the session, or has until a moment ago.
    #[non_exhaustive]
    Attached {
        /// What carries it, or carried it last.
        transport: Transport,
        /// Since when the client is there.
        since: Instant,
    },
    /// Nothing carries the session, which waits for its client until its resume window ends.
    #[non_exhaustive]
    Detached {
        /// When it was carried last.
        since: Instant,
        /// What became of what carried it.
        why: Detach,
    },
}

impl Attachment {
    /// What another node says of a session that is carried.
    pub fn attached(transport: Transport, since: Instant) -> Self {
        Self::Attached { transport, since }
    }

    /// What another node says of a session that is not.
    pub fn detached(since: Instant, why: Detach) -> Self {
        Self::Detached { since, why }
    }

    /// Whether the client is there.
    pub fn is_attached(&self) -> bool {
        matches!(self, Self::Attached { .. })
    }

    /// What carries the session; `None` while nothing does.
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Self::Attached { transport, .. } => Some(*transport),
            Self::Detached { .. } => None,
        }
    }
}
