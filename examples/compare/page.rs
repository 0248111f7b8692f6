//! The page: its files, and the session in which it says what it wants and is told what the lanes do.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anywire::{Config, Limits, Message, Server, Socket};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Reply};

use crate::event::now_ms;
use crate::{Comparison, Load, Settings, View};

/// The page's server, bound.
pub struct Page {
    listener: TcpListener,
    address: SocketAddr,
}

/// What a page says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Wish {
    /// The first thing: which view, and what of its settings is not as it begins.
    Start {
        view: View,
        settings: serde_json::Map<String, Value>,
    },
    Set {
        settings: Settings,
    },
    Clock {
        sent: f64,
    },
}

impl Page {
    /// Binds it to the loopback; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is in use.
    pub async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where the page is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `end`. Each page that opens has a comparison of its own.
    ///
    /// # Errors
    /// None that a default setting could bring.
    pub async fn run(self, end: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let port = self.address.port();
        let origins: Arc<[String]> = ["127.0.0.1", "localhost"]
            .map(|host| format!("http://{host}:{port}"))
            .into();
        let places = Arc::new(Semaphore::new(MAX_PAGES));
        let limits = Limits::default().resume_window(RESUME_WINDOW);
        let config = Config::new().mount("control").limits(limits);
        let server = Server::builder(config).map_err(io::Error::other)?;
        let server = server.on_socket(move |socket| {
            let (places, origins) = (places.clone(), origins.clone());
            async move {
                let Ok(_place) = places.try_acquire() else {
                    let _ = socket.send(json!({ "type": "full" }).to_string()).await;
                    return;
                };
                attend(socket, &origins).await;
            }
        });
        let serve = anywire::serve(server.routes().or(files()));
        let signal = async move {
            end.await;
            server.drain(Duration::from_secs(1)).await;
        };
        serve.incoming(self.listener).graceful(signal).run().await;
        Ok(())
    }
}

/// One page, from opening to leaving.
async fn attend(mut socket: Socket, origins: &[String]) {
    let Some((comparison, beginning)) = start(&mut socket, origins).await else {
        return;
    };
    let settings = comparison.settings();
    let ports = comparison.lanes().iter();
    let ports = ports.map(|lane| {
        json!({
            "kind": lane.kind.name(),
            "isIdle": lane.load == Load::Nothing,
            "port": lane.address.port(),
        })
    });
    let hello = json!({
        "type": "hello",
        "settings": *settings.borrow(),
        "beginning": beginning,
        "lanes": ports.collect::<Vec<_>>(),
    });
    if socket.send(hello.to_string()).await.is_err() {
        return;
    }
    let mut ticks = interval(READING_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut readings = 0_u64;
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                None => return,
                Some(message) => grant(&socket, &comparison, &message),
            },
            _ = ticks.tick() => {
                readings += 1;
                let has_tapes = readings.is_multiple_of(TAPES_EVERY);
                // A page that does not read now needs no old readings later.
                let _ = socket.try_send(read(&comparison, has_tapes).to_string());
            }
        }
    }
}

/// Waits for the page to say what it wants to see, and gives the settings that its view begins with too; none if it leaves before, or if there is no port left.
async fn start(socket: &mut Socket, origins: &[String]) -> Option<(Comparison, Settings)> {
    loop {
        let message = socket.recv().await?;
        let Ok(Wish::Start { view, settings }) = serde_json::from_slice(message.as_bytes()) else {
            continue;
        };
        let beginning = view.settings();
        match Comparison::start(view, beginning.with(settings), origins).await {
            Ok(comparison) => return Some((comparison, beginning)),
            Err(error) => {
                eprintln!("a comparison cannot start: {error}");
                return None;
            }
        }
    }
}

/// Does what a page says; what it says wrong is ignored.
fn grant(socket: &Socket, comparison: &Comparison, message: &Message) {
    match serde_json::from_slice(message.as_bytes()) {
        Ok(Wish::Set { settings }) => comparison.set(settings),
        Ok(Wish::Clock { sent }) => {
            let clock = json!({ "type": "clock", "sent": sent, "at": now_ms() });
            let _ = socket.try_send(clock.to_string());
        }
        Ok(Wish::Start { .. }) | Err(_) => {}
    }
}

fn read(comparison: &Comparison, has_tapes: bool) -> Value {
    let lanes = comparison.lanes().iter().map(|lane| {
        let mut reading = json!({ "reading": lane.reading(), "activity": lane.take_activity() });
        if has_tapes {
            reading["tape"] = json!(lane.tape());
        }
        reading
    });
    json!({
        "type": "readings",
        "at": now_ms(),
        "published": comparison.published(),
        "lanes": lanes.collect::<Vec<_>>(),
    })
}

/// The files of the page, which need no network beyond this server.
fn files() -> BoxedFilter<(Response,)> {
    const HTML: &str = "text/html; charset=utf-8";
    const CSS: &str = "text/css; charset=utf-8";
    const JS: &str = "text/javascript; charset=utf-8";
    const PAGE: &str = include_str!("index.html");
    const FILES: &[(&str, &str, &str)] = &[
        ("", HTML, PAGE),
        ("questions", HTML, PAGE),
        ("phone", HTML, PAGE),
        ("old.css", CSS, include_str!("old.css")),
        ("style.css", CSS, include_str!("style.css")),
        ("words.js", JS, include_str!("words.js")),
        ("short-poll.js", JS, include_str!("short-poll.js")),
        ("lanes.js", JS, include_str!("lanes.js")),
        ("client.js", JS, include_str!("client.js")),
        ("address.js", JS, include_str!("address.js")),
        ("lanes-view.js", JS, include_str!("lanes-view.js")),
        ("questions.js", JS, include_str!("questions.js")),
        ("upload.js", JS, include_str!("upload.js")),
        ("phone.js", JS, include_str!("phone.js")),
        ("export.js", JS, include_str!("export.js")),
        ("verdict.js", JS, include_str!("verdict.js")),
        ("stats.js", JS, include_str!("stats.js")),
        ("timeline.js", JS, include_str!("timeline.js")),
        ("chart.js", JS, include_str!("chart.js")),
        ("wire.js", JS, include_str!("wire.js")),
        ("controls.js", JS, include_str!("controls.js")),
        ("app.js", JS, include_str!("app.js")),
        ("uplot.js", JS, include_str!("uplot/uPlot.iife.min.js")),
        ("uplot.css", CSS, include_str!("uplot/uPlot.min.css")),
    ];
    warp::get()
        .and(warp::path::tail())
        .and_then(async |tail: warp::path::Tail| {
            let file = FILES.iter().find(|(name, ..)| *name == tail.as_str());
            let (_, kind, text) = file.ok_or_else(warp::reject::not_found)?;
            Ok::<_, warp::Rejection>(
                warp::reply::with_header(*text, "content-type", *kind).into_response(),
            )
        })
        .boxed()
}

/// Pages at once, each with up to ten servers.
const MAX_PAGES: usize = 8;
/// Of the page's session: a page that is gone keeps its lanes no longer.
const RESUME_WINDOW: Duration = Duration::from_secs(15);
const READING_PERIOD: Duration = Duration::from_millis(100);
/// Readings from one look at the bytes to the next.
const TAPES_EVERY: u64 = 4;
