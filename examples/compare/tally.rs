//! What a client makes of the events that come: how late they are, and whether one is missing or came twice.

use crate::Event;
use crate::event::now_ms;

/// What has come.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Events that came, each counted once.
    pub received: u64,
    /// Numbers that were left out.
    pub gaps: u64,
    /// Numbers that had come before.
    pub repeats: u64,
    last: u64,
    latencies_ms: Vec<f64>,
}

impl Tally {
    /// An event came.
    pub fn take(&mut self, event: Event) {
        if event.number <= self.last {
            self.repeats += 1;
            return;
        }
        if self.last > 0 {
            self.gaps += event.number - self.last - 1;
        }
        self.last = event.number;
        self.received += 1;
        self.latencies_ms.push(now_ms() - event.at_ms);
    }

    /// Forgets what has come, but not which came last: a gap or a repeat across the restart still counts.
    pub fn restart(&mut self) {
        *self = Self {
            last: self.last,
            ..Self::default()
        };
    }

    /// How many events have been made and have not come.
    pub fn waiting(&self, published: u64) -> u64 {
        published.saturating_sub(self.last)
    }

    /// The latency that this share of the events kept, in milliseconds; none if nothing came.
    pub fn latency_ms(&self, share: f64) -> Option<f64> {
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied()
    }

    /// All latencies, in the order of arrival.
    pub fn latencies_ms(&self) -> &[f64] {
        &self.latencies_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_repeats_are_counted() {
        let mut tally = Tally::default();
        for number in [5, 6, 9, 9, 7, 10] {
            tally.take(Event {
                number,
                at_ms: now_ms() - f64::from(number as u32),
            });
        }
        assert_eq!((tally.received, tally.gaps, tally.repeats), (4, 2, 2));
        assert_eq!(tally.waiting(12), 2);
        let median = tally.latency_ms(0.5).expect("some came");
        assert!((6.0..7.0).contains(&median), "{median}");
    }
}
