//! The exchange: one request that opens, attaches, sends, polls, or several of these at once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anywire_core::{
    Connection, End, Entered, Entry, Flow, Guest, Head, Hub, Intent, Outgoing, Refusal,
};
use anywire_protocol::{
    CloseCode, ConnectionMode, Encoding, Limits, Packet, PayloadWriter, ProtocolError, Transport,
};
use bytes::Bytes;

use crate::request::head::{Parsed, hold};

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
    pub(crate) async fn begin(
        hub: &Hub,
        transport: Transport,
        encoding: Encoding,
        payload: Bytes,
        guest: Guest,
    ) -> Result<Self, Refusal> {
        let limits = hub.limits().clone();
        let Parsed { head, mut rest } = Parsed::read(encoding, payload, false, &limits)?;
        if transport == Transport::Jsonp && shows_credential(&head, &rest) {
            let text = "a credential in the address of a script: send it by a form";
            return Err(ProtocolError::malformed(text).into());
        }
        let mut writer = PayloadWriter::new(encoding);
        let caller = guest.caller(hub, Some(&head), &rest).await;
        let (intent, ping) = match hold(&head) {
            Some(hold) => {
                // An open that asks nothing is answered at once (PROTOCOL §6.3).
                let is_message = |packet: &Packet| matches!(packet, Packet::Message(_));
                let asks = matches!(head, Head::Attach(_)) || rest.iter().any(is_message);
                let hold = if asks {
                    hold.min(limits.hold)
                } else {
                    Duration::ZERO
                };
                (Intent::Carry(ConnectionMode::Exchange { hold }), None)
            }
            // Its pong is not for what carries the session meanwhile.
            None => (Intent::Send, take_ping(&mut rest)),
        };
        let entry = Entry {
            head,
            packets: rest,
            transport,
            intent,
        };
        let Entered {
            opened,
            connection,
            answer,
        } = hub.enter(entry, &caller).decided().await?;
        if let Some(opened) = opened {
            writer.push(&Packet::Opened(opened));
        }
        if let Some(content) = ping {
            writer.push(&Packet::Pong(content));
        }
        if let Some(answer) = answer {
            answer.packets().for_each(|packet| writer.push(&packet));
        }
        Ok(Self {
            connection: connection.map(|(connection, _)| connection),
            writer,
            limits,
        })
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
                Poll::Ready(End::Limited(reason)) => Poll::Ready(Err(reason.into())),
                Poll::Ready(End::Lost) => Poll::Ready(Err(Refusal::node_lost())),
                Poll::Pending if is_full => Poll::Ready(Ok(())),
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
        drop(connection);
        Ok(writer.finish())
    }
}

/// Whether a request shows who its client is, beyond its session's secret.
fn shows_credential(head: &Head, rest: &[Packet]) -> bool {
    let opens_with_one = matches!(head, Head::Open(open) if open.credential.is_some());
    let is_one = |packet: &Packet| matches!(packet, Packet::Credential(said) if !said.is_empty());
    opens_with_one || rest.iter().any(is_one)
}

/// Takes the ping out of a request's packets; it has one at most.
fn take_ping(packets: &mut Vec<Packet>) -> Option<Box<str>> {
    let is_ping = |packet: &Packet| matches!(packet, Packet::Ping(_));
    let index = packets.iter().position(is_ping)?;
    match packets.remove(index) {
        Packet::Ping(content) => Some(content),
        _ => None,
    }
}
