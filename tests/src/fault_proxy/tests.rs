//! Each fault as a client and a server see it, over plain sockets.

mod bench;

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use self::bench::{Bench, DEADLINE, POLL, UPGRADE, ask, hear, hear_nothing};
use super::Fault;

#[tokio::test]
async fn requests_share_a_kept_alive_connection() {
    let mut bench = Bench::with(Fault::None).await;
    let mut client = bench.client().await;
    assert_eq!(ask(&mut client, POLL).await.unwrap(), "HTTP/1.1 200 OK");
    assert_eq!(hear(&mut client, 1).await.unwrap(), "1");
    assert_eq!(
        ask(&mut client, "GET /chunked HTTP/1.1\r\n\r\n")
            .await
            .unwrap(),
        "HTTP/1.1 200 OK"
    );
    assert_eq!(
        hear(&mut client, 15).await.unwrap(),
        "1;x=y\r\n2\r\n0\r\n\r\n"
    );
    assert_eq!(bench.next_seen().await, "POST /anywire/poll?x HTTP/1.1");
    assert_eq!(bench.next_seen().await, "GET /chunked HTTP/1.1");
    let counts = bench.proxy.counts();
    assert_eq!(
        (counts.connections, counts.polls, counts.upgrades_seen),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let bench = Bench::with(Fault::None).await;
    let mut client = bench.upgraded().await;
    client.write_all(b"ping").await.unwrap();
    assert_eq!(hear(&mut client, 9).await.unwrap(), "helloping");
    assert_eq!(bench.proxy.counts().upgrades_passed, 1);
}

#[tokio::test]
async fn a_refused_upgrade_does_not_reach_the_server() {
    let mut bench = Bench::with(Fault::RefuseUpgrade).await;
    let mut client = bench.client().await;
    assert_eq!(
        ask(&mut client, UPGRADE).await.unwrap(),
        "HTTP/1.1 403 Forbidden"
    );
    assert_eq!(
        timeout(DEADLINE, client.read(&mut [0]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    ask(&mut bench.client().await, POLL).await.unwrap();
    assert!(bench.next_seen().await.starts_with("POST"));
}

#[tokio::test]
async fn a_hanging_upgrade_is_never_answered() {
    let mut bench = Bench::with(Fault::HangUpgrade).await;
    let mut client = bench.client().await;
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    timeout(
        DEADLINE,
        bench.proxy.counted(|counts| counts.upgrades_seen == 1),
    )
    .await
    .unwrap();
    hear_nothing(&mut client).await;
    assert!(bench.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_silent_connection_stays_open_and_carries_nothing() {
    let mut bench = Bench::with(Fault::SilentAfterUpgrade).await;
    let mut client = bench.upgraded().await;
    assert!(bench.next_seen().await.starts_with("GET"));
    client.write_all(b"ping").await.unwrap();
    hear_nothing(&mut client).await;
    assert!(bench.seen.try_recv().is_err());
}

#[tokio::test]
async fn muting_stops_a_connection_that_carried() {
    let mut bench = Bench::with(Fault::None).await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert_eq!(bench.proxy.mute_websockets(), 1);
    client.write_all(b"ping").await.unwrap();
    hear_nothing(&mut client).await;
    assert!(bench.next_seen().await.starts_with("GET"));
    assert!(bench.seen.try_recv().is_err());
    assert_eq!(
        bench.upgraded().await.buffer().len(),
        5,
        "a later connection is not muted"
    );
}

#[tokio::test]
async fn a_killed_connection_is_reset() {
    let bench = Bench::with(Fault::None).await;
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert_eq!(bench.proxy.kill_websockets(), 1);
    assert_eq!(
        hear(&mut client, 1).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert_eq!(bench.proxy.kill_websockets(), 0);

    bench
        .proxy
        .set(Fault::KillAfterUpgrade(Duration::from_millis(50)));
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    assert_eq!(
        hear(&mut client, 1).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn a_lost_answer_was_given_by_the_server() {
    let mut bench = Bench::with(Fault::LoseAnswers { every: 2 }).await;
    let mut client = bench.client().await;
    ask(&mut client, POLL).await.unwrap();
    hear(&mut client, 1).await.unwrap();
    assert_eq!(
        ask(&mut client, POLL).await.unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
    assert!(bench.next_seen().await.starts_with("POST"));
    assert!(bench.next_seen().await.starts_with("POST"));
    let counts = bench.proxy.counts();
    assert_eq!((counts.polls, counts.answers_lost), (2, 1));
}

#[tokio::test]
async fn a_repeated_request_has_the_second_answer() {
    let bench = Bench::with(Fault::RepeatRequests { every: 1 }).await;
    let mut client = bench.client().await;
    ask(&mut client, POLL).await.unwrap();
    assert_eq!(hear(&mut client, 1).await.unwrap(), "2");
    assert_eq!(bench.proxy.counts().repeats, 1);
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_connections() {
    let bench = Bench::with(Fault::HangUpgrade).await;
    let mut client = bench.client().await;
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    timeout(
        DEADLINE,
        bench.proxy.counted(|counts| counts.upgrades_seen == 1),
    )
    .await
    .unwrap();
    drop(bench.proxy);
    assert_eq!(
        timeout(DEADLINE, client.read(&mut [0]))
            .await
            .unwrap()
            .unwrap_or(0),
        0
    );
}
