//! A node's process: its hub, what makes it a node, its app, and the door for clients.

use std::sync::Arc;
use std::time::Duration;

use anywire_core::{App, Budgets, Hub, Socket};
use anywire_protocol::{CloseCode, Message};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

use super::clock::{self, Turns};
use super::door::serve;
use super::ledger::{Ledger, Process};
use super::machines::address;
use super::network::{Net, SimNetwork};
use super::store::{FarStore, Feeding, Served};
use crate::cluster::Ground;
use crate::key::ClusterKey;
use crate::memory::MemoryStore;
use crate::store::NodeId;

/// What a process needs of the world.
#[derive(Clone)]
pub(super) struct World {
    pub(super) net: Arc<Net>,
    pub(super) store: MemoryStore,
    pub(super) ledger: Ledger,
    /// Where the store takes connections, and what brings topics.
    pub(super) served: UnboundedSender<Served>,
    pub(super) feeding: UnboundedSender<Feeding>,
    /// When apps send no more by themselves.
    pub(super) quiet: Duration,
}

/// A process that runs, or stands still.
pub(super) struct Running {
    pub(super) turns: Turns,
    pub(super) node: NodeId,
}

/// Starts a process.
pub(super) fn start(world: &World, process: Process, port: u16) -> Running {
    let turns = Turns::begin();
    let node = NodeId::draw();
    world.net.sky.begin(node);
    turns.spawn(run(world.clone(), process, node, port));
    Running { turns, node }
}

async fn run(world: World, process: Process, id: NodeId, port: u16) {
    let mut budgets = Budgets::default();
    budgets.max_bytes = MAX_BYTES;
    let (ledger, quiet) = (world.ledger.clone(), world.quiet);
    let app = App::task(move |socket| converse(socket, ledger.clone(), process, quiet));
    let hub = Hub::new(world.net.sky.weather().limits(), budgets, Vec::new(), app);
    let (store, feeding) = FarStore::new(
        &world.net.sky,
        process.machine,
        &world.store,
        &world.ledger,
        world.served.clone(),
    );
    // The run may be over.
    let _ = world.feeding.send(feeding);
    let address = address(process.machine, port);
    let ground = Ground {
        store: Arc::new(store),
        network: Arc::new(SimNetwork {
            net: world.net.clone(),
            machine: process.machine,
        }),
        listener: Box::new(world.net.listen(address)),
        address,
    };
    let key = ClusterKey::new([7; 32]).expect("the key is long enough");
    let mut node = ground.start(id, &hub, &[key]);
    let mut door = world.net.open_door(process.machine);
    let mut published = 0;
    let mut publish_at = clock::now() + Duration::from_secs(2);
    loop {
        tokio::select! {
            Some(line) = door.recv() => drop(tokio::spawn(serve(hub.clone(), line))),
            Some(gap) = node.gap() => world.ledger.gap(process, gap.missing),
            () = clock::sleep_until(publish_at), if publish_at < world.quiet => {
                let text = format!("topic:{}:{published}", process.number);
                published += 1;
                hub.publish(TOPIC, Message::text(text));
                publish_at = clock::now() + Duration::from_millis(fastrand::u64(100..3_000));
            }
        }
    }
}

/// The app: answers each message, and sends some by itself.
async fn converse(mut socket: Socket, ledger: Ledger, process: Process, quiet: Duration) {
    let run = ledger.begin(socket.id(), process);
    socket.subscribe(TOPIC);
    loop {
        let pause = Duration::from_millis(fastrand::u64(50..4_000));
        tokio::select! {
            message = socket.recv() => match message {
                Some(message) => ledger.app_heard(run, &message),
                None => break,
            },
            () = sleep(pause), if clock::now() < quiet => {}
        }
        let message = ledger.app_sends(run);
        if socket.send(message).await.is_ok() {
            ledger.app_sent(run);
        }
    }
    let reason = socket.close_reason().cloned();
    ledger.end(run, reason.unwrap_or(CloseCode::ABNORMAL.into()));
}

/// More than a run takes: what the process may have matters not.
const MAX_BYTES: u64 = 1 << 30;

const TOPIC: &str = "room";
