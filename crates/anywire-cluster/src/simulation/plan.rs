//! What a client does, and when: follows from the seed.

use std::time::Duration;

use fastrand::Rng;

use super::clock;
use super::weather::Weather;

/// What a client does.
pub(super) struct Plan {
    pub(super) begins: Duration,
    pub(super) style: Style,
    /// When it sends next, and until when.
    sends_at: Option<Duration>,
    quiet: Duration,
    switches_at: Option<Duration>,
    closes_at: Option<Duration>,
    leaves_at: Option<Duration>,
    has_closed: bool,
}

/// Which legs a client prefers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Duplex,
    Polling,
    /// They race at first.
    Both,
}

impl Plan {
    /// Clients that stay close at `last`.
    pub(super) fn of(random: &mut Rng, weather: &Weather, quiet: Duration, last: Duration) -> Self {
        let moment = |random: &mut Rng| match random.bool() {
            true => weather.moment(random),
            false => None,
        };
        let begins = moment(random).unwrap_or_else(|| ms(random.u64(1_000..12_000)));
        let later = |random: &mut Rng| {
            let later = moment(random).unwrap_or_else(|| begins + ms(random.u64(0..15_000)));
            later.max(begins)
        };
        let style = random.choice([Style::Duplex, Style::Polling, Style::Both]);
        let (mut closes_at, mut leaves_at) = (Some(last), None);
        match random.u8(0..8) {
            0 | 1 => closes_at = Some(later(random)),
            2 => leaves_at = Some(later(random).min(weather.clears)),
            _ => {}
        }
        Self {
            begins,
            style: style.unwrap_or(Style::Both),
            // One that says nothing does not miss an answer.
            sends_at: (random.u8(0..5) > 0).then_some(begins),
            quiet,
            switches_at: random.bool().then(|| later(random)),
            closes_at,
            leaves_at,
            has_closed: false,
        }
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Duration> {
        let due = [
            self.sends_at,
            self.switches_at,
            self.closes_at,
            self.leaves_at,
        ];
        due.into_iter().flatten().min()
    }

    pub(super) fn has_closed(&self) -> bool {
        self.has_closed
    }

    pub(super) fn takes_send(&mut self, random: &mut Rng) -> bool {
        let is_due = take(&mut self.sends_at);
        if is_due {
            let next = clock::now() + ms(random.u64(20..2_500));
            self.sends_at = (next < self.quiet).then_some(next);
        }
        is_due
    }

    pub(super) fn takes_switch(&mut self, random: &mut Rng) -> bool {
        let is_due = take(&mut self.switches_at);
        if is_due {
            let next = clock::now() + ms(random.u64(500..15_000));
            self.switches_at = (next < self.quiet).then_some(next);
        }
        is_due
    }

    pub(super) fn takes_close(&mut self) -> bool {
        let is_due = take(&mut self.closes_at);
        self.has_closed |= is_due;
        is_due
    }

    pub(super) fn takes_leave(&mut self) -> bool {
        take(&mut self.leaves_at)
    }
}

fn take(due: &mut Option<Duration>) -> bool {
    due.take_if(|at| *at <= clock::now()).is_some()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
