//! A page with the libraries in it, a server beside it, and what its app has seen.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anywire::{CloseReason, Server};
use anywire_tests::chromium::{Browser, Page};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use warp::Filter;

/// The constructors that are handed to a library, by their names in `ways.js`.
pub const WAYS: [&str; 7] = [
    NATIVE,
    "default",
    "websocket",
    "stream",
    "events",
    "poll",
    "jsonp",
];

/// The browser's own WebSocket.
pub const NATIVE: &str = "native";

/// A page whose server stops when this is dropped.
pub struct Stage {
    page: Page,
    serving: JoinHandle<()>,
}

impl Stage {
    /// Serves `server`, which is mounted at `mount`, and a page that has its client and the libraries. `hang_up` is what
    /// the page may ask of the server beside its socket.
    pub async fn open(
        browser: &Browser,
        server: &Server,
        mount: &str,
        hang_up: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Self {
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dropin/page.js");
        let bundle = std::fs::read_to_string(&bundle)
            .unwrap_or_else(|error| panic!("{}: {error}: run `make dropin`", bundle.display()));
        let html = format!(
            "<!doctype html><meta charset=utf-8><title>Test</title>\
             <script src=/{mount}/client.js></script><script src=/page.js></script>"
        );
        let page = warp::path::end().map(move || warp::reply::html(html.clone()));
        let script = warp::path("page.js").map(move || {
            warp::reply::with_header(
                bundle.clone(),
                "content-type",
                "text/javascript; charset=utf-8",
            )
        });
        let hang_up = warp::path("hang-up").map(move || {
            hang_up();
            ""
        });
        let routes = page.or(script).or(hang_up).or(server.routes());
        let serving = anywire::serve(routes)
            .bind(([127, 0, 0, 1], 0))
            .await
            .expect("a free port");
        let addr = serving.local_addr();
        let serving = tokio::spawn(serving.run());
        let page = browser.page(format!("http://{addr}/")).await;
        Self {
            page: page.expect("the page loads"),
            serving,
        }
    }

    /// Takes a library through its path; returns what it told.
    pub async fn run(&self, library: &str, way: &str) -> Vec<String> {
        let script = format!("dropin.run('{library}', '{way}')");
        let told = self.page.evaluate(&script).await.unwrap_or_else(|error| {
            panic!("{library}, {way}: {error}\n{:?}", self.page.console());
        });
        let console = self.page.console();
        let is_exception = console.iter().any(|line| line.kind == "exception");
        assert!(!is_exception, "{library}, {way}: {console:?}");
        told
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What an app has seen, line by line. Clones share it.
#[derive(Clone)]
pub struct Journal(Arc<watch::Sender<Vec<String>>>);

impl Journal {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }

    pub fn opened(&self, protocol: &str) {
        self.note(format!("opened {protocol}"));
    }

    pub fn closed(&self, reason: &CloseReason) {
        self.note(format!("closed {} {}", reason.code.as_u16(), reason.text()));
    }

    pub fn note(&self, line: String) {
        self.0.send_modify(|lines| lines.push(line));
    }

    /// Waits for so many lines; returns them sorted, since a session may end while the next one begins.
    pub async fn sorted(&self, count: usize) -> Vec<String> {
        let mut lines = self.0.subscribe();
        let enough = lines.wait_for(|lines| lines.len() >= count);
        let is_in_time = timeout(DEADLINE, enough).await.is_ok();
        let mut lines = self.0.borrow().clone();
        assert!(is_in_time, "{lines:?}");
        lines.sort();
        lines
    }
}

const DEADLINE: Duration = Duration::from_secs(20);
