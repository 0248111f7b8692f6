//! Messages in order, none twice. The app takes them one by one. What has come of a message that is not whole waits here too.

use std::collections::VecDeque;

use super::reading::{Cursor, Reading, Unfinished};
use crate::{Limits, Message, Offset, Position, ProtocolError, Timestamp};

/// What gives the messages on a connection their offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// The connection counts from its attach on (PROTOCOL §5.5).
    Connection,
    /// The payload says an offset before its first message (PROTOCOL §4.4).
    Payload,
}

/// Whether a message goes on behind what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It goes on.
    Part,
    /// This is its end, or all of it.
    End,
}

/// What has been received, and what of it the app has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    received: Offset,
    unfinished: Option<Box<Unfinished>>,
    /// Where the connection is; behind `received` while duplicates pass. An exchange beside the connection does not move it.
    on_connection: Cursor,
    /// Where the payload is that is being read.
    in_payload: Cursor,
    /// Up to where the peer has been told.
    acked: Offset,
    /// Bytes received since then.
    unacked_bytes: usize,
    /// When the first message or part that the peer has not been told of came.
    unacked_since: Option<Timestamp>,
}

impl Inbox {
    /// What comes next by this count belongs here.
    pub(crate) fn seek(&mut self, count: Count, at: Position) {
        *self.cursor(count) = at.into();
    }

    /// Takes the next message off the wire, or a part of one. No message may have more than `max_bytes`.
    pub(crate) fn accept(
        &mut self,
        count: Count,
        piece: Message,
        extent: Extent,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<(), ProtocolError> {
        let cursor = *self.cursor(count);
        let mut reading = self.reading(cursor);
        let news = reading.read(&piece, extent, max_bytes)?;
        *self.cursor(count) = reading.cursor();
        let Some(from) = news else {
            if count == Count::Connection || reading.cursor().is_left_out() {
                // The peer may have missed the ack.
                self.unacked_since.get_or_insert(now);
            }
            return Ok(());
        };
        self.unacked_bytes += piece.len() - from;
        self.unacked_since.get_or_insert(now);
        let message = match (extent, self.unfinished.take()) {
            (Extent::Part, unfinished) => {
                let mut unfinished =
                    unfinished.unwrap_or_else(|| Box::new(Unfinished::new(piece.kind(), now)));
                unfinished.push(&piece, from);
                if from < piece.len() || count == Count::Connection {
                    // A WebSocket begins each message anew: it moves, though what it brings is known.
                    unfinished.excuse(now);
                }
                self.unfinished = Some(unfinished);
                return Ok(());
            }
            (Extent::End, None) => piece,
            (Extent::End, Some(unfinished)) => unfinished.finish(&piece, from),
        };
        self.received = self.received.after(1);
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
        Ok(())
    }

    /// Reads on from here by counts alone, and changes nothing.
    pub(crate) fn reading(&self, cursor: Cursor) -> Reading {
        let unfinished = self.unfinished.as_deref();
        let unfinished = unfinished.map(|unfinished| (unfinished.kind(), unfinished.len()));
        Reading::new(self.received, unfinished, cursor)
    }

    fn cursor(&mut self, count: Count) -> &mut Cursor {
        match count {
            Count::Connection => &mut self.on_connection,
            Count::Payload => &mut self.in_payload,
        }
    }

    /// Whether the app has something to take.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next message for the app.
    pub(crate) fn take(&mut self) -> Option<Message> {
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= message.len();
        Some(message)
    }

    /// Lets go of memory that no message needs: an idle session owns no buffer.
    pub(crate) fn shrink(&mut self) {
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }

    /// Drops what has come of a message whose rest will not come.
    pub(crate) fn forget_unfinished(&mut self) {
        self.unfinished = None;
    }

    /// Whether more may be read off the wire. While the app has nothing to take, the rest of a message may come, however
    /// long it is.
    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.waiting.is_empty()
            || self.waiting.len() < limits.max_inbox_messages
                && self.bytes() < limits.max_inbox_bytes
    }

    /// Whether there is twice as much as there is room for: more than a peer that keeps to its window can send.
    pub(crate) fn is_flooded(&self, limits: &Limits) -> bool {
        let longest = limits.max_inbox_bytes.max(limits.max_message_bytes);
        self.waiting.len() >= 2 * limits.max_inbox_messages
            || self.bytes() >= limits.max_inbox_bytes + longest
    }

    /// What the queue and the unfinished message take in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        let unfinished = self.unfinished.as_deref();
        let unfinished = unfinished.map_or(0, Unfinished::held_bytes);
        self.waiting_bytes + self.waiting.capacity() * size_of::<Message>() + unfinished
    }

    fn bytes(&self) -> usize {
        let unfinished = self.unfinished.as_deref();
        self.waiting_bytes + unfinished.map_or(0, Unfinished::len)
    }

    /// How many messages have been received since the session opened.
    pub(crate) fn received(&self) -> Offset {
        self.received
    }

    /// The same, with what has been received of the next one.
    pub(crate) fn position(&self) -> Position {
        let unfinished = self.unfinished.as_deref();
        Position::new(self.received, unfinished.map_or(0, Unfinished::len) as u64)
    }

    /// When a message that is not whole has come further; `None` if there is none.
    pub(crate) fn grown_at(&self) -> Option<Timestamp> {
        self.unfinished.as_deref().map(Unfinished::grown_at)
    }

    /// That it does not come further is not the peer's fault.
    pub(crate) fn excuse(&mut self, now: Timestamp) {
        if let Some(unfinished) = self.unfinished.as_deref_mut() {
            unfinished.excuse(now);
        }
    }

    /// The peer is being told of everything received: returns how much that is.
    pub(crate) fn acknowledge(&mut self) -> Position {
        self.acked = self.received;
        self.unacked_bytes = 0;
        self.unacked_since = None;
        self.position()
    }

    /// When the ack that is owed falls due (PROTOCOL §7.2); `None` if none is owed.
    pub(crate) fn ack_due(&self, limits: &Limits) -> Option<Timestamp> {
        let since = self.unacked_since?;
        let count = self.received.as_u64() - self.acked.as_u64();
        if count >= Limits::ACK_AFTER_MESSAGES || self.unacked_bytes >= Limits::ACK_AFTER_BYTES {
            return Some(since);
        }
        Some(since + limits.ack_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloseCode;

    fn accept(inbox: &mut Inbox, count: Count, text: &str) -> Result<(), ProtocolError> {
        inbox.accept(
            count,
            text.into(),
            Extent::End,
            100,
            Timestamp::from_millis(5),
        )
    }

    #[test]
    fn an_exchange_beside_a_connection_does_not_move_its_count() {
        let mut inbox = Inbox::default();
        for text in ["a", "b"] {
            accept(&mut inbox, Count::Payload, text).unwrap();
        }
        for text in ["a", "b", "c"] {
            accept(&mut inbox, Count::Connection, text).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken, ["a", "b", "c"].map(Message::from));
    }

    #[test]
    fn drops_duplicates_and_refuses_gaps() {
        let mut inbox = Inbox::default();
        for text in ["a", "b", "c"] {
            accept(&mut inbox, Count::Payload, text).unwrap();
        }
        inbox.seek(Count::Payload, Offset::new(1).into());
        for text in ["b", "c", "d"] {
            accept(&mut inbox, Count::Payload, text).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken, ["a", "b", "c", "d"].map(Message::from));
        inbox.seek(Count::Payload, Offset::new(5).into());
        assert_eq!(
            accept(&mut inbox, Count::Payload, "f").unwrap_err().code(),
            CloseCode::GAP
        );
        assert_eq!(inbox.received(), Offset::new(4));
    }

    #[test]
    fn an_ack_falls_due_after_the_delay_or_enough_messages() {
        let limits = Limits::default();
        let mut inbox = Inbox::default();
        let now = Timestamp::from_millis(5);
        assert_eq!(inbox.ack_due(&limits), None);
        accept(&mut inbox, Count::Payload, "a").unwrap();
        assert_eq!(inbox.ack_due(&limits), Some(now + limits.ack_delay));
        for _ in 1..Limits::ACK_AFTER_MESSAGES {
            accept(&mut inbox, Count::Payload, "a").unwrap();
        }
        assert_eq!(inbox.ack_due(&limits), Some(now));
        let all = Offset::new(Limits::ACK_AFTER_MESSAGES);
        assert_eq!(inbox.acknowledge(), all.into());
        assert_eq!(inbox.ack_due(&limits), None);
    }
}
