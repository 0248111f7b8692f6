//! Frames to bytes. A server sends unmasked frames, a client masked ones; nothing is fragmented.

use anywire_protocol::{CloseReason, Message, MessageKind};

use super::{MAX_CONTROL_BYTES, opcode};
use crate::mask::apply_mask;

/// How a sender masks: servers do not, clients with four fresh random bytes per frame.
pub type Mask = Option<[u8; 4]>;

/// Appends a message as one frame.
pub fn encode_message(out: &mut Vec<u8>, message: &Message, mask: Mask) {
    let opcode = if message.kind() == MessageKind::Text {
        opcode::TEXT
    } else {
        opcode::BINARY
    };
    encode(out, opcode, &[message.as_bytes()], mask);
}

/// Appends a text frame made of parts.
pub(crate) fn encode_text(out: &mut Vec<u8>, parts: &[&[u8]], mask: Mask) {
    encode(out, opcode::TEXT, parts, mask);
}

/// Appends a ping; content beyond 125 bytes is cut.
pub fn encode_ping(out: &mut Vec<u8>, content: &[u8], mask: Mask) {
    encode(
        out,
        opcode::PING,
        &[&content[..content.len().min(MAX_CONTROL_BYTES)]],
        mask,
    );
}

/// Appends a pong; content beyond 125 bytes is cut.
pub fn encode_pong(out: &mut Vec<u8>, content: &[u8], mask: Mask) {
    encode(
        out,
        opcode::PONG,
        &[&content[..content.len().min(MAX_CONTROL_BYTES)]],
        mask,
    );
}

/// Appends a close; a code that must not be sent (RFC 6455 §7.4.1) becomes a close without one.
pub fn encode_close(out: &mut Vec<u8>, reason: &CloseReason, mask: Mask) {
    if reason.code.is_sendable() {
        let code = reason.code.as_u16().to_be_bytes();
        encode(out, opcode::CLOSE, &[&code, reason.text().as_bytes()], mask);
    } else {
        encode(out, opcode::CLOSE, &[], mask);
    }
}

fn encode(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]], mask: Mask) {
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
