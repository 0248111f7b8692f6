//! What clients and nodes say to each other, and a node's end of it: what transports do, without bytes and HTTP.

use std::future::poll_fn;
use std::task::Poll;

use anywire_core::{Caller, Connection, End, Entered, Entry, Flow, Hub, Outgoing, Refusal};
use anywire_protocol::{CloseCode, CloseReason, ConnectionMode, Packet};

use super::lane::{Line, Reader, Writer};

/// What a client says.
#[derive(Debug)]
pub(super) enum Up {
    /// First.
    Enter(Entry),
    /// Then, on a connection that lasts.
    Packets(Vec<Packet>),
}

/// What a node says.
#[derive(Debug)]
pub(super) enum Down {
    Packets(Vec<Packet>),
    /// The last word.
    Refused(CloseReason),
}

/// Serves one connection of a client.
pub(super) async fn serve(hub: Hub, line: Line<Down, Up>) {
    let Line { writer, mut reader } = line;
    let Some(Up::Enter(entry)) = reader.recv().await else {
        return;
    };
    let is_exchange = !matches!(
        entry.intent,
        anywire_core::Intent::Carry(ConnectionMode::Duplex)
    );
    let caller = Caller::default();
    let entering = async { hub.enter(entry, &caller).decided().await };
    let entered = tokio::select! {
        entered = entering => entered,
        // The client is gone: what it brought may have been taken.
        _ = reader.recv() => return,
    };
    let said = match entered {
        Ok(entered) if is_exchange => answer(entered, &mut reader).await,
        Ok(entered) => return carry(entered, &writer, &mut reader).await,
        Err(refusal) => Err(refusal.reason().clone()),
    };
    writer.send(match said {
        Ok(packets) => Down::Packets(packets),
        Err(reason) => Down::Refused(reason),
    });
}

/// All that one exchange is answered with.
async fn answer(
    entered: Entered<Connection>,
    reader: &mut Reader<Up>,
) -> Result<Vec<Packet>, CloseReason> {
    let mut packets: Vec<_> = entered.opened.map(Packet::Opened).into_iter().collect();
    if let Some(answer) = entered.answer {
        packets.extend(answer.packets());
    }
    let Some((connection, _)) = entered.connection else {
        return Ok(packets);
    };
    let transmitted = poll_fn(|cx| {
        let end = connection.poll_transmit(cx, |outgoing| {
            packets.push(packet(outgoing));
            Flow::Continue
        });
        match end {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            // The client is gone.
            Poll::Pending => reader.poll_recv(cx).map(|_| None),
        }
    });
    match transmitted.await {
        Some(End::Finished | End::Closed(_)) => Ok(packets),
        Some(End::Superseded | End::Stalled) | None => Err(CloseCode::SUPERSEDED.into()),
        Some(End::Limited(reason)) => Err(reason),
        Some(End::Lost) => Err(Refusal::node_lost().reason().clone()),
    }
}

/// Carries a session until either end is gone.
async fn carry(entered: Entered<Connection>, writer: &Writer<Down>, reader: &mut Reader<Up>) {
    let (Some(opened), Some((connection, _))) = (entered.opened, entered.connection) else {
        unreachable!("what carries both ways is told first, and connected");
    };
    writer.send(Down::Packets(vec![Packet::Opened(opened)]));
    let end = poll_fn(|cx| {
        loop {
            let mut packets = Vec::new();
            let end = connection.poll_transmit(cx, |outgoing| {
                packets.push(packet(outgoing));
                Flow::Continue
            });
            if !packets.is_empty() {
                writer.send(Down::Packets(packets));
            }
            if let Poll::Ready(end) = end {
                return Poll::Ready(Some(end));
            }
            if connection.poll_inbox_room(cx).is_pending() {
                return Poll::Pending;
            }
            match reader.poll_recv(cx) {
                // What is refused shows in what there is to transmit.
                Poll::Ready(Some(Up::Packets(packets))) => {
                    drop(connection.receive(packets.into_iter(), 1));
                }
                Poll::Ready(Some(Up::Enter(_)) | None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    match end.await {
        Some(End::Superseded) => writer.send(Down::Refused(CloseCode::SUPERSEDED.into())),
        Some(End::Limited(reason)) => writer.send(Down::Refused(reason)),
        // A close has been said as a packet.
        Some(End::Finished | End::Closed(_) | End::Stalled | End::Lost) | None => {}
    }
}

fn packet(outgoing: Outgoing<'_>) -> Packet {
    match outgoing {
        Outgoing::Packet(packet) => packet,
        Outgoing::Message(message) => Packet::Message(message.clone()),
    }
}
