//! The exchange: one request that opens, attaches, sends, polls, or several of these at once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anywire_core::{Caller, Connection, End, Flow, Hub, Outgoing, Refusal, Visit};
use anywire_protocol::{
    CloseCode, ConnectionMode, Encoding, Limits, Offset, Packet, PayloadWriter, Transport,
};
use bytes::Bytes;

use crate::request::head::{Head, Parsed};

/// A request that has been taken, and what its answer will be made of.
///
/// Dropping it lets the session go; nothing is lost, since what was not acknowledged stays in the outbox.
pub(crate) struct Exchange {
    connection: Option<Connection>,
    writer: PayloadWriter,
    limits: Arc<Limits>,
}

impl Exchange {
    /// Takes a request's payload. When this returns, the session has its messages. The transport is `Poll` or `Jsonp`.
    ///
    /// # Errors
    /// Nothing of the request was taken; answer with the refusal.
    pub(crate) fn begin(
        hub: &Hub,
        transport: Transport,
        encoding: Encoding,
        payload: Bytes,
        caller: &Caller,
    ) -> Result<Self, Refusal> {
        let limits = hub.limits().clone();
        let Parsed { head, rest } = Parsed::read(encoding, payload, false, &limits)?;
        let mut writer = PayloadWriter::new(encoding);
        let mode = |hold: Duration| ConnectionMode::Exchange {
            hold: hold.min(limits.hold),
        };
        let connection = match head {
            Head::Open(open) => {
                let visit = hub.open(&open, &rest, caller)?;
                let Some(hold) = open.hold else {
                    writer.push(&Packet::Opened(Box::new(visit.opened(None))));
                    send(&visit, open.received, rest, &mut writer)?;
                    return Ok(Self::answered(writer, limits));
                };
                // An open that asks nothing is answered at once (PROTOCOL §6.3).
                let asks = rest
                    .iter()
                    .any(|packet| matches!(packet, Packet::Message(_)));
                let hold = if asks { hold } else { Duration::ZERO };
                let (connection, at) = visit.attach(open.received, rest, transport, mode(hold))?;
                writer.push(&Packet::Opened(Box::new(visit.opened(Some(at)))));
                connection
            }
            Head::Attach(attach) => {
                let visit = hub.find(&attach, caller)?;
                let Some(hold) = attach.hold else {
                    send(&visit, attach.received, rest, &mut writer)?;
                    return Ok(Self::answered(writer, limits));
                };
                visit
                    .attach(attach.received, rest, transport, mode(hold))?
                    .0
            }
        };
        Ok(Self {
            connection: Some(connection),
            writer,
            limits,
        })
    }

    /// One that has only sent: its answer is written.
    fn answered(writer: PayloadWriter, limits: Arc<Limits>) -> Self {
        Self {
            connection: None,
            writer,
            limits,
        }
    }

    /// Waits until there is something to answer, or the hold is over.
    ///
    /// # Errors
    /// A newer connection carries the session.
    pub(crate) async fn answer(mut self) -> Result<Bytes, Refusal> {
        let Some(connection) = self.connection.take() else {
            return Ok(self.writer.finish());
        };
        let Self {
            mut writer, limits, ..
        } = self;
        // In a session that can part, the rest of a message goes with the next answer.
        let longest = limits.longest_piece(connection.can());
        let (mut is_full, mut has_ack) = (false, false);
        poll_fn(|cx| {
            let poll = connection.poll_transmit(cx, |outgoing| {
                match outgoing {
                    Outgoing::Packet(packet) => {
                        has_ack |= matches!(packet, Packet::Ack(_));
                        writer.push(&packet);
                    }
                    Outgoing::Message(message) => writer.push_message(message),
                }
                // Without an ack it would be no answer (PROTOCOL §6.2).
                is_full = has_ack && !writer.has_room(longest, limits.max_payload_bytes);
                if is_full { Flow::Pause } else { Flow::Continue }
            });
            match poll {
                Poll::Ready(End::Finished | End::Closed(_)) => Poll::Ready(Ok(())),
                Poll::Ready(End::Superseded | End::Stalled) => {
                    let text = "a newer exchange took over: use that, or attach anew";
                    Poll::Ready(Err(Refusal::new(CloseCode::SUPERSEDED, text)))
                }
                Poll::Pending if is_full => Poll::Ready(Ok(())),
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
        drop(connection);
        Ok(writer.finish())
    }
}

/// An exchange that does not attach: takes what came and answers with an ack (PROTOCOL §6.3).
fn send(
    visit: &Visit,
    received: Offset,
    mut packets: Vec<Packet>,
    writer: &mut PayloadWriter,
) -> Result<(), Refusal> {
    // Its pong is not for what carries the session meanwhile.
    let is_ping = |packet: &Packet| matches!(packet, Packet::Ping(_));
    let ping = packets.iter().position(is_ping);
    let ping = ping.map(|index| packets.remove(index));
    visit.receive(received, packets)?;
    if let Some(Packet::Ping(content)) = ping {
        writer.push(&Packet::Pong(content));
    }
    let (received, end) = visit.answer();
    writer.push(&Packet::Ack(received));
    if let Some(reason) = end {
        writer.push(&Packet::Close(reason));
    }
    Ok(())
}
