//! One run: a client and a server exchange a workload in this seed's weather, and the oracle judges.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire::{Config, Limits, Server, Socket};
use anywire_client::{Client, CloseCode, CloseReason, ConnectError, Disposition, OriginMemory};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::in_virtual_time;
use super::net::Net;
use super::weather::Weather;
use crate::oracle::{Ledger, Way, Workload};

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is wrong; `None` is as it should be.
    pub trouble: Option<String>,
    /// The session arrived at its end with every message.
    pub is_complete: bool,
    /// How long it took, in virtual time.
    pub took: Duration,
    /// The client's attempts.
    pub trace: Vec<String>,
}

/// Runs a seed, in a runtime of its own whose time is virtual.
///
/// # Panics
/// When the operating system gives no runtime.
pub fn run(seed: u64) -> Outcome {
    // The client's pauses are random too.
    fastrand::seed(seed);
    in_virtual_time(Scenario::new(seed).run())
}

struct Scenario {
    weather: Weather,
    net: Net,
    began: Instant,
    /// What the app of the process has seen that has the session.
    up: Arc<Mutex<Arc<Ledger>>>,
}

/// A server's process and what its app has seen.
struct Process {
    server: Server,
    task: JoinHandle<()>,
}

impl Scenario {
    fn new(seed: u64) -> Self {
        let weather = Weather::of(seed);
        Self {
            net: Net::new(seed, weather.clone()),
            up: Arc::new(Mutex::new(Arc::new(Ledger::new(weather.workload, Way::Up)))),
            weather,
            began: Instant::now(),
        }
    }

    fn up(&self) -> Arc<Ledger> {
        self.up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn run(self) -> Outcome {
        let down = Ledger::new(self.weather.workload, Way::Down);
        let first = self.start_server();
        let client = Client::builder("ws://server.example/anywire")
            .connector(self.net.connector())
            .memory(OriginMemory::default())
            .limits(Limits::default().max_inbox_messages(self.weather.inbox))
            .connect_timeout(CONNECT_TIMEOUT);
        let restarting = self.restart(&first);
        let talking = async {
            let talked = match timeout(WITHIN, client.connect()).await {
                Ok(Ok(client)) => Some(self.talk(client, &down).await),
                Ok(Err(ConnectError::Unreachable { .. })) => None,
                Ok(Err(error)) => Some((Some(error.to_string()), Vec::new())),
                Err(_) => Some((Some("connect hangs".to_owned()), Vec::new())),
            };
            (talked, self.began.elapsed())
        };
        let (second, (talked, took)) = tokio::join!(restarting, talking);
        let (trouble, trace) = match talked {
            Some(talked) => talked,
            None => {
                let is_late = took > CONNECT_TIMEOUT + Duration::from_secs(1);
                let trouble = is_late.then(|| format!("unreachable only after {took:?}"));
                return self.outcome(trouble, false, took, Vec::new());
            }
        };
        let (up, down) = (self.up().read(), down.read());
        let is_complete = up.count == up.expected && down.count == down.expected;
        let wrong = up.wrong.clone().or(down.wrong.clone());
        let end = down.end.clone();
        let trouble = trouble.or(wrong).or_else(|| {
            let is_harsh = second.is_some() || self.weather.is_harsh();
            let may_be_cut_short = is_harsh && is_told(end.as_ref());
            (!is_complete && !may_be_cut_short).then(|| {
                let (got, sent) = (down.count, up.count);
                format!("{sent} up, {got} down of {}, end {end:?}", down.expected)
            })
        });
        let leftover = if let Some(process) = &second {
            self.leftover(process).await
        } else {
            self.leftover(&first).await
        };
        self.outcome(trouble.or(leftover), is_complete, took, trace)
    }

    fn outcome(
        &self,
        trouble: Option<String>,
        is_complete: bool,
        took: Duration,
        trace: Vec<String>,
    ) -> Outcome {
        Outcome {
            trouble: trouble.map(|trouble| format!("{trouble}\n{:?}", self.weather)),
            is_complete,
            took,
            trace,
        }
    }

    fn start_server(&self) -> Process {
        let seen = Arc::new(Ledger::new(self.weather.workload, Way::Up));
        let (up, pause, workload) = (self.up.clone(), self.weather.pause, self.weather.workload);
        let defaults = Limits::default();
        let age = defaults.max_outbox_age + self.weather.nap;
        let limits = defaults.max_outbox_age(age);
        let server = Server::builder(Config::new().limits(limits))
            .expect("the limits are sound")
            .on_socket(move |socket| {
                *up.lock().unwrap_or_else(PoisonError::into_inner) = seen.clone();
                app(socket, workload, pause, seen.clone())
            });
        let serving = anywire::serve(server.routes()).incoming(self.net.listen());
        Process {
            server,
            task: tokio::spawn(serving.run()),
        }
    }

    /// Ends the server's process when the weather says so, and starts another that knows none of its sessions.
    async fn restart(&self, first: &Process) -> Option<Process> {
        sleep(self.weather.restart?).await;
        self.net.end_process();
        first.task.abort();
        sleep(DOWN).await;
        Some(self.start_server())
    }

    async fn talk(&self, mut client: Client, down: &Ledger) -> (Option<String>, Vec<String>) {
        let sender = client.sender();
        let workload = self.weather.workload;
        let sending = async {
            let send = |message| {
                let sender = sender.clone();
                async move { sender.send(message).await.is_ok() }
            };
            send_all(workload, Way::Up, self.weather.pause, send).await;
            // Neither side closes while a message is on its way: a close ends the other side's sending.
            while self.up().read().count.min(down.read().count) < workload.count() {
                sleep(Duration::from_millis(100)).await;
            }
            sender.close(CloseCode::NORMAL);
            std::future::pending().await
        };
        let receiving = async {
            sleep(self.weather.nap).await;
            while let Some(message) = client.recv().await {
                down.hear(&message);
            }
            down.end(client.close_reason().cloned());
        };
        let both = async {
            tokio::select! {
                () = sending => {}
                () = receiving => {}
            }
        };
        let is_late = timeout(WITHIN, both).await.is_err();
        let trace = sender.attempts().iter().map(ToString::to_string).collect();
        (
            is_late.then(|| format!("not done within {WITHIN:?}")),
            trace,
        )
    }

    /// Whatever a client did, its session is gone from the server in time.
    async fn leftover(&self, process: &Process) -> Option<String> {
        sleep(FORGOTTEN_WITHIN).await;
        let sessions = process.server.metrics().sessions;
        (sessions > 0).then(|| format!("{sessions} sessions are left on the server"))
    }
}

async fn app(mut socket: Socket, workload: Workload, pause: Duration, up: Arc<Ledger>) {
    up.begin();
    let sender = socket.sender();
    let sending = send_all(workload, Way::Down, pause, |message| {
        let sender = sender.clone();
        async move { sender.send(message).await.is_ok() }
    });
    let receiving = async {
        while let Some(message) = socket.recv().await {
            up.hear(&message);
        }
    };
    tokio::join!(sending, receiving);
    up.end(socket.close_reason().cloned());
}

/// Sends a workload, with a pause between two messages.
async fn send_all<F>(
    workload: Workload,
    way: Way,
    pause: Duration,
    send: impl Fn(anywire::Message) -> F,
) where
    F: Future<Output = bool>,
{
    for index in 0..workload.count() {
        if !send(workload.message(way, index)).await {
            return;
        }
        if !pause.is_zero() {
            sleep(pause.mul_f64(fastrand::f64())).await;
        }
    }
}

/// Whether an end says that a new session is needed.
fn is_told(end: Option<&CloseReason>) -> bool {
    end.is_some_and(|end| end.code.disposition() == Disposition::StartAnew)
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// In virtual time; partitions and back-off take minutes.
const WITHIN: Duration = Duration::from_secs(900);

/// How long the server's process is away.
const DOWN: Duration = Duration::from_secs(1);

/// The resume window, and a little.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(140);
