//! The lanes of a view, joined: one stream of events, a server for each, a relay before it, and a network that they share.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use crate::client::follow;
use crate::event::{Event, now_ms};
use crate::lane_server::LaneServer;
use crate::record::{Activity, Record, Tape, Totals};
use crate::relay::Relay;
use crate::watch::lock;
use crate::{Kind, Load, Settings, View};

/// A comparison that runs until it is dropped.
pub struct Comparison {
    lanes: Vec<Lane>,
    settings: watch::Sender<Settings>,
    published: Arc<AtomicU64>,
    /// The source, the network's failures, the relays and the extra clients; dropping it stops them.
    _tasks: JoinSet<()>,
}

/// One way to talk, and what it carries.
pub struct Lane {
    /// Which way.
    pub kind: Kind,
    /// What it carries.
    pub load: Load,
    /// Where its clients connect: the relay, which measures.
    pub address: SocketAddr,
    record: Arc<Mutex<Record>>,
    server: Arc<LaneServer>,
}

/// A lane's numbers; all count since the comparison began.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// What has passed the relay: the traffic of the one client that is measured.
    #[serde(flatten)]
    pub totals: Totals,
    /// CPU time of the server's thread.
    pub cpu_ns: u64,
    /// Events that the server has written to all of its clients, repeats included.
    pub deliveries: u64,
}

impl Comparison {
    /// Starts it. Pages of these origins may connect to the lanes.
    ///
    /// # Errors
    /// No ports or no threads are left.
    pub async fn start(view: View, settings: Settings, origins: &[String]) -> io::Result<Self> {
        let (settings, watched) = watch::channel(settings.bounded());
        let (cut, cuts) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let mut lanes = Vec::new();
        for (kind, load) in view.lanes() {
            let server = Arc::new(LaneServer::start(kind, load, origins).await?);
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let address = listener.local_addr()?;
            let record = Arc::default();
            let relay = Relay {
                kind,
                listener,
                server: server.address,
                record: Arc::clone(&record),
                settings: watched.clone(),
                cuts: cuts.clone(),
            };
            tasks.spawn(relay.run());
            if view == View::News {
                tasks.spawn(keep_extra_clients(kind, server.address, watched.clone()));
            }
            lanes.push(Lane {
                kind,
                load,
                address,
                record,
                server,
            });
        }
        let published = Arc::new(AtomicU64::new(0));
        let servers = lanes.iter().filter(|lane| lane.load == Load::Events);
        let servers = servers.map(|lane| lane.server.clone()).collect();
        tasks.spawn(make_events(
            view,
            servers,
            published.clone(),
            watched.clone(),
        ));
        tasks.spawn(fail(cut, watched));
        Ok(Self {
            lanes,
            settings,
            published,
            _tasks: tasks,
        })
    }

    /// The lanes, in the order of [`View::lanes`].
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Changes the settings, within their bounds.
    pub fn set(&self, settings: Settings) {
        self.settings.send_replace(settings.bounded());
    }

    /// The settings, as they change.
    pub fn settings(&self) -> watch::Receiver<Settings> {
        self.settings.subscribe()
    }

    /// The number of the last event made.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }
}

impl Lane {
    /// The numbers now.
    pub fn reading(&self) -> Reading {
        Reading {
            totals: lock(&self.record).totals_at(now_ms()),
            cpu_ns: self.server.cpu_ns(),
            deliveries: self.server.deliveries(),
        }
    }

    /// What has happened since this was last asked.
    pub fn take_activity(&self) -> Vec<Activity> {
        lock(&self.record).take_activity()
    }

    /// The bytes of the last exchange that brought events.
    pub fn tape(&self) -> Tape {
        lock(&self.record).tape.clone()
    }
}

/// Makes the view's events and gives each to every lane that carries them.
async fn make_events(
    view: View,
    servers: Vec<Arc<LaneServer>>,
    published: Arc<AtomicU64>,
    mut settings: watch::Receiver<Settings>,
) {
    loop {
        let chosen = *settings.borrow_and_update();
        let Some((first, pause)) = view.event_pauses(&chosen) else {
            return;
        };
        let mut ticks = interval_at(Instant::now() + first, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match settings.has_changed() {
                Ok(false) => {}
                Ok(true) => break,
                // The comparison is over.
                Err(_) => return,
            }
            ticks.tick().await;
            let number = published.load(Ordering::Relaxed) + 1;
            let at_ms = now_ms();
            let text = Event { number, at_ms }.to_text(chosen.size_bytes);
            for server in &servers {
                server.publish(text.clone()).await;
            }
            published.store(number, Ordering::Relaxed);
        }
    }
}

/// Cuts all lanes' connections at the same random moments: they share one bad network.
async fn fail(cut: watch::Sender<u64>, mut settings: watch::Receiver<Settings>) {
    loop {
        let rate = settings.borrow_and_update().cuts_per_minute;
        if rate == 0 {
            if settings.changed().await.is_err() {
                return;
            }
            continue;
        }
        let mean = Duration::from_secs(60) / rate;
        // Exponential pauses: the moments know nothing of each other.
        let pause = mean.mul_f64(-(1.0 - fastrand::f64()).ln());
        tokio::select! {
            () = sleep(pause) => cut.send_modify(|count| *count += 1),
            changed = settings.changed() => if changed.is_err() { return },
        }
    }
}

/// Keeps as many extra clients as wanted. They connect to the server directly: the relay measures one client.
async fn keep_extra_clients(
    kind: Kind,
    server: SocketAddr,
    mut settings: watch::Receiver<Settings>,
) {
    let mut clients = Vec::new();
    loop {
        let wanted = settings.borrow_and_update().extra_clients;
        clients.truncate(wanted);
        while clients.len() < wanted {
            let mut client = JoinSet::new();
            client.spawn(follow(kind, server, settings.clone(), |_| ()));
            clients.push(client);
        }
        if settings.changed().await.is_err() {
            return;
        }
    }
}
