//! Payloads: a run of packets in an HTTP body, in two encodings (PROTOCOL §4). What the packets mean is left to
//! the session.

mod reader;
mod writer;

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::wire::identity::parse_number;
use crate::{CloseCode, Message, Packet, ProtocolError};

pub use reader::PayloadReader;
pub use writer::PayloadWriter;

/// Most packets in one payload. [`decode_payload`] refuses a payload that has more with 4964 (PROTOCOL §4.5).
pub const MAX_PACKETS_PER_PAYLOAD: usize = 1_024;

/// How a payload is written: a run of packets in one HTTP body ([PROTOCOL §4]).
///
/// [PROTOCOL §4]: crate::specification::protocol#4-payloads
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `text/plain`: lengths in UTF-16 code units, binary messages in base64 (PROTOCOL §4.3).
    Text,
    /// `application/octet-stream`: lengths in bytes (PROTOCOL §4.2).
    Binary,
}

impl Encoding {
    /// The encoding that a Content-Type names.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        // Some engines say so of any text, and an escaped body is one (PROTOCOL §4.7).
        if is("text/plain") || is("application/x-www-form-urlencoded") {
            Some(Self::Text)
        } else {
            is("application/octet-stream").then_some(Self::Binary)
        }
    }

    /// The encoding of a request's body that came without a Content-Type: text if the body begins with a digit, else binary
    /// (PROTOCOL §6.1). Take an escape away first.
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

/// Reads a payload whole.
///
/// # Errors
/// Refuse the whole payload with the error's code, and take nothing of it (PROTOCOL §8.6).
pub fn decode_payload(encoding: Encoding, payload: Bytes) -> Result<Vec<Packet>, ProtocolError> {
    let text = match encoding {
        Encoding::Binary => "",
        Encoding::Text => std::str::from_utf8(&payload).map_err(|_| {
            ProtocolError::malformed("a payload in the text encoding that is not UTF-8")
        })?,
    };
    let mut packets = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        if packets.len() == MAX_PACKETS_PER_PAYLOAD {
            return Err(ProtocolError::new(
                CloseCode::TOO_LARGE,
                "a payload of more than 1,024 packets: send fewer at once",
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

/// Where a packet's content lies in what begins with the packet.
struct Extent {
    letter: u8,
    begin: usize,
    end: usize,
}

/// The packet that begins at `at`, and where the next one does.
fn decode_text_packet(payload: &str, at: usize) -> Result<(Packet, usize), ProtocolError> {
    let extent = text_extent(&payload[at..])?.ok_or_else(truncated)?;
    let (begin, end) = (at + extent.begin, at + extent.end);
    Ok((text_packet(extent.letter, &payload[begin..end])?, end))
}

/// Where the packet lies that `rest` begins with; `None` if not all of it is there.
fn text_extent(rest: &str) -> Result<Option<Extent>, ProtocolError> {
    // No length has more digits than the largest number.
    let Some(colon) = rest.bytes().take(17).position(|byte| byte == b':') else {
        if rest.len() < 17 && rest.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let text = "a packet in the text encoding begins `length:`";
        return Err(ProtocolError::malformed(text));
    };
    let length = parse_number(&rest[..colon])?;
    let Some(&letter) = rest.as_bytes().get(colon + 1) else {
        return Ok(None);
    };
    if !letter.is_ascii() {
        return Err(ProtocolError::malformed("a packet with an unknown letter"));
    }
    let begin = colon + 2;
    let end = utf16_slice_end(&rest[begin..], length)?.map(|end| begin + end);
    Ok(end.map(|end| Extent { letter, begin, end }))
}

fn text_packet(letter: u8, content: &str) -> Result<Packet, ProtocolError> {
    if !matches!(letter, b'b' | b'B') {
        return Packet::parse(letter, content);
    }
    let bytes = BASE64.decode(content).map_err(|_| {
        ProtocolError::malformed(
            "a binary message that is not base64: in the text encoding it must be",
        )
    })?;
    Ok(message_packet(letter, Message::binary(bytes)))
}

/// The packet that begins at `at`, and where the next one does.
fn decode_binary_packet(payload: &Bytes, at: usize) -> Result<(Packet, usize), ProtocolError> {
    let extent = binary_extent(&payload[at..])?.ok_or_else(truncated)?;
    let (begin, end) = (at + extent.begin, at + extent.end);
    Ok((
        binary_packet(extent.letter, part(payload, begin, end))?,
        end,
    ))
}

/// Where the packet lies that `rest` begins with; `None` if not all of it is there.
fn binary_extent(rest: &[u8]) -> Result<Option<Extent>, ProtocolError> {
    let (mut length, mut at) = (0_u64, 0);
    for shift in (0..35).step_by(7) {
        let Some(&byte) = rest.get(at) else {
            return Ok(None);
        };
        at += 1;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if byte == 0 && shift > 0 {
                return Err(ProtocolError::malformed(
                    "a packet length that is not in its shortest LEB128 form",
                ));
            }
            break;
        }
        if shift == 28 {
            return Err(ProtocolError::malformed(
                "a packet length of more than 5 bytes",
            ));
        }
    }
    let Some(&letter) = rest.get(at) else {
        return Ok(None);
    };
    let begin = at + 1;
    let end = usize::try_from(length)
        .ok()
        .and_then(|length| begin.checked_add(length))
        .filter(|end| *end <= rest.len());
    Ok(end.map(|end| Extent { letter, begin, end }))
}

fn binary_packet(letter: u8, content: Bytes) -> Result<Packet, ProtocolError> {
    match letter {
        b'b' | b'B' => Ok(message_packet(letter, Message::binary(content))),
        b't' | b'T' => Ok(message_packet(letter, Message::from_utf8(content)?)),
        letter => match std::str::from_utf8(&content) {
            Ok(content) => Packet::parse(letter, content),
            Err(_) => Err(ProtocolError::malformed("a packet that is not UTF-8")),
        },
    }
}

/// A message, or a part of one, as the letter says.
fn message_packet(letter: u8, message: Message) -> Packet {
    match letter {
        b'T' | b'B' => Packet::Part(message),
        _ => Packet::Message(message),
    }
}

/// A part of the payload: shared if it is most of it, else copied, so that a short message does not keep a long body.
fn part(payload: &Bytes, begin: usize, end: usize) -> Bytes {
    if (end - begin) * 2 > payload.len() {
        payload.slice(begin..end)
    } else {
        Bytes::copy_from_slice(&payload[begin..end])
    }
}

/// The byte at which the first `length` UTF-16 code units of `text` end; `None` if `text` is shorter.
fn utf16_slice_end(text: &str, length: u64) -> Result<Option<usize>, ProtocolError> {
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    if text.as_bytes().get(..length).is_some_and(<[u8]>::is_ascii) {
        return Ok(Some(length));
    }
    let mut units = 0;
    for (index, character) in text.char_indices() {
        if units == length {
            return Ok(Some(index));
        }
        if units > length {
            let text =
                "a packet whose length ends inside a character: lengths count UTF-16 code units";
            return Err(ProtocolError::malformed(text));
        }
        units += character.len_utf16();
    }
    // All of it, and if the last character is cut in two, no more will come that mends it.
    match units.cmp(&length) {
        Ordering::Less => Ok(None),
        Ordering::Equal => Ok(Some(text.len())),
        Ordering::Greater => Err(ProtocolError::malformed(
            "a packet whose length ends inside a character: lengths count UTF-16 code units",
        )),
    }
}

const fn truncated() -> ProtocolError {
    ProtocolError::malformed("a packet that is longer than the payload that holds it")
}
