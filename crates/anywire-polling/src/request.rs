//! What a request's body says: who it is for, and what it brings. Attaching is left to the transports.

use anywire_core::Refusal;
use anywire_protocol::{
    Attach, CloseCode, Encoding, Limits, Open, Packet, ProtocolError, decode_payload,
};
use bytes::Bytes;

/// A request that has been read and judged, and of which nothing has been taken yet (PROTOCOL §8.6).
pub(crate) struct Request {
    pub(crate) head: Head,
    /// What follows the head.
    pub(crate) rest: Vec<Packet>,
}

/// What a request begins with.
pub(crate) enum Head {
    Open(Box<Open>),
    Attach(Box<Attach>),
}

impl Request {
    pub(crate) fn read(encoding: Encoding, body: Bytes, limits: &Limits) -> Result<Self, Refusal> {
        if body.len() > limits.max_payload_bytes {
            let text = "send less than maxPayloadBytes at once";
            return Err(Refusal::new(CloseCode::TOO_LARGE, text));
        }
        let mut packets = decode_payload(encoding, body)?.into_iter();
        let head = match packets.next() {
            Some(Packet::Open(open)) => Head::Open(open),
            Some(Packet::Attach(attach)) => Head::Attach(attach),
            _ => return Err(malformed("a request begins with an open or attach packet").into()),
        };
        let rest: Vec<_> = packets.collect();
        check(&rest, limits)?;
        Ok(Self { head, rest })
    }
}

/// Judges what follows the head, before anything is taken (PROTOCOL §8.6).
fn check(packets: &[Packet], limits: &Limits) -> Result<(), ProtocolError> {
    let (mut has_offset, mut has_ping) = (false, false);
    for packet in packets {
        match packet {
            Packet::Ping(content) if content.len() > limits.max_ping_bytes => {
                let text = "a ping is longer than maxPingBytes";
                return Err(ProtocolError::new(CloseCode::TOO_LARGE, text));
            }
            Packet::Ping(_) if has_ping => return Err(malformed("a payload has one ping")),
            Packet::Ping(_) => has_ping = true,
            Packet::Offset(_) if has_offset => {
                return Err(malformed(
                    "a payload has one offset, before its first message",
                ));
            }
            Packet::Offset(_) => has_offset = true,
            Packet::Message(message) if message.len() > limits.max_message_bytes => {
                let text = "a message is longer than maxMessageBytes";
                return Err(ProtocolError::new(CloseCode::TOO_LARGE, text));
            }
            Packet::Message(_) if has_offset => {}
            Packet::Message(_) => {
                return Err(malformed("an offset comes before the first message"));
            }
            Packet::Ack(_) | Packet::Report(_) | Packet::Padding(_) | Packet::Close(_) => {}
            Packet::Open(_)
            | Packet::Attach(_)
            | Packet::Opened(_)
            | Packet::Pong(_)
            | Packet::Superseded => {
                return Err(malformed(
                    "after the head come reports, a ping, offset, messages, acks, padding and close",
                ));
            }
        }
    }
    Ok(())
}

pub(crate) const fn malformed(what: &'static str) -> ProtocolError {
    ProtocolError::new(CloseCode::PROTOCOL_ERROR, what)
}
