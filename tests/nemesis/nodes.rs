//! The three nodes as processes: each has a place, whose addresses stay, and lines to its links and to Redis that can be cut.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anywire_tests::address;
use anywire_tests::line::Wire;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::node::Told;
use crate::record::Record;

/// So many nodes.
pub const PLACES: usize = 3;

/// What a node may take to start, or to do what it was told.
const DEADLINE: Duration = Duration::from_secs(30);

/// The nodes.
pub struct Nodes {
    places: [Place; PLACES],
    records: PathBuf,
    /// What is done to them is written here before it is done.
    record: Record,
    drain: Duration,
}

/// Where a node runs, and another after it.
pub struct Place {
    /// Where its clients come.
    pub clients: SocketAddr,
    /// What others' links to it pass.
    pub to_links: Wire,
    /// What it reaches Redis by.
    pub to_redis: Wire,
    links: SocketAddr,
    running: Mutex<Option<(String, Child)>>,
    starts: AtomicU32,
    is_up: AtomicBool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    sessions: usize,
    links: usize,
    is_ready: bool,
}

impl Nodes {
    /// Starts all, and waits until they have found each other.
    pub async fn start(
        redis: SocketAddr,
        records: PathBuf,
        drain: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let mut places = Vec::new();
        for _ in 0..PLACES {
            let links = address::free();
            places.push(Place {
                clients: address::free(),
                to_links: Wire::to(links).await?,
                to_redis: Wire::to(redis).await?,
                links,
                running: Mutex::new(None),
                starts: AtomicU32::new(0),
                is_up: AtomicBool::new(false),
            });
        }
        let places = <[Place; PLACES]>::try_from(places).map_err(|_| "there are three places")?;
        let record = Record::open(&records, "nemesis")?;
        let nodes = Self {
            places,
            records,
            record,
            drain,
        };
        for place in 0..PLACES {
            nodes.begin(place).await?;
        }
        nodes.settled().await?;
        Ok(nodes)
    }

    /// What belongs to each node.
    pub fn places(&self) -> &[Place; PLACES] {
        &self.places
    }

    /// Starts a node in a place where none runs.
    pub async fn begin(&self, place: usize) -> Result<(), Box<dyn Error>> {
        let at = &self.places[place];
        let name = format!("{place}.{}", at.starts.fetch_add(1, Ordering::Relaxed));
        let told = Told {
            name: name.clone(),
            records: self.records.clone(),
            redis: format!("redis://{}", at.to_redis.addr),
            clients: at.clients,
            links: at.links,
            advertised: at.to_links.addr,
            drain: self.drain,
        };
        let child = Command::new(std::env::current_exe()?)
            .args(["node", &serde_json::to_string(&told)?])
            .kill_on_drop(true)
            .spawn()?;
        *at.running.lock().await = Some((name, child));
        let started = async {
            while at.status().await.is_none() {
                sleep(PAUSE).await;
            }
        };
        let late = |_| format!("the node in place {place} has not started within {DEADLINE:?}");
        timeout(DEADLINE, started).await.map_err(late)?;
        at.is_up.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until each that runs is ready and has a link to each other.
    pub async fn settled(&self) -> Result<(), Box<dyn Error>> {
        let settled = async {
            let up = self.places.iter().filter(|place| place.is_up());
            for place in up {
                let is_settled = |status: Status| status.is_ready && status.links == PLACES - 1;
                while !place.status().await.is_some_and(is_settled) {
                    sleep(PAUSE).await;
                }
            }
        };
        let late = |_| format!("the nodes have not found each other within {DEADLINE:?}");
        Ok(timeout(DEADLINE, settled).await.map_err(late)?)
    }

    /// Kills a node as `kill -9` does.
    pub async fn kill(&self, place: usize) -> Result<(), Box<dyn Error>> {
        let at = &self.places[place];
        let (name, mut child) = at.take().await?;
        self.record.write(format_args!("kills {name}"));
        at.is_up.store(false, Ordering::Relaxed);
        child.kill().await?;
        Ok(())
    }

    /// Has a node drain and end; returns how long it took.
    pub async fn drain(&self, place: usize) -> Result<Duration, Box<dyn Error>> {
        let at = &self.places[place];
        let (name, mut child) = at.take().await?;
        self.record.write(format_args!("drains {name}"));
        at.is_up.store(false, Ordering::Relaxed);
        let begun = Instant::now();
        tell(&child, "-TERM").await?;
        let late = |_| format!("node {name} has not drained within {DEADLINE:?}");
        timeout(DEADLINE, child.wait()).await.map_err(late)??;
        Ok(begun.elapsed())
    }

    /// Has a node do nothing for a while.
    pub async fn pause(&self, place: usize, duration: Duration) -> Result<(), Box<dyn Error>> {
        let running = self.places[place].running.lock().await;
        let (name, child) = running.as_ref().ok_or("no node runs there")?;
        self.record.write(format_args!("pauses {name}"));
        tell(child, "-STOP").await?;
        sleep(duration).await;
        tell(child, "-CONT").await
    }

    /// Writes down what is done to something else.
    pub fn note(&self, what: &str) {
        self.record.write(format_args!("does {what}"));
    }

    /// Waits until no session is left, so that each has ended for its app too; ends the nodes.
    pub async fn end(&self, within: Duration) -> Result<(), Box<dyn Error>> {
        let emptied = async {
            for place in &self.places {
                while place
                    .status()
                    .await
                    .is_none_or(|status| status.sessions > 0)
                {
                    sleep(PAUSE).await;
                }
            }
        };
        let late = |_| format!("sessions are left after {within:?}");
        timeout(within, emptied).await.map_err(late)?;
        for place in 0..PLACES {
            self.drain(place).await?;
        }
        Ok(())
    }
}

impl Place {
    /// Whether a balancer would send clients there.
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    async fn take(&self) -> Result<(String, Child), &'static str> {
        self.running.lock().await.take().ok_or("no node runs there")
    }

    async fn status(&self) -> Option<Status> {
        let asked = async {
            let mut stream = TcpStream::connect(self.clients).await.ok()?;
            let request = b"GET /status HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let (_, body) = answer.split_once("\r\n\r\n")?;
            serde_json::from_str(body).ok()
        };
        timeout(Duration::from_secs(2), asked).await.ok().flatten()
    }
}

async fn tell(child: &Child, signal: &str) -> Result<(), Box<dyn Error>> {
    let pid = child.id().ok_or("the node has ended by itself")?;
    let mut kill = Command::new("kill");
    match kill
        .args([signal, &pid.to_string()])
        .status()
        .await?
        .success()
    {
        true => Ok(()),
        false => Err(format!("cannot send {signal} to a node").into()),
    }
}

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
