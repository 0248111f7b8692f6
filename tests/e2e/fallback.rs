//! WebSocket where it works, polling where it does not, and the way between them, in one session.

use std::time::Duration;

use anywire::{Config, Limits, Transport};
use anywire_fault_proxy::Faults;

use crate::stage::Stage;

const COUNT: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn messages_run_over_websocket() {
    let stage = Stage::start(Config::new(), "none", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "websocket");
    assert_eq!(
        stage.server.server.metrics().attaches[Transport::Poll],
        0,
        "a healthy client costs no poll"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_constructor_messages_run_over_polling() {
    for before_load in [
        "delete window.WebSocket",
        "window.WebSocket = function () { throw Error('no') }",
    ] {
        let stage = Stage::start(Config::new(), "none", Some(before_load)).await;
        stage.open().await;
        stage.begin(COUNT).await;
        stage.compare(COUNT).await;
        assert_eq!(stage.transport().await, "poll");
        assert_eq!(stage.proxy.counts().upgrades_seen, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_refuses_the_upgrade_messages_run_over_polling() {
    let stage = Stage::start(Config::new(), "refuse-upgrade", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "poll");
    assert!(stage.proxy.counts().upgrades_seen >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_swallows_the_upgrade_opening_takes_no_two_seconds() {
    let stage = Stage::start(Config::new(), "hang-upgrade", None).await;
    stage.evaluate("window.begun = performance.now()").await;
    stage.open().await;
    let took = stage
        .evaluate("performance.now() - begun")
        .await
        .as_f64()
        .unwrap();
    assert!(took < 2_000.0, "{took} ms");
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "poll");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_goes_silent_after_the_upgrade_messages_run_over_polling() {
    let stage = Stage::start(Config::new(), "silent", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "poll");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_kills_every_websocket_after_200_ms_nothing_is_lost() {
    let stage = Stage::start(Config::new(), "kill-after=200ms,rst", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    stage.compare(COUNT).await;
    assert!(stage.proxy.counts().upgrades_passed >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_killed_midway_is_carried_on_by_polling_and_comes_back() {
    let stage = Stage::start(Config::new(), "none", None).await;
    stage.open().await;
    assert_eq!(stage.transport().await, "websocket");
    stage.begin(COUNT).await;
    stage.until("run.got.length >= 300").await;
    stage.proxy.set(Faults::of("refuse-upgrade"));
    assert_eq!(stage.proxy.kill_websockets(), 1);
    stage
        .until("run.socket.transport === 'poll' && run.got.length >= 600")
        .await;
    stage.proxy.set(Faults::default());
    stage.until("run.socket.transport === 'websocket'").await;
    stage.compare(COUNT).await;
    let transports = stage.evaluate("run.transports.join()").await;
    assert!(
        transports.as_str().unwrap().ends_with("poll,websocket"),
        "{transports}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_killed_again_and_again_loses_nothing() {
    let stage = Stage::start(Config::new(), "none", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    for got in [100, 250, 400, 700] {
        stage.until(&format!("run.got.length >= {got}")).await;
        stage.proxy.kill_websockets();
    }
    stage.compare(COUNT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_that_falls_silent_midway_is_left_for_polling() {
    let limits = Limits::default()
        .heartbeat(Duration::from_secs(2))
        .ack_delay(Duration::from_millis(300))
        .heartbeat_timeout(Duration::from_secs(1));
    let stage = Stage::start(Config::new().limits(limits), "none", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    stage.until("run.got.length >= 300").await;
    stage.proxy.set(Faults::of("refuse-upgrade"));
    assert_eq!(stage.proxy.mute_websockets(), 1);
    stage.compare(COUNT).await;
    assert_eq!(stage.transport().await, "poll");
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_whose_answers_are_lost_or_whose_requests_are_repeated_lose_and_repeat_nothing() {
    for faults in ["lose-answers=7", "repeat=3"] {
        let stage = Stage::start(Config::new(), faults, Some("delete window.WebSocket")).await;
        stage.open().await;
        stage.begin(COUNT).await;
        stage.compare(COUNT).await;
        let counts = stage.proxy.counts();
        assert!(counts.answers_lost + counts.repeats > 0, "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_block_websocket_and_let_it_go_again() {
    let stage = Stage::start(Config::new(), "none", None).await;
    stage.open().await;
    stage.begin(COUNT).await;
    stage.evaluate("run.socket.block('websocket')").await;
    stage.until("run.socket.transport === 'poll'").await;
    stage.evaluate("run.socket.unblock('websocket')").await;
    stage.until("run.socket.transport === 'websocket'").await;
    stage.compare(COUNT).await;
}
