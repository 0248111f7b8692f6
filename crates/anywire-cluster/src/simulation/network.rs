//! Who listens where, and how connections are made.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::clock;
use super::door::{Down, Up};
use super::lane::{Line, line};
use super::machines::{CLIENTS, Machine, machine_at};
use super::sky::Sky;
use crate::link::wire::{Listener, Network, Opening, Wire};

/// The network, as all share it.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) sky: Arc<Sky>,
    ports: Mutex<Ports>,
}

/// Where connections go; what stands behind a process that is gone takes none.
#[derive(Debug, Default)]
struct Ports {
    links: HashMap<SocketAddr, UnboundedSender<Bytes>>,
    doors: HashMap<Machine, UnboundedSender<Line<Down, Up>>>,
}

/// A connection that carries bytes.
type Bytes = Line<Vec<u8>, Vec<u8>>;

impl Net {
    pub(super) fn new(sky: Sky) -> Self {
        Self {
            sky: Arc::new(sky),
            ports: Mutex::default(),
        }
    }

    /// Takes clients' connections to a machine from now on.
    pub(super) fn open_door(&self, machine: Machine) -> UnboundedReceiver<Line<Down, Up>> {
        let (sender, receiver) = unbounded_channel();
        self.lock().doors.insert(machine, sender);
        receiver
    }

    /// Takes links.
    pub(super) fn listen(&self, address: SocketAddr) -> SimListener {
        let (sender, receiver) = unbounded_channel();
        self.lock().links.insert(address, sender);
        SimListener(receiver)
    }

    /// Connects a client.
    pub(super) async fn visit(&self, to: Machine) -> io::Result<Line<Up, Down>> {
        let find = |state: &Ports| state.doors.get(&to).cloned();
        self.dial(CLIENTS, to, find).await
    }

    async fn dial<Out, In>(
        &self,
        from: Machine,
        to: Machine,
        find: impl Fn(&Ports) -> Option<UnboundedSender<Line<In, Out>>>,
    ) -> io::Result<Line<Out, In>> {
        let there = self.sky.arrival(from, to, clock::now());
        clock::sleep_until(there).await;
        let (near, far) = line(&self.sky, from, to);
        // Where the process is gone, its end of the channel is.
        let listener = find(&self.lock());
        let is_taken = listener.is_some_and(|listener| listener.send(far).is_ok());
        clock::sleep_until(self.sky.arrival(to, from, there)).await;
        match is_taken {
            true => Ok(near),
            false => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The network as one machine has it.
#[derive(Debug)]
pub(super) struct SimNetwork {
    pub(super) net: Arc<Net>,
    pub(super) machine: Machine,
}

/// Where a process takes links.
#[derive(Debug)]
pub(super) struct SimListener(UnboundedReceiver<Bytes>);

impl Network for SimNetwork {
    fn connect(&self, address: SocketAddr) -> Opening<'_> {
        let to = machine_at(address);
        Box::pin(async move {
            let find = |state: &Ports| state.links.get(&address).cloned();
            Ok(wire(self.net.dial(self.machine, to, find).await?))
        })
    }
}

impl Listener for SimListener {
    fn accept(&mut self) -> Opening<'_> {
        Box::pin(async {
            let line = self.0.recv().await;
            Ok(wire(line.expect("the way to a listener ends with it")))
        })
    }
}

fn wire(line: Bytes) -> Wire {
    Wire {
        reader: Box::new(line.reader),
        writer: Box::new(line.writer),
        stays_here: true,
    }
}
