//! What follows when a leg starts, attaches, is proven or lost.

use super::{Decision, Leg, Memory, Negotiation, Outcome, WEBSOCKET_GENERATION, settings};
use crate::{Generation, Timestamp};

impl Negotiation {
    pub(super) fn websocket_attached(&mut self, is_proven: bool, now: Timestamp) {
        self.grace_until = None;
        self.poll.retry_at = None;
        if self.poll.is_started() {
            self.drop_leg(Leg::Poll, Outcome::Dropped, "", now);
        }
        self.poll.failures = 0;
        self.poll_generation = None;
        self.carry(Some(Leg::WebSocket));
        if is_proven {
            self.websocket_proven(now);
        }
    }

    pub(super) fn websocket_proven(&mut self, now: Timestamp) {
        self.websocket.is_stalled = false;
        self.was_proven = true;
        self.steady_at = Some(now + settings::STEADY);
        let attached_after = self.websocket.attached_after;
        self.remember(Memory::Works { attached_after });
    }

    pub(super) fn websocket_lost(&mut self, now: Timestamp) {
        let was_proven = self.websocket.is_proven;
        self.websocket.reset();
        self.steady_at = None;
        self.websocket.retry_at = Some(self.after_failure(Leg::WebSocket, now));
        self.detached(Leg::WebSocket);
        if !was_proven && self.carrier == Some(Leg::Poll) && !self.was_proven {
            self.remember(Memory::Fails);
        }
        // After a failure of its own, polling waits for its own time.
        let is_waiting = self.poll.failures > 0 && self.poll.retry_at.is_some();
        if !self.poll.is_started() && !is_waiting {
            self.start_poll(now);
        }
    }

    pub(super) fn poll_attached(&mut self, now: Timestamp) {
        if self.websocket.is_attached() {
            self.drop_leg(Leg::WebSocket, Outcome::Stalled, "", now);
            self.websocket.reset();
            self.steady_at = None;
            self.websocket.retry_at = Some(self.after_failure(Leg::WebSocket, now));
        }
        self.carry(Some(Leg::Poll));
        if self.websocket.failures > 0 && !self.was_proven {
            self.remember(Memory::Fails);
        }
    }

    pub(super) fn poll_lost(&mut self, outcome: Outcome, now: Timestamp) {
        self.poll.reset();
        if outcome == Outcome::Superseded {
            self.poll_generation = None;
            if self.websocket.is_started() {
                self.poll.failures = 0;
                if !self.websocket.is_attached() {
                    self.grace_until = Some(now + settings::GRACE);
                }
                // What follows says who carries on: within the grace that is no loss to tell of.
                return;
            }
            if self.poll.failures == 0 {
                // By a WebSocket that is lost: its generation is in the way once.
                self.poll.failures = 1;
                self.detached(Leg::Poll);
                return self.start_poll(now);
            }
        }
        self.detached(Leg::Poll);
        if !self.websocket.is_attached() || self.websocket.is_stalled {
            self.poll.retry_at = Some(self.after_failure(Leg::Poll, now));
        }
    }

    pub(super) fn start_websocket(&mut self, now: Timestamp) {
        if self.websocket.is_started() || !self.websocket.is_allowed {
            return;
        }
        let generation = if self.is_open {
            None
        } else if self.websocket.starts == 0 {
            Some(Generation::new(WEBSOCKET_GENERATION))
        } else {
            Some(self.next_generation())
        };
        self.websocket.start(generation, now);
        self.websocket.deadline = Some(now + settings::SILENCE);
        self.decisions.push_back(Decision::Start {
            leg: Leg::WebSocket,
            generation,
        });
    }

    pub(super) fn start_poll(&mut self, now: Timestamp) {
        if self.poll.is_started() || !self.poll.is_allowed {
            return;
        }
        self.grace_until = None;
        let is_race = self.websocket.is_started() && !self.websocket.is_attached();
        let generation = match self.poll_generation {
            // It is below the WebSocket's, which wins the race, or none came after it.
            Some(generation) if is_race || self.websocket.starts == 0 => generation,
            Some(generation) if generation.as_u64() == self.last_generation => generation,
            // A WebSocket that is lost may have attached all the same, and the server does not know that it is lost.
            _ => self.next_generation(),
        };
        self.poll_generation = Some(generation);
        self.poll.start(Some(generation), now);
        self.decisions.push_back(Decision::Start {
            leg: Leg::Poll,
            generation: Some(generation),
        });
    }
}
