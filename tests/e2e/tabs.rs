//! Twelve tabs of one browser whose WebSockets are refused, over HTTP/1.1: they share six connections (NEGOTIATION §11).

use std::time::{Duration, Instant};

use anywire::Config;
use anywire_tests::chromium::Page;
use serde_json::{Value, json};

use crate::stage::Stage;

const TABS: usize = 12;
const ECHOES: usize = 8;
const DEADLINE: Duration = Duration::from_secs(60);

/// What is wanted of a tab. A busy machine may take twice as long.
const OPEN_WITHIN: Duration = Duration::from_secs(3);
const ECHO_WITHIN: Duration = Duration::from_millis(1_500);
const HIDDEN_ECHO_WITHIN: Duration = Duration::from_secs(3);
const GAP_AFTER_KILL: Duration = Duration::from_secs(3);

/// Opens a session, and sends a numbered message again and again, the next a little after the one before is back.
const TALK: &str = r"
    window.echoes = []; window.wrong = 0; window.closes = 0;
    const began = performance.now();
    window.socket = new Anywire('/anywire');
    let number = 0, sentAt = 0;
    const say = () => { sentAt = performance.now(); socket.send('m' + number); };
    socket.onopen = () => { window.opened = performance.now() - began; say(); };
    socket.onclose = () => closes++;
    socket.onmessage = (event) => {
        if (event.data !== 'm' + number++) wrong++;
        echoes.push([performance.now() - sentAt, Date.now()]);
        setTimeout(say, 200);
    };
    0";

/// Takes away what tabs that are not in a secure context do not have, before a client is loaded that would take it.
const WITHOUT_LOCKS: &str =
    "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }); 0";

/// A build, by its script, and what happens before it is loaded.
const CASES: [(&str, &str); 3] = [
    ("client.js", "0"),
    ("client-modern.js", "0"),
    ("client.js", WITHOUT_LOCKS),
];

/// Loads this build in place of the page's.
fn load(build: &str) -> String {
    format!(
        "new Promise((resolve) => {{
            const script = document.createElement('script');
            script.src = '/anywire/{build}';
            script.onload = () => resolve(0);
            document.head.append(script);
        }})"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_tabs_share_the_connections_of_an_origin() {
    for (build, before) in CASES {
        let means = if before == WITHOUT_LOCKS {
            "leases"
        } else {
            "locks"
        };
        let case = format!("{build}, {means}");
        let stage = Stage::start(Config::new(), "refuse-upgrade", None).await;
        let alone = load_times(&stage).await;
        let mut tabs = vec![];
        for _ in 0..TABS {
            let tab = stage.another_page().await;
            evaluate(&tab, before).await;
            evaluate(&tab, &load(build)).await;
            tabs.push(tab);
        }
        for tab in &tabs {
            evaluate(tab, TALK).await;
        }
        for tab in &tabs {
            tab.wait_for(&format!("echoes.length >= {ECHOES}"), DEADLINE)
                .await
                .unwrap();
        }
        let mut opened = Vec::new();
        let mut echoes = Vec::new();
        for tab in &tabs {
            opened.push(evaluate(tab, "opened").await.as_f64().unwrap());
            let times = evaluate(tab, "echoes.map((echo) => echo[0])").await;
            echoes.push(
                times
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|ms| ms.as_f64().unwrap())
                    .collect::<Vec<_>>(),
            );
        }
        let slowest = opened.iter().copied().fold(0.0, f64::max);
        let last_used = p95(&echoes[TABS - 5..]);
        let others = p95(&echoes[..TABS - 5]);
        println!(
            "{case}: slowest open {slowest:.0} ms; echo p95 {last_used:.0} ms in the five used last, {others:.0} ms in the others"
        );
        assert!(slowest < millis(OPEN_WITHIN) * 2.0, "{case}: {opened:?}");
        assert!(last_used < millis(ECHO_WITHIN) * 2.0, "{case}: {echoes:?}");
        assert!(
            others < millis(HIDDEN_ECHO_WITHIN) * 2.0,
            "{case}: {echoes:?}"
        );

        let beside = load_times(&stage).await;
        println!("{case}: a page loads in {alone:?} without tabs, in {beside:?} with twelve");
        assert!(beside < alone * 3 + Duration::from_millis(100), "{case}");

        // One that was used last is hidden by now, and holds a turn.
        let killed = tabs.remove(TABS - 2);
        let killed_at = evaluate(&tabs[0], "Date.now()").await.as_f64().unwrap();
        // The renderer is gone before it answers.
        let _ = tokio::time::timeout(Duration::from_secs(1), killed.send("Page.crash", json!({})))
            .await;
        for tab in &tabs {
            let later = format!("echoes.some((echo) => echo[1] > {killed_at} + 5000)");
            tab.wait_for(&later, DEADLINE).await.unwrap();
        }
        let mut longest = 0.0_f64;
        for tab in &tabs {
            let gap = format!(
                "echoes.reduce((longest, echo, i) => echo[1] > {killed_at} && i ? \
                 Math.max(longest, echo[1] - echoes[i - 1][1]) : longest, 0)"
            );
            longest = longest.max(evaluate(tab, &gap).await.as_f64().unwrap());
            assert_eq!(
                evaluate(tab, "wrong + closes").await,
                0,
                "{case}: nothing lost, nothing twice"
            );
            assert_eq!(
                evaluate(tab, "socket.transport === 'websocket'").await,
                false,
                "{case}"
            );
        }
        println!("{case}: longest gap in the others after a kill {longest:.0} ms");
        assert!(longest < millis(GAP_AFTER_KILL) * 2.0, "{case}");
        for tab in tabs {
            tab.close_tab().await.unwrap();
        }
    }
}

async fn evaluate(page: &Page, script: &str) -> Value {
    page.evaluate::<Value>(script)
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"))
}

/// The median time that a page of this origin takes to load, of five.
async fn load_times(stage: &Stage) -> Duration {
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let page = stage.another_page().await;
        times.push(began.elapsed());
        page.close_tab().await.unwrap();
    }
    times.sort();
    times[2]
}

fn p95(groups: &[Vec<f64>]) -> f64 {
    let mut all: Vec<_> = groups.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    all[all.len() * 95 / 100]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
