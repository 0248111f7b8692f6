//! What a relay has seen of its lane: totals, what happened when, and the bytes of the last exchange.

use std::collections::VecDeque;

use serde::Serialize;

/// Totals since the lane began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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
    /// How often bytes passed after 5 s of silence: each time a phone's radio would have had to wake up.
    pub wake_ups: u64,
    /// How long a radio would have been awake that falls asleep after 5 s of silence, in ms.
    pub awake_ms: f64,
    /// When the last bytes passed, in ms of the wall clock; 0 before.
    pub passed_ms: f64,
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
    /// Bytes passed after a silence.
    Wake,
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
    /// Totals since the lane began, as of the last bytes.
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

    /// Bytes pass at this time.
    pub(crate) fn pass(&mut self, at_ms: f64) {
        if at_ms - self.totals.passed_ms > AWAKE_MS {
            self.totals.wake_ups += 1;
            self.note(Activity(What::Wake, 0, at_ms, "".into()));
        }
        self.totals = self.totals_at(at_ms);
        self.totals.passed_ms = at_ms;
    }

    /// The totals as of this time.
    pub(crate) fn totals_at(&self, at_ms: f64) -> Totals {
        let mut totals = self.totals;
        if totals.passed_ms > 0.0 {
            totals.awake_ms += (at_ms - totals.passed_ms).clamp(0.0, AWAKE_MS);
        }
        totals
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

/// Silence after which a phone's radio falls asleep: that of a common setting of mobile networks.
const AWAKE_MS: f64 = 5_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radio_wakes_up_after_a_silence_and_stays_awake_for_a_while() {
        let mut record = Record::default();
        for at in [10_000.0, 10_050.0, 12_000.0, 30_000.0] {
            record.pass(at);
        }
        assert_eq!(record.totals.wake_ups, 2);
        // From 10 s to 12 s and its tail, and then the second one so far.
        assert_eq!(record.totals.awake_ms, 7_000.0);
        assert_eq!(record.totals_at(31_000.0).awake_ms, 8_000.0);
        assert_eq!(record.totals_at(90_000.0).awake_ms, 12_000.0);
        let wakes = record.take_activity().into_iter();
        let wakes = wakes.map(|Activity(what, _, at, _)| (what, at));
        assert_eq!(
            wakes.collect::<Vec<_>>(),
            [(What::Wake, 10_000.0), (What::Wake, 30_000.0)]
        );
    }
}
