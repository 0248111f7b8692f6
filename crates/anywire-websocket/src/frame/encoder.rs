//! Messages, packets and control frames to bytes, for either role. Nothing is fragmented.

use std::fmt::{self, Debug, Formatter};

use anywire_protocol::{CONTROL_MARK, CloseReason, Message, MessageKind, Packet, encode_control};

use super::mask::apply_mask;
use super::{MAX_CONTROL_BYTES, opcode};

/// Appends frames to a buffer. The twin of [`Decoder`](super::Decoder).
///
/// ```
/// use anywire_protocol::Packet;
/// use anywire_websocket::frame::Encoder;
///
/// let mut bytes = Vec::new();
/// Encoder::server().packet(&mut bytes, &Packet::Ping("".into()));
/// assert_eq!(bytes, b"\x81\x02\x10p");
/// ```
#[derive(Default)]
pub struct Encoder {
    /// A client masks each frame with fresh bytes; a server does not mask.
    next_mask: Option<Box<dyn FnMut() -> [u8; 4] + Send>>,
}

impl Encoder {
    /// An encoder that does not mask, for a server.
    pub const fn server() -> Self {
        Self { next_mask: None }
    }

    /// An encoder that masks, for a client. `next_mask` gives four unpredictable bytes, fresh at each call
    /// (RFC 6455 §5.3).
    pub fn client(next_mask: impl FnMut() -> [u8; 4] + Send + 'static) -> Self {
        Self {
            next_mask: Some(Box::new(next_mask)),
        }
    }

    /// Appends a packet as one frame (PROTOCOL §5.4); a binary part as two.
    ///
    /// A message becomes a frame of its kind. Any other packet becomes text: U+0010, its letter, its content.
    pub fn packet(&mut self, out: &mut Vec<u8>, packet: &Packet) {
        match packet {
            Packet::Message(message) => self.message(out, message),
            Packet::Part(part) if part.kind() == MessageKind::Text => {
                let mark = [CONTROL_MARK, packet.letter()];
                self.frame(out, opcode::TEXT, &[&mark, part.as_bytes()]);
            }
            control => {
                let mut content = Vec::new();
                encode_control(control, &mut content);
                self.frame(out, opcode::TEXT, &[&content]);
                if let Packet::Part(part) = control {
                    self.raw_message(out, part);
                }
            }
        }
    }

    /// Appends a message of a session as one frame: a text that looks like a packet gets a mark before it (PROTOCOL
    /// §5.4).
    pub fn message(&mut self, out: &mut Vec<u8>, message: &Message) {
        let bytes = message.as_bytes();
        if message.kind() == MessageKind::Text && bytes.first() == Some(&CONTROL_MARK) {
            self.frame(out, opcode::TEXT, &[&[CONTROL_MARK], bytes]);
        } else {
            self.raw_message(out, message);
        }
    }

    /// Appends a message as one frame, as it is.
    pub fn raw_message(&mut self, out: &mut Vec<u8>, message: &Message) {
        let opcode = match message.kind() {
            MessageKind::Text => opcode::TEXT,
            _ => opcode::BINARY,
        };
        self.frame(out, opcode, &[message.as_bytes()]);
    }

    /// Appends a ping; content beyond 125 bytes is cut.
    pub fn ping(&mut self, out: &mut Vec<u8>, content: &[u8]) {
        self.frame(out, opcode::PING, &[cut(content)]);
    }

    /// Appends a pong; content beyond 125 bytes is cut.
    pub fn pong(&mut self, out: &mut Vec<u8>, content: &[u8]) {
        self.frame(out, opcode::PONG, &[cut(content)]);
    }

    /// Appends a close; a code that must not be sent (RFC 6455 §7.4.1) becomes a close without one.
    pub fn close(&mut self, out: &mut Vec<u8>, reason: &CloseReason) {
        if reason.code.is_sendable() {
            let code = reason.code.as_u16().to_be_bytes();
            self.frame(out, opcode::CLOSE, &[&code, reason.text().as_bytes()]);
        } else {
            self.frame(out, opcode::CLOSE, &[]);
        }
    }

    fn frame(&mut self, out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
        let mask = self.next_mask.as_mut().map(|next_mask| next_mask());
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mask_bit = if mask.is_some() { 0x80 } else { 0 };
        out.push(0x80 | opcode);
        match length {
            0..=125 => out.push(mask_bit | length as u8),
            126..=0xffff => {
                out.push(mask_bit | 126);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                out.push(mask_bit | 127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(mask.as_ref().map_or(&[], |mask| &mask[..]));
        let begin = out.len();
        for part in parts {
            out.extend_from_slice(part);
        }
        if let Some(mask) = mask {
            apply_mask(&mut out[begin..], mask, 0);
        }
    }
}

impl Debug for Encoder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("masks", &self.next_mask.is_some())
            .finish()
    }
}

fn cut(content: &[u8]) -> &[u8] {
    &content[..content.len().min(MAX_CONTROL_BYTES)]
}
