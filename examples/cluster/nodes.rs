//! The three nodes, as the balancer knows them: processes that can be killed, or tasks where there is no Redis.

use std::error::Error;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;

use crate::balancer;
use crate::node::{self, Store};

const NAMES: [&str; 3] = ["Ada", "Bob", "Cyd"];

/// After so long a killed node is started again.
const START_AGAIN_AFTER: Duration = Duration::from_secs(6);

/// The nodes.
pub struct Nodes {
    store: Store,
    what: &'static str,
    key: String,
    all: [Node; 3],
    turn: AtomicUsize,
}

struct Node {
    name: &'static str,
    /// How many requests the balancer sent there.
    requests: AtomicU64,
    running: Mutex<Option<Running>>,
}

struct Running {
    address: SocketAddr,
    kind: Kind,
}

enum Kind {
    Process(Child),
    Task(AbortHandle),
}

impl Nodes {
    /// Starts them.
    pub async fn start(store: Store, what: &'static str) -> Result<Self, Box<dyn Error>> {
        let key: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(40)
            .collect();
        let node = |name| Node {
            name,
            requests: AtomicU64::new(0),
            running: Mutex::new(None),
        };
        let nodes = Self {
            store,
            what,
            key,
            all: NAMES.map(node),
            turn: AtomicUsize::new(0),
        };
        for place in 0..NAMES.len() {
            nodes.begin(place).await?;
        }
        Ok(nodes)
    }

    async fn begin(&self, place: usize) -> Result<(), Box<dyn Error>> {
        let name = self.all[place].name;
        let running = match &self.store {
            Store::Redis(url) => {
                let mut child = Command::new(std::env::current_exe()?)
                    .env("CLUSTER_NODE", name)
                    .env("CLUSTER_REDIS", url)
                    .env("CLUSTER_KEY", &self.key)
                    .stdout(Stdio::piped())
                    .kill_on_drop(true)
                    .spawn()?;
                let output = child.stdout.take().ok_or("the node says nothing")?;
                let line = BufReader::new(output).lines().next_line().await?;
                Running {
                    address: line.ok_or("the node has not started")?.parse()?,
                    kind: Kind::Process(child),
                }
            }
            store @ Store::Memory(_) => {
                let (address, serving) = node::start(name, store, &self.key).await?;
                Running {
                    address,
                    kind: Kind::Task(tokio::spawn(serving).abort_handle()),
                }
            }
        };
        *self.all[place].running() = Some(running);
        Ok(())
    }

    /// The node whose turn it is, among those that run.
    pub fn next(&self) -> Option<SocketAddr> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..NAMES.len()).find_map(|offset| {
            let node = &self.all[(first + offset) % NAMES.len()];
            let address = node.running().as_ref()?.address;
            node.requests.fetch_add(1, Ordering::Relaxed);
            Some(address)
        })
    }

    /// Kills a node as `kill -9` does, and starts another in its place after a while.
    pub async fn kill(&self, place: usize) {
        let Some(running) = self.all.get(place).and_then(|node| node.running().take()) else {
            return;
        };
        match running.kind {
            Kind::Process(mut child) => {
                let _ = child.kill().await;
            }
            Kind::Task(task) => task.abort(),
        }
        tokio::time::sleep(START_AGAIN_AFTER).await;
        if let Err(error) = self.begin(place).await {
            eprintln!("{} has not started again: {error}", NAMES[place]);
        }
    }

    /// What the page shows.
    pub async fn tell(&self) -> Value {
        let mut all = Vec::new();
        for node in &self.all {
            let address = node.running().as_ref().map(|running| running.address);
            let status = match address {
                Some(address) => balancer::status(address).await,
                None => None,
            };
            all.push(json!({
                "name": node.name,
                "requests": node.requests.load(Ordering::Relaxed),
                "status": status,
            }));
        }
        json!({ "store": self.what, "nodes": all })
    }

    /// Ends them.
    pub async fn stop(&self, within: Duration) {
        for node in &self.all {
            let running = node.running().take();
            if let Some(Running {
                kind: Kind::Process(mut child),
                ..
            }) = running
            {
                let _ = tokio::time::timeout(within, child.kill()).await;
            }
        }
    }
}

impl Node {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
