//! Which packets a request and its answer may hold, and in which order (PROTOCOL §6.1, §6.2). What they do to a session is
//! left to `session.rs`.

use crate::{Can, CloseCode, Credential, Limits, MessageKind, Open, Packet, ProtocolError};

/// Judges what follows *open* or *attach* in a request, before anything of it is taken (PROTOCOL §6.1, §8.6).
///
/// `attaches` says whether the request's connection is to carry the session.
///
/// # Errors
/// Refuse the whole request with the error's code.
pub fn check_request(
    rest: &[Packet],
    attaches: bool,
    limits: &Limits,
) -> Result<(), ProtocolError> {
    let (mut has_offset, mut has_ping, mut has_close, mut has_left) = (false, false, false, false);
    let mut has_credential = false;
    // Of the message that goes on.
    let mut kind: Option<MessageKind> = None;
    for packet in rest {
        let broken = match packet {
            _ if has_left => "a packet behind a leave, which is the last of a request",
            Packet::Leave(_) if attaches => "a leave in a request that attaches",
            Packet::Leave(_) => {
                has_left = true;
                continue;
            }
            Packet::Ping(_) if std::mem::replace(&mut has_ping, true) => "two pings in a payload",
            Packet::Credential(_) if std::mem::replace(&mut has_credential, true) => {
                "two credentials in a payload"
            }
            Packet::Offset(_) | Packet::Message(_) | Packet::Part(_) if has_close => {
                "a message behind a close"
            }
            Packet::Close(_) if kind.is_some() => "a close inside a message",
            Packet::Close(_) if std::mem::replace(&mut has_close, true) => {
                "two closes in a payload"
            }
            Packet::Offset(_) if std::mem::replace(&mut has_offset, true) => {
                "two offsets in a payload: one stands before the first message"
            }
            Packet::Message(_) | Packet::Part(_) if !has_offset => {
                "a message without an offset before it"
            }
            Packet::Message(piece) | Packet::Part(piece)
                if kind.is_some_and(|kind| kind != piece.kind()) =>
            {
                "a text part that goes on in binary, or the reverse"
            }
            Packet::Open(_) | Packet::Attach(_) => {
                "a second open or attach: a request begins with one of them"
            }
            Packet::Opened(_) | Packet::Pong(_) | Packet::Superseded => {
                "a packet that only servers send"
            }
            Packet::Ping(_)
            | Packet::Offset(_)
            | Packet::Message(_)
            | Packet::Part(_)
            | Packet::Ack(_)
            | Packet::Report(_)
            | Packet::Credential(_)
            | Packet::Padding(_)
            | Packet::Close(_) => {
                check_size(packet, limits)?;
                match packet {
                    Packet::Part(part) => kind = Some(part.kind()),
                    Packet::Message(_) => kind = None,
                    _ => {}
                }
                continue;
            }
        };
        return Err(ProtocolError::malformed(broken));
    }
    Ok(())
}

/// Whether a session that can so much may get these packets (PROTOCOL §2.5).
///
/// # Errors
/// Refuse the whole request with the error's code.
pub fn check_agreed(packets: &[Packet], can: Can) -> Result<(), ProtocolError> {
    for packet in packets {
        if !can.has(packet.needs()) {
            let text = match packet {
                Packet::Leave(_) => {
                    "a leave in a session whose sides have not agreed that they can"
                }
                Packet::Credential(_) => {
                    "a credential in a session whose sides have not agreed that they can"
                }
                _ => {
                    "a part, or bytes of one, in a session whose sides have not agreed that they can"
                }
            };
            return Err(ProtocolError::malformed(text));
        }
    }
    Ok(())
}

/// Whether a packet's content is within its limit.
///
/// # Errors
/// Close the session, or refuse the request, with 4964.
pub fn check_size(packet: &Packet, limits: &Limits) -> Result<(), ProtocolError> {
    let text = match packet {
        Packet::Ping(content) if content.len() > limits.max_ping_bytes => {
            "a ping longer than maxPingBytes"
        }
        Packet::Credential(credential) if credential.len() > limits.max_credential_bytes => {
            TOO_LONG_A_CREDENTIAL
        }
        Packet::Message(message) | Packet::Part(message)
            if message.len() > limits.max_message_bytes =>
        {
            "a message longer than maxMessageBytes"
        }
        _ => return Ok(()),
    };
    Err(ProtocolError::new(CloseCode::TOO_LARGE, text))
}

/// Whether the credential of an open is within its limit.
///
/// # Errors
/// Refuse the open with 4964.
pub fn check_credential(open: &Open, limits: &Limits) -> Result<(), ProtocolError> {
    let length = open.credential.as_ref().map_or(0, Credential::len);
    match length > limits.max_credential_bytes {
        true => Err(ProtocolError::new(
            CloseCode::TOO_LARGE,
            TOO_LONG_A_CREDENTIAL,
        )),
        false => Ok(()),
    }
}

const TOO_LONG_A_CREDENTIAL: &str = "a credential longer than maxCredentialBytes";

/// Whether packets are an answer to an exchange: `[opened] [pong] ack [credential] [offset *(message / part)] [close]`, with padding
/// anywhere.
///
/// An answer of another form is not this server's, but of something in between (PROTOCOL §6.2).
pub fn is_answer(packets: &[Packet]) -> bool {
    // The place of a packet in the grammar: none stands before one of an earlier place, and only messages and parts repeat.
    let mut last = Place::Begin;
    let mut has_ack = false;
    for packet in packets {
        let place = match packet {
            Packet::Padding(_) => continue,
            Packet::Opened(_) => Place::Opened,
            Packet::Pong(_) => Place::Pong,
            Packet::Ack(_) => Place::Ack,
            Packet::Credential(_) => Place::Credential,
            Packet::Offset(_) => Place::Offset,
            Packet::Message(_) | Packet::Part(_) if last >= Place::Offset => Place::Message,
            Packet::Close(_) => Place::Close,
            Packet::Message(_)
            | Packet::Part(_)
            | Packet::Open(_)
            | Packet::Attach(_)
            | Packet::Ping(_)
            | Packet::Superseded
            | Packet::Report(_)
            | Packet::Leave(_) => return false,
        };
        let repeats = place == Place::Message && last == Place::Message;
        if place <= last && !repeats || place > Place::Ack && !has_ack {
            return false;
        }
        has_ack |= place == Place::Ack;
        last = place;
    }
    has_ack
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Begin,
    Opened,
    Pong,
    Ack,
    Credential,
    Offset,
    Message,
    Close,
}
