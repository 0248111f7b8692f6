//! What one node asks of the sessions of another, and what it hears of them, as bytes. `frame.rs` cuts them into frames.

use std::time::{Duration, Instant};

use anywire_core::{Attachment, Deed, Principal, Reached, SessionInfo, Whom};
use anywire_protocol::{
    CloseCode, CloseReason, Detach, Message, MessageKind, SessionId, Transport,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::frame::FrameError;

#[derive(Serialize, Deserialize)]
struct AskCode<'a> {
    #[serde(borrow)]
    whom: WhomCode<'a>,
    #[serde(borrow)]
    deed: DeedCode<'a>,
}

#[derive(Serialize, Deserialize)]
enum WhomCode<'a> {
    Session([u8; 16]),
    Principal(&'a str),
    Followers {
        #[serde(borrow)]
        topics: Vec<&'a str>,
        except: Vec<[u8; 16]>,
        #[serde(borrow)]
        except_principals: Vec<&'a str>,
    },
}

#[derive(Serialize, Deserialize)]
enum DeedCode<'a> {
    Tell,
    SendText(#[serde(borrow)] &'a [u8]),
    SendBinary(#[serde(borrow)] &'a [u8]),
    Close(u16, &'a str),
    Revoke(&'a str),
    Renew,
    Subscribe(&'a str),
    Unsubscribe(&'a str),
}

#[derive(Serialize, Deserialize)]
struct ReachedCode {
    sessions: u32,
    told: Vec<InfoCode>,
}

#[derive(Serialize, Deserialize)]
struct InfoCode {
    id: [u8; 16],
    principal: Option<String>,
    protocol: String,
    /// How long it is so, in milliseconds.
    since_ms: u64,
    attachment: AttachmentCode,
}

#[derive(Serialize, Deserialize)]
enum AttachmentCode {
    /// The transport's place among all.
    Attached(u8),
    Lost,
    Stalled,
    Left,
    Closed,
}

/// What is asked, as bytes.
pub(super) fn encode_ask(whom: &Whom, deed: &Deed) -> Vec<u8> {
    let id = |id: &SessionId| *id.as_bytes();
    let whom = match whom {
        Whom::Session(session) => WhomCode::Session(id(session)),
        Whom::Principal(principal) => WhomCode::Principal(principal.name()),
        Whom::Followers {
            topics,
            except,
            except_principals,
        } => WhomCode::Followers {
            topics: topics.iter().map(String::as_str).collect(),
            except: except.iter().map(id).collect(),
            except_principals: except_principals.iter().map(Principal::name).collect(),
        },
    };
    let deed = match deed {
        Deed::Tell => DeedCode::Tell,
        Deed::Send(message) if message.kind() == MessageKind::Text => {
            DeedCode::SendText(message.as_bytes())
        }
        Deed::Send(message) => DeedCode::SendBinary(message.as_bytes()),
        Deed::Close(reason) => DeedCode::Close(reason.code.as_u16(), reason.text()),
        Deed::Revoke(text) => DeedCode::Revoke(text),
        Deed::Renew => DeedCode::Renew,
        Deed::Subscribe(topic) => DeedCode::Subscribe(topic),
        Deed::Unsubscribe(topic) => DeedCode::Unsubscribe(topic),
    };
    bytes(&AskCode { whom, deed })
}

/// What is asked.
pub(super) fn decode_ask(ask: &[u8]) -> Result<(Whom, Deed), FrameError> {
    let AskCode { whom, deed } = read(ask)?;
    let whom = match whom {
        WhomCode::Session(id) => Whom::Session(SessionId::from_bytes(id)),
        WhomCode::Principal(name) => Whom::Principal(Principal::new(name)),
        WhomCode::Followers {
            topics,
            except,
            except_principals,
        } => Whom::Followers {
            topics: topics.into_iter().map(str::to_owned).collect(),
            except: except.into_iter().map(SessionId::from_bytes).collect(),
            except_principals: except_principals.into_iter().map(Principal::new).collect(),
        },
    };
    let deed = match deed {
        DeedCode::Tell => Deed::Tell,
        DeedCode::SendText(text) => {
            let message = Message::from_utf8(Bytes::copy_from_slice(text));
            Deed::Send(message.map_err(|_| FrameError("a text that is no UTF-8"))?)
        }
        DeedCode::SendBinary(bytes) => Deed::Send(Message::binary(Bytes::copy_from_slice(bytes))),
        DeedCode::Close(code, text) => {
            Deed::Close(CloseReason::new(CloseCode::from_u16(code), text))
        }
        DeedCode::Revoke(text) => Deed::Revoke(text.to_owned()),
        DeedCode::Renew => Deed::Renew,
        DeedCode::Subscribe(topic) => Deed::Subscribe(topic.to_owned()),
        DeedCode::Unsubscribe(topic) => Deed::Unsubscribe(topic.to_owned()),
    };
    Ok((whom, deed))
}

/// Who was reached, as bytes.
pub(super) fn encode_reached(reached: &Reached) -> Vec<u8> {
    let told = reached.told.iter().map(|info| {
        let (attachment, since) = match info.attachment {
            Attachment::Attached {
                transport, since, ..
            } => (AttachmentCode::Attached(transport.index() as u8), since),
            Attachment::Detached { since, why, .. } => {
                let code = match why {
                    Detach::Stalled => AttachmentCode::Stalled,
                    Detach::Left => AttachmentCode::Left,
                    Detach::Closed => AttachmentCode::Closed,
                    // A reason that this version does not know is none better.
                    _ => AttachmentCode::Lost,
                };
                (code, since)
            }
            // There is no third.
            _ => (AttachmentCode::Lost, Instant::now()),
        };
        InfoCode {
            id: *info.id.as_bytes(),
            principal: info.principal.as_ref().map(|name| name.name().to_owned()),
            protocol: info.protocol.clone(),
            since_ms: since.elapsed().as_millis() as u64,
            attachment,
        }
    });
    bytes(&ReachedCode {
        sessions: reached.reach.sessions as u32,
        told: told.collect(),
    })
}

/// Who was reached.
pub(super) fn decode_reached(reached: &[u8]) -> Result<Reached, FrameError> {
    let ReachedCode { sessions, told } = read(reached)?;
    let told = told.into_iter().map(|info| {
        let age = Duration::from_millis(info.since_ms);
        let since = Instant::now().checked_sub(age);
        let since = since.unwrap_or_else(Instant::now);
        let attachment = match info.attachment {
            AttachmentCode::Attached(transport) => {
                let transport = Transport::ALL.get(usize::from(transport)).copied();
                let transport = transport.ok_or(FrameError("an unknown transport"))?;
                Attachment::attached(transport, since)
            }
            AttachmentCode::Lost => Attachment::detached(since, Detach::Lost),
            AttachmentCode::Stalled => Attachment::detached(since, Detach::Stalled),
            AttachmentCode::Left => Attachment::detached(since, Detach::Left),
            AttachmentCode::Closed => Attachment::detached(since, Detach::Closed),
        };
        Ok(SessionInfo::new(
            SessionId::from_bytes(info.id),
            info.principal.map(Principal::new),
            info.protocol,
            attachment,
        ))
    });
    let told = told.collect::<Result<_, FrameError>>()?;
    let mut reached = Reached {
        told,
        ..Reached::default()
    };
    reached.reach.sessions = sessions as usize;
    Ok(reached)
}

fn bytes(what: &impl Serialize) -> Vec<u8> {
    postcard::to_io(what, Vec::new()).expect("a buffer in memory takes everything")
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(bytes) {
        Ok((what, [])) => Ok(what),
        _ => Err(FrameError("what is asked of sessions cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_and_heard_survives_a_round_trip() {
        let id = SessionId::from_bytes([7; 16]);
        let followers = Whom::Followers {
            topics: vec!["a".into(), "b".into()],
            except: vec![id],
            except_principals: vec![Principal::new("bob")],
        };
        for whom in [Whom::Session(id), Whom::Principal("ada".into()), followers] {
            for deed in [
                Deed::Tell,
                Deed::Send("text".into()),
                Deed::Send(Message::binary(&b"\xff"[..])),
                Deed::Close(CloseCode::NORMAL.into()),
                Deed::Revoke("why".into()),
                Deed::Renew,
                Deed::Subscribe("t".into()),
                Deed::Unsubscribe("t".into()),
            ] {
                let ask = encode_ask(&whom, &deed);
                let (read_whom, read_deed) = decode_ask(&ask).unwrap();
                assert_eq!(
                    format!("{whom:?} {deed:?}"),
                    format!("{read_whom:?} {read_deed:?}")
                );
                assert!(decode_ask(&ask[1..]).is_err() || ask.len() < 2);
            }
        }
        let attachment = Attachment::attached(Transport::Poll, Instant::now());
        let info = SessionInfo::new(id, Some("ada".into()), "chat".into(), attachment);
        let mut reached = Reached {
            told: vec![info],
            ..Reached::default()
        };
        reached.reach.sessions = 1;
        let read = decode_reached(&encode_reached(&reached)).unwrap();
        assert_eq!(read.reach.sessions, 1);
        assert_eq!(read.told[0].principal, Some("ada".into()));
        assert_eq!(read.told[0].attachment.transport(), Some(Transport::Poll));
    }
}
