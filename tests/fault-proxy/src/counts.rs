//! What has passed through a proxy, counted.

use std::fmt;

/// What has passed through the proxy since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections of clients.
    pub connections: u32,
    /// Requests, upgrades among them.
    pub requests: u32,
    /// Requests with `Upgrade: websocket`.
    pub upgrades_seen: u32,
    /// Those that the server answered with 101.
    pub upgrades_passed: u32,
    /// Requests `POST …/poll`.
    pub polls: u32,
    /// Connections, upgrades and POSTs that a fault refused.
    pub refusals: u32,
    /// Connections that a fault closed at a byte, after a time, or idle.
    pub cuts: u32,
    /// Answers and upgraded connections that a fault silenced; orders by hand are not among them.
    pub silences: u32,
    /// Answers that a fault dropped.
    pub answers_lost: u32,
    /// Requests that a fault sent a second time.
    pub repeats: u32,
    /// Requests that a fault held back so that another could overtake.
    pub reorders: u32,
    /// Requests for which the server could not be reached.
    pub unreachable: u32,
}

/// Those that are not 0, in words.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("connections", self.connections),
            ("requests", self.requests),
            ("upgrades seen", self.upgrades_seen),
            ("upgrades passed", self.upgrades_passed),
            ("polls", self.polls),
            ("refused", self.refusals),
            ("cut", self.cuts),
            ("silenced", self.silences),
            ("answers lost", self.answers_lost),
            ("repeated", self.repeats),
            ("reordered", self.reorders),
            ("server unreachable", self.unreachable),
        ];
        let all = all.iter().filter(|(_, count)| *count > 0);
        let words: Vec<_> = all.map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(&words.join(", "))
    }
}
