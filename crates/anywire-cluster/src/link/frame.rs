//! What two nodes say to each other on a link, and how it becomes bytes. All frames of one link are in order; those of a stream
//! are numbered besides, so that a frame that is missing cannot go unnoticed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anywire_core::{Grant, Intent, Opening, Principal, Refusal, Verdict};
use anywire_protocol::{CloseCode, ConnectionMode};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::store::StoreId;

/// Names a stream of one link: an entry, and the connection that it may have become. The edge draws it.
pub(super) type StreamId = u32;

/// The version of what nodes say; nodes of different versions make no link.
pub(super) const VERSION: u8 = 1;

/// 16 KiB: a longer run of bytes goes in several frames, so that other streams have their turn.
pub(super) const MAX_CHUNK_BYTES: usize = 16_384;

/// No frame is longer than a chunk with what stands around it; the longest texts are those of closes.
const MAX_FRAME_BYTES: usize = MAX_CHUNK_BYTES + 4_096;

/// What an edge says to a home.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToHome<'a> {
    /// A client came to this node and asks for a session of yours. The entry's packets follow in so many bytes.
    Enter {
        stream: StreamId,
        /// Which session of the home is meant.
        claim: Claim,
        #[serde(borrow)]
        verdict: VerdictCode<'a>,
        /// How long ago the app was asked, in microseconds; nothing if it was not.
        asked_us: Option<u64>,
        address: Option<IpAddr>,
        /// The transport's place among all.
        transport: u8,
        intent: IntentCode,
        /// How long an exchange may be held, in milliseconds.
        hold_ms: u32,
        bytes: u32,
        /// So many bytes follow behind them: what a session is to keep of the request, if this opens one.
        opening_bytes: u32,
    },
    /// Bytes of packets: first those of the entry, with what is to be kept, then those that came on the connection, in so many of its frames.
    Bytes {
        stream: StreamId,
        number: u32,
        frames: u16,
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The client has taken so many bytes more.
    Room { stream: StreamId, bytes: u32 },
    /// The client showed life without completing a packet.
    Alive { stream: StreamId },
    /// The page goes.
    GoAway { stream: StreamId },
    /// The client broke a rule below the packets.
    Violate { stream: StreamId, code: u16 },
    /// The client takes nothing any more.
    Stall { stream: StreamId },
    /// The connection is gone.
    Drop { stream: StreamId },
    /// Does this session live at your node, or has it ended there lately?
    Ask { question: u32, session: [u8; 16] },
    /// A sign of life.
    Ping,
    /// Have you a link to this node?
    AskLink { question: u32, node: [u8; 8] },
    /// Does this session of yours go on by its grant?
    AskGrant { question: u32, session: [u8; 16] },
    /// Do this to those of your sessions; the bytes are of `reach.rs`.
    Reach {
        question: u32,
        is_last: bool,
        #[serde(borrow)]
        bytes: &'a [u8],
    },
}

/// Which session of a home an edge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Claim {
    /// The one of this open, which the store told of.
    Opened([u8; 8]),
    /// Whichever there is: the edge could not ask the store.
    Any,
    /// A new one, if nobody has opened it before: the edge takes none itself.
    New,
}

/// What a home says to an edge.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToEdge<'a> {
    /// The entry was let in.
    Entered {
        stream: StreamId,
        /// The offset of the first message that the connection will send; nothing for an entry that only sends.
        first: Option<u64>,
        can: Vec<&'a str>,
        /// *Opened*, or the ack and close of an answer, as packets.
        #[serde(borrow)]
        packets: &'a [u8],
    },
    /// It was not.
    Refused {
        stream: StreamId,
        why: RefusedCode,
        code: u16,
        text: &'a str,
        retry_ms: Option<u32>,
    },
    /// Packets for the client.
    Bytes {
        stream: StreamId,
        number: u32,
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The session has taken so many bytes more.
    Room { stream: StreamId, bytes: u32 },
    /// The connection's part is over.
    End {
        stream: StreamId,
        number: u32,
        why: EndCode,
        code: u16,
        text: &'a str,
    },
    /// Yes or no.
    Answer { question: u32, is_so: bool },
    /// So many sessions were reached; likewise.
    Reached {
        question: u32,
        is_last: bool,
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The store that this node has settled with: it has written back its sessions there.
    Settled { store: StoreId },
    /// A sign of life, and whether this node can use the store.
    Ping { has_store: bool },
}

/// [`Verdict`](anywire_core::Verdict). Values of the app's own types stay at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum VerdictCode<'a> {
    Granted {
        principal: Option<&'a str>,
        /// How long it holds, in milliseconds; nothing if for good.
        left_ms: Option<u64>,
        /// Whether values were left behind.
        has_values: bool,
    },
    Denied {
        code: u16,
        text: &'a str,
        retry_ms: Option<u32>,
    },
    NotAsked,
}

impl<'a> VerdictCode<'a> {
    /// What an edge says of a verdict.
    pub(super) fn of(verdict: &'a Verdict) -> Self {
        match verdict {
            Verdict::Granted(grant) => Self::Granted {
                principal: grant.principal().map(Principal::name),
                left_ms: grant.expires_in().map(|left| left.as_millis() as u64),
                has_values: grant.has_values(),
            },
            Verdict::Denied(refusal) => Self::Denied {
                code: refusal.reason().code.as_u16(),
                text: refusal.reason().text(),
                retry_ms: refusal.retry_after().map(|wait| wait.as_millis() as u32),
            },
            Verdict::NotAsked => Self::NotAsked,
        }
    }

    /// Whether the app has given values that are not here.
    pub(super) fn lacks_values(self) -> bool {
        matches!(
            self,
            Self::Granted {
                has_values: true,
                ..
            }
        )
    }

    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Granted {
                principal, left_ms, ..
            } => {
                let left = left_ms.map(Duration::from_millis);
                Verdict::Granted(Grant::relayed(principal.map(Principal::new), left))
            }
            Self::Denied {
                code,
                text,
                retry_ms,
            } => Verdict::Denied(refusal(code, text, retry_ms)),
            Self::NotAsked => Verdict::NotAsked,
        }
    }
}

/// [`Opening`](anywire_core::Opening).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpeningCode<'a> {
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a str)>,
    path: Option<&'a str>,
    query: Option<&'a str>,
    peer: Option<SocketAddr>,
}

impl<'a> OpeningCode<'a> {
    fn of(opening: &'a Opening) -> Self {
        Self {
            headers: opening.headers().collect(),
            path: opening.path(),
            query: opening.query(),
            peer: opening.peer(),
        }
    }

    fn opening(self) -> Opening {
        let mut opening = Opening::default().with_peer(self.peer);
        for (name, value) in self.headers {
            opening = opening.with_header(name, value);
        }
        if let Some(path) = self.path {
            opening = opening.with_path(path);
        }
        match self.query {
            Some(query) => opening.with_query(query),
            None => opening,
        }
    }
}

/// What is to be kept of a request, as bytes; none if that is nothing.
pub(super) fn encode_opening(opening: Option<&Opening>) -> Vec<u8> {
    let encode = |opening| postcard::to_stdvec(&OpeningCode::of(opening));
    opening.map_or_else(Vec::new, |opening| {
        encode(opening).expect("a buffer in memory takes everything")
    })
}

/// The reverse.
pub(super) fn decode_opening(bytes: &[u8]) -> Result<Option<Opening>, FrameError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(decode::<OpeningCode<'_>>(bytes)?.opening()))
}

/// A refusal that another node says.
pub(super) fn refusal(code: u16, text: &str, retry_ms: Option<u32>) -> Refusal {
    let refusal = Refusal::new(CloseCode::from_u16(code), text);
    match retry_ms {
        Some(wait) => refusal.after(Duration::from_millis(wait.into())),
        None => refusal,
    }
}

/// [`Intent`](anywire_core::Intent), and the mode of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum IntentCode {
    Duplex,
    Exchange,
    Stream,
    Send,
    SendUnread,
}

impl IntentCode {
    /// What an edge says of an intent, and of how long the request may be held.
    pub(super) fn of(intent: Intent) -> (Self, Duration) {
        let code = match intent {
            Intent::Carry(ConnectionMode::Exchange { hold }) => return (Self::Exchange, hold),
            // A raw connection is carried where it came.
            Intent::Carry(ConnectionMode::Duplex | ConnectionMode::Raw) => Self::Duplex,
            Intent::Carry(ConnectionMode::Stream) => Self::Stream,
            Intent::Send => Self::Send,
            Intent::SendUnread => Self::SendUnread,
        };
        (code, Duration::ZERO)
    }

    pub(super) fn intent(self, hold: Duration) -> Intent {
        match self {
            Self::Duplex => Intent::Carry(ConnectionMode::Duplex),
            Self::Exchange => Intent::Carry(ConnectionMode::Exchange { hold }),
            Self::Stream => Intent::Carry(ConnectionMode::Stream),
            Self::Send => Intent::Send,
            Self::SendUnread => Intent::SendUnread,
        }
    }
}

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RefusedCode {
    /// The session, or the shares: tell the client.
    Verdict,
    /// There is no such session at this node.
    NotHere,
}

/// [`End`](anywire_core::End).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum EndCode {
    Finished,
    Closed,
    Superseded,
    Stalled,
    Limited,
}

/// What came cannot be a peer's: the link ends.
#[derive(Debug, thiserror::Error)]
#[error("bytes on a link that are no frame: {0}")]
pub(crate) struct FrameError(pub(super) &'static str);

/// Bytes that are longer than a frame: in pieces, and whether each is the last.
pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    let count = bytes.len().div_ceil(MAX_CHUNK_BYTES).max(1);
    let piece = move |index: usize| {
        let begin = index * MAX_CHUNK_BYTES;
        let end = bytes.len().min(begin + MAX_CHUNK_BYTES);
        (index + 1 == count, &bytes[begin..end])
    };
    (0..count).map(piece)
}

/// Appends a frame.
pub(super) fn encode(frame: &impl Serialize, out: &mut BytesMut) {
    let begin = out.len();
    out.put_u16_le(0);
    let buffer = std::mem::take(out).writer();
    let written = postcard::to_io(frame, buffer).expect("a buffer in memory takes everything");
    *out = written.into_inner();
    let length = u16::try_from(out.len() - begin - 2).expect("a frame is shorter than 64 KiB");
    out[begin..begin + 2].copy_from_slice(&length.to_le_bytes());
}

/// Takes the next frame's bytes out, if all of them have come; [`decode`] reads them.
pub(super) fn take_frame(input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
    let Some(&length) = input.first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_le_bytes(length));
    if length > MAX_FRAME_BYTES {
        return Err(FrameError("it is longer than any"));
    }
    if input.len() < 2 + length {
        return Ok(None);
    }
    input.advance(2);
    Ok(Some(input.split_to(length).freeze()))
}

/// Reads a frame.
pub(super) fn decode<'a, F: Deserialize<'a>>(frame: &'a [u8]) -> Result<F, FrameError> {
    match postcard::take_from_bytes(frame) {
        Ok((frame, [])) => Ok(frame),
        Ok(_) => Err(FrameError("something follows in it")),
        Err(_) => Err(FrameError("its content cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_a_round_trip_bit_by_bit() {
        let up = [
            ToHome::Enter {
                stream: 7,
                claim: Claim::Opened([3; 8]),
                verdict: VerdictCode::Granted {
                    principal: Some("ada"),
                    left_ms: Some(30_000),
                    has_values: true,
                },
                asked_us: Some(12),
                address: Some([127, 0, 0, 1].into()),
                transport: 1,
                intent: IntentCode::Exchange,
                hold_ms: 25_000,
                bytes: 90,
                opening_bytes: 7,
            },
            ToHome::Bytes {
                stream: 7,
                number: u32::MAX,
                frames: 2,
                bytes: &[9; MAX_CHUNK_BYTES],
            },
            ToHome::Ping,
        ];
        let mut all = BytesMut::new();
        for frame in &up {
            encode(frame, &mut all);
        }
        let (mut input, mut read) = (BytesMut::new(), Vec::new());
        for byte in all {
            input.put_u8(byte);
            read.extend(take_frame(&mut input).unwrap());
        }
        let read: Vec<ToHome<'_>> = read.iter().map(|frame| decode(frame).unwrap()).collect();
        assert_eq!(read, up);
    }

    #[test]
    fn what_is_to_be_kept_of_a_request_survives_too() {
        let kept = Opening::default()
            .with_header("user-agent", "old")
            .with_header("user-agent", "older")
            .with_path("/live")
            .with_query("")
            .with_peer(Some(([127, 0, 0, 1], 9).into()));
        let bytes = encode_opening(Some(&kept));
        let read = decode_opening(&bytes).unwrap().unwrap();
        assert_eq!(OpeningCode::of(&read), OpeningCode::of(&kept));
        assert!(encode_opening(None).is_empty());
        assert!(decode_opening(&[]).unwrap().is_none());
        assert!(decode_opening(&bytes[1..]).is_err());
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let mut long = BytesMut::from(&[0xff, 0xff, 0][..]);
        assert!(take_frame(&mut long).is_err());
        assert!(decode::<ToHome<'_>>(&[200]).is_err());
        let mut frame = BytesMut::new();
        encode(&ToHome::Ping, &mut frame);
        frame.put_u8(0);
        assert!(decode::<ToHome<'_>>(&frame[2..]).is_err());
    }
}
