//! A session opens through each product, and an upgrade where it passes.

use std::{net::SocketAddr, time::Duration};

use anywire::Config;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{Middlebox, Product};
use crate::{
    http::{Answer, poll, raw, request},
    server::TestServer,
};

#[tokio::test]
async fn nginx_passes_polls_and_upgrades() {
    let (_server, nginx) = start(Product::Nginx).await;
    assert_opened(&poll(nginx.addr(), "anywire", &open(1)).await);
    assert_eq!(ask_for_upgrade(nginx.addr()).await.0, "HTTP/1.1 101");
}

#[tokio::test]
async fn nginx_as_it_comes_passes_polls_and_no_upgrade() {
    let (_server, nginx) = start(Product::NginxWithoutUpgrade).await;
    assert_opened(&poll(nginx.addr(), "anywire", &open(1)).await);
    let (status, _) = ask_for_upgrade(nginx.addr()).await;
    assert!(status.starts_with("HTTP/1.1 4"), "{status}");
}

#[tokio::test]
async fn haproxy_passes_polls_and_upgrades() {
    let (_server, haproxy) = start(Product::Haproxy).await;
    assert_opened(&poll(haproxy.addr(), "anywire", &open(1)).await);
    assert_eq!(ask_for_upgrade(haproxy.addr()).await.0, "HTTP/1.1 101");
}

#[tokio::test]
async fn an_idle_upgraded_connection_is_cut_when_the_patience_is_over() {
    for product in [Product::Nginx, Product::Haproxy] {
        let (_server, middlebox) = start_with(product, Duration::from_millis(300)).await;
        let (status, mut stream) = ask_for_upgrade(middlebox.addr()).await;
        assert_eq!(status, "HTTP/1.1 101");
        // The server itself would wait for ten seconds.
        let end = timeout(DEADLINE / 2, stream.read_to_end(&mut Vec::new())).await;
        assert!(end.is_ok(), "{product:?}");
    }
}

#[tokio::test]
async fn squid_passes_polls_as_plain_requests_and_through_a_tunnel() {
    let (server, squid) = start(Product::Squid).await;
    let url = format!("http://{}/anywire/poll", server.addr);
    let text = ["Content-Type: text/plain"];
    let answer = request(squid.addr(), "POST", &url, &text, open(1).as_bytes()).await;
    assert_opened(&answer);

    let open = open(2);
    let tunnelled = format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n\
         POST /anywire/poll HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: {1}\r\n\r\n{open}",
        server.addr,
        open.len(),
    );
    let answer = raw(squid.addr(), tunnelled.as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("HTTP/1.1 200 OK"), "{answer:?}");
    assert_eq!(server.seen.opened(), 2);
}

async fn start(product: Product) -> (TestServer, Middlebox) {
    start_with(product, Duration::from_secs(5)).await
}

async fn start_with(product: Product, patience: Duration) -> (TestServer, Middlebox) {
    let server = TestServer::start(Config::new()).await;
    let started = Middlebox::start(product, server.addr, patience).await;
    (server, started.unwrap_or_else(|error| panic!("{error}")))
}

/// An open with the n-th key.
fn open(key: u32) -> String {
    let open = format!(r#"{{"version":1,"key":"{key:032x}","generation":1}}"#);
    format!("{}:o{open}", open.len())
}

fn assert_opened(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().contains(r#"O{"version":1"#), "{answer:?}");
}

/// Asks for a WebSocket; gives the protocol and status of the answer, and what follows.
async fn ask_for_upgrade(addr: SocketAddr) -> (String, BufReader<TcpStream>) {
    let mut stream = BufReader::new(TcpStream::connect(addr).await.unwrap());
    let request = format!(
        "GET /anywire/websocket HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: anywire.v1\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = String::new();
    let read = timeout(DEADLINE, stream.read_line(&mut first)).await;
    read.expect("an answer in time").unwrap();
    (first.chars().take(12).collect(), stream)
}

const DEADLINE: Duration = Duration::from_secs(10);
