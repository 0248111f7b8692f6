//! What clients report of their attempts to connect (PROTOCOL §7.6): the last ones per session, and counts of all.

use std::collections::VecDeque;

use anywire_protocol::{Outcome, PerTransport, Report, Transport};

use crate::counter::Counter;

/// The last attempts of one session's client; nothing where all went well.
#[derive(Debug, Default)]
pub(crate) struct Reports(Option<Box<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// The highest number taken.
    number: u64,
    last: VecDeque<Report>,
}

impl Reports {
    /// Takes a report, unless it was taken before.
    pub(crate) fn take(&mut self, report: Report, counters: &AttemptCounters) {
        let taken = self.0.get_or_insert_default();
        if report.number <= taken.number {
            return;
        }
        taken.number = report.number;
        counters.count(&report);
        if taken.last.len() == MAX_REPORTS {
            taken.last.pop_front();
        }
        taken.last.push_back(report);
    }

    pub(crate) fn last(&self) -> Vec<Report> {
        self.0
            .iter()
            .flat_map(|taken| taken.last.iter().cloned())
            .collect()
    }
}

/// Attempts to connect, by transport; a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// Of the transports that this server knows.
    pub by_transport: PerTransport<Outcomes>,
    /// Of transports that this server does not know.
    pub other: Outcomes,
}

/// How many attempts ended in each outcome, since the hub began; a reading. Clients name the outcomes (NEGOTIATION §9.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcomes {
    /// The attempt succeeded.
    pub ok: u64,
    /// The server, or something in between, refused.
    pub refused: u64,
    /// The connection closed or broke.
    pub closed: u64,
    /// No byte came in time, before the leg had attached.
    pub silent: u64,
    /// No byte came in time, after the leg had attached.
    pub stalled: u64,
    /// A newer connection of the session took over.
    pub superseded: u64,
    /// The client no longer needed the attempt.
    pub dropped: u64,
    /// The attempt could not begin: no address, no route, a browser's block.
    pub failed: u64,
    /// The client named an outcome that this server does not know.
    pub other: u64,
}

macro_rules! outcomes {
    ($($field:ident = $outcome:ident,)*) => {
        #[derive(Debug, Default)]
        struct OutcomeCounters { $($field: Counter,)* other: Counter }

        impl OutcomeCounters {
            fn count(&self, word: &str) {
                $(if word == Outcome::$outcome.name() { return self.$field.add(1); })*
                self.other.add(1);
            }

            fn read(&self) -> Outcomes {
                Outcomes { $($field: self.$field.read(),)* other: self.other.read() }
            }
        }
    };
}

outcomes! {
    ok = Ok,
    refused = Refused,
    closed = Closed,
    silent = Silent,
    stalled = Stalled,
    superseded = Superseded,
    dropped = Dropped,
    failed = Failed,
}

#[derive(Debug, Default)]
pub(crate) struct AttemptCounters {
    by_transport: PerTransport<OutcomeCounters>,
    other: OutcomeCounters,
}

impl AttemptCounters {
    fn count(&self, report: &Report) {
        let leg = match Transport::from_name(&report.leg) {
            Some(transport) => &self.by_transport[transport],
            None => &self.other,
        };
        leg.count(&report.outcome);
    }

    pub(crate) fn read(&self) -> Attempts {
        Attempts {
            by_transport: PerTransport::from_fn(|transport| self.by_transport[transport].read()),
            other: self.other.read(),
        }
    }
}

/// How many of a session's reports are kept for its app.
const MAX_REPORTS: usize = 16;
