//! What has arrived on one side, judged as it comes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire::{CloseReason, Message};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Way, Workload, is_right};

/// One side's arrivals.
#[derive(Debug)]
pub struct Ledger {
    workload: Workload,
    way: Way,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    reading: Reading,
    began: Instant,
    last: Instant,
}

/// What a ledger says.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// How many messages should arrive.
    pub expected: usize,
    /// How many arrived as they should.
    pub count: usize,
    /// The first that was not the one that was due.
    pub wrong: Option<String>,
    /// How many sessions the app has seen.
    pub sessions: usize,
    /// From the start until the first arrived.
    pub first: Option<Duration>,
    /// The longest time between two.
    pub longest_gap: Duration,
    /// Why the session ended, once it has.
    pub end: Option<CloseReason>,
}

impl Reading {
    /// What is wrong, if the run is over.
    pub fn trouble(&self, way: &str) -> Option<String> {
        if let Some(wrong) = &self.wrong {
            return Some(format!("{way}: {wrong}"));
        }
        if self.sessions > 1 {
            return Some(format!("{way}: the app ran {} times", self.sessions));
        }
        if self.count != self.expected {
            let (count, expected) = (self.count, self.expected);
            let end = self.end.as_ref().map(|end| format!(" ({end})"));
            return Some(format!(
                "{way}: {count} of {expected}{}",
                end.unwrap_or_default()
            ));
        }
        None
    }
}

impl Ledger {
    /// An empty ledger; its clock starts now.
    pub fn new(workload: Workload, way: Way) -> Self {
        let now = Instant::now();
        Self {
            workload,
            way,
            state: Mutex::new(State {
                reading: Reading {
                    expected: workload.count(),
                    ..Reading::default()
                },
                began: now,
                last: now,
            }),
            changed: Notify::new(),
        }
    }

    /// The clock starts anew.
    pub fn restart_clock(&self) {
        let mut state = self.lock();
        state.began = Instant::now();
        state.last = state.began;
    }

    /// A session has begun.
    pub fn begin(&self) {
        self.lock().reading.sessions += 1;
    }

    /// A message has arrived.
    pub fn hear(&self, message: &Message) {
        let mut state = self.lock();
        let now = Instant::now();
        let reading = &state.reading;
        let index = reading.count;
        let is_right = reading.wrong.is_none() && is_right(self.workload, self.way, index, message);
        let gap = now - state.last;
        if is_right {
            if index == 0 {
                state.reading.first = Some(now - state.began);
            } else {
                state.reading.longest_gap = state.reading.longest_gap.max(gap);
            }
            state.reading.count += 1;
        } else if state.reading.wrong.is_none() {
            let start: String = format!("{message:?}").chars().take(60).collect();
            state.reading.wrong = Some(format!("in place {index} came {start}"));
        }
        state.last = now;
        drop(state);
        self.changed.notify_waiters();
    }

    /// The session has ended.
    pub fn end(&self, reason: Option<CloseReason>) {
        self.lock().reading.end = reason;
        self.changed.notify_waiters();
    }

    /// What it says now.
    pub fn read(&self) -> Reading {
        self.lock().reading.clone()
    }

    /// Waits until all has come, or something is wrong, or nothing more can come.
    pub async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            let reading = self.read();
            if reading.count >= reading.expected || reading.wrong.is_some() || reading.end.is_some()
            {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
