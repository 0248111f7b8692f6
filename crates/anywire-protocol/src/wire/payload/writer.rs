//! Writes packets into a payload, whole or bit by bit.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut, Bytes, BytesMut};

use super::{Encoding, MAX_PACKETS_PER_PAYLOAD};
use crate::{Message, MessageKind, Packet};

/// Writes packets one after the other into one payload.
#[derive(Debug)]
pub struct PayloadWriter {
    encoding: Encoding,
    out: BytesMut,
    packets: usize,
}

impl PayloadWriter {
    /// An empty payload.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            out: BytesMut::new(),
            packets: 0,
        }
    }

    /// Appends a packet.
    pub fn push(&mut self, packet: &Packet) {
        match packet {
            Packet::Message(piece) | Packet::Part(piece) => self.push_piece(packet.letter(), piece),
            control => {
                self.packets += 1;
                self.push_text(control.letter(), &control.control_content());
            }
        }
    }

    /// Appends a message.
    pub fn push_message(&mut self, message: &Message) {
        self.push_piece(letter_of(message), message);
    }

    /// Appends a message, unless its content is long and goes out as it is: then only what comes before that, and returns
    /// the content, which must come next. So it is shared by all recipients and not copied.
    pub fn push_shared(&mut self, message: &Message) -> Option<Bytes> {
        self.push_shared_piece(letter_of(message), message)
    }

    /// Appends a part of a message, as [`PayloadWriter::push_shared`] does a message.
    pub fn push_shared_part(&mut self, part: &Message) -> Option<Bytes> {
        self.push_shared_piece(letter_of(part).to_ascii_uppercase(), part)
    }

    /// Appends a padding packet that takes `bytes` of the payload, which must be more than a few and less than 10,000.
    pub fn push_prelude(&mut self, bytes: usize) {
        // The length takes four digits, or two bytes.
        let head = match self.encoding {
            Encoding::Text => 6,
            Encoding::Binary => 3,
        };
        self.push(&Packet::Padding(bytes - head));
    }

    /// How many bytes [`PayloadWriter::take`] would give.
    pub fn pending_bytes(&self) -> usize {
        self.out.len()
    }

    /// What has been written since this was called last, for a payload that goes out bit by bit. Between two bits the
    /// writer owns no buffer, since that may be long.
    pub fn take(&mut self) -> Bytes {
        self.packets = 0;
        std::mem::take(&mut self.out).freeze()
    }

    /// Whether a message of so many bytes would keep the payload within its limits, whatever it holds.
    pub fn has_room(&self, message_bytes: usize, max_payload_bytes: usize) -> bool {
        let encoded = match self.encoding {
            Encoding::Text => message_bytes.div_ceil(3) * 4,
            Encoding::Binary => message_bytes,
        };
        // The rest is room for the packets that end a payload.
        self.packets + 3 <= MAX_PACKETS_PER_PAYLOAD
            && self.out.len() + encoded + 256 <= max_payload_bytes
    }

    /// The payload.
    pub fn finish(self) -> Bytes {
        self.out.freeze()
    }

    fn push_piece(&mut self, letter: u8, piece: &Message) {
        self.packets += 1;
        match (self.encoding, piece.as_text()) {
            (Encoding::Text, Some(text)) => self.push_text(letter, text),
            (Encoding::Text, None) => self.push_text(letter, &BASE64.encode(piece.as_bytes())),
            (Encoding::Binary, _) => self.push_bytes(letter, piece.as_bytes()),
        }
    }

    fn push_shared_piece(&mut self, letter: u8, piece: &Message) -> Option<Bytes> {
        let text = piece.as_text();
        if piece.len() < SHARED_FROM_BYTES || (self.encoding == Encoding::Text && text.is_none()) {
            self.push_piece(letter, piece);
            return None;
        }
        let length = match (self.encoding, text) {
            (Encoding::Text, Some(text)) => utf16_len(text),
            _ => piece.len(),
        };
        self.packets += 1;
        self.push_head(length, letter);
        Some(piece.as_bytes().clone())
    }

    fn push_text(&mut self, letter: u8, content: &str) {
        match self.encoding {
            Encoding::Binary => self.push_bytes(letter, content.as_bytes()),
            Encoding::Text => {
                self.push_head(utf16_len(content), letter);
                self.out.put_slice(content.as_bytes());
            }
        }
    }

    fn push_bytes(&mut self, letter: u8, content: &[u8]) {
        self.push_head(content.len(), letter);
        self.out.put_slice(content);
    }

    /// What comes before a content of this length.
    fn push_head(&mut self, length: usize, letter: u8) {
        match self.encoding {
            Encoding::Text => {
                self.out.put_slice(length.to_string().as_bytes());
                self.out.put_slice(&[b':', letter]);
            }
            Encoding::Binary => {
                let mut rest = length;
                while rest >= 0x80 {
                    self.out.put_u8((rest & 0x7f) as u8 | 0x80);
                    rest >>= 7;
                }
                self.out.put_slice(&[rest as u8, letter]);
            }
        }
    }
}

fn letter_of(message: &Message) -> u8 {
    match message.kind() {
        MessageKind::Text => b't',
        MessageKind::Binary => b'b',
    }
}

/// Length in UTF-16 code units: what JavaScript calls `length`.
fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Contents from this length on are not copied into the payload where that can be avoided; shorter ones are cheaper to
/// copy than to write apart.
const SHARED_FROM_BYTES: usize = 4_096;
