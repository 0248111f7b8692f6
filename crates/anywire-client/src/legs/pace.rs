//! What the path bears, as far as it is known: how long a hold may be, and how much goes into one body. The pause after a
//! failure is in `negotiation/settings.rs` of `anywire-protocol`.

use std::time::Duration;

use anywire_protocol::{Limits, NegotiationSettings, Timestamp, unveiled_bytes};

/// Outlives the legs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    hold: Duration,
    batch_bytes: usize,
    /// Whether a leg begins without messages, because the path has refused some.
    pub(crate) is_bare: bool,
    /// How long a body the path is known to bear, and until when that is believed.
    borne: Option<(usize, Timestamp)>,
    /// Until when bodies with messages are veiled, since the path refuses what some say.
    veiled_until: Option<Timestamp>,
    /// How long a veiled body may be: filters look no further than some length.
    veiled_bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            hold: Duration::MAX,
            batch_bytes: usize::MAX,
            borne: None,
            veiled_until: None,
            veiled_bytes: usize::MAX,
            is_bare: false,
        }
    }
}

impl Pace {
    /// The longest hold to ask for.
    pub(crate) fn hold(&self, limits: &Limits) -> Duration {
        limits.hold.min(self.hold)
    }

    /// How long a body with messages may be.
    pub(crate) fn body_bytes(&self, limits: &Limits, now: Timestamp) -> usize {
        let most = self.batch_bytes.min(self.borne_bytes(now));
        limits.max_payload_bytes.min(most)
    }

    /// Whether larger bodies have failed until nothing but small ones is left.
    pub(crate) fn is_least(&self) -> bool {
        self.batch_bytes <= SMALL_BODY_BYTES
    }

    /// A body came through.
    pub(crate) fn bore_body(&mut self, bytes: usize) {
        if bytes > SMALL_BODY_BYTES {
            self.batch_bytes = self.batch_bytes.saturating_mul(2);
        }
    }

    /// The path has refused a body of this length as too long (PROTOCOL §6.7). Whether to send what it held again in shorter
    /// ones.
    pub(crate) fn refused_as_too_long(&mut self, body_bytes: usize, now: Timestamp) -> bool {
        let shorter = halved(body_bytes, self.borne_bytes(now));
        if let Some(bytes) = shorter {
            self.borne = Some((bytes, now + NegotiationSettings::MEMORY));
        }
        shorter.is_some()
    }

    /// Whether the path refuses what messages say: then bodies with messages are veiled for a while (PROTOCOL §6.8).
    pub(crate) fn veil(&mut self, refuses_words: bool, now: Timestamp) {
        self.veiled_until = refuses_words.then(|| now + NegotiationSettings::MEMORY);
    }

    /// The path has refused a veiled body of this length. Whether to send what it held again in shorter ones.
    pub(crate) fn refused_veil(&mut self, body_bytes: usize) -> bool {
        let shorter = halved(body_bytes, self.veiled_bytes);
        self.veiled_bytes = shorter.unwrap_or(self.veiled_bytes);
        shorter.is_some()
    }

    /// How long a payload may be that is veiled.
    pub(crate) fn veiled_payload_bytes(&self, body_bytes: usize) -> usize {
        unveiled_bytes(body_bytes.min(self.veiled_bytes))
    }

    pub(crate) fn is_veiled(&self, now: Timestamp) -> bool {
        self.veiled_until.is_some_and(|until| now < until)
    }

    /// How long a body the path is known to bear; `usize::MAX` if nothing is known.
    fn borne_bytes(&self, now: Timestamp) -> usize {
        let borne = self.borne.filter(|(_, until)| now < *until);
        borne.map_or(usize::MAX, |(bytes, _)| bytes)
    }

    /// A hold lasted as long as it was to.
    pub(crate) fn bore_hold(&mut self) {
        self.hold = self.hold.saturating_add(self.hold / 50);
    }

    /// The path did not bear this exchange. It is asked for less, as long as it does not.
    pub(crate) fn failed(&mut self, body_bytes: usize, hold: Duration) {
        if body_bytes > SMALL_BODY_BYTES {
            self.batch_bytes = (body_bytes / 2).clamp(SMALL_BODY_BYTES, DOUBTFUL_BODY_BYTES);
        }
        if hold > Duration::ZERO {
            self.hold = (hold / 2).max(MIN_HOLD);
        }
    }
}

/// How long the bodies are that follow a refused one; `None` if they would be no shorter than what was tried.
fn halved(refused_bytes: usize, tried_bytes: usize) -> Option<usize> {
    let bytes = (refused_bytes / 2).max(MIN_BODY_BYTES);
    (refused_bytes > MIN_BODY_BYTES && bytes < tried_bytes).then_some(bytes)
}

/// No path is asked for less.
const MIN_HOLD: Duration = Duration::from_secs(1);
const SMALL_BODY_BYTES: usize = 2_048;
/// A path that did not bear a body is asked for no longer ones at first: many do not bear much.
const DOUBTFUL_BODY_BYTES: usize = 65_536;
/// A path that refuses longer bodies is asked for no shorter ones.
const MIN_BODY_BYTES: usize = 8_192;
