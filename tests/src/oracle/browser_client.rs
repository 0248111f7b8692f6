//! The browser client in a run of the oracle: a page that `oracle.js` drives.

use std::time::Duration;

use anywire::{CloseCode, CloseReason};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{Reading, Scene, Verdict, Workload};
use crate::chromium::{Browser, BrowserError, Page, PageOptions};

/// Runs a workload both ways between the scene's server and a page behind what the scene has between.
///
/// # Errors
/// The browser's own; what goes wrong with the session is in the verdict.
pub async fn run(
    scene: &Scene,
    browser: &Browser,
    workload: Workload,
    connect_timeout: Duration,
    within: Duration,
) -> Result<Verdict, BrowserError> {
    let page = open(scene, browser).await?;
    scene.begin();
    let began = Instant::now();
    start(&page, scene, workload, connect_timeout).await?;
    let settled = timeout(within, async {
        let done = format!("run.end || run.wrong || run.count >= {}", workload.count());
        page.wait_for(&done, within).await?;
        let has_ended = page.evaluate::<bool>("!!(run.end || run.wrong)").await?;
        if !has_ended {
            scene.server.up.settled().await;
            // A repeat would come after the last message and before the close.
            scene.server.close();
            page.wait_for("run.end", within).await?;
        }
        Ok::<_, BrowserError>(())
    });
    let is_late = !matches!(settled.await, Ok(Ok(())));
    let took = began.elapsed();
    let seen = page.evaluate::<Seen>("oracle.read()").await?;
    page.close().await?;
    Ok(seen.verdict(scene, workload, took, is_late.then_some(within)))
}

/// Loads the page while nothing is wrong yet: faults are for the session.
pub async fn open(scene: &Scene, browser: &Browser) -> Result<Page, BrowserError> {
    let page = browser
        .page_with(PageOptions {
            url: scene.page_url(),
            proxy: scene.proxy_url(),
            ..PageOptions::default()
        })
        .await?;
    page.evaluate::<Value>(include_str!("oracle.js")).await?;
    Ok(page)
}

/// Starts the client in the page.
pub async fn start(
    page: &Page,
    scene: &Scene,
    workload: Workload,
    connect_timeout: Duration,
) -> Result<(), BrowserError> {
    let (every, ms) = workload
        .pauses()
        .map_or((0, 0), |(every, pause)| (every, pause.as_millis() as u64));
    let script = format!(
        "oracle.start({}, {}, {}, {}, {})",
        json!(scene.path()),
        json!(workload.to_string()),
        workload.count(),
        json!({ "every": every, "ms": ms }),
        json!({ "connectTimeoutMs": connect_timeout.as_millis() as u64 }),
    );
    page.evaluate::<Value>(&script).await.map(drop)
}

/// What the page has seen.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    count: usize,
    wrong: Option<String>,
    sessions: usize,
    first: Option<f64>,
    longest_gap: f64,
    end: Option<Ended>,
    transport: String,
    trace: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Ended {
    code: u16,
    reason: String,
}

impl Seen {
    /// How the run went; `late` is how long it was waited for, if that was in vain.
    pub fn verdict(
        self,
        scene: &Scene,
        workload: Workload,
        took: Duration,
        late: Option<Duration>,
    ) -> Verdict {
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1_000.0);
        let end = self
            .end
            .map(|end| CloseReason::new(CloseCode::from_u16(end.code), &end.reason));
        let down = Reading {
            expected: workload.count(),
            count: self.count,
            wrong: self.wrong,
            sessions: self.sessions,
            first: self.first.map(ms),
            longest_gap: ms(self.longest_gap),
            end,
        };
        let error = match (&down.end, late) {
            (Some(end), _) if end.code == CloseCode::ABNORMAL => Some(end.to_string()),
            (_, Some(within)) => Some(format!("not done after {within:?}")),
            _ => None,
        };
        Verdict {
            up: scene.server.up.read(),
            down,
            transport: self.transport,
            error,
            took,
            trace: self.trace,
        }
    }
}
