//! How messages and their parts join: what is news of what comes, and what is not (PROTOCOL §4.9 to §4.11). Keeping the
//! messages is left to `inbox.rs`.

use super::inbox::Extent;
use crate::{CloseCode, Message, MessageKind, Offset, Position, ProtocolError, Timestamp};

/// Where what comes next belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    offset: Offset,
    /// Of the message; no message is longer.
    bytes: u32,
    /// It begins above what was received: all is left out until a new place is said.
    is_left_out: bool,
}

impl Cursor {
    pub(crate) fn is_left_out(self) -> bool {
        self.is_left_out
    }
}

impl From<Position> for Cursor {
    fn from(at: Position) -> Self {
        Self {
            offset: at.offset,
            bytes: u32::try_from(at.bytes).unwrap_or(u32::MAX),
            is_left_out: false,
        }
    }
}

/// What has been received, by counts alone: enough to judge what comes before anything of it is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    received: Offset,
    /// The kind and the bytes of a message that is not whole.
    unfinished: Option<(MessageKind, usize)>,
    cursor: Cursor,
}

impl Reading {
    pub(crate) fn new(
        received: Offset,
        unfinished: Option<(MessageKind, usize)>,
        cursor: Cursor,
    ) -> Self {
        Self {
            received,
            unfinished,
            cursor,
        }
    }

    /// What comes next belongs here.
    pub(crate) fn seek(&mut self, at: Position) {
        self.cursor = at.into();
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Reads a message or a part of one: from which of its bytes on it is news; `None` if it is none, or is left out.
    pub(crate) fn read(
        &mut self,
        piece: &Message,
        extent: Extent,
        max_bytes: usize,
    ) -> Result<Option<usize>, ProtocolError> {
        let Cursor { offset, bytes, .. } = self.cursor;
        if self.cursor.is_left_out {
            return Ok(None);
        }
        if offset > self.received {
            return Err(gap());
        }
        let end = u64::from(bytes) + piece.len() as u64;
        let at = Position::new(offset, end);
        self.cursor = match extent {
            Extent::Part => at.into(),
            Extent::End => at.after_message().into(),
        };
        if offset < self.received {
            return Ok(None);
        }
        let (kind, received) = self.unfinished.unwrap_or((piece.kind(), 0));
        let Some(from) = (received as u64).checked_sub(bytes.into()) else {
            self.cursor.is_left_out = true;
            return Ok(None);
        };
        if kind != piece.kind() {
            let text = "a text part that goes on in binary, or the reverse";
            return Err(ProtocolError::malformed(text));
        }
        if end > max_bytes as u64 {
            let text = "a message longer than maxMessageBytes";
            return Err(ProtocolError::new(CloseCode::TOO_LARGE, text));
        }
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        if !piece.is_boundary(from) {
            let text =
                "a part of a text that does not join what came before between two characters";
            return Err(ProtocolError::malformed(text));
        }
        match extent {
            Extent::Part => {
                self.unfinished = Some((kind, received.max(received - from + piece.len())))
            }
            Extent::End if from > piece.len() => {
                let text = "an end of a message before what was received of it";
                return Err(ProtocolError::malformed(text));
            }
            Extent::End => {
                self.received = self.received.after(1);
                self.unfinished = None;
            }
        }
        Ok(Some(from.min(piece.len())))
    }
}

/// What has come of a message that is not whole.
#[derive(Debug)]
pub(crate) struct Unfinished {
    kind: MessageKind,
    bytes: Vec<u8>,
    grown_at: Timestamp,
}

impl Unfinished {
    pub(crate) fn new(kind: MessageKind, now: Timestamp) -> Self {
        Self {
            kind,
            bytes: Vec::new(),
            grown_at: now,
        }
    }

    pub(crate) fn kind(&self) -> MessageKind {
        self.kind
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What it takes in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }

    /// When more of it came last, or its time began anew.
    pub(crate) fn grown_at(&self) -> Timestamp {
        self.grown_at
    }

    /// Appends a part, from one of its bytes on.
    pub(crate) fn push(&mut self, part: &Message, from: usize) {
        self.bytes.extend_from_slice(&part.as_bytes()[from..]);
    }

    /// Its time begins anew.
    pub(crate) fn excuse(&mut self, now: Timestamp) {
        self.grown_at = now;
    }

    /// The message, with its end.
    pub(crate) fn finish(mut self, end: &Message, from: usize) -> Message {
        self.bytes.reserve_exact(end.len() - from);
        self.bytes.extend_from_slice(&end.as_bytes()[from..]);
        // A message may stay for long: it keeps no room that growing has left.
        Message::of_kind(self.kind, self.bytes.into_boxed_slice().into())
    }
}

pub(crate) const fn gap() -> ProtocolError {
    ProtocolError::new(
        CloseCode::GAP,
        "a message above what was received: attach anew and send the ones between",
    )
}
