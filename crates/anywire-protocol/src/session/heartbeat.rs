//! Whether the connection is alive (PROTOCOL §7.3). Sending the ping and dropping the connection are left to the
//! session.

use std::time::Duration;

use crate::{Limits, Timestamp};

/// ```text
///            heard anything                 nothing heard for `heartbeat_timeout`
///   quiet ◀──────────────── pinged ───────────────────────────────▶ dead
///     │                       ▲
///     └───────────────────────┘  nothing heard for `heartbeat`, or, while a message is
///                                unacknowledged, for twice `ack_delay`
/// ```
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    heard: Timestamp,
    pinged: Option<Timestamp>,
    /// A ping is to go out now, whatever was heard.
    is_asked: bool,
    /// Since when a message that was sent on this connection waits for its ack.
    awaiting: Option<Timestamp>,
}

impl Heartbeat {
    /// A connection begins.
    pub(crate) fn start(now: Timestamp) -> Self {
        Self {
            heard: now,
            pinged: None,
            is_asked: false,
            awaiting: None,
        }
    }

    /// Anything at all came from the peer, or it took bytes that waited for it.
    pub(crate) fn hear(&mut self, now: Timestamp) {
        self.heard = now;
        self.pinged = None;
    }

    /// A message went out.
    pub(crate) fn await_ack(&mut self, now: Timestamp) {
        self.awaiting.get_or_insert(now);
    }

    /// All that went out has been acknowledged.
    pub(crate) fn settle(&mut self) {
        self.awaiting = None;
    }

    /// The shell asks for a ping now, whatever was heard before.
    pub(crate) fn ask(&mut self) {
        self.is_asked = self.pinged.is_none();
    }

    /// A ping went out.
    pub(crate) fn ping(&mut self, now: Timestamp) {
        self.is_asked = false;
        self.pinged = Some(now);
    }

    /// When the peer was heard last.
    pub(crate) fn heard(&self) -> Timestamp {
        self.heard
    }

    /// When a ping falls due; `None` while one is out.
    pub(crate) fn ping_due(&self, interval: Duration, limits: &Limits) -> Option<Timestamp> {
        if self.pinged.is_some() {
            return None;
        }
        if self.is_asked {
            return Some(self.heard);
        }
        let idle = self.heard + interval;
        match self.awaiting {
            None => Some(idle),
            Some(since) => Some(idle.min(since.max(self.heard) + limits.probe_after())),
        }
    }

    /// Since when a ping is unanswered.
    pub(crate) fn pinged(&self) -> Option<Timestamp> {
        self.pinged
    }

    /// When the connection counts as dead; `None` unless a ping is out.
    pub(crate) fn dead_at(&self, limits: &Limits) -> Option<Timestamp> {
        self.pinged.map(|at| at + limits.heartbeat_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unacknowledged_message_is_probed_sooner_than_silence() {
        let limits = Limits::default();
        let interval = limits.heartbeat;
        let mut heartbeat = Heartbeat::start(Timestamp::from_millis(0));
        assert_eq!(
            heartbeat.ping_due(interval, &limits),
            Some(Timestamp::from_millis(25_000))
        );
        heartbeat.await_ack(Timestamp::from_millis(100));
        assert_eq!(
            heartbeat.ping_due(interval, &limits),
            Some(Timestamp::from_millis(2_100))
        );
        heartbeat.ping(Timestamp::from_millis(2_100));
        assert_eq!(heartbeat.ping_due(interval, &limits), None);
        assert_eq!(
            heartbeat.dead_at(&limits),
            Some(Timestamp::from_millis(10_100))
        );
        heartbeat.hear(Timestamp::from_millis(3_000));
        assert_eq!(heartbeat.dead_at(&limits), None);
        assert_eq!(
            heartbeat.ping_due(interval, &limits),
            Some(Timestamp::from_millis(5_000))
        );
        heartbeat.settle();
        assert_eq!(
            heartbeat.ping_due(interval, &limits),
            Some(Timestamp::from_millis(28_000))
        );
    }
}
