//! What comes in on a WebSocket: frames to packets. The driver hands them on.

use anywire_protocol::{CloseCode, CloseReason, FrameReader, Message, Packet, ProtocolError};

use super::output::Output;
use crate::frame::{Decoder, Encoder, Frame, Violation};

/// What the peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Anywire,
    /// Bare messages (PROTOCOL §9).
    Raw,
    /// Nothing that matters any more.
    Nothing,
}

/// What follows the packets of one read.
pub(super) enum Then {
    GoOn,
    /// The peer's close frame, to be answered alike.
    Close(CloseReason),
    /// A rule of WebSocket is broken.
    Fail(Violation),
    /// A rule of Anywire is broken.
    Violate(ProtocolError),
}

/// Decodes all frames in `input`; packets are collected, pings answered.
pub(super) fn decode(
    (decoder, reader): (&mut Decoder, &mut FrameReader),
    mut input: &mut [u8],
    language: Language,
    packets: &mut Vec<Packet>,
    output: &mut Output,
) -> Then {
    if language == Language::Nothing {
        return Then::GoOn;
    }
    let is_raw = language == Language::Raw;
    loop {
        match decoder.decode(&mut input) {
            Ok(None) => return Then::GoOn,
            Ok(Some(Frame::Message(message))) => match packet(reader, message, is_raw) {
                Ok(packet) => packets.extend(packet),
                Err(error) => return Then::Violate(error),
            },
            Ok(Some(Frame::Ping(content))) => {
                output.push(|out| Encoder::server().pong(out, &content))
            }
            Ok(Some(Frame::Pong(_))) if is_raw => packets.push(Packet::Pong("".into())),
            Ok(Some(Frame::Pong(_))) => {}
            Ok(Some(Frame::Close(close))) => {
                let (code, text) = close.unwrap_or((CloseCode::NO_CODE, String::new()));
                let reason = CloseReason::new(code, &text);
                if is_raw {
                    packets.push(Packet::Close(reason.clone()));
                }
                return Then::Close(reason);
            }
            Err(violation) => return Then::Fail(violation),
        }
    }
}

fn packet(
    reader: &mut FrameReader,
    message: Message,
    is_raw: bool,
) -> Result<Option<Packet>, ProtocolError> {
    if is_raw {
        Ok(Some(Packet::Message(message)))
    } else {
        reader.read(message)
    }
}
