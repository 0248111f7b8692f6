//! How packets become the bytes of a stream: one payload that goes on, or events that each hold one.

use std::collections::VecDeque;

use anywire_protocol::{Encoding, Message, Offset, Packet, PayloadWriter, Position, is_line};
use bytes::Bytes;

use crate::event;

/// Packets on their way into a stream's next chunk.
pub(crate) struct Framing {
    writer: PayloadWriter,
    /// A message's content that goes out as it is, after what the writer holds.
    content: Option<Bytes>,
    events: Option<Events>,
    /// Whether a part of a message was the last of its messages.
    is_inside_message: bool,
}

/// What an event stream keeps beside its payload.
struct Events {
    /// Where the next message or part belongs.
    next: Position,
    /// Whether this event has said its offset.
    has_offset: bool,
}

impl Framing {
    /// For `POST {mount}/stream` (PROTOCOL §13).
    pub(crate) fn payload(encoding: Encoding) -> Self {
        let mut writer = PayloadWriter::new(encoding);
        writer.push_prelude(PRELUDE_BYTES);
        Self {
            writer,
            content: None,
            events: None,
            is_inside_message: false,
        }
    }

    /// For `GET {mount}/events` (PROTOCOL §14), and how it begins.
    pub(crate) fn events(first: Offset) -> (Self, Bytes) {
        let framing = Self {
            writer: PayloadWriter::new(Encoding::Text),
            content: None,
            events: Some(Events {
                next: first.into(),
                has_offset: false,
            }),
            is_inside_message: false,
        };
        (framing, event::prelude(PRELUDE_BYTES))
    }

    pub(crate) fn push(&mut self, packet: &Packet) {
        if let Packet::Offset(_) = packet {
            // What was acknowledged meanwhile is skipped.
            self.is_inside_message = false;
        }
        match (&mut self.events, packet) {
            (Some(events), Packet::Offset(at)) => {
                events.next = *at;
                events.has_offset = false;
            }
            (_, Packet::Message(end)) => self.push_message(end),
            (_, Packet::Part(part)) => self.push_piece(part, true),
            _ => self.writer.push(packet),
        }
    }

    /// Appends a message; call [`Framing::take`] next if the chunk [is full](Framing::is_full) then.
    pub(crate) fn push_message(&mut self, message: &Message) {
        self.push_piece(message, false);
    }

    /// Whether a message has begun of which more is to come.
    pub(crate) fn is_inside_message(&self) -> bool {
        self.is_inside_message
    }

    fn push_piece(&mut self, piece: &Message, is_part: bool) {
        self.is_inside_message = is_part;
        if let Some(events) = &mut self.events {
            if !events.has_offset {
                events.has_offset = true;
                self.writer.push(&Packet::Offset(events.next));
            }
            events.next = match is_part {
                true => events.next.after_bytes(piece.len() as u64),
                false => events.next.after_message(),
            };
            if !is_line(piece.as_bytes()) {
                return match is_part {
                    true => self.writer.push(&Packet::Part(piece.clone())),
                    false => self.writer.push_message(piece),
                };
            }
        }
        self.content = match is_part {
            true => self.writer.push_shared_part(piece),
            false => self.writer.push_shared(piece),
        };
    }

    /// Whether nothing may be appended before [`Framing::take`], or nothing should.
    pub(crate) fn is_full(&self, room: usize) -> bool {
        self.content.is_some() || self.writer.pending_bytes() >= room
    }

    /// Puts what was appended into pieces to be sent.
    pub(crate) fn take(&mut self, pieces: &mut VecDeque<Bytes>) {
        let payload = self.writer.take();
        let content = self.content.take();
        let Some(events) = &mut self.events else {
            pieces.extend(Some(payload).filter(|payload| !payload.is_empty()));
            pieces.extend(content);
            return;
        };
        if payload.is_empty() {
            return;
        }
        events.has_offset = false;
        let mut begin = event::begin(events.next.offset, &payload);
        match content {
            None => {
                begin.extend_from_slice(event::END);
                pieces.push_back(begin.freeze());
            }
            Some(content) => {
                let end = Bytes::from_static(event::END);
                pieces.extend([begin.freeze(), content, end]);
            }
        }
    }

    /// Puts in what says that the stream rotates.
    pub(crate) fn rotate(&self, pieces: &mut VecDeque<Bytes>) {
        if self.events.is_some() {
            pieces.push_back(Bytes::from_static(event::COME_AGAIN));
        }
    }
}

/// What comes first, so that nothing on the way waits for a buffer to fill (PROTOCOL §13.2).
const PRELUDE_BYTES: usize = 2_048;
