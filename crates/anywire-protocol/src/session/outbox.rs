//! The one queue: messages wait here, and stay until the peer acknowledges them. Writing them out is left to
//! whoever asks for them.

use std::collections::VecDeque;

use crate::{CloseCode, Limits, Message, Offset, ProtocolError, Timestamp, TrySendError};

/// Messages sent but not acknowledged.
///
/// `base` is the offset of the first one kept; `sent` is the highest offset that any connection was given.
/// Always `base <= sent <= base + len`.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    kept: VecDeque<Kept>,
    bytes: usize,
    base: Offset,
    sent: Offset,
}

#[derive(Debug)]
struct Kept {
    message: Message,
    since: Timestamp,
}

impl Outbox {
    /// Keeps a message, or gives it back.
    pub(crate) fn push(
        &mut self,
        message: Message,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), TrySendError> {
        if message.len() > limits.max_message_bytes {
            return Err(TrySendError::TooLarge(message));
        }
        if !self.has_room(message.len(), limits) {
            return Err(TrySendError::Full(message));
        }
        self.bytes += message.len();
        self.kept.push_back(Kept {
            message,
            since: now,
        });
        Ok(())
    }

    /// Whether a message of so many bytes would be kept now. One always fits an empty outbox.
    pub(crate) fn has_room(&self, bytes: usize, limits: &Limits) -> bool {
        self.kept.is_empty()
            || (self.kept.len() < limits.max_outbox_messages
                && self.bytes + bytes <= limits.max_outbox_bytes)
    }

    /// The message at `offset`, if it is kept; marks it as sent.
    pub(crate) fn transmit(&mut self, offset: Offset) -> Option<&Message> {
        let index = usize::try_from(offset.as_u64().checked_sub(self.base.as_u64())?).ok()?;
        let kept = self.kept.get(index)?;
        self.sent = self.sent.max(offset.after(1));
        Some(&kept.message)
    }

    /// Forgets what the peer has (PROTOCOL §7.2), which [`Outbox::judge`] has judged; says whether that was news.
    pub(crate) fn acknowledge(&mut self, received: Offset) -> bool {
        let is_news = self.base < received;
        while self.base < received {
            let kept = self.kept.pop_front().expect("base to sent is always kept");
            self.bytes -= kept.message.len();
            self.base = self.base.after(1);
        }
        is_news
    }

    /// Whether an ack can be true.
    pub(crate) fn judge(&self, received: Offset) -> Result<(), ProtocolError> {
        if received > self.sent {
            let text = "an ack above what was sent";
            return Err(ProtocolError::new(CloseCode::BAD_ACK, text));
        }
        Ok(())
    }

    /// Takes out the first message, which needs no ack: raw connections (PROTOCOL §9).
    pub(crate) fn release(&mut self, offset: Offset) -> Message {
        let message = self
            .transmit(offset)
            .expect("the cursor is below the end")
            .clone();
        self.acknowledge(offset.after(1));
        message
    }

    /// Lets go of memory that no message needs: an idle session owns no buffer.
    pub(crate) fn shrink(&mut self) {
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
    }

    /// The offset of the first message kept: what the peer has acknowledged.
    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    /// The offset that the next message will have.
    pub(crate) fn end(&self) -> Offset {
        self.base.after(self.kept.len() as u64)
    }

    /// Bytes of the messages kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest message will have waited too long.
    pub(crate) fn expires_at(&self, limits: &Limits) -> Option<Timestamp> {
        self.kept
            .front()
            .map(|kept| kept.since + limits.max_outbox_age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: usize) -> Outbox {
        let mut outbox = Outbox::default();
        for index in 0..count {
            let message = Message::text(index.to_string());
            outbox
                .push(message, &Limits::default(), Timestamp::default())
                .unwrap();
        }
        outbox
    }

    #[test]
    fn keeps_until_acknowledged() {
        let mut outbox = filled(3);
        for offset in 0..3 {
            let message = outbox.transmit(Offset::new(offset)).unwrap();
            assert_eq!(message.as_text(), Some(offset.to_string().as_str()));
        }
        assert!(outbox.transmit(Offset::new(3)).is_none());
        assert!(outbox.acknowledge(Offset::new(2)));
        assert!(outbox.transmit(Offset::new(1)).is_none());
        assert_eq!(
            outbox.transmit(Offset::new(2)).unwrap().as_text(),
            Some("2")
        );
        assert!(!outbox.acknowledge(Offset::new(1)));
        assert_eq!(outbox.base(), Offset::new(2));
    }

    #[test]
    fn an_ack_above_what_was_sent_is_fatal() {
        let mut outbox = filled(3);
        outbox.transmit(Offset::new(0));
        assert_eq!(
            outbox.judge(Offset::new(2)).unwrap_err().code(),
            CloseCode::BAD_ACK
        );
        assert_eq!(outbox.end(), Offset::new(3));
    }

    #[test]
    fn is_bounded_in_messages_and_bytes_but_takes_one_always() {
        let limits = Limits::default().max_outbox_messages(2).max_outbox_bytes(4);
        let mut outbox = Outbox::default();
        let now = Timestamp::default();
        outbox
            .push(Message::text("longer than four"), &limits, now)
            .unwrap();
        assert!(matches!(
            outbox.push(Message::text(""), &limits, now),
            Err(TrySendError::Full(_))
        ));
        outbox.transmit(Offset::new(0));
        outbox.acknowledge(Offset::new(1));
        outbox.push(Message::text("ab"), &limits, now).unwrap();
        outbox.push(Message::text("cd"), &limits, now).unwrap();
        assert!(matches!(
            outbox.push(Message::text(""), &limits, now),
            Err(TrySendError::Full(_))
        ));
    }
}
