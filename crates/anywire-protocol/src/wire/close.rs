//! Close codes and reasons (PROTOCOL §8). The session decides when to close.

use std::fmt::{self, Display, Formatter};

use crate::ProtocolError;
use crate::wire::identity::parse_number;

/// Why a session or a connection closed, as a number whose range alone says what to do ([PROTOCOL §8.3]).
///
/// [PROTOCOL §8.3]: crate::specification::protocol#8-close
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

/// What a client may do after a close, by the range of its code (PROTOCOL §8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disposition {
    /// As RFC 6455 and its registry say.
    Standard,
    /// What the application agreed upon.
    Application,
    /// The session lives: attach again.
    Retry,
    /// The session is gone: a new one may be opened.
    StartAnew,
    /// The same would happen again.
    GiveUp,
}

impl Disposition {
    /// A word for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Application => "application",
            Self::Retry => "retry",
            Self::StartAnew => "start-anew",
            Self::GiveUp => "give-up",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal;)*) => {
        impl CloseCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The name that PROTOCOL §8.3 gives the code, or `"application"` or `"unknown"`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($code => $label,)*
                    3000..=4899 => "application",
                    _ => "unknown",
                }
            }
        }
    };
}

codes! {
    /// Done.
    NORMAL = 1000, "normal";
    /// The side goes away.
    GOING_AWAY = 1001, "going-away";
    /// A WebSocket rule was broken.
    WEBSOCKET_PROTOCOL = 1002, "websocket-protocol-error";
    /// A WebSocket close without a code; never sent.
    NO_CODE = 1005, "no-code";
    /// Ended without a close; never sent.
    ABNORMAL = 1006, "abnormal";
    /// Text that is not UTF-8.
    INVALID_TEXT = 1007, "invalid-text";
    /// A rule of the server's, on a plain WebSocket: too much was asked.
    POLICY = 1008, "policy";
    /// A message over its limit, on a WebSocket.
    TOO_BIG = 1009, "too-big";
    /// The server failed.
    INTERNAL = 1011, "internal-error";
    /// The server restarts.
    RESTART = 1012, "restart";
    /// Try again later.
    TRY_LATER = 1013, "try-again-later";
    /// A newer connection carries the session.
    SUPERSEDED = 4900, "superseded";
    /// The connection was silent, or took no data, for too long.
    STALLED = 4901, "stalled";
    /// The server is at a limit.
    OVERLOADED = 4902, "overloaded";
    /// The server takes no new sessions.
    DRAINING = 4903, "draining";
    /// An address, a principal or a connection asks too much.
    TOO_MANY = 4904, "too-many";
    /// No such session, wrong secret, or other principal.
    UNKNOWN_SESSION = 4930, "unknown-session";
    /// No connection attached within the resume window.
    EXPIRED = 4931, "expired";
    /// The outbox was full and its owner chose to close.
    TOO_SLOW = 4932, "too-slow";
    /// A message waited in the outbox for too long.
    TOO_OLD = 4933, "too-old";
    /// The server has lost what it had acknowledged or sent.
    STATE_LOST = 4934, "state-lost";
    /// What let the client in has run out and was not renewed, or was renewed by somebody else.
    CREDENTIAL_EXPIRED = 4935, "credential-expired";
    /// Given up for want of memory.
    EVICTED = 4936, "evicted";
    /// The peer broke the rules of packets or payloads.
    PROTOCOL_ERROR = 4960, "protocol-error";
    /// A message above what was received.
    GAP = 4961, "gap";
    /// No version in common.
    UNSUPPORTED_VERSION = 4962, "unsupported-version";
    /// An ack above what was sent.
    BAD_ACK = 4963, "bad-ack";
    /// Over a size limit.
    TOO_LARGE = 4964, "too-large";
    /// The page's origin is not allowed.
    FORBIDDEN_ORIGIN = 4965, "forbidden-origin";
    /// The application does not know who the client is.
    UNAUTHORIZED = 4966, "unauthorized";
    /// A Content-Type that is no payload's.
    UNSUPPORTED_MEDIA_TYPE = 4967, "unsupported-media-type";
    /// Another HTTP method than the endpoint's.
    METHOD_NOT_ALLOWED = 4968, "method-not-allowed";
    /// The application knows who the client is, and does not let it in.
    FORBIDDEN = 4969, "forbidden";
    /// The application has put the client out.
    REVOKED = 4970, "revoked";
    /// Something between refuses what a message says, or how long it is (PROTOCOL §6.8).
    REFUSED_ON_THE_WAY = 4971, "refused-on-the-way";
}

impl CloseCode {
    /// A code of the application's own, or 1000.
    ///
    /// Returns `None` outside 1000 and 3000 to 4899: the others have fixed meanings.
    pub const fn application(code: u16) -> Option<Self> {
        match code {
            1000 | 3000..=4899 => Some(Self(code)),
            _ => None,
        }
    }

    /// A code as it came off the wire.
    pub const fn from_u16(code: u16) -> Self {
        Self(code)
    }

    /// Whether a close packet and a WebSocket close may carry the code: 1000 to 1003, 1007 to 1014, and 3000 to 4999
    /// (PROTOCOL §3.5, RFC 6455 §7.4).
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// What a client may do, by range.
    pub const fn disposition(self) -> Disposition {
        match self.0 {
            3000..=4899 => Disposition::Application,
            4900..=4929 => Disposition::Retry,
            4930..=4959 => Disposition::StartAnew,
            4960..=4999 => Disposition::GiveUp,
            _ => Disposition::Standard,
        }
    }
}

impl Display for CloseCode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a session ended: a code and a text for people, at most 123 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The code.
    pub code: CloseCode,
    text: Box<str>,
}

impl CloseReason {
    /// Longest text in bytes: what fits a WebSocket close frame.
    pub const MAX_TEXT_BYTES: usize = 123;

    /// A reason; a longer text is cut at a character.
    pub fn new(code: CloseCode, text: &str) -> Self {
        let end = text.floor_char_boundary(Self::MAX_TEXT_BYTES);
        Self {
            code,
            text: text[..end].into(),
        }
    }

    /// The text for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parses the content of a close packet (PROTOCOL §3).
    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let (code, text) = content.split_once(' ').unwrap_or((content, ""));
        let code = u16::try_from(parse_number(code)?)
            .ok()
            .map(CloseCode)
            .filter(|code| code.is_sendable())
            .ok_or_else(|| {
                ProtocolError::malformed(
                    "a close packet with a code other than 1000 to 1003, 1007 to 1014 or 3000 to 4999",
                )
            })?;
        if text.len() > Self::MAX_TEXT_BYTES {
            return Err(ProtocolError::malformed(
                "a close reason of more than 123 bytes",
            ));
        }
        Ok(Self {
            code,
            text: text.into(),
        })
    }

    /// The reason as a close packet can carry it (PROTOCOL §3.5).
    pub(crate) fn sendable(self) -> Self {
        if self.code.is_sendable() {
            self
        } else {
            Self {
                code: CloseCode::NORMAL,
                ..self
            }
        }
    }
}

impl Display for CloseReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

impl From<CloseCode> for CloseReason {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}
