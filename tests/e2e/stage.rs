//! A page with a client in it, a server behind a proxy, and the comparison of what both sides saw.

use std::time::Duration;

use anywire::Config;
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_tests::chromium::{Browser, Page, PageOptions};
use anywire_tests::middlebox::Middlebox;
use anywire_tests::server::TestServer;
use serde_json::Value;

const HARNESS: &str = include_str!("harness.js");

/// How long anything may take here.
const DEADLINE: Duration = Duration::from_secs(40);

pub struct Stage {
    pub server: TestServer,
    pub proxy: FaultProxy,
    pub page: Page,
    browser: Browser,
}

impl Stage {
    /// A page behind a proxy with these faults, in its words. `before_load` runs before the page's own scripts.
    pub async fn start(config: Config, faults: &str, before_load: Option<&str>) -> Self {
        let server = TestServer::start(config).await;
        let proxy = FaultProxy::start(server.addr);
        proxy.set(Faults::of(faults));
        let url = proxy.url("/");
        Self::visit(server, proxy, url, before_load).await
    }

    /// A page behind a middlebox that stands before this server, and before that a proxy with these faults.
    pub async fn behind(server: TestServer, middlebox: &Middlebox, faults: &str) -> Self {
        let proxy = FaultProxy::start(middlebox.addr());
        proxy.set(Faults::of(faults));
        let url = proxy.url("/");
        Self::visit(server, proxy, url, None).await
    }

    /// A page of another origin than the server's, with the server behind a proxy that does nothing. The config may
    /// have to know the page's origin.
    pub async fn across(page: &TestServer, config: Config) -> Self {
        let server = TestServer::start(config).await;
        let proxy = FaultProxy::start(server.addr);
        let url = format!("http://{}/", page.addr);
        Self::visit(server, proxy, url, None).await
    }

    async fn visit(
        server: TestServer,
        proxy: FaultProxy,
        url: String,
        before_load: Option<&str>,
    ) -> Self {
        let browser = Browser::launch().await.expect("Chromium starts");
        let options = PageOptions {
            url,
            before_load: before_load.map(str::to_owned),
            ..PageOptions::default()
        };
        let page = browser.page_with(options).await.expect("the page loads");
        page.evaluate::<Value>(HARNESS)
            .await
            .expect("the harness runs");
        Self {
            server,
            proxy,
            page,
            browser,
        }
    }

    /// Starts the client and waits until it is open.
    pub async fn open(&self) {
        self.open_with("{}").await;
    }

    /// As [`Stage::open`], with options.
    pub async fn open_with(&self, options: &str) {
        self.evaluate(&format!("harness.start({options})")).await;
        self.until("run.opens === 1").await;
    }

    pub async fn evaluate(&self, script: &str) -> Value {
        self.page
            .evaluate::<Value>(script)
            .await
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub async fn until(&self, condition: &str) {
        if let Err(error) = self.page.wait_for(condition, DEADLINE).await {
            let state = "JSON.stringify({got: run.got.length, transports: run.transports, closes: run.closes, \
                         trace: run.socket.trace})";
            let state = self.evaluate(state).await;
            panic!("{condition}: {error}\n{state}\n{:?}", self.page.console());
        }
    }

    /// As [`Stage::until`], while the page comes back from another and there may be none to ask for a moment.
    pub async fn until_shown(&self, condition: &str) {
        let shown = tokio::time::timeout(DEADLINE, async {
            loop {
                let asked = self.page.evaluate::<bool>(condition).await;
                if matches!(asked, Ok(true)) {
                    return;
                }
            }
        });
        if shown.await.is_err() {
            // A browser that let the page go says what was in the way.
            let state = "JSON.stringify([window.life, \
                         performance.getEntriesByType('navigation')[0].notRestoredReasons])";
            let state = self.page.evaluate::<String>(state).await;
            panic!("{condition}: {state:?}");
        }
    }

    /// A second page of the same origin and the same browser context, as another tab.
    pub async fn another_page(&self) -> Page {
        let url = self.proxy.url("/");
        let tab = self.browser.tab_beside(&self.page, &url).await;
        tab.expect("the page loads")
    }

    /// Sends numbered messages both ways, without waiting for them.
    pub async fn begin(&self, count: usize) {
        self.evaluate(&format!("harness.exchange({count})")).await;
    }

    /// Waits for all messages of [`Stage::begin`] and compares both sides' sequences exactly.
    pub async fn compare(&self, count: usize) {
        self.until(&format!("run.got.length >= {count}")).await;
        let heard = self.server.seen.wait_heard(count).await;
        let up: Vec<_> = (0..count).map(|index| format!("u{index}")).collect();
        assert!(heard == up, "up: {}", first_difference(&heard, &up));
        let got: Vec<String> = self.page.evaluate("run.got").await.unwrap();
        let down: Vec<_> = (0..count).map(|index| format!("d{index}")).collect();
        assert!(got == down, "down: {}", first_difference(&got, &down));
        assert_eq!(self.server.seen.opened(), 1, "the app ran once");
        assert_eq!(self.evaluate("run.opens").await, 1, "one open event");
        assert_eq!(
            self.evaluate("run.closes.length").await,
            0,
            "no close event"
        );
        let thrown: Vec<_> = self
            .page
            .console()
            .into_iter()
            .filter(|line| line.kind == "exception")
            .collect();
        assert!(thrown.is_empty(), "{thrown:?}");
    }

    pub async fn transport(&self) -> Value {
        self.evaluate("run.socket.transport").await
    }
}

fn first_difference(got: &[String], expected: &[String]) -> String {
    let index = got
        .iter()
        .zip(expected)
        .position(|(one, other)| one != other);
    let index = index.unwrap_or_else(|| got.len().min(expected.len()));
    format!(
        "{} of {}, first difference at {index}: {:?}",
        got.len(),
        expected.len(),
        got.get(index)
    )
}
