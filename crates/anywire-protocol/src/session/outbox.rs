//! The one queue: messages wait here, and stay until the peer acknowledges them. Writing them out is left to
//! whoever asks for them.

use std::collections::VecDeque;

use crate::{
    CloseCode, Limits, Message, MessageKind, Offset, Position, ProtocolError, Timestamp,
    TrySendError,
};

/// Messages sent but not acknowledged.
///
/// `base` is the place of the first byte that the peer has not acknowledged; `sent` is the furthest place that any
/// connection was given. The offset of `base` never falls and is at most that of `sent`; its bytes may fall, since the peer
/// may forget a part of a message.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    kept: VecDeque<Kept>,
    /// Of all messages that are kept, whatever the peer has of the first one.
    bytes: usize,
    /// Of the messages whose bytes no other place counts ([`Message::counted_by`]).
    own_bytes: usize,
    base: Position,
    sent: Position,
    /// The most bytes of the first message that the peer has ever acknowledged.
    furthest: u64,
}

/// What a connection is given of a message.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// All of it.
    Whole(&'a Message),
    /// A part that others follow.
    Part(Message),
    /// What is left of it.
    End(Message),
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
        if !self.has_room(message.len(), limits) {
            return Err(TrySendError::Full(message));
        }
        self.bytes += message.len();
        self.own_bytes += message.own_bytes();
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

    /// What comes at a place, if it is kept, and at most so many bytes of it; and the place behind it. Marks it as sent.
    pub(crate) fn transmit(
        &mut self,
        at: Position,
        max_bytes: usize,
    ) -> Option<(Piece<'_>, Position)> {
        let index = at.offset.as_u64().checked_sub(self.base.offset.as_u64())?;
        let kept = self.kept.get(usize::try_from(index).ok()?)?;
        let message = &kept.message;
        let begin = usize::try_from(at.bytes).unwrap_or(usize::MAX);
        let end = cut(message, begin, max_bytes);
        let after = match end {
            None => at.after_message(),
            Some(end) => Position::new(at.offset, end as u64),
        };
        self.sent = self.sent.max(after);
        let piece = match end {
            Some(end) => Piece::Part(message.slice(begin..end)),
            None if begin == 0 => Piece::Whole(message),
            None => Piece::End(message.slice(begin.min(message.len())..message.len())),
        };
        Some((piece, after))
    }

    /// Forgets what the peer has (PROTOCOL §7.2), which [`Outbox::judge`] has judged; says whether messages were among that.
    pub(crate) fn acknowledge(&mut self, received: Position, now: Timestamp) -> bool {
        let is_news = self.base.offset < received.offset;
        while self.base.offset < received.offset {
            let kept = self.kept.pop_front().expect("base to sent is always kept");
            self.bytes -= kept.message.len();
            self.own_bytes -= kept.message.own_bytes();
            self.base = self.base.after_message();
            self.furthest = 0;
        }
        if self.base.offset == received.offset {
            self.base.bytes = self.kept.front().map_or(0, |kept| {
                let bytes = usize::try_from(received.bytes).unwrap_or(usize::MAX);
                floor(&kept.message, bytes.min(kept.message.len())) as u64
            });
        }
        if self.base.bytes > self.furthest {
            // A long message on a slow line does not wait: it moves.
            self.furthest = self.base.bytes;
            self.kept.front_mut().expect("it has bytes").since = now;
        }
        is_news
    }

    /// What the peer has that says it has so many messages, and nothing of bytes: those that it said last hold (PROTOCOL
    /// §4.11).
    pub(crate) fn since(&self, received: Offset) -> Position {
        match received == self.base.offset {
            true => self.base,
            false => received.into(),
        }
    }

    /// Whether an ack can be true.
    pub(crate) fn judge(&self, received: Position) -> Result<(), ProtocolError> {
        let index = received
            .offset
            .as_u64()
            .checked_sub(self.base.offset.as_u64());
        let kept = index.and_then(|index| self.kept.get(usize::try_from(index).ok()?));
        let is_beyond = kept.is_some_and(|kept| received.bytes > kept.message.len() as u64);
        if received > self.sent || is_beyond {
            let text = "an ack above what was sent";
            return Err(ProtocolError::new(CloseCode::BAD_ACK, text));
        }
        Ok(())
    }

    /// Takes out the first message, which needs no ack: raw connections (PROTOCOL §9).
    pub(crate) fn release(&mut self, offset: Offset) -> Message {
        let Some((Piece::Whole(message), after)) = self.transmit(offset.into(), usize::MAX) else {
            panic!("the cursor is below the end, between messages");
        };
        let message = message.clone();
        self.acknowledge(after, Timestamp::default());
        message
    }

    /// All that is kept, whole.
    pub(crate) fn into_messages(self) -> Vec<Message> {
        self.kept.into_iter().map(|kept| kept.message).collect()
    }

    /// Lets go of memory that no message needs: an idle session owns no buffer.
    pub(crate) fn shrink(&mut self) {
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
    }

    /// What the peer has acknowledged.
    pub(crate) fn base(&self) -> Position {
        self.base
    }

    /// The offset that the next message will have.
    pub(crate) fn end(&self) -> Offset {
        self.base.offset.after(self.kept.len() as u64)
    }

    /// Bytes that the peer has not acknowledged.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes - usize::try_from(self.base.bytes).unwrap_or_default()
    }

    /// What the queue takes in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.own_bytes + self.kept.capacity() * size_of::<Kept>()
    }

    /// Since when the oldest message waits.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.kept.front().map(|kept| kept.since)
    }

    /// When the oldest message will have waited too long.
    pub(crate) fn expires_at(&self, limits: &Limits) -> Option<Timestamp> {
        self.oldest().map(|since| since + limits.max_outbox_age)
    }
}

/// Where a part of a message ends that begins here and has at most so many bytes; `None` if all the rest has no more.
fn cut(message: &Message, begin: usize, max_bytes: usize) -> Option<usize> {
    if message.len().saturating_sub(begin) <= max_bytes {
        return None;
    }
    // So that base64 of parts can be joined (PROTOCOL §4.9).
    let unit = match message.kind() {
        MessageKind::Text => 1,
        MessageKind::Binary => 3,
    };
    let end = begin + max_bytes.max(unit) / unit * unit;
    if end >= message.len() {
        return None;
    }
    match floor(message, end) {
        // A character that has more bytes than that.
        end if end == begin => (begin + 1..message.len()).find(|at| message.is_boundary(*at)),
        end => Some(end),
    }
}

/// The last place between two characters of a text that is not behind this one.
fn floor(message: &Message, mut at: usize) -> usize {
    while !message.is_boundary(at) {
        at -= 1;
    }
    at
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

    fn whole(outbox: &mut Outbox, offset: u64) -> Option<String> {
        let at = Offset::new(offset).into();
        outbox
            .transmit(at, usize::MAX)
            .map(|(piece, _)| match piece {
                Piece::Whole(message) => message.as_text().unwrap().to_owned(),
                other => panic!("{other:?}"),
            })
    }

    fn at(offset: u64, bytes: u64) -> Position {
        Position::new(Offset::new(offset), bytes)
    }

    #[test]
    fn keeps_until_acknowledged() {
        let mut outbox = filled(3);
        for offset in 0..3 {
            assert_eq!(whole(&mut outbox, offset), Some(offset.to_string()));
        }
        assert_eq!(whole(&mut outbox, 3), None);
        let now = Timestamp::default();
        assert!(outbox.acknowledge(at(2, 0), now));
        assert_eq!(whole(&mut outbox, 1), None);
        assert_eq!(whole(&mut outbox, 2).as_deref(), Some("2"));
        assert!(!outbox.acknowledge(at(1, 0), now));
        assert_eq!(outbox.base(), at(2, 0));
    }

    #[test]
    fn an_ack_above_what_was_sent_is_fatal() {
        let mut outbox = filled(3);
        assert!(whole(&mut outbox, 0).is_some());
        assert!(whole(&mut outbox, 1).is_some());
        for false_ack in [at(0, 2), at(1, 2), at(2, 1), at(3, 0)] {
            let error = outbox.judge(false_ack).unwrap_err();
            assert_eq!(error.code(), CloseCode::BAD_ACK);
        }
        assert_eq!(outbox.end(), Offset::new(3));
    }

    #[test]
    fn parts_end_between_characters_and_bytes_at_multiples_of_three() {
        for (message, max_bytes, ends) in [
            (Message::text("a🦀é"), 2, vec![1, 5, 7]),
            (Message::text("🦀🦀"), 1, vec![4, 8]),
            (Message::text("abc"), 3, vec![3]),
            (Message::text(""), 3, vec![0]),
            (Message::binary(vec![0; 10]), 7, vec![6, 10]),
            (Message::binary(vec![0; 5]), 1, vec![3, 5]),
        ] {
            let mut outbox = Outbox::default();
            let now = Timestamp::default();
            outbox.push(message, &Limits::default(), now).unwrap();
            let mut place = at(0, 0);
            let mut found = Vec::new();
            while place.offset == Offset::default() {
                let (piece, after) = outbox.transmit(place, max_bytes).unwrap();
                let (part, is_end) = match piece {
                    Piece::Whole(message) => (message.clone(), true),
                    Piece::Part(part) => (part, false),
                    Piece::End(end) => (end, true),
                };
                place.bytes += part.len() as u64;
                found.push(place.bytes);
                if is_end {
                    place = at(1, 0);
                }
                assert_eq!(after, place);
            }
            assert_eq!(found, ends);
        }
    }

    #[test]
    fn the_bytes_of_an_ack_may_fall_and_end_between_characters() {
        let mut outbox = Outbox::default();
        let (limits, now) = (Limits::default(), Timestamp::default());
        outbox.push("a🦀é".into(), &limits, now).unwrap();
        assert!(matches!(
            outbox.transmit(at(0, 0), 5),
            Some((Piece::Part(part), _)) if part == "a🦀".into()
        ));
        outbox.judge(at(0, 5)).unwrap();
        for (acked, base, left) in [(5, 5, 2), (3, 1, 6), (0, 0, 7), (5, 5, 2)] {
            assert!(!outbox.acknowledge(at(0, acked), now));
            assert_eq!((outbox.base(), outbox.bytes()), (at(0, base), left));
        }
        assert!(matches!(
            outbox.transmit(at(0, 5), 5),
            Some((Piece::End(end), _)) if end == "é".into()
        ));
        assert!(outbox.acknowledge(at(1, 0), now));
        assert_eq!((outbox.base(), outbox.bytes()), (at(1, 0), 0));
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
        assert!(whole(&mut outbox, 0).is_some());
        outbox.acknowledge(at(1, 0), now);
        outbox.push(Message::text("ab"), &limits, now).unwrap();
        outbox.push(Message::text("cd"), &limits, now).unwrap();
        assert!(matches!(
            outbox.push(Message::text(""), &limits, now),
            Err(TrySendError::Full(_))
        ));
    }
}
