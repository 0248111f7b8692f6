//! What may stand between a client and its server in a run of the oracle, and what is expected of it.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{Verdict, Workload};
use crate::middlebox::Product;

/// A network in one of its moods.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// What stands between.
    pub between: Between,
    /// What comes of it.
    pub expected: Expected,
}

/// What stands between a client and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// The fault proxy, with faults in its words.
    Faults(&'static str),
    /// A proxy that people run; it waits for two seconds.
    Product(Product),
}

/// What comes of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// All messages arrive, once and in order, on both sides.
    Equal,
    /// Nothing gets through, and the client says so within its connect budget.
    Unreachable,
}

impl Mode {
    /// All modes that the lab runs.
    pub fn all() -> impl Iterator<Item = Self> {
        let mode = |between, expected| Self { between, expected };
        let passed = PASSED.iter().copied().map(Between::Faults);
        let products = PRODUCTS.iter().copied().map(Between::Product);
        let blocked = BLOCKED.iter().copied().map(Between::Faults);
        passed
            .chain(products)
            .map(move |between| mode(between, Expected::Equal))
            .chain(blocked.map(move |between| mode(between, Expected::Unreachable)))
    }

    /// How long a client may try to connect: the default, or less where nothing gets through, which shows as much.
    pub fn connect_timeout(self) -> Duration {
        match self.expected {
            Expected::Equal => Duration::from_secs(20),
            Expected::Unreachable => Duration::from_secs(4),
        }
    }

    /// Whether the proxy itself needs a processor for it, so that others beside it would be judged by that.
    pub fn is_alone(self) -> bool {
        matches!(self.between, Between::Faults(words) if words.contains("dribble"))
    }

    /// What is not as it should be.
    pub fn trouble(self, workload: Workload, verdict: &Verdict) -> Option<String> {
        match self.expected {
            Expected::Equal => verdict.trouble().or_else(|| {
                let first = verdict.first()?;
                // Large messages themselves take their time on a narrow line.
                let is_bound_by_line =
                    self.is_narrow() && matches!(workload, Workload::Large | Workload::Binary);
                // What needs a processor takes longer where others need it too.
                let within = FIRST_WITHIN * if self.is_alone() { 2 } else { 1 };
                let is_late = first > within && !is_bound_by_line;
                is_late.then(|| format!("the first message took {first:?}"))
            }),
            Expected::Unreachable if verdict.error.is_none() || verdict.up.count > 0 => {
                Some("something got through".to_owned())
            }
            Expected::Unreachable => {
                let took = verdict.took;
                (took > self.connect_timeout() + MARGIN)
                    .then(|| format!("the error took {took:?}, more than the connect budget"))
            }
        }
    }

    /// Whether the line itself carries few bytes in a second, or in a request.
    fn is_narrow(self) -> bool {
        match self.between {
            Between::Faults(words) => ["rate=", "dribble", "limit-body="]
                .iter()
                .any(|word| words.contains(word)),
            Between::Product(_) => false,
        }
    }

    /// The workloads that are run: where nothing gets through, one tells as much as all.
    pub fn workloads(self) -> &'static [Workload] {
        match self.expected {
            Expected::Equal => &Workload::ALL,
            Expected::Unreachable => &[Workload::Small],
        }
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self.between {
            Between::Faults(words) => words,
            Between::Product(Product::Nginx) => "nginx",
            Between::Product(Product::NginxWithoutUpgrade) => "nginx, no upgrade",
            Between::Product(Product::Haproxy) => "haproxy",
            Between::Product(Product::Squid) => "squid",
            Between::Product(Product::ModSecurity) => "modsecurity",
        })
    }
}

/// How long the products wait for a server that says nothing, and leave a tunnel idle: far less than by default, so
/// that it happens.
pub const PRODUCT_PATIENCE: Duration = Duration::from_secs(2);

/// No mode may cost more until the first message has arrived on both sides.
const FIRST_WITHIN: Duration = Duration::from_secs(2);

/// A busy machine's.
const MARGIN: Duration = Duration::from_secs(1);

const PASSED: &[&str] = &[
    "none",
    "refuse-upgrade",
    "hang-upgrade",
    "strip-upgrade",
    "kill-after=50ms",
    "kill-after=200ms,rst",
    "kill-after-bytes=200",
    "kill-after-bytes=4k",
    "kill-after-bytes=64k,rst",
    "silent",
    "silent-after-bytes=400",
    "silent-after-bytes=4k",
    "silent-after-bytes=64k",
    "buffer-websocket=512",
    "buffer-websocket=64k",
    "buffer=8k,refuse-upgrade",
    "buffer=end,refuse-upgrade",
    "mute-answers-after=64k",
    "idle-cut=1s",
    "idle-cut=1s,refuse-upgrade",
    "cut-up=30k,every=2",
    "cut-down=30k,every=2,rst",
    "cut-up=30k,every=2,refuse-upgrade",
    "cut-down=30k,every=2,refuse-upgrade",
    "cut-chance=5%",
    "cut-chance=5%,refuse-upgrade,rst",
    "delay=50ms",
    "delay=200ms",
    "delay=100ms,refuse-upgrade",
    "delay=50ms,hang-upgrade,lose-answers=5",
    "rate=512k",
    "rate=512k,refuse-upgrade",
    "dribble",
    "dribble,refuse-upgrade",
    "refuse-posts",
    "repeat=3,refuse-upgrade",
    "lose-answers=3,refuse-upgrade",
    "reorder=2,refuse-upgrade",
    "kill-after=300ms,repeat=3,lose-answers=7,delay=20ms",
    "http10",
    "strip-cookies",
    "strip=sec-websocket-protocol",
    "strip-answer=sec-websocket-protocol",
    "strip=content-type,refuse-upgrade",
    "strip=origin,strip=referer",
    "strip-answer=content-type,refuse-upgrade",
    "limit-body=100k,refuse-upgrade",
    "limit-body=10k,refuse-upgrade",
    "refuse-text=é🦀,refuse-upgrade",
    "limit-body=20k,refuse-text=é🦀,refuse-upgrade",
];

const PRODUCTS: &[Product] = &[
    Product::Nginx,
    Product::NginxWithoutUpgrade,
    Product::Haproxy,
    Product::Squid,
];

const BLOCKED: &[&str] = &[
    "refuse-connections",
    "refuse-upgrade,refuse-posts",
    "hang-upgrade,refuse-posts",
    "silent,refuse-posts",
    "silent,mute-answers-after=0",
];
