//! Messages in order, none twice. What the app does with them is left to it.

use std::collections::VecDeque;

use crate::{CloseCode, Limits, Message, Offset, ProtocolError, Timestamp};

/// What has been received, and what of it the app has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    received: Offset,
    /// The offset of the next message that comes on the wire; behind `received` while duplicates pass.
    cursor: Offset,
    /// Up to where the peer has been told.
    acked: Offset,
    /// Bytes received since then.
    unacked_bytes: usize,
    /// When the first message that the peer has not been told of came.
    unacked_since: Option<Timestamp>,
}

impl Inbox {
    /// What comes next has this offset (PROTOCOL §4.4, §5.5).
    pub(crate) fn seek(&mut self, offset: Offset) {
        self.cursor = offset;
    }

    /// Takes the next message off the wire.
    pub(crate) fn accept(&mut self, message: Message, now: Timestamp) -> Result<(), ProtocolError> {
        if self.cursor > self.received {
            return Err(ProtocolError::new(
                CloseCode::GAP,
                "a message above what was received",
            ));
        }
        let is_duplicate = self.cursor < self.received;
        self.cursor = self.cursor.after(1);
        if is_duplicate {
            return Ok(());
        }
        self.received = self.cursor;
        self.unacked_bytes += message.len();
        self.unacked_since.get_or_insert(now);
        self.waiting_bytes += message.len();
        self.waiting.push_back(message);
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_duplicates_and_refuses_gaps() {
        let mut inbox = Inbox::default();
        let now = Timestamp::default();
        for text in ["a", "b", "c"] {
            inbox.accept(text.into(), now).unwrap();
        }
        inbox.seek(Offset::new(1));
        for text in ["b", "c", "d"] {
            inbox.accept(text.into(), now).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(taken, ["a", "b", "c", "d"].map(Message::from));
        inbox.seek(Offset::new(5));
        assert_eq!(
            inbox.accept("f".into(), now).unwrap_err().code(),
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
        inbox.accept("a".into(), now).unwrap();
        assert_eq!(inbox.ack_due(&limits), Some(now + limits.ack_delay));
        for _ in 1..Limits::ACK_AFTER_MESSAGES {
            inbox.accept("a".into(), now).unwrap();
        }
        assert_eq!(inbox.ack_due(&limits), Some(now));
        assert_eq!(inbox.acknowledge(), Offset::new(Limits::ACK_AFTER_MESSAGES));
        assert_eq!(inbox.ack_due(&limits), None);
    }
}
