//! What stands between a lane's client and its server: it adds the round-trip time, cuts, breaks WebSocket, and measures.
//!
//! It passes bytes on as they are. What is written down of them is left to `watch.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::record::{Record, What};
use crate::watch::Watch;
use crate::{Kind, Settings};

/// A relay that listens.
pub(crate) struct Relay {
    pub(crate) kind: Kind,
    pub(crate) listener: TcpListener,
    pub(crate) server: SocketAddr,
    pub(crate) record: Arc<Mutex<Record>>,
    pub(crate) settings: watch::Receiver<Settings>,
    /// Changes when the network fails.
    pub(crate) cuts: watch::Receiver<u64>,
}

impl Relay {
    /// Relays until it is dropped; its connections end with it.
    pub(crate) async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((client, _)) => {
                        let watch = Watch::new(self.kind, self.record.clone());
                        let carry = carry(client, self.server, watch, self.settings.clone(), self.cuts.clone());
                        connections.spawn(carry);
                    }
                    // One client's trouble, or no files left: the next may do better, but not at once.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn carry(
    client: TcpStream,
    server: SocketAddr,
    watch: Watch,
    settings: watch::Receiver<Settings>,
    mut cuts: watch::Receiver<u64>,
) {
    let watch = Mutex::new(watch);
    cuts.mark_unchanged();
    let mut broken = settings.clone();
    let what = tokio::select! {
        _ = cuts.changed() => What::Cut,
        () = websocket_breaks(&watch, &mut broken) => What::Cut,
        _ = pass(client, server, &watch, &settings) => What::End,
    };
    lock(&watch).end(what);
}

/// Passes bytes both ways until both sides have ended.
async fn pass(
    client: TcpStream,
    server: SocketAddr,
    watch: &Mutex<Watch>,
    settings: &watch::Receiver<Settings>,
) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut is_first = true;
    let up = pump(from_client, to_server, |bytes| {
        let settings = *settings.borrow();
        // The loopback's handshake took no time; one over this network takes a round trip.
        let round_trips = if std::mem::take(&mut is_first) { 3 } else { 1 };
        lock(watch).up(bytes, settings.websocket_broken)?;
        Ok(settings.one_way_delay() * round_trips)
    });
    let down = pump(from_server, to_client, |bytes| {
        let delay = settings.borrow().one_way_delay();
        lock(watch).down(bytes, delay);
        Ok(delay)
    });
    tokio::try_join!(up, down).map(|_| ())
}

/// Passes bytes one way. `see` looks at them when they come, and says how long they take.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut see: impl FnMut(&[u8]) -> io::Result<Duration>,
) -> io::Result<()> {
    let (road, mut arrivals) = mpsc::channel(MAX_ON_THE_ROAD);
    let read = async move {
        loop {
            let mut bytes = BytesMut::with_capacity(READ_BYTES);
            if from.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            let due = Instant::now() + see(&bytes)?;
            if road.send((due, bytes)).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = arrivals.recv().await {
            sleep_until(due).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_: ((), ())| ())
}

/// Waits until this connection is a WebSocket and none may be.
async fn websocket_breaks(watch: &Mutex<Watch>, settings: &mut watch::Receiver<Settings>) {
    let is_hit = |settings: &Settings| settings.websocket_broken && lock(watch).is_websocket();
    if settings.wait_for(is_hit).await.is_err() {
        std::future::pending().await
    }
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads of up to [`READ_BYTES`] that may be on their way at once; then the sender waits.
const MAX_ON_THE_ROAD: usize = 256;
const READ_BYTES: usize = 16_384;
