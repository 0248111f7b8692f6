//! What the life of a page does to its session: frozen, left and shown again, offline, asleep, two of them. Each ends
//! with the exact sequences on both sides.

use std::time::Duration;

use anywire::Config;
use anywire_fault_proxy::Faults;
use serde_json::{Value, json};

use crate::stage::Stage;

const COUNT: usize = 400;

/// Legs that a test is run with: all, and polling alone.
const LEGS: [Option<&str>; 2] = [None, Some("delete window.WebSocket")];

/// Counts what the page is told of its life, and gives the test a hand on the wall clock.
const WATCH: &str = "
    window.life = [];
    for (const type of ['pageshow', 'pagehide', 'online', 'offline'])
        addEventListener(type, (event) => life.push(type + ' ' + event.persisted));
    for (const type of ['freeze', 'resume'])
        document.addEventListener(type, () => life.push(type));
    window.jump = 0;
    const RealDate = Date;
    window.Date = class extends RealDate {
        constructor(...given) { if (given.length) super(...given); else super(RealDate.now() + jump); }
        static now() { return RealDate.now() + jump; }
    };";

async fn start(legs: Option<&str>) -> Stage {
    let script = format!("{WATCH}\n{}", legs.unwrap_or_default());
    let stage = Stage::start(Config::new(), "none", Some(&script)).await;
    stage.open().await;
    stage
}

async fn lifecycle(stage: &Stage, state: &str) {
    stage
        .page
        .send("Page.setWebLifecycleState", json!({ "state": state }))
        .await
        .unwrap();
}

async fn network(stage: &Stage, is_offline: bool) {
    let conditions = json!({
        "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
    });
    stage.page.send("Network.enable", json!({})).await.unwrap();
    stage
        .page
        .send("Network.emulateNetworkConditions", conditions)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_frozen_goes_on_where_it_was() {
    for legs in LEGS {
        let stage = start(legs).await;
        stage.begin(COUNT).await;
        stage.until("run.got.length >= 100").await;
        lifecycle(&stage, "frozen").await;
        // Meanwhile its connections die, and it can do nothing about it.
        stage.proxy.kill_websockets();
        lifecycle(&stage, "active").await;
        stage.until("life.includes('resume')").await;
        stage.compare(COUNT).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_out_of_the_back_forward_cache_has_the_same_session() {
    for legs in LEGS {
        let stage = start(legs).await;
        stage.begin(COUNT).await;
        stage.until("run.got.length >= 100").await;
        stage.evaluate("window.born = 'here'").await;
        stage.page.navigate("about:blank").await.unwrap();
        let history = stage
            .page
            .send("Page.getNavigationHistory", json!({}))
            .await;
        let history = history.unwrap();
        let index = usize::try_from(history["currentIndex"].as_u64().unwrap()).unwrap();
        let back = json!({ "entryId": history["entries"][index - 1]["id"] });
        stage
            .page
            .send("Page.navigateToHistoryEntry", back)
            .await
            .unwrap();
        stage
            .until_shown("window.born === 'here' && life.includes('pageshow true')")
            .await;
        stage.compare(COUNT).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_offline_resumes_at_once_when_it_is_online() {
    for legs in LEGS {
        let stage = start(legs).await;
        stage.begin(COUNT).await;
        stage.until("run.got.length >= 100").await;
        network(&stage, true).await;
        stage.proxy.set(Faults::of("refuse-upgrade"));
        stage.proxy.kill_websockets();
        stage
            .until("life.some((line) => /^offline/.test(line))")
            .await;
        stage.until("run.socket.transport === 'reconnecting'").await;
        stage.proxy.set(Faults::default());
        stage.evaluate("window.seen = run.transports.length").await;
        network(&stage, false).await;
        stage
            .until("life.some((line) => /^online/.test(line))")
            .await;
        stage.evaluate("window.back = performance.now()").await;
        stage.until("run.transports.length > seen").await;
        let took = stage.evaluate("performance.now() - back").await;
        assert!(took.as_f64().unwrap() < 400.0, "{took} ms: no pause");
        stage.compare(COUNT).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_of_the_wall_clock_is_found_and_a_dead_websocket_left() {
    let stage = start(None).await;
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "websocket");
    // Nothing is under way, so that nothing else would show it for half a minute.
    stage.proxy.mute_websockets();
    stage.evaluate("jump = 3600000").await;
    stage.until("run.socket.transport === 'poll'").await;
    stage.compare(COUNT).await;
    let trace = stage.evaluate("JSON.stringify(run.socket.trace)").await;
    assert!(trace.as_str().unwrap().contains("stalled"), "{trace}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_of_one_origin_have_a_session_each() {
    let stage = start(None).await;
    let other = stage.another_page().await;
    other
        .evaluate::<Value>(
            "window.echoes = [];
             window.socket = new Anywire('/anywire');
             socket.onopen = () => { for (let i = 0; i < 400; i += 1) socket.send('e' + i); };
             socket.onmessage = (event) => echoes.push(event.data);
             null",
        )
        .await
        .unwrap();
    stage.begin(COUNT).await;
    other
        .wait_for("echoes.length >= 400", Duration::from_secs(40))
        .await
        .unwrap();
    stage.until(&format!("run.got.length >= {COUNT}")).await;
    let echoes: Vec<String> = other.evaluate("echoes").await.unwrap();
    let sent: Vec<_> = (0..COUNT).map(|index| format!("e{index}")).collect();
    assert_eq!(echoes, sent);
    let heard = stage.server.seen.wait_heard(COUNT).await;
    let up: Vec<_> = (0..COUNT).map(|index| format!("u{index}")).collect();
    assert_eq!(heard, up);
    let got: Vec<String> = stage.page.evaluate("run.got").await.unwrap();
    let down: Vec<_> = (0..COUNT).map(|index| format!("d{index}")).collect();
    assert_eq!(got, down);
    assert_eq!(stage.server.seen.opened(), 2);
    assert_eq!(stage.transport().await, "websocket");
    assert_eq!(
        other.evaluate::<Value>("socket.transport").await.unwrap(),
        "websocket"
    );
    let remembered = other.evaluate::<Value>("Object.keys(localStorage).length");
    assert_eq!(remembered.await.unwrap(), 1, "they share what they learnt");
}
