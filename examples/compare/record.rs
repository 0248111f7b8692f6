//! What a relay has seen of its lane: totals, what happened when, and the bytes of the last exchange.

use std::collections::VecDeque;

use serde::Serialize;

/// Totals since the lane began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Bytes from the client, at the relay's sockets, heads and frame headers included.
    pub bytes_up: u64,
    /// Bytes to the client, likewise.
    pub bytes_down: u64,
    /// Requests, upgrades and preflights included.
    pub requests: u64,
    /// TCP connections.
    pub connections: u64,
}

/// Something that a timeline shows: what, of which exchange, when, and where it went.
#[derive(Clone, Debug, Serialize)]
pub struct Activity(pub What, pub u64, pub f64, pub Box<str>);

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A request's head has left the client.
    Request,
    /// The head of the answer has come to the client.
    Answer,
    /// The answer has ended.
    End,
    /// A frame has left the client.
    Up,
    /// The relay cut the connection.
    Cut,
}

/// The bytes of one exchange, each shortened, as text of one character per byte.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tape {
    /// The request's head and body.
    pub request: String,
    /// The answer's head, and body if it is not chunked.
    pub answer: String,
    /// The last chunk, or frame from the server.
    pub piece: String,
    /// How long that one is as a whole.
    pub piece_length: usize,
}

/// What a relay keeps of its lane.
#[derive(Debug, Default)]
pub struct Record {
    /// Totals since the lane began.
    pub totals: Totals,
    /// The last exchange that brought events.
    pub tape: Tape,
    activity: VecDeque<Activity>,
    exchanges: u64,
}

impl Record {
    /// A number for an exchange that begins.
    pub(crate) fn begin(&mut self) -> u64 {
        self.totals.requests += 1;
        self.exchanges += 1;
        self.exchanges
    }

    pub(crate) fn note(&mut self, activity: Activity) {
        if self.activity.len() == MAX_ACTIVITY {
            self.activity.pop_front();
        }
        self.activity.push_back(activity);
    }

    /// What has happened since this was last asked.
    pub fn take_activity(&mut self) -> Vec<Activity> {
        self.activity.drain(..).collect()
    }
}

impl Tape {
    /// One character per byte, so that bytes which are no text survive JSON.
    pub(crate) fn text(bytes: &[u8]) -> String {
        bytes
            .iter()
            .take(MAX_TAPE)
            .map(|byte| char::from(*byte))
            .collect()
    }

    pub(crate) fn extend(text: &mut String, bytes: &[u8]) {
        let room = MAX_TAPE.saturating_sub(text.chars().count());
        text.extend(bytes.iter().take(room).map(|byte| char::from(*byte)));
    }
}

/// Bytes of a tape's part that are kept.
const MAX_TAPE: usize = 1_400;

/// More happens between two readings only if nobody reads.
const MAX_ACTIVITY: usize = 2_000;
