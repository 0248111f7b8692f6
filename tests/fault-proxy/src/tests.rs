//! Each fault as a client and a server see it, over plain sockets.

mod answers;
mod bench;
mod lines;
mod requests;
mod upgrades;

use tokio::io::AsyncWriteExt;

use self::bench::{Bench, POLL, UPGRADE, ask, ends, hear, is_reset, within};

#[tokio::test]
async fn requests_share_a_kept_alive_connection() {
    let mut bench = Bench::with("none").await;
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
        counts.to_string(),
        "connections 1, requests 2, polls 1",
        "{counts:?}"
    );
}

#[tokio::test]
async fn all_connections_can_be_reset_by_hand() {
    let bench = Bench::with("hang-upgrade").await;
    let mut idle = bench.client().await;
    ask(&mut idle, POLL).await.unwrap();
    hear(&mut idle, 1).await.unwrap();
    let mut waiting = bench.client().await;
    waiting.write_all(UPGRADE.as_bytes()).await.unwrap();
    within(bench.proxy.counted(|counts| counts.upgrades_seen == 1)).await;
    assert_eq!(bench.proxy.kill_connections(), 2);
    assert!(is_reset(&mut idle).await && is_reset(&mut waiting).await);
    assert_eq!(bench.proxy.kill_connections(), 0);
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_connections() {
    let bench = Bench::with("hang-upgrade").await;
    let mut client = bench.client().await;
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    within(bench.proxy.counted(|counts| counts.upgrades_seen == 1)).await;
    drop(bench.proxy);
    assert!(ends(&mut client).await || is_reset(&mut client).await);
}

#[tokio::test]
async fn a_server_that_is_not_there_closes_the_connection_and_is_counted() {
    let bench = Bench::with("none").await;
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = unused.local_addr().unwrap();
    drop(unused);
    let bench = bench.in_front_of(upstream);
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    assert!(ends(&mut client).await);
    assert_eq!(bench.proxy.counts().unreachable, 1);
}
