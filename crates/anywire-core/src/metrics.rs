//! Counters that answer "how is it going?". Apps publish them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anywire_protocol::{CloseCode, PerTransport};

use crate::accounts::Scope;
use crate::counter::Counter;
use crate::reports::{AttemptCounters, Attempts};
use crate::usage::Measure;

/// A reading of the hub's counters; all count since the hub began, except `sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Sessions alive now.
    pub sessions: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions ended, for whatever reason.
    pub closed: u64,
    /// The same by the code of the close; a code that no session ended with is missing.
    pub closes: BTreeMap<CloseCode, u64>,
    /// Times that a connection of each transport began to carry a session. A poll or a script tag counts each exchange
    /// that attaches: with a hold, or with a hold of zero.
    pub attaches: PerTransport<u64>,
    /// Messages from clients, duplicates included.
    pub messages_up: u64,
    /// Messages written to clients, repeats included.
    pub messages_down: u64,
    /// Bytes that sessions and their messages take now, as counted for [`Budgets::max_bytes`](crate::Budgets::max_bytes).
    pub held_bytes: u64,
    /// How often an address, a principal or the process reached a limit of its share. A limit without a hit is missing.
    pub exceeded: BTreeMap<(Scope, Measure), u64>,
    /// Opens, attaches and other requests that a session refused. Those that the gate refused are not among them.
    pub refused: u64,
    /// Attempts to connect that clients reported: only those of clients for whom something did not go well.
    pub attempts: Attempts,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    closes: Mutex<BTreeMap<CloseCode, u64>>,
    pub(crate) attaches: PerTransport<Counter>,
    pub(crate) messages_up: Counter,
    pub(crate) messages_down: Counter,
    pub(crate) refused: Counter,
    pub(crate) attempts: AttemptCounters,
}

impl Counters {
    /// A session has ended.
    pub(crate) fn count_close(&self, code: CloseCode) {
        self.closed.add(1);
        // A code has 16 bits, so there is a bound.
        *self.closes().entry(code).or_default() += 1;
    }

    fn closes(&self) -> MutexGuard<'_, BTreeMap<CloseCode, u64>> {
        self.closes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sessions are alive.
    pub(crate) fn alive(&self) -> u64 {
        self.opened.read().saturating_sub(self.closed.read())
    }

    /// What is counted here.
    pub(crate) fn read(&self) -> Metrics {
        Metrics {
            opened: self.opened.read(),
            closed: self.closed.read(),
            closes: self.closes().clone(),
            attaches: PerTransport::from_fn(|transport| self.attaches[transport].read()),
            messages_up: self.messages_up.read(),
            messages_down: self.messages_down.read(),
            refused: self.refused.read(),
            attempts: self.attempts.read(),
            ..Metrics::default()
        }
    }
}
