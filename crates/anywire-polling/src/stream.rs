//! The stream: one endless answer that carries a session down (PROTOCOL §13).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_core::{Connection, End, Hub, Outgoing, Principal, Refusal, Room, Transport};
use anywire_protocol::{Carrier, Encoding, Limits, Packet, PayloadWriter};
use bytes::Bytes;
use tokio_stream::Stream;

use crate::request::{Head, Request, malformed};

/// The body of an answer that carries a session until it ends. Dropping it detaches.
///
/// It makes a chunk only when it is asked for one. So a reader that takes nothing keeps its messages in the outbox, and
/// at most one message besides.
pub struct StreamBody {
    /// `None` once all is said.
    connection: Option<Connection>,
    writer: PayloadWriter,
    /// A message's content that goes out as it is, after what the writer holds.
    content: Option<Bytes>,
    sent_bytes: usize,
    limits: Arc<Limits>,
}

impl StreamBody {
    /// Takes a request: its messages have been handed on when this returns.
    ///
    /// # Errors
    /// Nothing of the request was taken; answer with the refusal.
    pub fn begin(
        hub: &Hub,
        encoding: Encoding,
        body: Bytes,
        principal: Option<&Principal>,
    ) -> Result<Self, Refusal> {
        let limits = hub.limits().clone();
        let Request { head, rest } = Request::read(encoding, body, &limits)?;
        let (visit, received, hold, is_open) = match &head {
            Head::Open(open) => (hub.open(open, principal)?, open.received, open.hold, true),
            Head::Attach(attach) => {
                let visit = hub.find(attach, principal)?;
                (visit, attach.received, attach.hold, false)
            }
        };
        if hold.is_some() {
            return Err(malformed("a stream is not held: leave holdMs out").into());
        }
        let (connection, opened) = visit.attach(received, Transport::Stream, Carrier::Stream)?;
        let mut writer = PayloadWriter::new(encoding);
        writer.push_prelude(PRELUDE_BYTES);
        if is_open {
            writer.push(&Packet::Opened(Box::new(opened)));
        }
        if !rest.is_empty() {
            visit.receive(received, rest)?;
        }
        Ok(Self {
            connection: Some(connection),
            writer,
            content: None,
            sent_bytes: 0,
            limits,
        })
    }

    fn poll_chunk(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(content) = self.content.take() {
            return Poll::Ready(Some(self.count(content)));
        }
        if self.sent_bytes >= self.limits.max_stream_bytes {
            // Enough for one answer: the client attaches another.
            self.connection = None;
        }
        let Some(connection) = &self.connection else {
            return Poll::Ready(None);
        };
        let (writer, next_content) = (&mut self.writer, &mut self.content);
        let room = CHUNK_BYTES.min(self.limits.max_stream_bytes - self.sent_bytes);
        let poll = connection.poll_transmit(cx, |outgoing| {
            match outgoing {
                Outgoing::Packet(packet) => writer.push(&packet),
                Outgoing::Message(message) => *next_content = writer.push_shared(message),
            }
            if next_content.is_some() || writer.pending_bytes() >= room {
                Room::None
            } else {
                Room::Some
            }
        });
        if let Poll::Ready(end) = &poll {
            if *end == End::Superseded {
                self.writer.push(&Packet::Superseded);
            }
            self.connection = None;
        }
        let chunk = self.writer.take();
        if chunk.is_empty() {
            return poll.map(|_| None);
        }
        Poll::Ready(Some(self.count(chunk)))
    }

    fn count(&mut self, chunk: Bytes) -> Bytes {
        self.sent_bytes += chunk.len();
        chunk
    }
}

impl Stream for StreamBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx).map(|chunk| chunk.map(Ok))
    }
}

/// What comes first, so that nothing on the way waits for a buffer to fill (PROTOCOL §13.2).
const PRELUDE_BYTES: usize = 2_048;

/// About how much is made at once, so that one session does not keep a thread to itself.
const CHUNK_BYTES: usize = 16_384;
