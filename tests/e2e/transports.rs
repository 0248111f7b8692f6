//! The transports below the WebSocket: streams, event streams, holds and script tags, each forced, and the way down from one
//! that a path does not bear.

use std::time::{Duration, Instant};

use anywire::{Config, Limits};
use anywire_fault_proxy::Faults;
use anywire_tests::server::TestServer;

use crate::stage::Stage;

const COUNT: usize = 1_000;

/// A message of each kind that is hard to carry, there and back: bytes of every value, 1 MiB, and all kinds of text.
const HARD: &str = r#"(function () {
  run.got = [];
  var bytes = new Uint8Array(1024);
  for (var i = 0; i < 1024; i += 1) bytes[i] = i;
  window.hard = [bytes, 'x' + new Array(1048576).join('y'), 'a\0b', 'e\u0301 \u00e9 \u2028', '\r\n%0A+&=',
    '\ud83d\ude00', ''];
  hard.forEach(function (message) { run.socket.send(message); });
})()"#;

const CAME_BACK: &str = "hard.every(function (sent, i) {
  var got = run.got[i];
  return typeof sent === 'string' ? got === sent : String(new Uint8Array(got)) === String(sent);
})";

async fn carries_everything(stage: &Stage, transport: &str) {
    stage
        .until(&format!("run.socket.transport === '{transport}'"))
        .await;
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    stage.evaluate(HARD).await;
    stage.until("run.got.length === hard.length").await;
    assert_eq!(stage.evaluate(CAME_BACK).await, true, "over {transport}");
    assert_eq!(stage.transport().await, transport);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_transport_carries_everything() {
    for transport in ["stream", "events", "poll"] {
        let stage = Stage::start(Config::new(), "none", None).await;
        stage
            .open_with(&format!("{{ transports: ['{transport}'] }}"))
            .await;
        carries_everything(&stage, transport).await;
        assert_eq!(stage.proxy.counts().upgrades_seen, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn script_tags_carry_everything_across_origins() {
    let page = TestServer::start(Config::new()).await;
    let config = Config::new()
        .allow_jsonp()
        .allow_origin(format!("http://{}", page.addr));
    let stage = Stage::across(&page, config).await;
    let url = stage.proxy.url("/anywire");
    stage
        .open_with(&format!("{{ transports: ['jsonp'], url: '{url}' }}"))
        .await;
    carries_everything(&stage, "jsonp").await;
    let leftover = "document.querySelectorAll('iframe, form').length";
    assert_eq!(stage.evaluate(leftover).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_rotate_all_the_time_lose_nothing() {
    let limits = Limits::default().max_stream_bytes(4_096);
    for transport in ["stream", "events"] {
        let stage = Stage::start(Config::new().limits(limits.clone()), "none", None).await;
        stage
            .open_with(&format!("{{ transports: ['{transport}'] }}"))
            .await;
        carries_everything(&stage, transport).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_whose_connections_are_killed_lose_nothing() {
    for transport in ["stream", "events"] {
        let stage = Stage::start(Config::new(), "none", None).await;
        stage
            .open_with(&format!("{{ transports: ['{transport}'] }}"))
            .await;
        stage
            .until(&format!("run.socket.transport === '{transport}'"))
            .await;
        stage.begin(COUNT).await;
        for got in [100, 400, 700] {
            stage.until(&format!("run.got.length >= {got}")).await;
            assert!(stage.proxy.kill_connections() > 0);
        }
        stage.compare(COUNT).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_killed_midway_is_carried_on_by_a_stream_and_comes_back() {
    let stage = Stage::start(Config::new(), "none", None).await;
    let transports = "{ transports: ['websocket', 'stream', 'events', 'poll', 'jsonp'] }";
    stage.open_with(transports).await;
    stage.begin(COUNT).await;
    stage.until("run.got.length >= 300").await;
    stage.proxy.set(Faults::of("refuse-upgrade"));
    assert_eq!(stage.proxy.kill_websockets(), 1);
    stage
        .until("run.socket.transport === 'stream' && run.got.length >= 500")
        .await;
    stage.proxy.set(Faults::default());
    stage.until("run.socket.transport === 'websocket'").await;
    stage.compare(COUNT).await;
    assert_eq!(
        stage.evaluate("run.transports.join()").await,
        "websocket,reconnecting,poll,stream,websocket"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_cross_origins_where_the_server_allows_it() {
    let page = TestServer::start(Config::new()).await;
    for transport in ["stream", "events"] {
        let config = Config::new().allow_origin(format!("http://{}", page.addr));
        let stage = Stage::across(&page, config).await;
        let url = stage.proxy.url("/anywire");
        for credentials in [true, false] {
            stage.evaluate("run = null, 0").await;
            stage.evaluate(&format!(
                "harness.start({{ transports: ['{transport}'], url: '{url}', withCredentials: {credentials} }})"
            ))
            .await;
            stage
                .until(&format!("run.socket.transport === '{transport}'"))
                .await;
            stage.evaluate("run.socket.send('back')").await;
            stage
                .until("run.got.length === 1 && run.got[0] === 'back'")
                .await;
            stage.evaluate("run.socket.close()").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_holds_answers_back_is_found_out_within_two_seconds() {
    let faults = "buffer=end,refuse-upgrade";
    let stage = Stage::start(Config::new(), faults, None).await;
    stage
        .open_with("{ transports: ['websocket', 'stream', 'poll'] }")
        .await;
    stage
        .until("run.socket.trace.some(function (a) { return a.leg === 'stream'; })")
        .await;
    let took = "run.socket.trace.filter(function (a) { return a.leg === 'stream'; })[0].ms";
    let took = stage.evaluate(took).await.as_f64().unwrap();
    assert!((1_100.0..1_900.0).contains(&took), "{took} ms");
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "poll");
    assert_eq!(
        stage
            .evaluate(
                "Object.keys(localStorage).some(function (name) { return / stream$/.test(name); })"
            )
            .await,
        true,
        "it is remembered"
    );
}

/// What filled the buffer shows nothing: the tail would wait for padding, 15 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_which_only_whole_blocks_come_is_left_for_holds() {
    let stage = Stage::start(Config::new(), "buffer=8k,refuse-upgrade", None).await;
    stage.open_with("{ transports: ['stream', 'poll'] }").await;
    let began = Instant::now();
    let count = 2_000;
    stage.begin(count).await;
    stage.compare(count).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    let told = "run.socket.trace.some(function (a) { return a.leg === 'stream' && a.result === 'silent held back'; })";
    assert_eq!(stage.evaluate(told).await, true);
    assert_eq!(stage.transport().await, "poll");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_mute_is_followed_by_holds() {
    let limits = Limits::default().padding(Duration::from_millis(500));
    let stage = Stage::start(Config::new().limits(limits), "none", None).await;
    stage.open_with("{ transports: ['stream', 'poll'] }").await;
    stage.until("run.socket.transport === 'stream'").await;
    stage
        .proxy
        .set(Faults::of("mute-answers-after=4k,refuse-upgrade"));
    assert!(stage.proxy.kill_connections() > 0);
    // More than a stream may carry here beside its prelude, and less than an answer may.
    let count = 400;
    stage.begin(count).await;
    stage.compare(count).await;
    let told = "run.socket.trace.some(function (a) { return a.leg === 'stream' && a.result === 'silent held back'; })";
    assert_eq!(stage.evaluate(told).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_origin_is_not_allowed_is_told_so() {
    let page = TestServer::start(Config::new()).await;
    let stage = Stage::across(&page, Config::new()).await;
    let url = stage.proxy.url("/anywire");
    stage
        .evaluate(&format!(
            "harness.start({{ url: '{url}', connectTimeoutMs: 2000 }})"
        ))
        .await;
    stage.until("run.closes.length === 1").await;
    let told = "run.socket.trace.some(function (a) { return /Access-Control-Allow-Origin/.test(a.result); })";
    assert_eq!(stage.evaluate(told).await, true);
}
