//! Bytes to frames. Input may be cut anywhere; what is kept between calls is bounded by what has arrived.

use anywire_protocol::{CloseCode, Message, MessageKind};
use bytes::{Bytes, BytesMut};

use super::encode::is_sendable;
use super::{Frame, MAX_CONTROL_BYTES, Violation, opcode};
use crate::mask::apply_mask;

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
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message_bytes: usize,
    /// The bytes of a head that has not come whole.
    partial: [u8; MAX_HEAD_BYTES],
    partial_len: u8,
    current: Option<Head>,
    /// How much of the current payload has come.
    taken: usize,
    /// The payload of a control frame that has not come whole.
    control: BytesMut,
    /// The message so far, when it does not come in one piece.
    message: BytesMut,
    /// The kind of the message whose fragments are coming.
    kind: Option<MessageKind>,
    fragments: u16,
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
            partial: [0; MAX_HEAD_BYTES],
            partial_len: 0,
            current: None,
            taken: 0,
            control: BytesMut::new(),
            message: BytesMut::new(),
            kind: None,
            fragments: 0,
        }
    }

    /// Takes the next frame out of `input`, which is shortened by what was used and unmasked in place. `None` when
    /// `input` is used up.
    ///
    /// # Errors
    /// Fail the connection; the decoder is of no use after that.
    pub fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, Violation> {
        loop {
            let head = match self.current {
                Some(head) => head,
                None => match self.take_head(input)? {
                    Some(head) => head,
                    None => return Ok(None),
                },
            };
            let Some(payload) = self.take_payload(head, input) else {
                return Ok(None);
            };
            self.current = None;
            self.taken = 0;
            if let Some(frame) = self.finish(head, payload)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Takes a head, or keeps what there is of it.
    fn take_head(&mut self, input: &mut &mut [u8]) -> Result<Option<Head>, Violation> {
        if self.partial_len == 0
            && let Some((head, used)) = self.parse_head(input)?
        {
            advance(input, used);
            self.current = Some(head);
            return Ok(Some(head));
        }
        while !input.is_empty() {
            self.partial[usize::from(self.partial_len)] = input[0];
            self.partial_len += 1;
            advance(input, 1);
            let bytes = self.partial;
            if let Some((head, _)) = self.parse_head(&bytes[..usize::from(self.partial_len)])? {
                self.partial_len = 0;
                self.current = Some(head);
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// Reads a head and how long it is; `None` when it has not come whole.
    fn parse_head(&self, bytes: &[u8]) -> Result<Option<(Head, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Violation::protocol("a reserved bit is set"));
        }
        let is_masked = second & 0x80 != 0;
        if is_masked != (self.role == Role::Server) {
            return Err(Violation::protocol(
                "frames are masked by clients and by nobody else",
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
            return Err(Violation::protocol("a length is not in its shortest form"));
        }
        self.check(is_final, opcode, length)?;
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
    fn check(&self, is_final: bool, opcode: u8, length: u64) -> Result<(), Violation> {
        match opcode {
            opcode::CONTINUATION if self.kind.is_none() => {
                return Err(Violation::protocol("a continuation of nothing"));
            }
            opcode::TEXT | opcode::BINARY if self.kind.is_some() => {
                return Err(Violation::protocol("a new message inside a fragmented one"));
            }
            opcode::CONTINUATION | opcode::TEXT | opcode::BINARY => {}
            opcode::CLOSE | opcode::PING | opcode::PONG => {
                if !is_final || length > MAX_CONTROL_BYTES as u64 {
                    return Err(Violation::protocol("a control frame is whole and short"));
                }
                return Ok(());
            }
            _ => return Err(Violation::protocol("an unknown opcode")),
        }
        if length > (self.max_message_bytes - self.message.len().min(self.max_message_bytes)) as u64
        {
            return Err(too_big());
        }
        if self.fragments >= MAX_FRAGMENTS {
            let what = "a message in more than 1,024 fragments";
            return Err(Violation::new(CloseCode::from_u16(1008), what));
        }
        Ok(())
    }

    /// Takes the payload if it has come whole, or keeps what there is of it.
    fn take_payload(&mut self, head: Head, input: &mut &mut [u8]) -> Option<Bytes> {
        let missing = head.length - self.taken;
        let count = missing.min(input.len());
        let (part, _) = input.split_at_mut(count);
        if let Some(mask) = head.mask {
            apply_mask(part, mask, self.taken);
        }
        let is_control = head.opcode & 8 != 0;
        let is_whole = self.taken == 0 && count == missing;
        let buffer = if is_control {
            &mut self.control
        } else {
            &mut self.message
        };
        let payload = if is_whole && (is_control || (head.is_final && buffer.is_empty())) {
            Some(Bytes::copy_from_slice(part))
        } else {
            buffer.extend_from_slice(part);
            (count == missing).then(|| {
                if is_control || head.is_final {
                    std::mem::take(buffer).freeze()
                } else {
                    Bytes::new()
                }
            })
        };
        self.taken += count;
        advance(input, count);
        payload
    }

    /// What a complete frame says; `None` for a fragment that others follow.
    fn finish(&mut self, head: Head, payload: Bytes) -> Result<Option<Frame>, Violation> {
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
            Some(MessageKind::Text) => Message::from_utf8(payload)
                .map_err(|_| Violation::new(CloseCode::INVALID_TEXT, "text that is not UTF-8"))?,
            _ => Message::binary(payload),
        };
        Ok(Some(Frame::Message(message)))
    }
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
            if !is_sendable(code) {
                return Err(Violation::protocol("a close code that must not be sent"));
            }
            let text = std::str::from_utf8(text).map_err(|_| {
                Violation::new(CloseCode::INVALID_TEXT, "a close reason that is not UTF-8")
            })?;
            Ok(Some((code, text.to_owned())))
        }
        [_] => Err(Violation::protocol("a close code has two bytes")),
    }
}

fn too_big() -> Violation {
    Violation::new(CloseCode::TOO_BIG, "a message over the limit")
}

fn advance(input: &mut &mut [u8], count: usize) {
    *input = &mut std::mem::take(input)[count..];
}
