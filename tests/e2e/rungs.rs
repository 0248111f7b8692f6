//! The ladder below the WebSocket: streams, event streams, holds and script tags, each forced, and the way down from one
//! that a path does not bear.

use std::time::{Duration, Instant};

use anywire::{Config, Limits};
use anywire_tests::fault_proxy::Faults;
use anywire_tests::server::TestServer;

use crate::lab::Lab;

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

async fn carries_everything(lab: &Lab, rung: &str) {
    lab.until(&format!("run.socket.transport === '{rung}'"))
        .await;
    lab.begin(COUNT).await;
    lab.compare(COUNT).await;
    lab.evaluate(HARD).await;
    lab.until("run.got.length === hard.length").await;
    assert_eq!(lab.evaluate(CAME_BACK).await, true, "over {rung}");
    assert_eq!(lab.transport().await, rung);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rung_carries_everything() {
    for rung in ["stream", "events", "poll"] {
        let lab = Lab::start(Config::new(), "none", None).await;
        lab.open_with(&format!("{{ transports: ['{rung}'] }}"))
            .await;
        carries_everything(&lab, rung).await;
        assert_eq!(lab.proxy.counts().upgrades_seen, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn script_tags_carry_everything_across_origins() {
    let page = TestServer::start(Config::new()).await;
    let config = Config::new()
        .allow_jsonp()
        .allow_origin(format!("http://{}", page.addr));
    let lab = Lab::across(&page, config).await;
    let url = lab.proxy.url("/anywire");
    lab.open_with(&format!("{{ transports: ['jsonp'], url: '{url}' }}"))
        .await;
    carries_everything(&lab, "jsonp").await;
    let leftover = "document.querySelectorAll('iframe, form').length";
    assert_eq!(lab.evaluate(leftover).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_rotate_all_the_time_lose_nothing() {
    let limits = Limits::default().max_stream_bytes(4_096);
    for rung in ["stream", "events"] {
        let lab = Lab::start(Config::new().limits(limits.clone()), "none", None).await;
        lab.open_with(&format!("{{ transports: ['{rung}'] }}"))
            .await;
        carries_everything(&lab, rung).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_whose_connections_are_killed_lose_nothing() {
    for rung in ["stream", "events"] {
        let lab = Lab::start(Config::new(), "none", None).await;
        lab.open_with(&format!("{{ transports: ['{rung}'] }}"))
            .await;
        lab.until(&format!("run.socket.transport === '{rung}'"))
            .await;
        lab.begin(COUNT).await;
        for got in [100, 400, 700] {
            lab.until(&format!("run.got.length >= {got}")).await;
            assert!(lab.proxy.kill_connections() > 0);
        }
        lab.compare(COUNT).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_killed_midway_is_carried_on_by_a_stream_and_comes_back() {
    let lab = Lab::start(Config::new(), "none", None).await;
    let ladder = "{ transports: ['websocket', 'stream', 'events', 'poll', 'jsonp'] }";
    lab.open_with(ladder).await;
    lab.begin(COUNT).await;
    lab.until("run.got.length >= 300").await;
    lab.proxy.set(Faults::of("refuse-upgrade"));
    assert_eq!(lab.proxy.kill_websockets(), 1);
    lab.until("run.socket.transport === 'stream' && run.got.length >= 500")
        .await;
    lab.proxy.set(Faults::default());
    lab.until("run.socket.transport === 'websocket'").await;
    lab.compare(COUNT).await;
    assert_eq!(
        lab.evaluate("run.transports.join()").await,
        "websocket,reconnecting,poll,stream,websocket"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_cross_origins_where_the_server_allows_it() {
    let page = TestServer::start(Config::new()).await;
    for rung in ["stream", "events"] {
        let config = Config::new().allow_origin(format!("http://{}", page.addr));
        let lab = Lab::across(&page, config).await;
        let url = lab.proxy.url("/anywire");
        for credentials in [true, false] {
            lab.evaluate("run = null, 0").await;
            lab.evaluate(&format!(
                "harness.start({{ transports: ['{rung}'], url: '{url}', withCredentials: {credentials} }})"
            ))
            .await;
            lab.until(&format!("run.socket.transport === '{rung}'"))
                .await;
            lab.evaluate("run.socket.send('back')").await;
            lab.until("run.got.length === 1 && run.got[0] === 'back'")
                .await;
            lab.evaluate("run.socket.close()").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_holds_answers_back_is_found_out_within_two_seconds() {
    let faults = "buffer=end,refuse-upgrade";
    let lab = Lab::start(Config::new(), faults, None).await;
    lab.open_with("{ transports: ['websocket', 'stream', 'poll'] }")
        .await;
    lab.until("run.socket.trace.some(function (a) { return a.leg === 'stream'; })")
        .await;
    let took = "run.socket.trace.filter(function (a) { return a.leg === 'stream'; })[0].ms";
    let took = lab.evaluate(took).await.as_f64().unwrap();
    assert!((1_100.0..1_900.0).contains(&took), "{took} ms");
    lab.begin(COUNT).await;
    lab.compare(COUNT).await;
    assert_eq!(lab.transport().await, "poll");
    assert_eq!(
        lab.evaluate(
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
    let lab = Lab::start(Config::new(), "buffer=8k,refuse-upgrade", None).await;
    lab.open_with("{ transports: ['stream', 'poll'] }").await;
    let began = Instant::now();
    let count = 2_000;
    lab.begin(count).await;
    lab.compare(count).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    let told = "run.socket.trace.some(function (a) { return a.leg === 'stream' && a.result === 'silent held back'; })";
    assert_eq!(lab.evaluate(told).await, true);
    assert_eq!(lab.transport().await, "poll");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_mute_is_followed_by_holds() {
    let limits = Limits::default().padding(Duration::from_millis(500));
    let lab = Lab::start(Config::new().limits(limits), "none", None).await;
    lab.open_with("{ transports: ['stream', 'poll'] }").await;
    lab.until("run.socket.transport === 'stream'").await;
    lab.proxy
        .set(Faults::of("mute-answers-after=4k,refuse-upgrade"));
    assert!(lab.proxy.kill_connections() > 0);
    // More than a stream may carry here beside its prelude, and less than an answer may.
    let count = 400;
    lab.begin(count).await;
    lab.compare(count).await;
    let told = "run.socket.trace.some(function (a) { return a.leg === 'stream' && a.result === 'silent held back'; })";
    assert_eq!(lab.evaluate(told).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_origin_is_not_allowed_is_told_so() {
    let page = TestServer::start(Config::new()).await;
    let lab = Lab::across(&page, Config::new()).await;
    let url = lab.proxy.url("/anywire");
    lab.evaluate(&format!(
        "harness.start({{ url: '{url}', connectTimeoutMs: 2000 }})"
    ))
    .await;
    lab.until("run.closes.length === 1").await;
    let told = "run.socket.trace.some(function (a) { return /Access-Control-Allow-Origin/.test(a.result); })";
    assert_eq!(lab.evaluate(told).await, true);
}
