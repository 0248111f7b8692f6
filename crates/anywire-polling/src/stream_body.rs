//! The stream: one endless answer that carries a session down, as a payload or as events (PROTOCOL §13, §14).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_core::{
    Caller, Connection, End, Entered, Entry, Flow, Guest, Head, Hub, Intent, Outgoing, Refusal,
};
use anywire_protocol::{
    ConnectionMode, Encoding, Limits, Offer, Offset, Opened, Packet, ProtocolError, Transport,
};
use bytes::Bytes;
use tokio_stream::Stream;

use crate::framing::Framing;
use crate::request::head::{Parsed, hold};

/// The body of an answer that carries a session until it ends. Dropping it detaches.
///
/// It makes a chunk only when it is asked for one. So a reader that takes nothing keeps its messages in the outbox, and
/// at most one chunk besides.
pub struct StreamBody {
    /// `None` once all is said.
    connection: Option<Connection>,
    framing: Framing,
    /// What is made and not asked for yet.
    pieces: VecDeque<Bytes>,
    made_bytes: usize,
    limits: Arc<Limits>,
}

impl StreamBody {
    /// Takes a request for `POST {mount}/stream`: its messages have been handed on when this returns.
    ///
    /// # Errors
    /// Nothing of the request was taken; answer with the refusal.
    pub(crate) async fn begin(
        hub: &Hub,
        encoding: Encoding,
        payload: Bytes,
        guest: Guest,
    ) -> Result<Self, Refusal> {
        let limits = hub.limits().clone();
        let Parsed { head, rest } = Parsed::read(encoding, payload, true, &limits)?;
        if hold(&head).is_some() {
            return Err(ProtocolError::malformed(
                "holdMs on a stream, which is not held: leave it out",
            )
            .into());
        }
        let caller = guest.caller(hub, Some(&head), &rest).await;
        let entered = enter(hub, head, rest, Transport::Stream, &caller).await?;
        let (connection, _, opened) = carried(entered);
        let mut framing = Framing::payload(encoding);
        if let Some(opened) = opened {
            framing.push(&Packet::Opened(opened));
        }
        Ok(Self::new(connection, framing, limits))
    }

    /// Takes an offer for `GET {mount}/events`. `seen` is the last event's id that the client has, if it says so.
    ///
    /// # Errors
    /// Answer with the refusal.
    pub(crate) async fn begin_events(
        hub: &Hub,
        offer: Offer,
        seen: Option<Offset>,
        guest: Guest,
    ) -> Result<Self, Refusal> {
        let seen = seen.unwrap_or_default();
        let head = match offer {
            Offer::Open(open) if open.credential.is_some() => {
                let text = "a credential in the address of an event stream: open by an exchange";
                return Err(ProtocolError::malformed(text).into());
            }
            Offer::Open(mut open) => {
                open.received = open.received.max(seen);
                Head::Open(Box::new(open))
            }
            Offer::Attach(mut attach) => {
                attach.received = attach.received.max(seen);
                Head::Attach(Box::new(attach))
            }
            Offer::Later { .. } => {
                let text =
                    "an event stream opens or attaches: offer anywire.open… or anywire.attach…";
                return Err(ProtocolError::malformed(text).into());
            }
        };
        let limits = hub.limits().clone();
        let caller = guest.caller(hub, Some(&head), &[]).await;
        let entered = enter(hub, head, Vec::new(), Transport::Events, &caller).await?;
        let (connection, first, opened) = carried(entered);
        let (mut framing, begin) = Framing::events(first);
        if let Some(opened) = opened {
            framing.push(&Packet::Opened(opened));
        }
        let mut body = Self::new(connection, framing, limits);
        body.made_bytes += begin.len();
        body.pieces.push_back(begin);
        Ok(body)
    }

    fn new(connection: Connection, framing: Framing, limits: Arc<Limits>) -> Self {
        Self {
            connection: Some(connection),
            framing,
            pieces: VecDeque::new(),
            made_bytes: 0,
            limits,
        }
    }

    pub(crate) fn poll_piece(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        if self.pieces.is_empty() {
            let is_over = self.make_pieces(cx).is_ready();
            if self.pieces.is_empty() && !is_over {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.pieces.pop_front())
    }

    /// Makes the next chunk of what the session has to say; ready when that was all.
    fn make_pieces(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(connection) = &self.connection else {
            return Poll::Ready(());
        };
        let framing = &mut self.framing;
        let left = self.limits.max_stream_bytes.saturating_sub(self.made_bytes);
        let poll = connection.poll_transmit(cx, |outgoing| {
            let mut is_last = false;
            match outgoing {
                Outgoing::Packet(packet) => {
                    is_last = matches!(packet, Packet::Close(_));
                    framing.push(&packet);
                }
                Outgoing::Message(message) => framing.push_message(message),
            }
            if framing.is_full(left.min(CHUNK_BYTES)) && !is_last {
                Flow::Pause
            } else {
                Flow::Continue
            }
        });
        if let Poll::Ready(End::Superseded) = poll {
            self.framing.push(&Packet::Superseded);
        }
        self.framing.take(&mut self.pieces);
        self.made_bytes += self.pieces.iter().map(Bytes::len).sum::<usize>();
        // A message in parts is brought to its end (PROTOCOL §13.5).
        let is_used_up =
            self.made_bytes >= self.limits.max_stream_bytes && !self.framing.is_inside_message();
        match poll {
            Poll::Ready(End::Finished) => self.framing.rotate(&mut self.pieces),
            Poll::Ready(
                End::Closed(_) | End::Superseded | End::Stalled | End::Limited(_) | End::Lost,
            ) => {}
            // Enough for one answer: the client attaches another.
            Poll::Pending if is_used_up => self.framing.rotate(&mut self.pieces),
            Poll::Pending => return Poll::Pending,
        }
        self.connection = None;
        Poll::Ready(())
    }
}

/// Has a stream carry a session.
async fn enter(
    hub: &Hub,
    head: Head,
    packets: Vec<Packet>,
    transport: Transport,
    caller: &Caller,
) -> Result<Entered<Connection>, Refusal> {
    let entry = Entry {
        head,
        packets,
        transport,
        intent: Intent::Carry(ConnectionMode::Stream),
    };
    hub.enter(entry, caller).decided().await
}

/// The connection that carries it, the offset of the first message that it will send, and *opened* for an open.
fn carried(entered: Entered<Connection>) -> (Connection, Offset, Option<Box<Opened>>) {
    let (connection, first) = entered
        .connection
        .expect("an entry that carries is connected");
    (connection, first, entered.opened)
}

impl Debug for StreamBody {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody")
            .field("made_bytes", &self.made_bytes)
            .finish_non_exhaustive()
    }
}

impl Stream for StreamBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(cx).map(|piece| piece.map(Ok))
    }
}

/// About how much is made at once, so that one session does not keep a thread to itself.
const CHUNK_BYTES: usize = 16_384;
