//! Every size, count and duration of the wire and the session, in one home. Transports copy, never invent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Can;

/// What a session allows. The server announces most of it to its clients in *opened* ([PROTOCOL §7]).
///
/// Each field has a setter of its name: `Limits::default().hold(Duration::from_secs(20))`. [`Limits::check`] says whether
/// the values fit together.
///
/// [PROTOCOL §7]: crate::specification::protocol#7-limits-announced-in-opened
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest message in bytes. Default 1 MiB. Too small refuses honest apps; each session may hold one. Clients that cannot
    /// take messages in parts are announced no more than one body holds.
    pub max_message_bytes: usize,
    /// Longest HTTP body in bytes. Default 2 MiB. Must hold the longest part of a message in base64.
    pub max_payload_bytes: usize,
    /// Longest part of a message in bytes: longer messages go in parts to a peer that can (PROTOCOL §4.9). Default 64 KiB.
    /// Too small costs a packet for so many bytes; while a longer part is on its way, acks and heartbeats wait behind it.
    pub max_part_bytes: usize,
    /// Longest content of a ping in bytes. Default 32 KiB.
    pub max_ping_bytes: usize,
    /// Longest credential of an open or of a credential packet. Default 8 KiB, and at most 8 KiB: it must fit into an offer.
    pub max_credential_bytes: usize,
    /// Most messages kept until acknowledged. Default 1,024. Too small stalls bursts.
    pub max_outbox_messages: usize,
    /// Most bytes kept until acknowledged. Default 1 MiB. One message always fits.
    pub max_outbox_bytes: usize,
    /// Longest that a message waits unacknowledged before the session closes. Default 150 s; should
    /// exceed the resume window, else a resumable session may close for age.
    pub max_outbox_age: Duration,
    /// Most sessions of one server at once. Default 100,000. Beyond, opening is refused with 4902. It bounds memory
    /// together with the outbox and inbox limits.
    pub max_sessions: usize,
    /// Most messages received but not yet taken by the app. Default 1,024. Beyond, acks are withheld, and a client
    /// stops after as many again; it is announced as the client's window.
    pub max_inbox_messages: usize,
    /// Most bytes received but not yet taken by the app. Default 1 MiB. Announced likewise.
    pub max_inbox_bytes: usize,
    /// Silence after which a side pings. Default 25 s. Longer, and proxies cut idle connections.
    pub heartbeat: Duration,
    /// Silence after a ping that means the connection is dead. Default 8 s.
    pub heartbeat_timeout: Duration,
    /// Longest that a received message stays unacknowledged. Default 1 s.
    pub ack_delay: Duration,
    /// Longest that a poll is held. Default 25 s; some proxies give up at 30 s.
    pub hold: Duration,
    /// Silence after which a stream says padding, so that neither the client nor a proxy takes it for dead. Default 15 s.
    pub padding: Duration,
    /// Age at which a stream ends and the client makes another. Default 55 s; some proxies cut at 60 s.
    pub stream_age: Duration,
    /// Bytes of a stream after which it ends and the client makes another. Default 128 KiB. Too large costs memory in
    /// browsers, which keep all of a stream while it lasts; too small costs a request per so many bytes.
    pub max_stream_bytes: usize,
    /// How long a session without a connection lives. Default 120 s. `Session::handle_timeout` ends it then. Too short
    /// ends sessions of sleeping devices; too long keeps the outboxes of clients that do not come back.
    pub resume_window: Duration,
    /// How long a session whose page has left waits for it to come back, unless the page asks for longer. Default 10 s. Too
    /// short ends sessions of pages that reload; too long shows visitors who have gone.
    pub leave_window: Duration,
    /// How long nothing may carry a session until its app is told that its client is gone. Default 5 s. Too short, and the moment
    /// between two polls, or between a WebSocket that was lost and what follows it, shows as an absence; too long shows people
    /// who have gone.
    pub detached_after: Duration,
    /// How long before a grant runs out its client is asked for a credential, and at most half of the time for which it was given.
    /// Default 30 s. Too short leaves a client no time to fetch one.
    pub renewal: Duration,
    /// How long after its session's end an opening key is remembered. Default 30 s. Too short, and a late repeat of an open
    /// makes a second session; longer costs about 70 bytes for each session that ended meanwhile.
    pub open_window: Duration,
    /// How long a closing side waits for the other's close. Default 10 s.
    pub close_timeout: Duration,
}

macro_rules! setters {
    ($($field:ident: $kind:ty,)*) => {
        /// Setters, one for each field: its unit, default and dangers are described there.
        impl Limits {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](field@Limits::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

setters! {
    max_message_bytes: usize,
    max_payload_bytes: usize,
    max_part_bytes: usize,
    max_ping_bytes: usize,
    max_credential_bytes: usize,
    max_outbox_messages: usize,
    max_outbox_bytes: usize,
    max_outbox_age: Duration,
    max_sessions: usize,
    max_inbox_messages: usize,
    max_inbox_bytes: usize,
    heartbeat: Duration,
    heartbeat_timeout: Duration,
    ack_delay: Duration,
    hold: Duration,
    padding: Duration,
    stream_age: Duration,
    max_stream_bytes: usize,
    resume_window: Duration,
    leave_window: Duration,
    detached_after: Duration,
    renewal: Duration,
    open_window: Duration,
    close_timeout: Duration,
}

impl Limits {
    /// 128: a side that has received so many messages since its last ack sends the next one at once (PROTOCOL §7.2).
    pub const ACK_AFTER_MESSAGES: u64 = 128;
    /// 128 KiB: a side that has received so many bytes since its last ack sends the next one at once (PROTOCOL §7.2).
    pub const ACK_AFTER_BYTES: usize = 131_072;
    /// 16 KiB: the longest content of an open packet, and the most bytes of all tokens of an offer. The server refuses
    /// more with 4960 (PROTOCOL §3.1).
    pub const MAX_OPEN_BYTES: usize = 16_384;
    /// 16: the most application sub-protocols in one open or offer. The server refuses more with 4960 (PROTOCOL §3.1).
    pub const MAX_PROTOCOLS: usize = 16;
    /// 1,024: the longest name of a principal, in bytes.
    pub const MAX_PRINCIPAL_BYTES: usize = 1_024;
    /// 10 s: how long a WebSocket may stay without an attach. Then the server closes it with 4901 (PROTOCOL §5.3).
    pub const ATTACH_WITHIN: Duration = Duration::from_secs(10);
    /// 20 s: how long a connection may refuse to take bytes that wait for it. Then the server drops it, which detaches.
    pub const WRITE_STALL: Duration = Duration::from_secs(20);

    /// 20 s: how long a message in parts may come no further on a WebSocket while we read. Then we drop the connection, which
    /// detaches (PROTOCOL §4.12).
    pub const PART_STALL: Duration = Duration::from_secs(20);

    /// 10 s: how long a body, or a frame, may take that does not come at all.
    pub const BODY_WITHIN: Duration = Duration::from_secs(10);

    /// 8,192 bytes: what of a body must come in a second on average.
    pub const BODY_BYTES_PER_SECOND: u64 = 8_192;

    /// 16 bytes: what a slow line carries in a millisecond. Deadlines take no line to carry less (PROTOCOL §7.3).
    pub const SLOW_BYTES_PER_MS: u64 = 16;

    /// How long a body may take of which so many bytes have come: 10 s, and a second for each 8,192 of them.
    pub fn body_within(bytes: usize) -> Duration {
        Self::BODY_WITHIN
            + Duration::from_millis(bytes as u64 * 1_000 / Self::BODY_BYTES_PER_SECOND)
    }

    /// How long so many bytes may be on their way, on a slow line: 1 ms for each 16 bytes.
    pub fn on_a_slow_line(bytes: usize) -> Duration {
        Duration::from_millis(bytes as u64 / Self::SLOW_BYTES_PER_MS)
    }

    /// Longest message in a session whose sides can so much: one that goes whole must fit a body in base64.
    pub fn longest_message(&self, can: Can) -> usize {
        if can.has(Can::PART) {
            return self.max_message_bytes;
        }
        let whole = self.max_payload_bytes.saturating_sub(BESIDE_BYTES) / 4 * 3;
        self.max_message_bytes.min(whole)
    }

    /// Longest content of a message or part that such a session sends at once over HTTP.
    pub fn longest_piece(&self, can: Can) -> usize {
        let longest = self.longest_message(can);
        match can.has(Can::PART) {
            true => longest.min(self.max_part_bytes),
            false => longest,
        }
    }

    /// Longest content of a WebSocket frame that may be fine: a message with its mark, or a control packet.
    pub fn max_frame_bytes(&self) -> usize {
        self.max_message_bytes
            .max(self.max_ping_bytes)
            .max(Self::MAX_OPEN_BYTES)
            + 2
    }

    /// How long after an unacknowledged message a silent peer is pinged (PROTOCOL §7.3).
    pub(crate) fn probe_after(&self) -> Duration {
        self.ack_delay * 2
    }

    /// Checks that the values fit together; call it once where the limits are taken into use.
    ///
    /// # Errors
    /// Names the two settings that contradict each other.
    pub fn check(&self) -> Result<(), LimitsError> {
        // Base64 makes four bytes of three; the rest of a payload is short.
        let longest = self.max_message_bytes.min(self.max_part_bytes);
        if self.max_payload_bytes < longest.div_ceil(3) * 4 + BESIDE_BYTES {
            return Err(LimitsError(
                "max_payload_bytes must be at least 4/3 max_part_bytes + 1,024",
            ));
        }
        if self.max_part_bytes < MIN_PART_BYTES {
            return Err(LimitsError(
                "max_part_bytes must be at least 1,024: each part costs a packet",
            ));
        }
        let most = Self::SLOW_BYTES_PER_MS as u128 * Self::PART_STALL.as_millis();
        if self.max_part_bytes as u128 > most {
            return Err(LimitsError(
                "max_part_bytes must be at most 320,000: a slow line carries no longer part in 20 s",
            ));
        }
        if u32::try_from(self.max_message_bytes).is_err() {
            return Err(LimitsError("max_message_bytes must be below 4 GiB"));
        }
        if self.max_message_bytes == 0 || self.max_outbox_messages == 0 {
            return Err(LimitsError(
                "max_message_bytes and max_outbox_messages must not be zero",
            ));
        }
        if self.max_inbox_messages == 0 || self.max_inbox_bytes == 0 {
            return Err(LimitsError(
                "max_inbox_messages and max_inbox_bytes must not be zero",
            ));
        }
        if self.heartbeat_timeout <= self.ack_delay {
            return Err(LimitsError(
                "heartbeat_timeout must be longer than ack_delay",
            ));
        }
        if self.padding.is_zero() || self.stream_age.is_zero() {
            return Err(LimitsError("padding and stream_age must not be zero"));
        }
        if self.max_stream_bytes < MIN_STREAM_BYTES {
            return Err(LimitsError(
                "max_stream_bytes must be at least 4,096: a prelude and opened come before the first message",
            ));
        }
        if self.max_credential_bytes > MAX_CREDENTIAL_BYTES {
            return Err(LimitsError(
                "max_credential_bytes must be at most 8,192: an offer carries no longer ones",
            ));
        }
        let longest = [
            self.heartbeat,
            self.heartbeat_timeout,
            self.ack_delay,
            self.hold,
            self.padding,
            self.stream_age,
            self.resume_window,
            self.leave_window,
            self.detached_after,
            self.renewal,
            self.open_window,
            self.close_timeout,
        ]
        .into_iter()
        .max();
        if longest > Some(Duration::from_millis(i32::MAX as u64)) {
            return Err(LimitsError(
                "durations must be below 24 days: browsers have no longer timers",
            ));
        }
        if self.resume_window.is_zero() {
            return Err(LimitsError(
                "resume_window must not be zero: polls need it between two polls",
            ));
        }
        Ok(())
    }
}

/// Most bytes of a payload beside its messages.
const BESIDE_BYTES: usize = 1_024;

/// Parts that hold less would cost more than they carry.
const MIN_PART_BYTES: usize = 1_024;

/// 8 KiB: with base64 it fits into an offer, of at most [`Limits::MAX_OPEN_BYTES`].
const MAX_CREDENTIAL_BYTES: usize = 8_192;

/// A stream that ended before its first message would be followed by others like it for ever.
const MIN_STREAM_BYTES: usize = 4_096;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_576,
            max_payload_bytes: 2_097_152,
            max_part_bytes: 65_536,
            max_ping_bytes: 32_768,
            max_credential_bytes: 8_192,
            max_outbox_messages: 1_024,
            max_outbox_bytes: 1_048_576,
            max_outbox_age: Duration::from_secs(150),
            max_sessions: 100_000,
            max_inbox_messages: 1_024,
            max_inbox_bytes: 1_048_576,
            heartbeat: Duration::from_secs(25),
            heartbeat_timeout: Duration::from_secs(8),
            ack_delay: Duration::from_secs(1),
            hold: Duration::from_secs(25),
            padding: Duration::from_secs(15),
            stream_age: Duration::from_secs(55),
            max_stream_bytes: 131_072,
            resume_window: Duration::from_secs(120),
            leave_window: Duration::from_secs(10),
            detached_after: Duration::from_secs(5),
            renewal: Duration::from_secs(30),
            open_window: Duration::from_secs(30),
            close_timeout: Duration::from_secs(10),
        }
    }
}

/// Limits that contradict each other. The text names the settings to change.
#[derive(Debug, thiserror::Error)]
#[error("limits do not fit together: {0}")]
pub struct LimitsError(&'static str);

/// The limits as *opened* carries them: what a client keeps to in its session ([PROTOCOL §7]).
///
/// [PROTOCOL §7]: crate::specification::protocol#7-limits-announced-in-opened
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnnouncedLimits {
    max_message_bytes: usize,
    max_payload_bytes: usize,
    max_part_bytes: usize,
    max_ping_bytes: usize,
    max_credential_bytes: usize,
    window_messages: usize,
    window_bytes: usize,
    heartbeat_ms: u64,
    heartbeat_timeout_ms: u64,
    ack_delay_ms: u64,
    hold_ms: u64,
    padding_ms: u64,
    stream_ms: u64,
    max_stream_bytes: usize,
    resume_window_ms: u64,
    leave_window_ms: u64,
    open_window_ms: u64,
    close_timeout_ms: u64,
}

/// For a server that leaves a member out, although it must not (PROTOCOL §7).
impl Default for AnnouncedLimits {
    fn default() -> Self {
        Self::new(&Limits::default(), Can::NONE)
    }
}

impl AnnouncedLimits {
    /// What a server announces in a session whose sides can so much.
    pub fn new(limits: &Limits, can: Can) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            max_message_bytes: limits.longest_message(can),
            max_payload_bytes: limits.max_payload_bytes,
            max_part_bytes: limits.max_part_bytes,
            max_ping_bytes: limits.max_ping_bytes,
            max_credential_bytes: limits.max_credential_bytes,
            window_messages: limits.max_inbox_messages,
            window_bytes: limits.max_inbox_bytes,
            heartbeat_ms: ms(limits.heartbeat),
            heartbeat_timeout_ms: ms(limits.heartbeat_timeout),
            ack_delay_ms: ms(limits.ack_delay),
            hold_ms: ms(limits.hold),
            padding_ms: ms(limits.padding),
            stream_ms: ms(limits.stream_age),
            max_stream_bytes: limits.max_stream_bytes,
            resume_window_ms: ms(limits.resume_window),
            leave_window_ms: ms(limits.leave_window),
            open_window_ms: ms(limits.open_window),
            close_timeout_ms: ms(limits.close_timeout),
        }
    }

    /// The limits that a client keeps to after *opened*; what is not announced stays the client's own.
    pub fn apply_to(&self, own: &Limits) -> Limits {
        Limits {
            max_message_bytes: self.max_message_bytes,
            max_payload_bytes: self.max_payload_bytes,
            max_part_bytes: self.max_part_bytes,
            max_ping_bytes: self.max_ping_bytes,
            max_credential_bytes: self.max_credential_bytes,
            // The outbox holds what is unacknowledged, so its bounds are the window.
            max_outbox_messages: own.max_outbox_messages.min(self.window_messages),
            max_outbox_bytes: own.max_outbox_bytes.min(self.window_bytes),
            heartbeat: Duration::from_millis(self.heartbeat_ms),
            heartbeat_timeout: Duration::from_millis(self.heartbeat_timeout_ms),
            ack_delay: Duration::from_millis(self.ack_delay_ms),
            hold: Duration::from_millis(self.hold_ms),
            padding: Duration::from_millis(self.padding_ms),
            stream_age: Duration::from_millis(self.stream_ms),
            max_stream_bytes: self.max_stream_bytes,
            resume_window: Duration::from_millis(self.resume_window_ms),
            leave_window: Duration::from_millis(self.leave_window_ms),
            open_window: Duration::from_millis(self.open_window_ms),
            close_timeout: Duration::from_millis(self.close_timeout_ms),
            ..own.clone()
        }
    }
}
