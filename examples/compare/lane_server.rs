//! One lane's server: on a thread of its own, so that the thread's CPU time is the lane's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anywire::{Config, Limits, Server, Socket};
use cpu_time::ThreadTime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::{Kind, Load, answer};

/// A server that runs until this is dropped.
pub(crate) struct LaneServer {
    pub(crate) address: SocketAddr,
    events: mpsc::Sender<String>,
    server: Server,
    cpu_ns: Arc<AtomicU64>,
    plain_answers: Arc<AtomicU64>,
}

impl LaneServer {
    /// Starts it; pages of these origins are let in.
    pub(crate) async fn start(kind: Kind, load: Load, origins: &[String]) -> io::Result<Self> {
        let mut config = Config::new().mount(MOUNT).limits(limits());
        for origin in origins {
            config = config.allow_origin(origin);
        }
        let server = Server::builder(config).map_err(io::Error::other)?;
        let (events, published) = mpsc::channel(MAX_WAITING_EVENTS);
        let (ready, started) = oneshot::channel();
        let cpu_ns = Arc::new(AtomicU64::new(0));
        let clock = cpu_ns.clone();
        let plain_answers = Arc::new(AtomicU64::new(0));
        let requests = answer::requests(plain_answers.clone());
        thread::Builder::new()
            .name(kind.name().to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => {
                        runtime.block_on(run(server, load, requests, published, clock, ready))
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            })?;
        let (address, server) = started.await.map_err(io::Error::other)??;
        Ok(Self {
            address,
            events,
            server,
            cpu_ns,
            plain_answers,
        })
    }

    /// Sends an event to every client, as soon as the lane's thread comes to it.
    pub(crate) async fn publish(&self, text: String) {
        // The thread ends with this, so there is somebody to receive.
        let _ = self.events.send(text).await;
    }

    /// CPU time of the lane's thread, as of the last half of a second.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.cpu_ns.load(Ordering::Relaxed)
    }

    /// Events written to clients, repeats included; answers to plain requests too.
    pub(crate) fn deliveries(&self) -> u64 {
        self.server.metrics().messages_down + self.plain_answers.load(Ordering::Relaxed)
    }
}

type Ready = oneshot::Sender<io::Result<(SocketAddr, Server)>>;

/// The whole life of the lane's thread. It ends when nobody can publish any more.
async fn run(
    builder: anywire::ServerBuilder,
    load: Load,
    requests: BoxedFilter<(Response,)>,
    mut events: mpsc::Receiver<String>,
    cpu_ns: Arc<AtomicU64>,
    ready: Ready,
) {
    let server = builder.on_socket(move |socket: Socket| async move {
        if load == Load::Events {
            socket.subscribe(TOPIC);
        }
        answer::attend(socket).await;
    });
    let bound = anywire::serve(server.routes().or(requests))
        .bind(([127, 0, 0, 1], 0))
        .await;
    let serving = match bound {
        Ok(serving) => serving,
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready
        .send(Ok((serving.local_addr(), server.clone())))
        .is_err()
    {
        return;
    }
    let publish = async {
        while let Some(text) = events.recv().await {
            server.publish(TOPIC, text);
        }
    };
    let read_clock = async {
        let began = ThreadTime::now();
        let mut ticks = interval(CLOCK_PERIOD);
        loop {
            ticks.tick().await;
            let spent = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            cpu_ns.store(spent, Ordering::Relaxed);
        }
    };
    tokio::select! {
        () = publish => {}
        () = read_clock => {}
        () = serving.run() => {}
    }
}

/// Room for what waits between two of the slowest polls under the highest load, and for a cut besides.
fn limits() -> Limits {
    Limits::default()
        .max_outbox_messages(16_384)
        .max_outbox_bytes(64 * 1_024 * 1_024)
}

/// Where the lanes' endpoints are.
pub(crate) const MOUNT: &str = "live";
const TOPIC: &str = "events";
const MAX_WAITING_EVENTS: usize = 1_024;
/// Reading it takes time too.
const CLOCK_PERIOD: Duration = Duration::from_millis(500);
