//! The Rust client where something between refuses long bodies (PROTOCOL §6.7).

use std::time::{Duration, Instant};

use anywire::Config;
use anywire_client::{Client, CloseCode, OriginMemory, Transport};
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_tests::http::request;
use anywire_tests::middlebox::{Middlebox, Product};
use anywire_tests::server::TestServer;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
/// 300 messages of 1 KB are behind a limit of 100 KB in so much.
const WANTED: Duration = Duration::from_millis(1_500);

/// Sends all at once, and waits until they are back. Says how long that took.
async fn burst(client: &mut Client, count: usize, bytes: usize) -> Duration {
    let texts: Vec<_> = (0..count)
        .map(|index| format!("{index} {}", "x".repeat(bytes)))
        .collect();
    let began = Instant::now();
    for text in &texts {
        client.send(text.as_str()).await.unwrap();
    }
    for text in &texts {
        let message = timeout(DEADLINE, client.recv())
            .await
            .expect("it comes back");
        assert_eq!(message.unwrap().as_text(), Some(text.as_str()));
    }
    began.elapsed()
}

async fn connect(url: &str) -> Client {
    let builder = Client::builder(url).memory(OriginMemory::default());
    builder.only(Transport::Poll).connect().await.unwrap()
}

#[tokio::test]
async fn what_a_proxy_refuses_as_too_long_goes_in_shorter_bodies_at_once() {
    let server = TestServer::start(Config::new()).await;
    let proxy = FaultProxy::start(server.addr);
    proxy.set(Faults::of("limit-body=100k"));
    let mut client = connect(&proxy.url("/anywire")).await;
    let took = burst(&mut client, 300, 1_000).await;
    println!("300 messages of 1 KB behind a limit of 100 KB: {took:?}");
    assert!(took < WANTED * 2, "{took:?}");
    let refusals = proxy.counts().refusals;
    assert!(refusals > 0, "the limit was met");
    // It has learnt what the path bears.
    burst(&mut client, 300, 1_000).await;
    assert_eq!(proxy.counts().refusals, refusals);
}

#[tokio::test]
async fn nginx_with_a_limit_passes_what_goes_in_shorter_bodies() {
    let server = TestServer::start(Config::new()).await;
    let site = |addr| {
        format!(
            "server {{ listen {addr}; location / {{ proxy_pass http://{}; client_max_body_size 100k; }} }}",
            server.addr
        )
    };
    let nginx = Middlebox::start_with(Product::NginxWithoutUpgrade, DEADLINE, site);
    let nginx = nginx.await.expect("nginx starts");
    let mut client = connect(&nginx.url("/anywire")).await;
    let took = burst(&mut client, 300, 1_000).await;
    println!("300 messages of 1 KB behind nginx with 100 KB: {took:?}");
    assert!(took < WANTED * 2, "{took:?}");
}

#[tokio::test]
async fn a_message_longer_than_any_body_goes_in_parts_both_ways() {
    let server = TestServer::start(limits_of(8_388_608)).await;
    let site = |limit: &'static str| {
        let addr = server.addr;
        move |listen| {
            format!(
                "server {{ listen {listen}; location / {{ proxy_pass http://{addr}; {limit} }} }}"
            )
        }
    };
    for (name, limit) in [
        ("the default limit", ""),
        ("100 KB", "client_max_body_size 100k;"),
        ("10 KB", "client_max_body_size 10k;"),
    ] {
        let product = Product::NginxWithoutUpgrade;
        let nginx = Middlebox::start_with(product, DEADLINE, site(limit)).await;
        let nginx = nginx.expect("nginx starts");
        let mut client = connect(&nginx.url("/anywire")).await;
        let took = burst(&mut client, 1, 4_194_304).await;
        println!("a message of 4 MiB there and back behind nginx with {name}: {took:?}");
    }
}

#[tokio::test]
async fn what_is_refused_for_what_it_says_goes_veiled() {
    let server = TestServer::start(limits_of(8_388_608)).await;
    let proxy = FaultProxy::start(server.addr);
    proxy.set(Faults::of("refuse-text=<script"));
    let mut client = connect(&proxy.url("/anywire")).await;
    for text in ["before", "a <script> b", "after"] {
        client.send(text).await.unwrap();
        let back = timeout(DEADLINE, client.recv()).await.expect("it comes");
        assert_eq!(back.unwrap().as_text(), Some(text));
    }
    let refusals = proxy.counts().refusals;
    assert!(refusals > 0, "it was refused at first");
    let long = "<script>".repeat(300_000);
    client.send(long.as_str()).await.unwrap();
    let back = timeout(DEADLINE, client.recv()).await.expect("it comes");
    assert_eq!(back.unwrap().as_text(), Some(&long[..]));
    assert_eq!(proxy.counts().refusals, refusals, "it has learnt to veil");
}

#[tokio::test]
async fn modsecurity_passes_a_veiled_message_that_it_refuses_otherwise() {
    let server = TestServer::start(limits_of(8_388_608)).await;
    let product = Product::ModSecurity;
    let filter = Middlebox::start(product, server.addr, DEADLINE).await;
    let filter = filter.expect("nginx with ModSecurity starts");
    let url = format!("http://localhost:{}/anywire", filter.addr().port());
    let attack = "a <script>alert(1)</script> b";
    let answer = request(
        filter.addr(),
        "POST",
        "/",
        &["Content-Type: text/plain"],
        attack.as_bytes(),
    );
    assert_eq!(answer.await.status, 403, "it reads bodies");
    let mut client = connect(&url).await;
    // What it takes for an attack of each kind, and one that is longer than it reads.
    let long = format!("{}{attack}", "words and more of them, ".repeat(20_000));
    for text in [
        "before",
        attack,
        "' OR 1=1 --",
        "../../etc/passwd",
        &long,
        "after",
    ] {
        let began = Instant::now();
        client.send(text).await.unwrap();
        let back = timeout(DEADLINE, client.recv()).await.expect("it comes");
        assert_eq!(back.unwrap().as_text(), Some(text));
        println!("{} bytes: {:?}", text.len(), began.elapsed());
    }
    assert_eq!(client.transport(), Some(Transport::Poll));
}

fn limits_of(max_message_bytes: usize) -> Config {
    Config::new().limits(anywire::Limits::default().max_message_bytes(max_message_bytes))
}

#[tokio::test]
async fn what_no_body_bears_ends_the_session_with_a_reason() {
    let refused = [
        ("limit-body=4k", "x".repeat(40_000)),
        // Also the mark of what is veiled.
        ("refuse-text=v=", "a v=1 b".to_owned()),
        ("refuse-text=v=", "a v=1 b".repeat(10_000)),
    ];
    for (fault, message) in refused {
        let server = TestServer::start(Config::new()).await;
        let proxy = FaultProxy::start(server.addr);
        proxy.set(Faults::of(fault));
        let mut client = connect(&proxy.url("/anywire")).await;
        client.send("before").await.unwrap();
        assert_eq!(client.recv().await.unwrap().as_text(), Some("before"));
        let began = Instant::now();
        client.send("send:1000").await.unwrap();
        client.send(message.as_str()).await.unwrap();
        let mut heard = 0;
        while timeout(DEADLINE, client.recv())
            .await
            .expect("it ends")
            .is_some()
        {
            heard += 1;
        }
        let took = began.elapsed();
        let reason = client.close_reason().expect("it has ended");
        println!("{fault}: {reason} after {took:?}, {heard} messages meanwhile");
        assert_eq!(reason.code, CloseCode::REFUSED_ON_THE_WAY);
        assert!(took < Duration::from_secs(20), "within twice ten seconds");
        let closed = server.seen.wait_closed(1).await;
        assert_eq!(
            closed[0].code,
            CloseCode::REFUSED_ON_THE_WAY,
            "the server is told"
        );
    }
}
