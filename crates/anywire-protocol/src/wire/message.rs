//! What an app sends: text or bytes, shared and never copied per recipient.

use std::fmt::{self, Debug, Formatter};
use std::str;

use bytes::Bytes;

use crate::ProtocolError;

/// Whether a message is text or bytes; part of the message on every transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// Unicode text.
    Text,
    /// Bytes.
    Binary,
}

/// What an app sends and receives: a text, or bytes ([PROTOCOL §1.2]). Cloning shares the bytes.
///
/// A text message always holds valid UTF-8. A session takes no message longer than [`Limits::max_message_bytes`].
///
/// [PROTOCOL §1.2]: crate::specification::protocol#1-words
/// [`Limits::max_message_bytes`]: field@crate::Limits::max_message_bytes
#[derive(Clone)]
pub struct Message {
    kind: MessageKind,
    /// The bytes are counted where they were made.
    is_counted: bool,
    bytes: Bytes,
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.bytes) == (other.kind, &other.bytes)
    }
}

impl Eq for Message {}

impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("bytes", &self.bytes)
            .finish()
    }
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of_kind(MessageKind::Text, text.into().into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::of_kind(MessageKind::Binary, bytes.into())
    }

    /// A text message from bytes that came off the wire.
    ///
    /// # Errors
    /// The bytes are not UTF-8: refuse the input that held them.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, ProtocolError> {
        match str::from_utf8(&bytes) {
            Ok(_) => Ok(Self::of_kind(MessageKind::Text, bytes)),
            Err(_) => Err(ProtocolError::malformed("a text message that is not UTF-8")),
        }
    }

    /// Bytes that were checked to be of this kind, part by part.
    pub(crate) fn of_kind(kind: MessageKind, bytes: Bytes) -> Self {
        let is_counted = false;
        Self {
            kind,
            is_counted,
            bytes,
        }
    }

    /// The same message, with its bytes put into a room of the caller's, who counts them there for as long as they live. So many
    /// sessions that hold it count only its place.
    #[must_use]
    pub fn counted_by(self, put: impl FnOnce(Bytes) -> Bytes) -> Self {
        Self {
            is_counted: true,
            bytes: put(self.bytes),
            ..self
        }
    }

    /// How many bytes a queue that holds the message counts.
    pub(crate) fn own_bytes(&self) -> usize {
        if self.is_counted { 0 } else { self.bytes.len() }
    }

    /// A part of the message, which shares its bytes; of a text, between two characters.
    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> Self {
        debug_assert!(self.is_boundary(range.start) && self.is_boundary(range.end));
        Self {
            bytes: self.bytes.slice(range),
            ..*self
        }
    }

    /// Whether the message can be cut before this byte.
    pub(crate) fn is_boundary(&self, at: usize) -> bool {
        let is_inside_character = |byte: &u8| self.kind == MessageKind::Text && byte & 0xc0 == 0x80;
        !self.bytes.get(at).is_some_and(is_inside_character)
    }

    /// Text or binary.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The text, or `None` for a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            MessageKind::Text => {
                Some(str::from_utf8(&self.bytes).expect("text is checked where it is made"))
            }
            MessageKind::Binary => None,
        }
    }

    /// The bytes; of a text message, its UTF-8.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes without the kind.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::binary(bytes)
    }
}
