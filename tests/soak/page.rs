//! The browser client in a page of its own.

use std::time::Duration;

use anywire_tests::chromium::{self, Browser, BrowserError};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::flow::{BURST, Flow, PAUSE, Peer, Tally};

pub struct Page(chromium::Page);

impl Page {
    pub async fn start(flow: &Flow, browser: &Browser) -> Result<Self, BrowserError> {
        let page = browser.page(flow.proxy.url("/")).await?;
        page.evaluate::<Value>(include_str!("page.js")).await?;
        let pace = json!({ "every": BURST, "ms": PAUSE.as_millis() as u64 });
        page.evaluate::<Value>(&format!("soak.start({pace})"))
            .await?;
        Ok(Self(page))
    }
}

impl Peer for Page {
    async fn stop(&self) {
        let stopped = self.0.evaluate::<Value>("soak.isOver = true").await;
        stopped.expect("the page is there");
    }

    async fn tally(&self) -> Tally {
        let seen = self.0.evaluate::<Value>("soak.read()").await;
        let seen = seen.expect("the page is there");
        let count = |name: &str| seen[name].as_u64().unwrap_or_default() as usize;
        let text = |name: &str| seen[name].as_str().map(str::to_owned);
        Tally {
            sent: count("sent"),
            received: count("received"),
            wrong: text("wrong"),
            end: text("end"),
        }
    }

    /// Frozen by the browser, and when it goes on the wall clock has jumped.
    async fn suspend(&self, duration: Duration) {
        let state = |state: &str| json!({ "state": state });
        let set = "Page.setWebLifecycleState";
        let frozen = self.0.send(set, state("frozen")).await;
        frozen.expect("a page can be frozen");
        sleep(duration).await;
        let active = self.0.send(set, state("active")).await;
        active.expect("a page can go on");
        let jumped = self.0.evaluate::<Value>("soak.jump()").await;
        jumped.expect("the page is there");
    }
}
