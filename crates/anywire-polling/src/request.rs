//! What a request's body says: who it is for, and what it brings. Attaching is left to the transports.

use anywire_core::Refusal;
use anywire_protocol::{
    Attach, CloseCode, Encoding, Limits, Open, Packet, ProtocolError, check_request, decode_payload,
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
        check_request(&rest, limits)?;
        Ok(Self { head, rest })
    }
}

pub(crate) const fn malformed(what: &'static str) -> ProtocolError {
    ProtocolError::new(CloseCode::PROTOCOL_ERROR, what)
}
