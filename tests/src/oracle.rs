//! Whether exactly the accepted messages arrive, once and in order, on both sides, whatever is between. How a client
//! takes part is left to `rust_client` and `browser_client`.

pub mod browser_client;
mod ledger;
mod mode;
pub mod rust_client;
mod scene;
mod tour;
mod workload;

use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire::{CloseCode, Config, Limits, Message, Sender, Server, Socket};
use tokio::task::JoinHandle;
use warp::Filter;

pub use self::ledger::{Ledger, Reading};
pub use self::mode::{Between, Expected, Mode};
pub use self::scene::Scene;
pub use self::tour::tour;
pub use self::workload::{Way, Workload};

/// A server whose app sends a workload down and checks the one that comes up.
pub struct OracleServer {
    /// Where it listens.
    pub addr: std::net::SocketAddr,
    /// Its handle.
    pub server: Server,
    /// What has come up.
    pub up: Arc<Ledger>,
    app: Arc<Mutex<Option<Sender>>>,
    task: JoinHandle<()>,
}

impl OracleServer {
    /// A server for one session of this workload.
    pub async fn start(workload: Workload, limits: Limits) -> Self {
        let up = Arc::new(Ledger::new(workload, Way::Up));
        let app = Arc::default();
        let (server, serve) = routes(workload, limits, &up, &app);
        let serving = serve.bind(([127, 0, 0, 1], 0)).await.expect("a free port");
        let addr = serving.local_addr();
        let task = tokio::spawn(serving.run());
        Self {
            addr,
            server,
            up,
            app,
            task,
        }
    }

    /// Closes the session after what was sent.
    pub fn close(&self) {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*app {
            sender.close(CloseCode::NORMAL);
        }
    }
}

impl Drop for OracleServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The server's handle, and what serves it.
fn routes(
    workload: Workload,
    limits: Limits,
    up: &Arc<Ledger>,
    slot: &Arc<Mutex<Option<Sender>>>,
) -> (Server, anywire::HttpServer<anywire::WarpService>) {
    let (up, slot) = (up.clone(), slot.clone());
    let server = Server::builder(Config::new().limits(limits))
        .expect("the oracle's limits are sound")
        .on_socket(move |socket| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket.sender());
            app(socket, workload, up.clone())
        });
    let page = warp::path::end().map(|| warp::reply::html(PAGE));
    let serve = anywire::serve(page.or(server.routes()));
    (server, serve)
}

async fn app(mut socket: Socket, workload: Workload, up: Arc<Ledger>) {
    up.begin();
    let sender = socket.sender();
    let sending = async move {
        for index in 0..workload.count() {
            if sender
                .send(workload.message(Way::Down, index))
                .await
                .is_err()
            {
                return;
            }
            workload.pace(index).await;
        }
    };
    let receiving = async {
        while let Some(message) = socket.recv().await {
            up.hear(&message);
        }
    };
    // The socket's end ends both: what it has accepted is the session's.
    tokio::join!(sending, receiving);
    up.end(socket.close_reason().cloned());
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What the server got.
    pub up: Reading,
    /// What the client got.
    pub down: Reading,
    /// What carried the session at the end.
    pub transport: String,
    /// The error, where nothing can get through.
    pub error: Option<String>,
    /// How long the run took.
    pub took: Duration,
    /// The client's attempts, for a run that is to be explained.
    pub trace: Vec<String>,
}

impl Verdict {
    /// What is wrong with it, for a run that is to succeed.
    pub fn trouble(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        self.up.trouble("up").or_else(|| self.down.trouble("down"))
    }

    /// From the start until the first message had arrived, on the side that waited longer.
    pub fn first(&self) -> Option<Duration> {
        Some(self.up.first?.max(self.down.first?))
    }

    /// The longest time without a message while some were still to come.
    pub fn longest_gap(&self) -> Duration {
        self.up.longest_gap.max(self.down.longest_gap)
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ms = |duration: Option<Duration>| {
            duration.map_or("-".to_owned(), |duration| duration.as_millis().to_string())
        };
        write!(
            f,
            "{:>5}/{:<5} first {:>5} ms  gap {:>6} ms  {:<10}",
            self.up.count,
            self.down.count,
            ms(self.first()),
            self.longest_gap().as_millis(),
            self.transport,
        )?;
        match self.trouble() {
            None => write!(f, "equal"),
            Some(trouble) => write!(f, "{trouble}"),
        }
    }
}

/// Whether a message is the one that its place in the workload wants.
fn is_right(workload: Workload, way: Way, index: usize, message: &Message) -> bool {
    index < workload.count() && workload.message(way, index) == *message
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Oracle</title><link rel="icon" href="data:,">
<script src="/anywire/client.js"></script>"#;
