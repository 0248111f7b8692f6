//! A place in the messages of one direction, to the byte (PROTOCOL §4.9, §4.11).

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::wire::identity::parse_number;
use crate::{Offset, ProtocolError};

/// So many whole messages of one direction, and so many bytes of the next one ([PROTOCOL §4.11]). Written `offset`, or
/// `offset bytes` where there are bytes.
///
/// Positions compare as they follow each other.
///
/// [PROTOCOL §4.11]: crate::specification::protocol#4-payloads
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The whole messages before.
    pub offset: Offset,
    /// Bytes of the next message; of a text, its UTF-8.
    pub bytes: u64,
}

impl Position {
    /// So many bytes into the message that has this offset.
    pub const fn new(offset: Offset, bytes: u64) -> Self {
        Self { offset, bytes }
    }

    /// The begin of the next message.
    pub const fn after_message(self) -> Self {
        Self::new(self.offset.after(1), 0)
    }

    /// So many bytes further into the same message.
    pub const fn after_bytes(self, bytes: u64) -> Self {
        Self::new(self.offset, self.bytes + bytes)
    }

    /// Whether it lies within a message, so that only sides that can part know what it means.
    pub const fn is_inside(self) -> bool {
        self.bytes > 0
    }
}

impl From<Offset> for Position {
    fn from(offset: Offset) -> Self {
        Self::new(offset, 0)
    }
}

impl Display for Position {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.bytes {
            0 => Display::fmt(&self.offset, f),
            bytes => write!(f, "{} {bytes}", self.offset),
        }
    }
}

impl FromStr for Position {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        match text.split_once(' ') {
            None => text.parse().map(Offset::into),
            Some((offset, bytes)) => Ok(Self::new(offset.parse()?, parse_number(bytes)?)),
        }
    }
}
