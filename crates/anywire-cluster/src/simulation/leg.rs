//! A client's ways to the nodes: each request, and each connection that lasts, goes to any of them, and may be given up.

use std::sync::Arc;
use std::time::Duration;

use anywire_core::{Entry, Head, Intent};
use anywire_protocol::{ConnectionMode, Packet, Transport};
use fastrand::Rng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::door::{Down, Up};
use super::lane::Line;
use super::machines::NODES;
use super::network::Net;

/// Names a leg of one client.
pub(super) type LegId = u64;

/// What a leg brings.
pub(super) enum Heard {
    Said(Down),
    /// It broke, or nothing came in time: whether what it carried has been taken is unknown.
    Gone,
}

/// A request, and for how long its answer is waited for.
pub(super) struct Ask(Entry, Duration);

impl Ask {
    pub(super) fn poll(head: Head, hold: Duration) -> Self {
        // An open that asks nothing is answered at once.
        let hold = match head {
            Head::Open(_) => Duration::ZERO,
            Head::Attach(_) => hold,
        };
        let intent = Intent::Carry(ConnectionMode::Exchange { hold });
        Self::new(head, Vec::new(), intent, ANSWER_WITHIN + hold)
    }

    pub(super) fn send(head: Head, packets: Vec<Packet>) -> Self {
        Self::new(head, packets, Intent::Send, ANSWER_WITHIN)
    }

    fn new(head: Head, packets: Vec<Packet>, intent: Intent, within: Duration) -> Self {
        let entry = Entry {
            head,
            packets,
            transport: Transport::Poll,
            intent,
        };
        Self(entry, within)
    }
}

/// Makes legs.
pub(super) struct Legs {
    net: Arc<Net>,
    heard: UnboundedSender<(LegId, Heard)>,
    random: Rng,
    next: LegId,
}

impl Legs {
    pub(super) fn new(net: &Arc<Net>, heard: UnboundedSender<(LegId, Heard)>, random: Rng) -> Self {
        Self {
            net: net.clone(),
            heard,
            random,
            next: 0,
        }
    }

    fn next(&mut self) -> LegId {
        self.next += 1;
        self.next
    }

    /// Sends a request to some node.
    pub(super) fn request(&mut self, Ask(entry, within): Ask) -> LegId {
        let leg = self.next();
        let (net, heard) = (self.net.clone(), self.heard.clone());
        let to = self.random.usize(0..NODES);
        // Now and then the answer is lost.
        let within = match self.random.u8(0..20) {
            0 => Duration::from_millis(self.random.u64(1..300)),
            _ => within,
        };
        tokio::spawn(async move {
            let asking = async {
                let mut line = visit(&net, to).await?;
                line.writer.send(Up::Enter(entry));
                line.reader.recv().await
            };
            let answer = timeout(within, asking).await.ok().flatten();
            // The client may be gone.
            let _ = heard.send((leg, answer.map_or(Heard::Gone, Heard::Said)));
        });
        leg
    }

    /// Begins a connection that lasts, until what goes up on it is dropped.
    pub(super) fn duplex(&mut self, entry: Entry) -> (LegId, UnboundedSender<Vec<Packet>>) {
        let leg = self.next();
        let (up, to_send) = unbounded_channel();
        let (net, heard) = (self.net.clone(), self.heard.clone());
        let to = self.random.usize(0..NODES);
        tokio::spawn(async move {
            carry(&net, to, entry, to_send, |said| {
                heard.send((leg, Heard::Said(said))).is_ok()
            })
            .await;
            let _ = heard.send((leg, Heard::Gone));
        });
        (leg, up)
    }
}

async fn carry(
    net: &Arc<Net>,
    to: usize,
    entry: Entry,
    mut up: UnboundedReceiver<Vec<Packet>>,
    hear: impl Fn(Down) -> bool,
) {
    let entering = async {
        let mut line = visit(net, to).await?;
        line.writer.send(Up::Enter(entry));
        let first = line.reader.recv().await?;
        Some((line, first))
    };
    let entered = tokio::select! {
        entered = timeout(ANSWER_WITHIN, entering) => entered,
        // The client gives it up before it has said anything on it.
        _ = up.recv() => return,
    };
    let Ok(Some((mut line, first))) = entered else {
        return;
    };
    let mut is_heard = hear(first);
    while is_heard {
        is_heard = tokio::select! {
            packets = up.recv() => match packets {
                Some(packets) => {
                    line.writer.send(Up::Packets(packets));
                    true
                }
                None => false,
            },
            said = line.reader.recv() => said.is_some_and(&hear),
        };
    }
}

/// Connects to a node, or to the next one where the machine refuses: as through a balancer.
async fn visit(net: &Arc<Net>, first: usize) -> Option<Line<Up, Down>> {
    for index in 0..NODES {
        if let Ok(line) = net.visit((first + index) % NODES).await {
            return Some(line);
        }
    }
    None
}

/// How long a client waits for what should come at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
