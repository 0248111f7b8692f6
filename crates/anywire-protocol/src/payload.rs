//! Payloads: a run of packets in an HTTP body, in two encodings (PROTOCOL §4). What the packets mean is left to
//! the session.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut, Bytes, BytesMut};

use crate::identity::parse_number;
use crate::{Message, Packet, ProtocolError};

/// Most packets in one payload (PROTOCOL §4.5).
pub const MAX_PACKETS_PER_PAYLOAD: usize = 1_024;

/// How a payload is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Lengths in UTF-16 code units, binary messages in base64 (PROTOCOL §4.3).
    Text,
    /// Lengths in bytes (PROTOCOL §4.2).
    Binary,
}

impl Encoding {
    /// The encoding that a Content-Type names.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Text, Self::Binary].into_iter().find(|encoding| {
            let own = encoding.content_type().split(';').next();
            own.is_some_and(|own| own.eq_ignore_ascii_case(essence))
        })
    }

    /// The encoding of a request's body that came without a Content-Type (PROTOCOL §6.1).
    pub fn of_request(body: &[u8]) -> Self {
        // A binary one begins with a length, and no open or attach packet is as short as these bytes would say.
        match body.first() {
            Some(first) if first.is_ascii_digit() => Self::Text,
            _ => Self::Binary,
        }
    }

    /// The Content-Type of a payload.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Binary => "application/octet-stream",
        }
    }
}

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
            Packet::Message(message) => self.push_message(message),
            control => {
                self.packets += 1;
                self.push_text(control.letter(), &control.control_content());
            }
        }
    }

    /// Appends a message.
    pub fn push_message(&mut self, message: &Message) {
        self.packets += 1;
        match (self.encoding, message.as_text()) {
            (Encoding::Text, Some(text)) => self.push_text(b't', text),
            (Encoding::Text, None) => self.push_text(b'b', &BASE64.encode(message.as_bytes())),
            (Encoding::Binary, text) => {
                self.push_bytes(if text.is_some() { b't' } else { b'b' }, message.as_bytes());
            }
        }
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

    fn push_text(&mut self, letter: u8, content: &str) {
        match self.encoding {
            Encoding::Binary => self.push_bytes(letter, content.as_bytes()),
            Encoding::Text => {
                self.out
                    .put_slice(utf16_len(content).to_string().as_bytes());
                self.out.put_slice(&[b':', letter]);
                self.out.put_slice(content.as_bytes());
            }
        }
    }

    fn push_bytes(&mut self, letter: u8, content: &[u8]) {
        let mut rest = content.len();
        while rest >= 0x80 {
            self.out.put_u8((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.put_u8(rest as u8);
        self.out.put_u8(letter);
        self.out.put_slice(content);
    }
}

/// Reads a payload whole.
///
/// # Errors
/// Refuse the whole payload with the error's code (PROTOCOL §8.6).
pub fn decode_payload(encoding: Encoding, payload: Bytes) -> Result<Vec<Packet>, ProtocolError> {
    let text = match encoding {
        Encoding::Binary => "",
        Encoding::Text => std::str::from_utf8(&payload).map_err(|_| {
            ProtocolError::malformed("a payload in the text encoding must be UTF-8")
        })?,
    };
    let mut packets = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        if packets.len() == MAX_PACKETS_PER_PAYLOAD {
            return Err(ProtocolError::malformed(
                "a payload holds at most 1,024 packets",
            ));
        }
        let (packet, next) = match encoding {
            Encoding::Text => decode_text_packet(text, at)?,
            Encoding::Binary => decode_binary_packet(&payload, at)?,
        };
        packets.push(packet);
        at = next;
    }
    Ok(packets)
}

/// The packet that begins at `at`, and where the next one does.
fn decode_text_packet(payload: &str, at: usize) -> Result<(Packet, usize), ProtocolError> {
    let rest = &payload[at..];
    // No length has more digits than the largest number.
    let colon = rest
        .bytes()
        .take(17)
        .position(|byte| byte == b':')
        .ok_or_else(|| {
            ProtocolError::malformed("a packet in the text encoding begins `length:`")
        })?;
    let (length, rest) = (&rest[..colon], &rest[colon + 1..]);
    let length = parse_number(length)?;
    let letter = *rest.as_bytes().first().ok_or_else(truncated)?;
    if !letter.is_ascii() {
        return Err(ProtocolError::malformed("a packet with an unknown letter"));
    }
    let end = utf16_slice_end(&rest[1..], length).ok_or_else(truncated)?;
    let content = &rest[1..=end];
    let next = payload.len() - (rest.len() - 1 - end);
    let packet = match letter {
        b'b' => {
            let bytes = BASE64
                .decode(content)
                .map_err(|_| ProtocolError::malformed("a binary message must be base64 here"))?;
            Packet::Message(Message::binary(bytes))
        }
        letter => Packet::parse(letter, content)?,
    };
    Ok((packet, next))
}

/// The packet that begins at `at`, and where the next one does.
fn decode_binary_packet(payload: &Bytes, at: usize) -> Result<(Packet, usize), ProtocolError> {
    let mut length = 0_u64;
    let mut begin = at;
    for shift in (0..35).step_by(7) {
        let byte = *payload.get(begin).ok_or_else(truncated)?;
        begin += 1;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if byte == 0 && shift > 0 {
                return Err(ProtocolError::malformed("a length is in its shortest form"));
            }
            break;
        }
        if shift == 28 {
            return Err(ProtocolError::malformed("a length has at most 5 bytes"));
        }
    }
    let letter = *payload.get(begin).ok_or_else(truncated)?;
    begin += 1;
    let length = usize::try_from(length).map_err(|_| truncated())?;
    let end = begin
        .checked_add(length)
        .filter(|end| *end <= payload.len())
        .ok_or_else(truncated)?;
    let packet = match letter {
        b'b' => Packet::Message(Message::binary(part(payload, begin, end))),
        b't' => Packet::Message(Message::from_utf8(part(payload, begin, end))?),
        letter => {
            let content = std::str::from_utf8(&payload[begin..end])
                .map_err(|_| ProtocolError::malformed("a control packet must be UTF-8"))?;
            Packet::parse(letter, content)?
        }
    };
    Ok((packet, end))
}

/// A part of the payload: shared if it is most of it, else copied, so that a short message does not keep a long body.
fn part(payload: &Bytes, begin: usize, end: usize) -> Bytes {
    if (end - begin) * 2 > payload.len() {
        payload.slice(begin..end)
    } else {
        Bytes::copy_from_slice(&payload[begin..end])
    }
}

/// Length in UTF-16 code units: what JavaScript calls `length`.
fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The byte at which the first `length` UTF-16 code units of `text` end, if they end between characters.
fn utf16_slice_end(text: &str, length: u64) -> Option<usize> {
    let length = usize::try_from(length).ok()?;
    let head = text.as_bytes().get(..length)?;
    if head.is_ascii() {
        return Some(length);
    }
    let mut units = 0;
    for (index, character) in text.char_indices() {
        if units >= length {
            return (units == length).then_some(index);
        }
        units += character.len_utf16();
    }
    (units == length).then_some(text.len())
}

const fn truncated() -> ProtocolError {
    ProtocolError::malformed("a packet is longer than the payload that holds it")
}
