//! Bytes to frames. Input may be cut anywhere; what is kept between calls is bounded by what has arrived.

use std::mem;

use anywire_protocol::{CloseCode, Message, MessageKind};
use bytes::{Bytes, BytesMut};

use super::mask::apply_mask;
use super::{Frame, MAX_CONTROL_BYTES, Violation, opcode};

/// Whose frames are decoded with which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We are the server: the peer's frames must be masked.
    Server,
    /// We are the client: the peer's frames must not be masked.
    Client,
}

/// Decodes the frames of one connection.
///
/// ```text
///            head complete              payload complete, control or final
///   Head ──────────────────▶ Payload ─────────────────────────────────────▶ a Frame, Head
///     ▲                         │ payload complete, more fragments follow
///     └─────────────────────────┘
/// ```
///
/// Frames that come whole, as most do, pass without leaving anything here; an idle decoder is small.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message_bytes: usize,
    /// What has come of a frame or message that is not whole.
    pending: Option<Box<Pending>>,
    /// The kind of the message whose fragments are coming.
    kind: Option<MessageKind>,
    fragments: u16,
    /// Frames that have come since they were asked for.
    frames: u16,
}

#[derive(Debug, Default)]
struct Pending {
    head: [u8; MAX_HEAD_BYTES],
    head_len: u8,
    current: Option<Head>,
    /// How much of the current payload has come.
    taken: usize,
    /// The payload of a control frame so far.
    control: BytesMut,
    /// The message so far.
    message: BytesMut,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    is_final: bool,
    opcode: u8,
    length: usize,
    mask: Option<[u8; 4]>,
}

impl Decoder {
    /// A decoder that refuses messages longer than `max_message_bytes`.
    pub fn new(role: Role, max_message_bytes: usize) -> Self {
        Self {
            role,
            max_message_bytes,
            pending: None,
            kind: None,
            fragments: 0,
            frames: 0,
        }
    }

    /// How many frames have come since this was asked, fragments included; at most 65,535.
    pub fn take_frames(&mut self) -> usize {
        usize::from(mem::take(&mut self.frames))
    }

    /// Bytes kept of a frame or message that is not whole.
    pub fn held_bytes(&self) -> usize {
        let pending = self.pending.as_deref();
        pending.map_or(0, |pending| {
            size_of::<Pending>() + pending.message.capacity() + pending.control.capacity()
        })
    }

    /// Takes the next frame out of `input`, which is shortened by what was used and unmasked in place. `None` when
    /// `input` is used up.
    ///
    /// # Errors
    /// Fail the connection; the decoder is of no use after that.
    pub fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, Violation> {
        while !input.is_empty() {
            let mut pending = match self.pending.take() {
                Some(pending) => pending,
                None => match self.take_whole(input)? {
                    Some(frame) => return Ok(Some(frame)),
                    None => Box::default(),
                },
            };
            let frame = self.take_part(&mut pending, input)?;
            if !pending.is_empty() || self.kind.is_some() {
                self.pending = Some(pending);
            }
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// Takes a frame that has come whole and is no fragment. `None` leaves `input` as it was.
    fn take_whole(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, Violation> {
        let Some((head, used)) = self.parse_head(input, 0)? else {
            return Ok(None);
        };
        if !head.is_final || input.len() - used < head.length {
            return Ok(None);
        }
        advance(input, used);
        let payload = unmask(input, head, 0, head.length);
        let frame = self.finish(head, Bytes::copy_from_slice(payload))?;
        advance(input, head.length);
        Ok(frame)
    }

    /// Takes what there is of a frame that comes in pieces, or of a fragment.
    fn take_part(
        &mut self,
        pending: &mut Pending,
        input: &mut &mut [u8],
    ) -> Result<Option<Frame>, Violation> {
        let Some(head) = self.take_head(pending, input)? else {
            return Ok(None);
        };
        let Some(payload) = pending.take_payload(head, input) else {
            return Ok(None);
        };
        pending.current = None;
        pending.taken = 0;
        self.finish(head, payload)
    }

    /// Takes a head, or keeps what there is of it.
    fn take_head(
        &self,
        pending: &mut Pending,
        input: &mut &mut [u8],
    ) -> Result<Option<Head>, Violation> {
        while pending.current.is_none() {
            let Some(byte) = input.first() else {
                return Ok(None);
            };
            pending.head[usize::from(pending.head_len)] = *byte;
            pending.head_len += 1;
            advance(input, 1);
            let bytes = &pending.head[..usize::from(pending.head_len)];
            if let Some((head, _)) = self.parse_head(bytes, pending.message.len())? {
                pending.head_len = 0;
                pending.current = Some(head);
            }
        }
        Ok(pending.current)
    }

    /// Reads a head and how long it is; `None` when it has not come whole.
    fn parse_head(
        &self,
        bytes: &[u8],
        message_bytes: usize,
    ) -> Result<Option<(Head, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Violation::protocol(
                "a frame with a reserved bit set: no extension was negotiated",
            ));
        }
        let is_masked = second & 0x80 != 0;
        if is_masked != (self.role == Role::Server) {
            return Err(Violation::protocol(
                "a frame from a client without a mask, or from a server with one",
            ));
        }
        let (length, length_bytes) = match second & 0x7f {
            126 => match rest.first_chunk::<2>() {
                None => return Ok(None),
                Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2),
            },
            127 => match rest.first_chunk::<8>() {
                None => return Ok(None),
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
            },
            short => (u64::from(short), 0),
        };
        let is_shortest = match length_bytes {
            2 => length > 125,
            8 => length > 0xffff && length >> 63 == 0,
            _ => true,
        };
        if !is_shortest {
            return Err(Violation::protocol(
                "a frame whose length is not in its shortest form",
            ));
        }
        self.check(is_final, opcode, length, message_bytes)?;
        let mask = if is_masked {
            match rest[length_bytes..].first_chunk::<4>() {
                None => return Ok(None),
                Some(mask) => Some(*mask),
            }
        } else {
            None
        };
        let used = 2 + length_bytes + if is_masked { 4 } else { 0 };
        let length = usize::try_from(length).map_err(|_| too_big())?;
        Ok(Some((
            Head {
                is_final,
                opcode,
                length,
                mask,
            },
            used,
        )))
    }

    /// Judges a frame by its head, before anything is kept of it.
    fn check(
        &self,
        is_final: bool,
        opcode: u8,
        length: u64,
        message_bytes: usize,
    ) -> Result<(), Violation> {
        match opcode {
            opcode::CONTINUATION if self.kind.is_none() => {
                return Err(Violation::protocol(
                    "a continuation frame without a message before it",
                ));
            }
            opcode::TEXT | opcode::BINARY if self.kind.is_some() => {
                return Err(Violation::protocol("a new message inside a fragmented one"));
            }
            opcode::CONTINUATION | opcode::TEXT | opcode::BINARY => {}
            opcode::CLOSE | opcode::PING | opcode::PONG => {
                if !is_final || length > MAX_CONTROL_BYTES as u64 {
                    return Err(Violation::protocol(
                        "a control frame that is fragmented or longer than 125 bytes",
                    ));
                }
                return Ok(());
            }
            _ => return Err(Violation::protocol("a frame with an unknown opcode")),
        }
        if length > self.max_message_bytes.saturating_sub(message_bytes) as u64 {
            return Err(too_big());
        }
        if self.fragments >= MAX_FRAGMENTS {
            let what = "a message in more than 1,024 fragments";
            return Err(Violation::new(CloseCode::from_u16(1008), what));
        }
        Ok(())
    }

    /// What a complete frame says; `None` for a fragment that others follow.
    fn finish(&mut self, head: Head, payload: Bytes) -> Result<Option<Frame>, Violation> {
        self.frames = self.frames.saturating_add(1);
        match head.opcode {
            opcode::PING => return Ok(Some(Frame::Ping(payload))),
            opcode::PONG => return Ok(Some(Frame::Pong(payload))),
            opcode::CLOSE => return close(&payload).map(|close| Some(Frame::Close(close))),
            opcode::TEXT => self.kind = Some(MessageKind::Text),
            opcode::BINARY => self.kind = Some(MessageKind::Binary),
            _ => {}
        }
        if !head.is_final {
            self.fragments += 1;
            return Ok(None);
        }
        self.fragments = 0;
        let message = match self.kind.take() {
            Some(MessageKind::Text) => Message::from_utf8(payload).map_err(|_| {
                Violation::new(CloseCode::INVALID_TEXT, "a text message that is not UTF-8")
            })?,
            _ => Message::binary(payload),
        };
        Ok(Some(Frame::Message(message)))
    }
}

impl Pending {
    /// Takes the payload if the rest of it has come, or keeps what there is. A fragment that others follow is kept in
    /// any case; its payload here is empty.
    fn take_payload(&mut self, head: Head, input: &mut &mut [u8]) -> Option<Bytes> {
        let missing = head.length - self.taken;
        let count = missing.min(input.len());
        let is_control = head.opcode & 8 != 0;
        let buffer = if is_control {
            &mut self.control
        } else {
            &mut self.message
        };
        buffer.extend_from_slice(unmask(input, head, self.taken, count));
        self.taken += count;
        advance(input, count);
        let is_whole = count == missing;
        is_whole.then(|| {
            if head.is_final {
                mem::take(buffer).freeze()
            } else {
                Bytes::new()
            }
        })
    }

    fn is_empty(&self) -> bool {
        self.head_len == 0 && self.current.is_none() && self.message.is_empty()
    }
}

/// Unmasks the first `count` bytes of `input`, the part of the payload that begins at `offset`.
fn unmask(input: &mut [u8], head: Head, offset: usize, count: usize) -> &[u8] {
    let part = &mut input[..count];
    if let Some(mask) = head.mask {
        apply_mask(part, mask, offset);
    }
    part
}

/// Longest head: two bytes, an eight-byte length, a mask.
const MAX_HEAD_BYTES: usize = 14;

/// Most fragments of one message: many tiny ones cost more than they carry.
const MAX_FRAGMENTS: u16 = 1_024;

fn close(payload: &[u8]) -> Result<Option<(CloseCode, String)>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, text @ ..] => {
            let code = CloseCode::from_u16(u16::from_be_bytes([*high, *low]));
            if !code.is_sendable() {
                return Err(Violation::protocol(
                    "a close frame with a code that must not be sent",
                ));
            }
            let text = std::str::from_utf8(text).map_err(|_| {
                Violation::new(CloseCode::INVALID_TEXT, "a close reason that is not UTF-8")
            })?;
            Ok(Some((code, text.to_owned())))
        }
        [_] => Err(Violation::protocol(
            "a close frame with a content of one byte: a code has two",
        )),
    }
}

fn too_big() -> Violation {
    Violation::new(CloseCode::TOO_BIG, "a message of more than maxMessageBytes")
}

fn advance(input: &mut &mut [u8], count: usize) {
    *input = &mut mem::take(input)[count..];
}
