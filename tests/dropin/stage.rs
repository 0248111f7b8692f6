//! A page with the libraries in it, a server beside it, and what its app has seen.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anywire::CloseReason;
use anywire_fault_proxy::FaultProxy;
use anywire_tests::chromium::{Browser, Page};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use warp::{Filter, Rejection, Reply};

/// The constructors that are handed to a library, by their names in `ways.js`.
pub const WAYS: [&str; 9] = [
    NATIVE,
    "default",
    "modern",
    "modern-poll",
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
    /// What the page goes through.
    pub proxy: FaultProxy,
    page: Page,
    serving: JoinHandle<()>,
}

impl Stage {
    /// Serves `routes`, and a page that has the libraries and, from where it is mounted among them, the client.
    pub async fn open<F, R>(browser: &Browser, mount: &str, routes: F) -> Self
    where
        F: Filter<Extract = (R,), Error = Rejection> + Clone + Send + Sync + 'static,
        R: Reply + 'static,
    {
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dropin/page.js");
        let bundle = std::fs::read_to_string(&bundle)
            .unwrap_or_else(|error| panic!("{}: {error}: run `make dropin`", bundle.display()));
        let html = format!(
            "<!doctype html><meta charset=utf-8><title>Test</title>\
             <script src=/{mount}/client-modern.js></script><script>const Modern = Anywire;</script>\
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
        let serving = anywire::serve(page.or(script).or(routes))
            .bind(([127, 0, 0, 1], 0))
            .await
            .expect("a free port");
        let proxy = FaultProxy::start(serving.local_addr());
        let serving = tokio::spawn(serving.run());
        let page = browser.page(proxy.url("/")).await;
        Self {
            proxy,
            page: page.expect("the page loads"),
            serving,
        }
    }

    /// Takes a library through a path of the page's scripts; returns what it told.
    pub async fn run(&self, path: &str, way: &str) -> Vec<String> {
        let script = format!("dropin.run('{path}', '{way}')");
        let told = self.page.evaluate(&script).await.unwrap_or_else(|error| {
            panic!("{path}, {way}: {error}\n{:?}", self.page.console());
        });
        let console = self.page.console();
        let is_exception = console.iter().any(|line| line.kind == "exception");
        assert!(!is_exception, "{path}, {way}: {console:?}");
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

    /// Waits for a line.
    pub async fn wait_for(&self, line: &str) {
        let mut lines = self.0.subscribe();
        let is_there = lines.wait_for(|lines| lines.iter().any(|other| other == line));
        let is_in_time = timeout(DEADLINE, is_there).await.is_ok();
        assert!(is_in_time, "{line}: {:?}", self.0.borrow());
    }
}

const DEADLINE: Duration = Duration::from_secs(20);
