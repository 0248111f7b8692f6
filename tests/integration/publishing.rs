//! Publishing by programs that are no servers, with a library and by HTTP; and by servers whose store is away.

use std::time::Duration;

use anywire::cluster::MemoryStore;
use anywire::{Config, ConfigError, Denied, Principal, Server};
use anywire_tests::cluster::{TestNode, TestStore, test_key};
use anywire_tests::documents::{self, block};
use anywire_tests::http::{Answer, request};
use anywire_tests::server::TestServer;

use tokio::time::{sleep, timeout};

use crate::wire::{Got, Variant, Wire, every};

const DEADLINE: Duration = Duration::from_secs(20);

const KEY: &str = "a key that has thirty-two bytes, or more";

/// Posts a message with the right key and these headers.
async fn post(addr: std::net::SocketAddr, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    let key = format!("Authorization: bearer {KEY}");
    let headers: Vec<_> = headers.iter().copied().chain([key.as_str()]).collect();
    request(addr, "POST", path, &headers, body).await
}

async fn follower(addr: std::net::SocketAddr) -> Wire {
    let mut wire = Wire::open(addr, Variant::WebSocket).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    wire
}

#[tokio::test]
async fn a_program_without_a_server_publishes_to_all_nodes() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(2, &every(), &store).await;
        let mut wires = [follower(nodes[0].addr).await, follower(nodes[1].addr).await];
        // It is used at once: its first message waits for the store.
        let publisher = store.cluster(test_key()).publisher();
        let first = publisher.publish("news", "one", Some("k")).await.unwrap();
        let again = publisher.publish("news", "one", Some("k")).await.unwrap();
        assert_eq!((first, first.number), (again, 1));
        assert_eq!(publisher.trouble(), None);
        nodes[0].node.publish("news", "two", None).await.unwrap();
        for wire in &mut wires {
            assert_eq!(wire.recv_text().await, "one");
            assert_eq!(wire.recv_text().await, "two");
        }
    }
}

#[tokio::test]
async fn whoever_has_the_key_publishes_by_http() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let config = every().allow_publish(KEY);
        let nodes = TestNode::start_all(2, &config, &store).await;
        let mut wires = [follower(nodes[0].addr).await, follower(nodes[1].addr).await];
        let path = "/anywire/publish?topic=news";
        let once = ["Idempotency-Key: order-17"];
        let first = post(nodes[0].addr, path, &once, "héllo".as_bytes()).await;
        assert_eq!(first.status, 200, "{}", first.text());
        assert!(
            first.text().ends_with(r#","number":1}"#),
            "{}",
            first.text()
        );
        let again = post(nodes[1].addr, path, &once, "héllo".as_bytes()).await;
        assert_eq!(again.text(), first.text());
        let bytes = ["Content-Type: Application/Octet-Stream; charset=none"];
        assert_eq!(
            post(nodes[1].addr, path, &bytes, &[0, 255]).await.status,
            200
        );
        for wire in &mut wires {
            assert_eq!(wire.recv_text().await, "héllo");
            let Got::Message(message) = wire.recv().await else {
                panic!("no message")
            };
            assert_eq!(message.as_bytes()[..], [0, 255]);
        }
        store.set_away(true);
        let away = post(nodes[0].addr, path, &[], b"lost?").await;
        assert_eq!((away.status, away.code()), (503, 4902));
        assert!(away.header("retry-after").is_some());
        assert!(
            away.text().contains("may not have been published"),
            "{}",
            away.text()
        );
        store.set_away(false);
    }
}

#[tokio::test]
async fn what_the_page_says_publishes() {
    let config = every().allow_publish(KEY);
    let nodes = TestNode::start_all(1, &config, &TestStore::Memory(MemoryStore::new())).await;
    let mut wire = follower(nodes[0].addr).await;
    let line = block(documents::CLUSTER, "Publish from outside", "sh");
    assert!(line.starts_with("curl "), "{line}");
    let line = line.replace("127.0.0.1:3030", &nodes[0].addr.to_string());
    let shell = tokio::process::Command::new("sh")
        .env("KEY", KEY)
        .args(["-c", &line])
        .output();
    let output = shell.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(
        answer.starts_with(r#"{"epoch":""#) && answer.ends_with(r#"","number":1}"#),
        "{answer}"
    );
    assert_eq!(wire.recv_text().await, "Hello from a script");
}

#[tokio::test]
async fn a_server_alone_publishes_to_its_own_followers() {
    // The key is all that is asked for.
    let config = every().allow_publish(KEY).authorize(|visitor| async move {
        match visitor.headers.contains_key("x-user") {
            true => Ok(Principal::new("ada")),
            false => Err(Denied::unauthenticated("log in first")),
        }
    });
    let server = TestServer::start(config).await;
    if server.host == anywire_tests::host::Host::Edge {
        return;
    }
    let path = "/anywire/publish?topic=news";
    let told = post(server.addr, path, &[], b"nobody is here").await;
    assert_eq!((told.status, told.text()), (200, r#"{"followers":0}"#));
    let refused = post(server.addr, path, &["Idempotency-Key: k"], b"").await;
    assert_eq!((refused.status, refused.code()), (400, 4960));
}

#[tokio::test]
async fn a_publish_that_cannot_be_is_told_why() {
    let limits = anywire::Limits::default().max_message_bytes(1_000);
    let server = TestServer::start(every().limits(limits).allow_publish(KEY)).await;
    let path = "/anywire/publish?topic=news";
    for key in [
        "",
        "Bearer ",
        "Bearer a key",
        "Basic a key",
        KEY,
        "Bearer \u{e9}",
    ] {
        let key = format!("Authorization: {key}");
        let answer = request(server.addr, "POST", path, &[&key], b"hello").await;
        let expected = if key.is_ascii() {
            (401, 4966)
        } else {
            (400, 4960)
        };
        assert_eq!((answer.status, answer.code()), expected, "{key}");
    }
    let none = request(server.addr, "POST", path, &[], b"hello").await;
    assert_eq!((none.status, none.code()), (401, 4966));
    assert_eq!(none.header("www-authenticate"), Some("bearer"));
    for (path, body, expected) in [
        ("/anywire/publish", &b"hello"[..], (400, 4960)),
        ("/anywire/publish?topic=%ff", b"hello", (400, 4960)),
        ("/anywire/publish?topic=%f", b"hello", (400, 4960)),
        (path, &[b'x'; 1_001], (413, 4964)),
        (path, b"\xff", (400, 1007)),
    ] {
        let answer = post(server.addr, path, &[], body).await;
        assert_eq!((answer.status, answer.code()), expected, "{path}");
    }
    assert_eq!(
        post(server.addr, path, &[], &[b'x'; 1_000]).await.status,
        200
    );
    let get = request(server.addr, "GET", path, &[], b"").await;
    assert_eq!((get.status, get.code()), (405, 4968));
    let foreign = ["Origin: https://elsewhere.example"];
    assert_eq!(
        post(server.addr, path, &foreign, b"hello").await.code(),
        4965
    );
    // Off unless it is turned on, and never with a key that can be guessed.
    let off = TestServer::start(every()).await;
    assert_eq!(post(off.addr, path, &[], b"hello").await.status, 404);
    let short = Server::builder(Config::new().allow_publish("a short key")).unwrap_err();
    assert!(matches!(short, ConfigError::PublishKey));
    assert!(short.to_string().contains("openssl rand -hex 32"));
}

#[tokio::test]
async fn what_is_published_while_the_store_is_away_waits_for_it() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(2, &every(), &store).await;
        let mut wire = follower(nodes[1].addr).await;
        nodes[0].server.publish("news", "before");
        assert_eq!(wire.recv_text().await, "before");
        store.set_away(true);
        // Nobody knows it yet: what is on its way then may be lost, and is counted.
        nodes[0].server.publish("news", "on its way");
        let is_known = async {
            while nodes.iter().any(|node| node.node.trouble().is_none()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, is_known).await.expect("it is seen");
        for number in 0..500 {
            nodes[0].server.publish("news", number.to_string());
        }
        // 16 MiB wait, and no more.
        let large = "x".repeat(1_000_000);
        for _ in 0..20 {
            nodes[0].server.publish("large", large.as_str());
        }
        let lost = nodes[0].node.metrics().lost_publishes;
        assert!((4..=5).contains(&lost), "{lost}");
        // A topic that is followed meanwhile is followed.
        wire.send("topic:other").await;
        assert_eq!(wire.recv_text().await, "subscribed");
        store.set_away(false);
        for number in 0..500 {
            let text = wire.recv_text().await;
            if text == "on its way" {
                assert_eq!(number, 0);
                assert_eq!(wire.recv_text().await, "0");
            } else {
                assert_eq!(text, number.to_string());
            }
        }
        let heard = async {
            loop {
                nodes[0].server.publish("other", "hello");
                if let Ok(text) = timeout(Duration::from_millis(100), wire.recv_text()).await {
                    return text;
                }
            }
        };
        assert_eq!(
            timeout(DEADLINE, heard).await.expect("it is heard"),
            "hello"
        );
    }
}
