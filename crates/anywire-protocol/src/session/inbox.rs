//! Messages in order, none twice. The app takes them one by one.

use std::collections::VecDeque;

use crate::{CloseCode, Limits, Message, Offset, ProtocolError, Timestamp};

/// What gives the messages on a connection their offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// The connection counts from its attach on (PROTOCOL §5.5).
    Connection,
    /// The payload says an offset before its first message (PROTOCOL §4.4).
    Payload,
}

/// What has been received, and what of it the app has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    received: Offset,
    /// The offset of the next message on the connection; behind `received` while duplicates pass. An exchange beside the
    /// connection does not move it.
    on_connection: Offset,
    /// The offset of the next message in the payload that is being read.
    in_payload: Offset,
    /// Up to where the peer has been told.
    acked: Offset,
    /// Bytes received since then.
    unacked_bytes: usize,
    /// When the first message that the peer has not been told of came.
    unacked_since: Option<Timestamp>,
}

impl Inbox {
    /// What comes next by this count has this offset.
    pub(crate) fn seek(&mut self, count: Count, offset: Offset) {
        *self.cursor(count) = offset;
    }

    /// Takes the next message off the wire.
    pub(crate) fn accept(
        &mut self,
        count: Count,
        message: Message,
        now: Timestamp,
    ) -> Result<(), ProtocolError> {
        let received = self.received;
        let cursor = self.cursor(count);
        if *cursor > received {
            return Err(gap());
        }
        let is_duplicate = *cursor < received;
        *cursor = cursor.after(1);
        if is_duplicate {
            if count == Count::Connection {
                // The peer may have missed the ack.
                self.unacked_since.get_or_insert(now);
            }
            return Ok(());
        }
        self.received = received.after(1);
        self.unacked_bytes += message.len();
        self.unacked_since.get_or_insert(now);
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
        Ok(())
    }

    fn cursor(&mut self, count: Count) -> &mut Offset {
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

    /// Whether more may be read off the wire.
    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.waiting.len() < limits.max_inbox_messages
            && self.waiting_bytes < limits.max_inbox_bytes
    }

    /// Whether there is twice as much as there is room for: more than a peer that keeps to its window can send.
    pub(crate) fn is_flooded(&self, limits: &Limits) -> bool {
        let longest = limits.max_inbox_bytes.max(limits.max_message_bytes);
        self.waiting.len() >= 2 * limits.max_inbox_messages
            || self.waiting_bytes >= limits.max_inbox_bytes + longest
    }

    /// How many messages have been received since the session opened.
    pub(crate) fn received(&self) -> Offset {
        self.received
    }

    /// The peer is being told of everything received: returns how much that is.
    pub(crate) fn acknowledge(&mut self) -> Offset {
        self.acked = self.received;
        self.unacked_bytes = 0;
        self.unacked_since = None;
        self.received
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

pub(crate) const fn gap() -> ProtocolError {
    ProtocolError::new(
        CloseCode::GAP,
        "a message above what was received: attach anew and send the ones between",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_beside_a_connection_does_not_move_its_count() {
        let mut inbox = Inbox::default();
        let now = Timestamp::default();
        for text in ["a", "b"] {
            inbox.accept(Count::Payload, text.into(), now).unwrap();
        }
        for text in ["a", "b", "c"] {
            inbox.accept(Count::Connection, text.into(), now).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken, ["a", "b", "c"].map(Message::from));
    }

    #[test]
    fn drops_duplicates_and_refuses_gaps() {
        let mut inbox = Inbox::default();
        let now = Timestamp::default();
        for text in ["a", "b", "c"] {
            inbox.accept(Count::Payload, text.into(), now).unwrap();
        }
        inbox.seek(Count::Payload, Offset::new(1));
        for text in ["b", "c", "d"] {
            inbox.accept(Count::Payload, text.into(), now).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken, ["a", "b", "c", "d"].map(Message::from));
        inbox.seek(Count::Payload, Offset::new(5));
        assert_eq!(
            inbox
                .accept(Count::Payload, "f".into(), now)
                .unwrap_err()
                .code(),
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
        inbox.accept(Count::Payload, "a".into(), now).unwrap();
        assert_eq!(inbox.ack_due(&limits), Some(now + limits.ack_delay));
        for _ in 1..Limits::ACK_AFTER_MESSAGES {
            inbox.accept(Count::Payload, "a".into(), now).unwrap();
        }
        assert_eq!(inbox.ack_due(&limits), Some(now));
        assert_eq!(inbox.acknowledge(), Offset::new(Limits::ACK_AFTER_MESSAGES));
        assert_eq!(inbox.ack_due(&limits), None);
    }
}
