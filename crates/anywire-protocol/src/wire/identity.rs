//! Who is who: session ids, secrets, opening keys, generations, offsets. Shells make random ones.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::ProtocolError;

/// The largest number on the wire (PROTOCOL §1.6): what JavaScript counts exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $debug:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut hex = [0; 32];
                for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = DIGITS[usize::from(byte >> 4)];
                    pair[1] = DIGITS[usize::from(byte & 15)];
                }
                f.write_str(std::str::from_utf8(&hex).expect("hex digits are ASCII"))
            }
        }

        impl FromStr for $name {
            type Err = ProtocolError;

            fn from_str(text: &str) -> Result<Self, ProtocolError> {
                let wrong = || ProtocolError::malformed(concat!($what, " that is not 32 lower-case hex digits"));
                let digit = |byte: u8| match byte {
                    b'0'..=b'9' => Ok(byte - b'0'),
                    b'a'..=b'f' => Ok(byte - b'a' + 10),
                    _ => Err(wrong()),
                };
                if text.len() != 32 {
                    return Err(wrong());
                }
                let mut bytes = [0; 16];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    *byte = digit(pair[0])? << 4 | digit(pair[1])?;
                }
                Ok(Self(bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                let show: fn(&Self, &mut Formatter<'_>) -> fmt::Result = $debug;
                show(self, f)
            }
        }
    };
}

hex_id!(
    /// The public name of a session: 16 bytes, written as 32 hex digits ([PROTOCOL §2.1]).
    ///
    /// It is a hash of the session's opening key. It is for logs and presence, and opens nothing.
    ///
    /// [PROTOCOL §2.1]: crate::specification::protocol#2-identity
    SessionId,
    "a session id",
    |id, f| write!(f, "SessionId({id})")
);
hex_id!(
    /// What proves that a client may attach to a session: 16 bytes that the server makes from the session's id (PROTOCOL
    /// §2.1). `Debug` hides it, so that logs do too.
    Secret,
    "a secret",
    |_, f| f.write_str("Secret(…)")
);
hex_id!(
    /// What makes opening idempotent: 16 random bytes that the client makes for each session that it wants (PROTOCOL §2.2).
    ///
    /// The first open with a key makes the session, later ones find it. `Debug` hides it: it is a secret for as long as the
    /// session lives.
    OpeningKey,
    "an opening key",
    |_, f| f.write_str("OpeningKey(…)")
);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn as_u64(self) -> u64 {
                self.0
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ProtocolError;

            fn from_str(text: &str) -> Result<Self, ProtocolError> {
                parse_number(text).map(Self)
            }
        }
    };
}

number!(
    /// How many messages came before, in one direction, since the session opened (PROTOCOL §1.4). The first message of each
    /// direction has offset 0.
    Offset
);
number!(
    /// The client's count of its connections, from 1 (PROTOCOL §2.3): the highest carries the session.
    Generation
);

impl Offset {
    /// The offset `count` messages later.
    pub const fn after(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

/// Parses a number as PROTOCOL §1.6 writes it.
pub(crate) fn parse_number(text: &str) -> Result<u64, ProtocolError> {
    let wrong = || {
        ProtocolError::malformed(
            "a number that is not decimal, has leading zeros, or is 2^53 or more",
        )
    };
    let canonical = text == "0" || matches!(text.as_bytes(), [b'1'..=b'9', ..]);
    if !canonical || text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    match text.parse() {
        Ok(number) if number <= MAX_NUMBER => Ok(number),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_a_round_trip_and_secrets_hide() {
        let hex = "00112233445566778899aabbccddeeff";
        let id: SessionId = hex.parse().unwrap();
        assert_eq!(id.to_string(), hex);
        let secret: Secret = hex.parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for wrong in [
            "",
            "0",
            "00112233445566778899AABBCCDDEEFF",
            "zz112233445566778899aabbccddeeff",
        ] {
            assert!(wrong.parse::<SessionId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(parse_number("0").unwrap(), 0);
        assert_eq!(parse_number("9007199254740991").unwrap(), MAX_NUMBER);
        for wrong in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "9007199254740992",
            "99999999999999999999",
        ] {
            assert!(parse_number(wrong).is_err(), "{wrong}");
        }
    }
}
