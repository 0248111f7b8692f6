//! The durations of a negotiation (NEGOTIATION §8), and what is remembered of an origin (§6).

use std::time::Duration;

/// Bytes of padding in the ping that proves a leg: 16 KiB, up and down (NEGOTIATION §1.2).
///
/// Where the server's `max_ping_bytes` is smaller, that many.
pub const PROOF_BYTES: usize = 16_384;

/// What an app may choose of a negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiationSettings {
    /// Whether the WebSocket is tried. Default yes.
    pub websocket: bool,
    /// Whether polling is tried. Default yes. Without it, a network that knows no WebSocket is never passed.
    pub poll: bool,
    /// How long the WebSocket is alone where nothing is remembered. Default 300 ms. Shorter costs healthy clients a
    /// request more; longer delays all others.
    pub http_delay: Duration,
    /// How long until a leg must have attached. Default 20 s.
    pub connect_timeout: Duration,
    /// Shortest pause after a failure. Default 500 ms.
    pub backoff_min: Duration,
    /// Longest pause after failures. Default 30 s.
    pub backoff_max: Duration,
}

impl NegotiationSettings {
    /// 2 s: how long a ping on an attached WebSocket may stay unanswered before the session moves (NEGOTIATION §3.4).
    pub const STALL: Duration = Duration::from_secs(2);
    /// 10 min: how long what was learnt of an origin is remembered (NEGOTIATION §6.1).
    pub const MEMORY: Duration = Duration::from_secs(600);

    /// The pause after so many failures (NEGOTIATION §5.1).
    pub(super) fn pause(&self, failures: u32, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let ceiling = self
            .backoff_min
            .saturating_mul(factor)
            .min(self.backoff_max);
        self.backoff_min
            + ceiling
                .saturating_sub(self.backoff_min)
                .mul_f64(random.clamp(0.0, 1.0))
    }
}

impl Default for NegotiationSettings {
    fn default() -> Self {
        Self {
            websocket: true,
            poll: true,
            http_delay: Duration::from_millis(300),
            connect_timeout: Duration::from_secs(20),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
        }
    }
}

/// What a client remembers of an origin, for [`NegotiationSettings::MEMORY`] (NEGOTIATION §6).
///
/// It changes only how long the WebSocket goes ahead of polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The WebSocket was proven.
    Works {
        /// How long it took to attach.
        attached_after: Duration,
    },
    /// The WebSocket failed while polling worked.
    Fails,
}

impl Memory {
    /// How long the WebSocket is alone (NEGOTIATION §2.3).
    pub(super) fn http_delay(self) -> Duration {
        match self {
            Self::Works { attached_after } => (attached_after * 3).clamp(MIN_DELAY, MAX_DELAY),
            Self::Fails => Duration::ZERO,
        }
    }
}

/// How long a WebSocket that has attached may take to be proven (NEGOTIATION §3.2).
pub(super) fn proof_budget(attached_after: Duration) -> Duration {
    (attached_after * 2).clamp(MIN_PROOF, SILENCE)
}

/// How long a WebSocket may show nothing before it is attached.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// How long a WebSocket that seems to have superseded polling may take to say so.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// How long answers that know no endpoint are borne before a session is open.
pub(super) const NOT_HERE: Duration = Duration::from_secs(1);
/// How long they are borne while it lives.
pub(super) const GONE: Duration = Duration::from_secs(15);
/// After so long a proven WebSocket was worth it.
pub(super) const STEADY: Duration = Duration::from_secs(10);

const MIN_PROOF: Duration = Duration::from_secs(1);
const MIN_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(1);
