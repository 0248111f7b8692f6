//! At which byte a client's connection is cut. Cutting it is left to `line`.

use super::{faults::Faults, random::Random};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// How many bytes may still pass on one connection.
#[derive(Debug)]
pub(super) struct Cuts {
    up: Option<u64>,
    down: Option<u64>,
    either: Option<u64>,
    percent: f64,
    random: Random,
}

impl Cuts {
    /// `is_met` tells whether `cut_up` and `cut_down` mean this connection.
    pub(super) fn new(faults: &Faults, is_met: bool, random: Random) -> Self {
        Self {
            up: faults.cut_up.filter(|_| is_met),
            down: faults.cut_down.filter(|_| is_met),
            either: None,
            percent: faults.cut_chance_percent,
            random,
        }
    }

    /// Draws for the next request. A cut that was drawn earlier and not reached yet stays.
    pub(super) fn draw(&mut self) {
        if self.either.is_none() && self.random.chance(self.percent) {
            self.either = Some(self.random.below(MAX_CHANCE_BYTES));
        }
    }

    /// How many of so many bytes may pass; they are taken as passed.
    pub(super) fn grant(&mut self, direction: Direction, wanted: usize) -> usize {
        let one_way = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let limits = [one_way, &mut self.either];
        let least = limits.iter().filter_map(|limit| **limit).min();
        let granted = least.map_or(wanted, |least| {
            usize::try_from(least).unwrap_or(usize::MAX).min(wanted)
        });
        for limit in limits.into_iter().flatten() {
            *limit -= granted as u64;
        }
        granted
    }

    /// Whether the connection has come to its end.
    pub(super) fn is_due(&self) -> bool {
        [self.up, self.down, self.either].contains(&Some(0))
    }
}

/// The bytes within which a chance strikes: a page and some polls, or a while on a WebSocket.
const MAX_CHANCE_BYTES: u64 = 20_000;
