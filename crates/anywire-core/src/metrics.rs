//! Counters that answer "how is it going?". Publishing them is left to apps.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::reports::{AttemptCounters, Attempts};

/// A kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// PROTOCOL §5.
    WebSocket,
    /// PROTOCOL §6.
    Poll,
    /// PROTOCOL §9.
    Raw,
    /// PROTOCOL §13.
    Stream,
    /// PROTOCOL §14.
    Events,
    /// PROTOCOL §15.
    Jsonp,
}

impl Transport {
    /// The name used in logs and by the browser client.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Poll => "poll",
            Self::Raw => "raw",
            Self::Stream => "stream",
            Self::Events => "events",
            Self::Jsonp => "jsonp",
        }
    }
}

/// A reading of the hub's counters; all count since the hub began, except `sessions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Sessions alive now.
    pub sessions: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions ended, for whatever reason.
    pub closed: u64,
    /// Times that a WebSocket began to carry a session.
    pub websocket_attaches: u64,
    /// Times that a poll began to carry a session: each held or zero-hold exchange.
    pub poll_attaches: u64,
    /// Times that a stream began to carry a session.
    pub stream_attaches: u64,
    /// Times that an event stream began to carry a session.
    pub events_attaches: u64,
    /// Times that a script tag began to carry a session: each held or zero-hold exchange.
    pub jsonp_attaches: u64,
    /// Messages from clients, duplicates included.
    pub messages_up: u64,
    /// Messages written to clients, repeats included.
    pub messages_down: u64,
    /// Attaches refused.
    pub refused: u64,
    /// Attempts to connect that clients reported: only those of clients for whom something did not go well.
    pub attempts: Attempts,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    pub(crate) websocket_attaches: Counter,
    pub(crate) poll_attaches: Counter,
    pub(crate) stream_attaches: Counter,
    pub(crate) events_attaches: Counter,
    pub(crate) jsonp_attaches: Counter,
    pub(crate) messages_up: Counter,
    pub(crate) messages_down: Counter,
    pub(crate) refused: Counter,
    pub(crate) attempts: AttemptCounters,
}

impl Counters {
    pub(crate) fn attached(&self, transport: Transport) {
        match transport {
            Transport::WebSocket | Transport::Raw => self.websocket_attaches.add(1),
            Transport::Poll => self.poll_attaches.add(1),
            Transport::Stream => self.stream_attaches.add(1),
            Transport::Events => self.events_attaches.add(1),
            Transport::Jsonp => self.jsonp_attaches.add(1),
        }
    }

    /// How many sessions are alive.
    pub(crate) fn alive(&self) -> u64 {
        self.opened.read().saturating_sub(self.closed.read())
    }

    pub(crate) fn read(&self, sessions: usize) -> Metrics {
        Metrics {
            sessions: sessions as u64,
            opened: self.opened.read(),
            closed: self.closed.read(),
            websocket_attaches: self.websocket_attaches.read(),
            poll_attaches: self.poll_attaches.read(),
            stream_attaches: self.stream_attaches.read(),
            events_attaches: self.events_attaches.read(),
            jsonp_attaches: self.jsonp_attaches.read(),
            messages_up: self.messages_up.read(),
            messages_down: self.messages_down.read(),
            refused: self.refused.read(),
            attempts: self.attempts.read(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
