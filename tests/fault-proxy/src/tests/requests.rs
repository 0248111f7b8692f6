//! What happens to requests on their way up.

use std::io;

use tokio::io::AsyncWriteExt;

use super::bench::{Bench, POLL, ask, ends, hear, is_reset, within};
use crate::Faults;

#[tokio::test]
async fn a_lost_answer_was_given_by_the_server() {
    let mut bench = Bench::with("lose-answers=2").await;
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

    bench.proxy.set(Faults::of("lose-answers=1,rst"));
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_repeated_request_has_the_second_answer() {
    let bench = Bench::with("repeat=1").await;
    let mut client = bench.client().await;
    ask(&mut client, POLL).await.unwrap();
    assert_eq!(hear(&mut client, 1).await.unwrap(), "2");
    assert_eq!(bench.proxy.counts().repeats, 1);
}

#[tokio::test]
async fn a_repeated_request_may_lose_its_answer_too() {
    let mut bench = Bench::with("repeat=1,lose-answers=1").await;
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    assert!(ends(&mut client).await);
    assert!(bench.next_seen().await.starts_with("POST"));
    assert!(bench.next_seen().await.starts_with("POST"));
}

#[tokio::test]
async fn a_request_is_overtaken_by_the_next() {
    let mut bench = Bench::with("reorder=2").await;
    let (mut second, mut third) = (bench.client().await, bench.client().await);
    ask(&mut bench.client().await, "POST /1 HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    second.write_all(b"POST /2 HTTP/1.1\r\n\r\n").await.unwrap();
    within(bench.proxy.counted(|counts| counts.reorders == 1)).await;
    third.write_all(b"POST /3 HTTP/1.1\r\n\r\n").await.unwrap();
    for expected in ["POST /1", "POST /3", "POST /2"] {
        let seen = bench.next_seen().await;
        assert!(seen.starts_with(expected), "{expected}: {seen}");
    }
}

#[tokio::test]
async fn a_request_that_nothing_overtakes_goes_on() {
    let bench = Bench::with("reorder=1").await;
    let answer = ask(&mut bench.client().await, POLL).await;
    assert_eq!(answer.unwrap(), "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn headers_are_taken_out_of_requests() {
    let bench = Bench::with("strip-cookies,strip=x-a,strip=x-b").await;
    let mut client = bench.client().await;
    let request = "GET /heard HTTP/1.1\r\nCookie: a=b\r\nX-A: 1\r\nx-b: 2\r\nX-AB: 3\r\n\r\n";
    ask(&mut client, request).await.unwrap();
    let heard = "GET /heard HTTP/1.1\r\nX-AB: 3\r\n\r\n";
    assert_eq!(hear(&mut client, heard.len()).await.unwrap(), heard);
}

#[tokio::test]
async fn http_1_0_knows_no_upgrade_and_no_chunks() {
    let bench = Bench::with("http10").await;
    let request = "POST /heard HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    let mut client = bench.client().await;
    assert_eq!(ask(&mut client, request).await.unwrap(), "HTTP/1.0 200 OK");
    let heard = "POST /heard HTTP/1.0\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(hear(&mut client, heard.len()).await.unwrap(), heard);
    assert!(ends(&mut client).await);

    let mut client = bench.client().await;
    let request = "GET /chunked HTTP/1.1\r\n\r\n";
    assert_eq!(ask(&mut client, request).await.unwrap(), "HTTP/1.0 200 OK");
    assert_eq!(hear(&mut client, 1).await.unwrap(), "2");
    assert!(ends(&mut client).await);
}

#[tokio::test]
async fn a_portal_answers_posts_itself() {
    let mut bench = Bench::with("refuse-posts").await;
    let mut client = bench.client().await;
    assert_eq!(
        ask(&mut client, POLL).await.unwrap(),
        "HTTP/1.1 403 Forbidden"
    );
    let page = "<h1>Please sign in to use Wi-Fi</h1>";
    assert_eq!(hear(&mut client, page.len()).await.unwrap(), page);
    let request = "GET /heard HTTP/1.1\r\n\r\n";
    assert_eq!(ask(&mut client, request).await.unwrap(), "HTTP/1.1 200 OK");
    assert!(bench.next_seen().await.starts_with("GET"));
}

#[tokio::test]
async fn refused_connections_are_closed_and_so_are_kept_ones() {
    let mut bench = Bench::with("none").await;
    let mut kept = bench.client().await;
    ask(&mut kept, POLL).await.unwrap();
    hear(&mut kept, 1).await.unwrap();
    bench.proxy.set(Faults::of("refuse-connections"));
    assert!(ends(&mut bench.client().await).await);
    kept.write_all(POLL.as_bytes()).await.unwrap();
    assert!(ends(&mut kept).await);
    bench.proxy.set(Faults::of("refuse-connections,rst"));
    assert!(is_reset(&mut bench.client().await).await);
    assert!(bench.next_seen().await.starts_with("POST"));
    assert!(bench.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_proxy_with_a_limit_answers_longer_bodies_itself() {
    let mut bench = Bench::with("limit-body=10").await;
    let mut client = bench.client().await;
    let post = |body: &str| {
        let length = body.len();
        format!("POST /poll HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let refused = ask(&mut client, &post("01234567890")).await.unwrap();
    assert_eq!(refused, "HTTP/1.1 413 Request Entity Too Large");
    let page = "<h1>Request Entity Too Large</h1>";
    assert_eq!(hear(&mut client, page.len()).await.unwrap(), page);
    let passed = ask(&mut client, &post("0123456789")).await.unwrap();
    assert_eq!(passed, "HTTP/1.1 200 OK");
    assert!(bench.next_seen().await.starts_with("POST"));
}
