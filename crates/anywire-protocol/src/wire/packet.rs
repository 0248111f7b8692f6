//! Packets, and how a WebSocket frame holds one (PROTOCOL §3, §5.4). `payload.rs` joins packets to payloads.

use std::time::Duration;

use bytes::BufMut;

use crate::negotiation::Report;
use crate::wire::identity::parse_number;
use crate::wire::open::{Attach, Open, Opened};
use crate::{Can, CloseReason, Credential, Message, MessageKind, Position, ProtocolError};

/// U+0010, the character that tells a control packet from a text message in a WebSocket text frame (PROTOCOL §5.4).
pub const CONTROL_MARK: u8 = 0x10;

/// The unit on the wire: a letter and a content ([PROTOCOL §3]).
///
/// A WebSocket frame holds one packet, a payload of HTTP any number of them.
///
/// [PROTOCOL §3]: crate::specification::protocol#3-packets
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Up: the client wants a session.
    Open(Box<Open>),
    /// Up: the client has a session and this connection is to carry it.
    Attach(Box<Attach>),
    /// Down: the session is open, this connection carries it.
    Opened(Box<Opened>),
    /// In a payload, where the next message or part belongs.
    Offset(Position),
    /// A message, or the end of one whose parts came before.
    Message(Message),
    /// A part of a message that goes on (PROTOCOL §4.9).
    Part(Message),
    /// Everything up to here has been received.
    Ack(Position),
    /// Are you there? The content comes back in the pong.
    Ping(Box<str>),
    /// Yes.
    Pong(Box<str>),
    /// The session closes.
    Close(CloseReason),
    /// Down: a newer connection carries the session.
    Superseded,
    /// Up: how an attempt to connect went.
    Report(Box<Report>),
    /// Up: the page goes, and may come back within this time; `None` for the server's own (PROTOCOL §8.8).
    Leave(Option<Duration>),
    /// Up: who the client is, or that the request says it. Down: that this is wanted, or taken ([`Renewal`](crate::Renewal); PROTOCOL
    /// §10.11).
    Credential(Credential),
    /// So many characters that say nothing: a prelude, or a sign of life.
    Padding(usize),
}

impl Packet {
    /// The letter that stands for the packet.
    pub fn letter(&self) -> u8 {
        match self {
            Self::Open(_) => b'o',
            Self::Attach(_) => b'x',
            Self::Opened(_) => b'O',
            Self::Offset(_) => b'n',
            Self::Message(message) => match message.kind() {
                MessageKind::Text => b't',
                MessageKind::Binary => b'b',
            },
            Self::Part(part) => match part.kind() {
                MessageKind::Text => b'T',
                MessageKind::Binary => b'B',
            },
            Self::Ack(_) => b'a',
            Self::Ping(_) => b'p',
            Self::Pong(_) => b'q',
            Self::Close(_) => b'c',
            Self::Superseded => b's',
            Self::Report(_) => b'r',
            Self::Leave(_) => b'l',
            Self::Credential(_) => b'k',
            Self::Padding(_) => b'-',
        }
    }

    /// What both sides must be able to, for one of them to send this (PROTOCOL §2.5).
    pub(crate) fn needs(&self) -> Can {
        match self {
            Self::Part(_) => Can::PART,
            Self::Offset(at) | Self::Ack(at) if at.is_inside() => Can::PART,
            Self::Leave(_) => Can::LEAVE,
            Self::Credential(_) => Can::CREDENTIAL,
            Self::Open(_)
            | Self::Attach(_)
            | Self::Opened(_)
            | Self::Offset(_)
            | Self::Message(_)
            | Self::Ack(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Close(_)
            | Self::Superseded
            | Self::Report(_)
            | Self::Padding(_) => Can::NONE,
        }
    }

    /// Reads a packet from its letter and text content. Binary messages and parts do not come this way.
    pub(crate) fn parse(letter: u8, content: &str) -> Result<Self, ProtocolError> {
        match letter {
            b'o' => Open::parse(content).map(Box::new).map(Self::Open),
            b'x' => Attach::parse(content).map(Box::new).map(Self::Attach),
            b'O' => Opened::parse(content).map(Box::new).map(Self::Opened),
            b'n' => content.parse().map(Self::Offset),
            b't' => Ok(Self::Message(Message::text(content))),
            b'T' => Ok(Self::Part(Message::text(content))),
            b'a' => content.parse().map(Self::Ack),
            b'p' => Ok(Self::Ping(content.into())),
            b'q' => Ok(Self::Pong(content.into())),
            b'c' => CloseReason::parse(content).map(Self::Close),
            b'-' => Ok(Self::Padding(content.len())),
            b's' if content.is_empty() => Ok(Self::Superseded),
            b'r' => Report::parse(content).map(Box::new).map(Self::Report),
            b'k' => Ok(Self::Credential(Credential::new(content))),
            b'l' if content.is_empty() => Ok(Self::Leave(None)),
            b'l' => parse_number(content).map(|ms| Self::Leave(Some(Duration::from_millis(ms)))),
            b's' => Err(ProtocolError::malformed(
                "a superseded packet with a content",
            )),
            _ => Err(ProtocolError::malformed("a packet with an unknown letter")),
        }
    }

    /// The text content of a control packet; messages and parts have none.
    pub(crate) fn control_content(&self) -> String {
        match self {
            Self::Open(open) => open.content(),
            Self::Attach(attach) => attach.content(),
            Self::Opened(opened) => opened.content(),
            Self::Offset(at) | Self::Ack(at) => at.to_string(),
            Self::Ping(content) | Self::Pong(content) => content.to_string(),
            Self::Close(reason) => reason.to_string(),
            Self::Report(report) => report.content(),
            Self::Credential(credential) => credential.as_str().to_owned(),
            Self::Leave(Some(keep)) => keep.as_millis().to_string(),
            Self::Padding(length) => ".".repeat(*length),
            Self::Message(_) | Self::Part(_) | Self::Superseded | Self::Leave(None) => {
                String::new()
            }
        }
    }
}

/// Appends to `out` what the text frame of a control packet holds: [`CONTROL_MARK`], the letter, the content
/// (PROTOCOL §5.4).
///
/// A control packet is any packet but a message or an offset. Of a binary part this is the frame before it, which announces
/// it. The frame's header is left to the caller.
pub fn encode_control(packet: &Packet, out: &mut impl BufMut) {
    debug_assert!(
        !matches!(packet, Packet::Message(_) | Packet::Offset(_)),
        "not a control frame"
    );
    out.put_u8(CONTROL_MARK);
    out.put_u8(packet.letter());
    match packet {
        Packet::Part(part) if part.kind() == MessageKind::Text => out.put_slice(part.as_bytes()),
        _ => out.put_slice(packet.control_content().as_bytes()),
    }
}

/// Reads the frames of one WebSocket as packets (PROTOCOL §5.4).
#[derive(Debug, Default)]
pub struct FrameReader {
    /// The next binary frame is a part.
    awaits_part: bool,
}

impl FrameReader {
    /// Whether a binary part was announced that has not come.
    pub fn awaits_part(&self) -> bool {
        self.awaits_part
    }

    /// The packet that a frame holds; `None` for a frame that only announces the next one.
    ///
    /// `frame` is the frame as a message of its kind. It is itself a message, unless it is text that begins with
    /// [`CONTROL_MARK`], or announced as a part.
    ///
    /// # Errors
    /// Close the session with the error's code: the peer broke the rules.
    pub fn read(&mut self, frame: Message) -> Result<Option<Packet>, ProtocolError> {
        if frame.kind() == MessageKind::Binary {
            return Ok(Some(match std::mem::take(&mut self.awaits_part) {
                true => Packet::Part(frame),
                false => Packet::Message(frame),
            }));
        }
        if frame.as_bytes()[..] == [CONTROL_MARK, b'B'] && !self.awaits_part {
            self.awaits_part = true;
            return Ok(None);
        }
        let packet = decode_text_frame(frame)?;
        if self.awaits_part && matches!(packet, Packet::Message(_) | Packet::Part(_)) {
            let text = "a text where a binary part was announced";
            return Err(ProtocolError::malformed(text));
        }
        Ok(Some(packet))
    }
}

/// Reads the packet of a WebSocket frame that stands alone: any but a binary part, which [`FrameReader`] reads.
///
/// # Errors
/// Those of [`FrameReader::read`], and for a frame that announces a part.
pub fn decode_frame(frame: Message) -> Result<Packet, ProtocolError> {
    FrameReader::default().read(frame)?.ok_or_else(|| {
        ProtocolError::malformed("a frame that announces a binary part, which stands alone")
    })
}

fn decode_text_frame(frame: Message) -> Result<Packet, ProtocolError> {
    match frame.as_bytes()[..] {
        [CONTROL_MARK, CONTROL_MARK, ..] => {
            Message::from_utf8(frame.as_bytes().slice(1..)).map(Packet::Message)
        }
        [CONTROL_MARK, b'T', ..] => {
            Message::from_utf8(frame.as_bytes().slice(2..)).map(Packet::Part)
        }
        [CONTROL_MARK, b'B', ..] => Err(ProtocolError::malformed(
            "a frame that announces a binary part with a content, or behind another such frame",
        )),
        [CONTROL_MARK, b't' | b'b' | b'n', ..] => Err(ProtocolError::malformed(
            "a packet for payloads only, on a WebSocket",
        )),
        [CONTROL_MARK, letter, ref content @ ..] => match std::str::from_utf8(content) {
            Ok(content) => Packet::parse(letter, content),
            Err(_) => Err(ProtocolError::malformed("a packet with an unknown letter")),
        },
        [CONTROL_MARK] => Err(ProtocolError::malformed("a packet without a letter")),
        _ => Ok(Packet::Message(frame)),
    }
}
