//! What happens to requests for a WebSocket, and to what they become.

use tokio::io::AsyncWriteExt;

use super::bench::{
    Bench, POLL, UPGRADE, ask, ends, hear, hear_nothing, hear_out, is_reset, within,
};
use crate::Faults;

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let bench = Bench::with("none").await;
    let mut client = bench.upgraded().await;
    client.write_all(b"ping").await.unwrap();
    assert_eq!(hear(&mut client, 9).await.unwrap(), "helloping");
    assert_eq!(bench.proxy.counts().upgrades_passed, 1);
}

#[tokio::test]
async fn a_refused_upgrade_does_not_reach_the_server() {
    let mut bench = Bench::with("refuse-upgrade").await;
    let mut client = bench.client().await;
    assert_eq!(
        ask(&mut client, UPGRADE).await.unwrap(),
        "HTTP/1.1 403 Forbidden"
    );
    assert!(ends(&mut client).await);
    ask(&mut bench.client().await, POLL).await.unwrap();
    assert!(bench.next_seen().await.starts_with("POST"));
}

#[tokio::test]
async fn a_hanging_upgrade_is_never_answered() {
    let mut bench = Bench::with("hang-upgrade").await;
    let mut client = bench.client().await;
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    within(bench.proxy.counted(|counts| counts.upgrades_seen == 1)).await;
    hear_nothing(&mut client).await;
    assert!(bench.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_stripped_upgrade_is_a_plain_request_to_the_server() {
    let bench = Bench::with("strip-upgrade").await;
    let mut client = bench.client().await;
    let request =
        "GET /heard HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: y\r\n\r\n";
    assert_eq!(ask(&mut client, request).await.unwrap(), "HTTP/1.1 200 OK");
    let heard = "GET /heard HTTP/1.1\r\nX: y\r\n\r\n";
    assert_eq!(hear(&mut client, heard.len()).await.unwrap(), heard);
    let counts = bench.proxy.counts();
    assert_eq!((counts.upgrades_seen, counts.upgrades_passed), (1, 0));
}

#[tokio::test]
async fn a_silent_connection_stays_open_and_carries_nothing() {
    let mut bench = Bench::with("silent").await;
    let mut client = bench.upgraded().await;
    assert!(bench.next_seen().await.starts_with("GET"));
    client.write_all(b"ping").await.unwrap();
    hear_nothing(&mut client).await;
    assert!(bench.seen.try_recv().is_err());
    assert_eq!(bench.proxy.counts().silences, 1);
}

#[tokio::test]
async fn a_connection_falls_silent_at_the_byte() {
    let mut bench = Bench::with("silent-after-bytes=7").await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    client.write_all(b"ping").await.unwrap();
    assert!(bench.next_seen().await.starts_with("GET"));
    assert_eq!(bench.next_seen().await, "pi");
    hear_nothing(&mut client).await;
    assert_eq!(bench.proxy.counts().silences, 1);
}

#[tokio::test]
async fn muting_stops_a_connection_that_carried() {
    let mut bench = Bench::with("none").await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert_eq!(bench.proxy.mute_websockets(), 1);
    client.write_all(b"ping").await.unwrap();
    hear_nothing(&mut client).await;
    assert!(bench.next_seen().await.starts_with("GET"));
    assert!(bench.seen.try_recv().is_err());
    let mut later = bench.upgraded().await;
    assert_eq!(hear(&mut later, 5).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_killed_connection_is_reset() {
    let bench = Bench::with("none").await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert_eq!(bench.proxy.kill_websockets(), 1);
    assert!(is_reset(&mut client).await);
    assert_eq!(bench.proxy.kill_websockets(), 0);
}

#[tokio::test]
async fn a_connection_is_killed_after_a_time() {
    let bench = Bench::with("kill-after=50ms").await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert!(ends(&mut client).await);
    assert_eq!(bench.proxy.counts().cuts, 1);

    bench.proxy.set(Faults::of("kill-after=50ms,rst"));
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_connection_is_killed_at_the_byte() {
    let mut bench = Bench::with("kill-after-bytes=7").await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    client.write_all(b"ping").await.unwrap();
    assert!(ends(&mut client).await);
    assert!(bench.next_seen().await.starts_with("GET"));
    assert_eq!(bench.next_seen().await, "pi");

    bench.proxy.set(Faults::of("kill-after-bytes=3"));
    let (heard, end) = hear_out(&mut bench.upgraded().await).await;
    assert_eq!(heard, "hel");
    assert!(end.is_ok());
}

#[tokio::test]
async fn a_buffered_connection_goes_down_in_blocks() {
    let bench = Bench::with("buffer-websocket=4").await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 4).await.unwrap(), "hell");
    hear_nothing(&mut client).await;
    client.write_all(b"ping").await.unwrap();
    assert_eq!(hear(&mut client, 4).await.unwrap(), "opin");
    client.shutdown().await.unwrap();
    assert_eq!(hear(&mut client, 1).await.unwrap(), "g");
}
