//! Packets to frames (PROTOCOL §5.4), for either role. The way back is `anywire_protocol::decode_frame`.

use anywire_protocol::{CONTROL_MARK, Message, MessageKind, Packet, encode_control};

use super::encode::{Mask, encode_message, encode_text};

/// Appends the frame of an Anywire message: a text that looks like a control packet gets a mark before it.
pub fn push_message(out: &mut Vec<u8>, message: &Message, mask: Mask) {
    let bytes = message.as_bytes();
    if message.kind() == MessageKind::Text && bytes.first() == Some(&CONTROL_MARK) {
        encode_text(out, &[&[CONTROL_MARK], bytes], mask);
    } else {
        encode_message(out, message, mask);
    }
}

/// Appends the frame of a packet.
pub fn push_packet(out: &mut Vec<u8>, packet: &Packet, mask: Mask) {
    match packet {
        Packet::Message(message) => push_message(out, message, mask),
        control => {
            let mut content = Vec::new();
            encode_control(control, &mut content);
            encode_text(out, &[&content], mask);
        }
    }
}
