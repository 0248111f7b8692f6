//! What goes wrong in a run, and when: all of it follows from the seed.

use std::time::Duration;

use crate::oracle::Workload;

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// Each way, at least; each piece of data has up to `jitter` more.
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    /// The share of connections that are cut, after up to this many bytes both ways together.
    pub(super) cut_percent: u8,
    pub(super) cut_within_bytes: u64,
    /// The share of connections that fall silent instead: nothing passes any more, and nobody is told.
    pub(super) mute_percent: u8,
    /// What becomes of a request for a WebSocket.
    pub(super) upgrades: Upgrades,
    /// When nothing passes, from the start on; connections outlive it.
    pub(super) partitions: Vec<(Duration, Duration)>,
    /// When the server's process ends and another begins, without its sessions.
    pub(super) restart: Option<Duration>,
    /// What goes each way, and the longest pause between two messages.
    pub(super) workload: Workload,
    pub(super) pause: Duration,
    /// How long the client's app takes no messages at first, and how many its inbox has room for meanwhile.
    pub(super) nap: Duration,
    pub(super) inbox: usize,
}

/// What becomes of a request for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrades {
    Pass,
    /// Its connection is reset.
    Cut,
    /// It is swallowed.
    Hang,
}

impl Weather {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let ms = Duration::from_millis;
        let partitions = (0..random.u8(0..4))
            .map(|_| (ms(random.u64(0..40_000)), ms(random.u64(100..20_000))))
            .collect();
        let latency = ms(random.u64(1..100));
        Self {
            latency,
            jitter: latency,
            cut_percent: random.choice([0, 0, 20, 60]).unwrap_or(0),
            cut_within_bytes: random.u64(200..40_000),
            mute_percent: random.choice([0, 0, 10, 40]).unwrap_or(0),
            upgrades: random
                .choice([
                    Upgrades::Pass,
                    Upgrades::Pass,
                    Upgrades::Cut,
                    Upgrades::Hang,
                ])
                .unwrap_or(Upgrades::Pass),
            partitions,
            restart: (random.u8(0..8) == 0).then(|| ms(random.u64(500..30_000))),
            workload: match random.u8(0..10) {
                0 => Workload::Large,
                1 | 2 => Workload::Binary,
                _ => Workload::Long(random.u32(10..150)),
            },
            pause: ms(random.choice([0, 5, 100, 900]).unwrap_or(0)),
            nap: match random.u8(0..4) {
                0 => ms(random.u64(1_000..300_000)),
                _ => Duration::ZERO,
            },
            inbox: random.choice([4, 64, 1_024]).unwrap_or(1_024),
        }
    }

    /// Nothing goes wrong, and the latency is exact.
    pub(super) fn still(latency: Duration) -> Self {
        Self {
            latency,
            jitter: Duration::ZERO,
            cut_percent: 0,
            cut_within_bytes: 0,
            mute_percent: 0,
            upgrades: Upgrades::Pass,
            partitions: Vec::new(),
            restart: None,
            workload: Workload::Small,
            pause: Duration::ZERO,
            nap: Duration::ZERO,
            inbox: 1_024,
        }
    }

    /// Whether minutes may pass without an exchange that comes through, so that a session may end over it.
    pub(super) fn is_harsh(&self) -> bool {
        self.cut_percent.max(self.mute_percent) >= 40
    }

    /// When the partition that is on now ends.
    pub(super) fn clears_at(&self, since_start: Duration) -> Option<Duration> {
        self.partitions
            .iter()
            .filter(|(begin, length)| (*begin..*begin + *length).contains(&since_start))
            .map(|(begin, length)| *begin + *length)
            .max()
    }
}
