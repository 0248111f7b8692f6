//! The ways that are compared.

/// How a lane's client and its server talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plain request for each question, without a session.
    Fetch,
    /// Asks at an interval and is answered at once (PROTOCOL §6.3, a hold of 0).
    ShortPoll,
    /// Asks and is answered when there is something (PROTOCOL §6.3).
    LongPoll,
    /// An answer for `EventSource` (PROTOCOL §14).
    Events,
    /// An answer that does not end (PROTOCOL §13).
    Stream,
    /// PROTOCOL §5; polls while WebSocket is broken.
    WebSocket,
}

impl Kind {
    /// Those that bring events of the server, from the oldest to the best.
    pub const SESSIONS: [Self; 5] = [
        Self::ShortPoll,
        Self::LongPoll,
        Self::Events,
        Self::Stream,
        Self::WebSocket,
    ];

    /// The name in tables and in the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::ShortPoll => "short-poll",
            Self::LongPoll => "long-poll",
            Self::Events => "events",
            Self::Stream => "stream",
            Self::WebSocket => "websocket",
        }
    }

    /// The endpoint whose exchanges bring the events and the answers.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::Fetch => "ask",
            Self::ShortPoll | Self::LongPoll => "poll",
            Self::Events => "events",
            Self::Stream => "stream",
            Self::WebSocket => "websocket",
        }
    }
}
