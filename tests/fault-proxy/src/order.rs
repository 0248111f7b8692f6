//! The faults in force, and which request or connection meets them. Doing them is left to others.

use std::sync::Arc;

use super::{cuts::Cuts, faults::Faults, head::Head, random::Random};

/// The faults, and how many have met them since they were set.
#[derive(Debug)]
pub(super) struct Order {
    faults: Arc<Faults>,
    connections: u32,
    polls: u32,
    posts: u32,
    seed: u64,
    /// Connections that have drawn from this seed.
    drawn: u64,
}

/// What a request meets.
#[derive(Debug)]
pub(super) struct Encounter {
    pub(super) faults: Arc<Faults>,
    pub(super) loses_answer: bool,
    pub(super) is_repeated: bool,
    pub(super) is_held_back: bool,
}

impl Order {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            faults: Arc::default(),
            connections: 0,
            polls: 0,
            posts: 0,
            seed,
            drawn: 0,
        }
    }

    pub(super) fn set(&mut self, faults: Faults) {
        if let Some(seed) = faults.seed {
            (self.seed, self.drawn) = (seed, 0);
        }
        (self.connections, self.polls, self.posts) = (0, 0, 0);
        self.faults = Arc::new(faults);
    }

    /// What a new connection keeps while it lives, and where it is cut.
    pub(super) fn connect(&mut self) -> (Arc<Faults>, Cuts) {
        self.connections += 1;
        self.drawn += 1;
        let is_met = is_each(self.faults.every.max(1), self.connections);
        let random = Random::new(self.seed, self.drawn);
        (
            Arc::clone(&self.faults),
            Cuts::new(&self.faults, is_met, random),
        )
    }

    /// What a request meets. Asking counts the request, so it is asked once for each.
    pub(super) fn meet(&mut self, request: &Head) -> Encounter {
        let (is_post, is_poll) = (request.is_post(), request.is_poll());
        self.posts += u32::from(is_post);
        self.polls += u32::from(is_poll);
        Encounter {
            loses_answer: is_poll && is_each(self.faults.lose_answers, self.polls),
            is_repeated: is_post && is_each(self.faults.repeat, self.posts),
            is_held_back: is_post && is_each(self.faults.reorder, self.posts),
            faults: Arc::clone(&self.faults),
        }
    }
}

/// Whether this one, counted from 1, is one of each so many; 0 means none.
fn is_each(nth: u32, number: u32) -> bool {
    nth > 0 && number.is_multiple_of(nth)
}
