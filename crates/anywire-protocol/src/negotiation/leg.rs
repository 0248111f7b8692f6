//! One leg as the negotiation sees it. When it starts, and what follows when it is lost, is left to `negotiation.rs`.

use std::time::Duration;

use super::Phase;
use super::settings::proof_budget;
use crate::{Generation, Timestamp};

#[derive(Debug)]
pub(super) struct LegState {
    pub(super) is_allowed: bool,
    /// `None` while the leg is idle.
    pub(super) phase: Option<Phase>,
    /// What it attaches with, if that is known from the start.
    pub(super) generation: Option<Generation>,
    pub(super) started_at: Timestamp,
    pub(super) attached_after: Duration,
    /// When the phase must be over.
    pub(super) deadline: Option<Timestamp>,
    pub(super) is_proven: bool,
    pub(super) is_stalled: bool,
    /// How often it was started.
    pub(super) starts: u32,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When it is to start, while it is idle.
    pub(super) retry_at: Option<Timestamp>,
}

impl LegState {
    pub(super) fn new(is_allowed: bool) -> Self {
        Self {
            is_allowed,
            phase: None,
            generation: None,
            started_at: Timestamp::default(),
            attached_after: Duration::ZERO,
            deadline: None,
            is_proven: false,
            is_stalled: false,
            starts: 0,
            failures: 0,
            retry_at: None,
        }
    }

    pub(super) fn start(&mut self, generation: Option<Generation>, now: Timestamp) {
        self.reset();
        self.phase = Some(Phase::Connect);
        self.generation = generation;
        self.started_at = now;
        self.starts += 1;
        self.retry_at = None;
    }

    pub(super) fn attach(&mut self, now: Timestamp) {
        self.attached_after = now.since(self.started_at);
        if self.is_proven {
            self.phase = Some(Phase::Carry);
            self.deadline = None;
        } else {
            self.phase = Some(Phase::Proof);
            self.deadline = Some(now + proof_budget(self.attached_after));
        }
    }

    /// Idle again; how often it failed is kept.
    pub(super) fn reset(&mut self) {
        self.phase = None;
        self.deadline = None;
        self.is_proven = false;
        self.is_stalled = false;
    }

    pub(super) fn is_started(&self) -> bool {
        self.phase.is_some()
    }

    pub(super) fn is_attached(&self) -> bool {
        matches!(self.phase, Some(Phase::Proof | Phase::Carry))
    }
}
