//! The events that all lanes carry: numbered, timed, and as long as wanted.

use std::time::{SystemTime, UNIX_EPOCH};

/// What a client needs to know of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Counts from 1, for all lanes alike.
    pub number: u64,
    /// When it was made, in milliseconds of the wall clock.
    pub at_ms: f64,
}

impl Event {
    /// The text that travels: number, time, and letters up to `size_bytes`.
    pub fn to_text(self, size_bytes: usize) -> String {
        let mut text = format!("{} {:.3} ", self.number, self.at_ms);
        text.extend(
            LETTERS
                .chars()
                .cycle()
                .take(size_bytes.saturating_sub(text.len())),
        );
        text
    }

    /// Reads what [`Event::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            number: words.next()?.parse().ok()?,
            at_ms: words.next()?.parse().ok()?,
        })
    }
}

/// Milliseconds of the wall clock, with their fraction.
pub fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64() * 1_000.0
}

/// People read them in the pane of bytes.
pub(crate) const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_as_long_as_wanted_and_read_back() {
        let event = Event {
            number: 7,
            at_ms: 1_764_000_000_123.5,
        };
        let text = event.to_text(128);
        assert_eq!(text.len(), 128);
        assert_eq!(Event::parse(&text), Some(event));
        assert_eq!(Event::parse("nothing"), None);
    }
}
