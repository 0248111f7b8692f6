//! What a payload says: which session it is for, and what it brings. The endpoints attach.

use std::time::Duration;

use anywire_core::{Head, Refusal};
use anywire_protocol::{
    CloseCode, Encoding, Limits, Packet, ProtocolError, check_credential, check_request,
    decode_payload,
};
use bytes::Bytes;

/// A payload that has been read and judged, and of which nothing has been taken yet (PROTOCOL §8.6).
pub(crate) struct Parsed {
    pub(crate) head: Head,
    /// What follows the head.
    pub(crate) rest: Vec<Packet>,
}

impl Parsed {
    /// `attaches` says whether the endpoint attaches whatever the request says of a hold.
    pub(crate) fn read(
        encoding: Encoding,
        body: Bytes,
        attaches: bool,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let mut packets = decode_payload(encoding, body)?.into_iter();
        let head = match packets.next() {
            Some(Packet::Open(open)) => {
                check_credential(&open, limits)?;
                Head::Open(open)
            }
            Some(Packet::Attach(attach)) => Head::Attach(attach),
            _ => {
                let text = "a payload whose first packet is neither open nor attach";
                return Err(ProtocolError::malformed(text).into());
            }
        };
        let rest: Vec<_> = packets.collect();
        let attaches = attaches || hold(&head).is_some();
        check_request(&rest, attaches, limits)?;
        Ok(Self { head, rest })
    }
}

/// How long the request may be held, if it attaches.
pub(crate) fn hold(head: &Head) -> Option<Duration> {
    match head {
        Head::Open(open) => open.hold,
        Head::Attach(attach) => attach.hold,
    }
}

/// A payload that came in another way than as a body, which is bounded while it comes.
pub(crate) fn bounded(payload: Bytes, limits: &Limits) -> Result<Bytes, ProtocolError> {
    if payload.len() > limits.max_payload_bytes {
        return Err(too_large());
    }
    Ok(payload)
}

pub(crate) const fn too_large() -> ProtocolError {
    let text = "a payload of more than maxPayloadBytes: send less at once";
    ProtocolError::new(CloseCode::TOO_LARGE, text)
}
