//! The exchange: one request that opens, attaches, sends, polls, or several of these at once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anywire_core::{Connection, End, Hub, Outgoing, Principal, Refusal, Room, Transport, Visit};
use anywire_protocol::{
    Carrier, CloseCode, Encoding, Limits, Offset, Packet, PayloadWriter, ProtocolError,
    decode_payload,
};
use bytes::Bytes;

/// A request that has been taken, and what its answer will be made of.
///
/// Dropping it lets the session go; nothing is lost, since what was not acknowledged stays in the outbox.
pub struct Exchange {
    connection: Option<Connection>,
    writer: PayloadWriter,
    limits: Arc<Limits>,
}

impl Exchange {
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
        if body.len() > limits.max_payload_bytes {
            return Err(Refusal::new(
                CloseCode::TOO_LARGE,
                "send less than maxPayloadBytes at once",
            ));
        }
        let mut packets = decode_payload(encoding, body)?;
        if packets.is_empty() {
            return Err(malformed("a request begins with an open or attach packet").into());
        }
        let rest = packets.split_off(1);
        check(&rest, &limits)?;
        let mut writer = PayloadWriter::new(encoding);
        let connection = match packets.pop() {
            Some(Packet::Open(open)) => {
                let visit = hub.open(&open, principal)?;
                // An open that asks nothing is answered at once (PROTOCOL §6.3).
                let asks = rest
                    .iter()
                    .any(|packet| matches!(packet, Packet::Message(_)));
                let hold = open.hold.filter(|_| asks).unwrap_or(Duration::ZERO);
                let carrier = Carrier::Exchange {
                    hold: hold.min(limits.hold),
                };
                let (connection, opened) = visit.attach(open.received, Transport::Poll, carrier)?;
                writer.push(&Packet::Opened(Box::new(opened)));
                visit.receive(open.received, rest)?;
                Some(connection)
            }
            Some(Packet::Attach(attach)) => {
                let visit = hub.find(&attach, principal)?;
                match attach.hold {
                    Some(hold) => {
                        let carrier = Carrier::Exchange {
                            hold: hold.min(limits.hold),
                        };
                        let (connection, _) =
                            visit.connect(attach.received, Transport::Poll, carrier)?;
                        if !rest.is_empty() {
                            visit.receive(attach.received, rest)?;
                        }
                        Some(connection)
                    }
                    None => {
                        send(&visit, attach.received, rest, &mut writer)?;
                        None
                    }
                }
            }
            _ => return Err(malformed("a request begins with an open or attach packet").into()),
        };
        Ok(Self {
            connection,
            writer,
            limits,
        })
    }

    /// Waits until there is something to answer, or the hold is over.
    ///
    /// # Errors
    /// A newer connection carries the session.
    pub async fn answer(mut self) -> Result<Bytes, Refusal> {
        let Some(connection) = self.connection.take() else {
            return Ok(self.writer.finish());
        };
        let Self {
            mut writer, limits, ..
        } = self;
        let mut is_full = false;
        poll_fn(|cx| {
            let poll = connection.poll_transmit(cx, |outgoing| {
                match outgoing {
                    Outgoing::Packet(packet) => writer.push(&packet),
                    Outgoing::Message(message) => writer.push_message(message),
                }
                is_full = !writer.has_room(limits.max_message_bytes, limits.max_payload_bytes);
                if is_full { Room::None } else { Room::Some }
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
    // Its pong is not for the exchange that is held meanwhile.
    let is_ping = |packet: &Packet| matches!(packet, Packet::Ping(_));
    if let Some(index) = packets.iter().position(is_ping)
        && let Packet::Ping(content) = packets.remove(index)
    {
        writer.push(&Packet::Pong(content));
    }
    visit.receive(received, packets)?;
    let (received, end) = visit.answer();
    writer.push(&Packet::Ack(received));
    if let Some(reason) = end {
        writer.push(&Packet::Close(reason));
    }
    Ok(())
}

/// Judges what follows the head, before anything is taken (PROTOCOL §8.6).
fn check(packets: &[Packet], limits: &Limits) -> Result<(), ProtocolError> {
    let (mut has_offset, mut has_ping) = (false, false);
    for packet in packets {
        match packet {
            Packet::Ping(content) if content.len() > limits.max_ping_bytes => {
                let text = "a ping is longer than maxPingBytes";
                return Err(ProtocolError::new(CloseCode::TOO_LARGE, text));
            }
            Packet::Ping(_) if has_ping => return Err(malformed("a payload has one ping")),
            Packet::Ping(_) => has_ping = true,
            Packet::Offset(_) if has_offset => {
                return Err(malformed(
                    "a payload has one offset, before its first message",
                ));
            }
            Packet::Offset(_) => has_offset = true,
            Packet::Message(message) if message.len() > limits.max_message_bytes => {
                let text = "a message is longer than maxMessageBytes";
                return Err(ProtocolError::new(CloseCode::TOO_LARGE, text));
            }
            Packet::Message(_) if has_offset => {}
            Packet::Message(_) => {
                return Err(malformed("an offset comes before the first message"));
            }
            Packet::Ack(_) | Packet::Report(_) | Packet::Close(_) => {}
            Packet::Open(_)
            | Packet::Attach(_)
            | Packet::Opened(_)
            | Packet::Pong(_)
            | Packet::Superseded => {
                return Err(malformed(
                    "after the head come reports, a ping, offset, messages, acks and close",
                ));
            }
        }
    }
    Ok(())
}

const fn malformed(what: &'static str) -> ProtocolError {
    ProtocolError::new(CloseCode::PROTOCOL_ERROR, what)
}
