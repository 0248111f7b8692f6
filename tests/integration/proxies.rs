//! Whom a request comes from and which host it is for: trusted proxies, and lists of hosts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anywire::{Config, ForwardingHeaders, Principal, Scheme};
use anywire_client::{Client, OriginMemory};
use anywire_tests::host::Host;
use anywire_tests::http::{raw, request};
use anywire_tests::middlebox::{Middlebox, Product};
use anywire_tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::wire::new_key;

/// What the app saw of a visitor: the address, and what was spoken.
type Saw = Option<(String, Option<Scheme>)>;

/// The config, and where it notes what the app sees of visitors.
fn noting(config: Config) -> (Config, Arc<Mutex<Saw>>) {
    let saw = Arc::<Mutex<Saw>>::default();
    let seen = saw.clone();
    let config = config.authorize(move |visitor| {
        let peer = visitor
            .peer
            .map_or("nobody".into(), |peer| peer.ip().to_string());
        *seen.lock().unwrap() = Some((peer, visitor.scheme));
        async { Ok(Principal::new("somebody")) }
    });
    (config, saw)
}

/// Opens by a poll with these headers; returns the status, the code of a refusal, and what the app saw.
async fn open(config: Config, headers: &[&str]) -> (u16, u64, Saw) {
    let (config, saw) = noting(config);
    let server = TestServer::start(config).await;
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let payload = format!("{}:o{open}", open.len());
    let mut lines = vec!["Content-Type: text/plain"];
    lines.extend(headers);
    let answer = request(
        server.addr,
        "POST",
        "/anywire/poll",
        &lines,
        payload.as_bytes(),
    )
    .await;
    let code = if answer.status == 200 {
        0
    } else {
        answer.code()
    };
    let saw = saw.lock().unwrap().clone();
    (answer.status, code, saw)
}

#[tokio::test]
async fn the_app_sees_whom_a_trusted_proxy_names() {
    let trusting = || Config::new().trust_proxies("127.0.0.0/8, 10.0.0.0/8".parse().unwrap());
    let saw = |peer: &str, scheme| (200, 0, Some((peer.to_owned(), scheme)));
    let lines = [
        "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.9",
        "X-Forwarded-Proto: https",
    ];
    assert_eq!(
        open(trusting(), &lines).await,
        saw("192.0.2.1", Some(Scheme::Https))
    );
    assert_eq!(open(Config::new(), &lines).await, saw("127.0.0.1", None));
    let forwarded = [
        "Forwarded: for=\"[2001:db8::1]:44\";proto=http",
        "X-Forwarded-For: 6.6.6.6",
    ];
    let by_forwarded = trusting().forwarding_headers(ForwardingHeaders::Forwarded);
    assert_eq!(
        open(by_forwarded, &forwarded).await,
        saw("2001:db8::1", Some(Scheme::Http))
    );
    assert_eq!(open(trusting(), &forwarded).await, saw("6.6.6.6", None));
}

#[tokio::test]
async fn an_origin_has_the_scheme_and_the_host_that_the_proxy_was_asked_for() {
    let trusting = || Config::new().trust_proxies("127.0.0.1".parse().unwrap());
    let status =
        |config, lines: &'static [&'static str]| async move { open(config, lines).await.0 };
    const HTTPS: &str = "X-Forwarded-Proto: https";
    const HOST: &str = "X-Forwarded-Host: app.example";
    let page = &["Origin: https://app.example", HTTPS, HOST];
    let plain_page = &["Origin: http://app.example", HTTPS, HOST];
    assert_eq!(status(trusting(), page).await, 200);
    assert_eq!(status(trusting(), plain_page).await, 403);
    assert_eq!(
        status(Config::new(), page).await,
        403,
        "nobody trusts the proxy"
    );
    let malformed = &["X-Forwarded-Host: a b"];
    let (refused, code, saw) = open(trusting(), malformed).await;
    assert_eq!((refused, code, saw), (400, 4960, None));
    let server = TestServer::start(trusting()).await;
    let text = request(server.addr, "GET", "/anywire/client.js", malformed, b"").await;
    let text = text.text().to_owned();
    assert!(
        text.contains("an X-Forwarded-Host or Forwarded host that is malformed"),
        "{text}"
    );
}

#[tokio::test]
async fn only_hosts_of_the_list_are_answered_for_by_endpoints_and_scripts() {
    let server = TestServer::start(Config::new().hosts(["app.example", "localhost:3030"])).await;
    for (host, is_served) in [
        ("app.example", true),
        ("APP.example:8443", true),
        ("localhost:3030", true),
        ("localhost:3031", false),
        ("rebound.evil.example", false),
        ("127.0.0.1", false),
    ] {
        for path in ["client.js", "events", "websocket", "poll"] {
            let text = format!(
                "GET /anywire/{path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\r\n"
            );
            let answer = raw(server.addr, text.as_bytes()).await;
            assert_eq!(
                answer.status != 421,
                is_served,
                "{host} {path}: {}",
                answer.status
            );
            if !is_served {
                assert_eq!(answer.code(), 4965, "{host} {path}");
                assert!(
                    answer.text().contains("list it with Config::hosts"),
                    "{}",
                    answer.text()
                );
            }
        }
    }
    let old = b"GET /anywire/client.js HTTP/1.0\r\n\r\n";
    assert_eq!(raw(server.addr, old).await.status, 421, "it names none");
    let open_server = TestServer::start(Config::new()).await;
    assert_eq!(raw(open_server.addr, old).await.status, 200);
}

#[tokio::test]
async fn a_request_has_one_host_and_that_is_one() {
    let server = TestServer::start(Config::new()).await;
    for hosts in [
        "Host: a\r\nHost: a",
        "Host: a b",
        "Host: x@evil",
        "Host: a:b",
        "Host: [::1",
        "Host:",
    ] {
        let text = format!("GET /anywire/client.js HTTP/1.1\r\n{hosts}\r\n\r\n");
        let answer = raw(server.addr, text.as_bytes()).await;
        assert_eq!(answer.status, 400, "{hosts}");
        assert!(answer.text().contains("Host"), "{hosts}: {}", answer.text());
        // `raw` has read to the end, so the server has closed.
    }
}

#[tokio::test]
async fn an_upgrade_that_is_refused_or_has_a_body_ends_its_connection() {
    let server = TestServer::start(Config::new()).await;
    let upgrade = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (method, path, more, status) in [
        ("GET", "websocket", "Origin: http://evil\r\n", 403),
        ("POST", "websocket", "", 405),
        ("GET", "poll", "", 405),
        ("GET", "websocket", "Content-Length: 4\r\n\r\nbody", 400),
        ("GET", "raw", "Transfer-Encoding: chunked\r\n\r\n0", 400),
        ("GET", "client.js", "", 200),
    ] {
        // Behind it stands a whole request, which must not be answered.
        let text = format!(
            "{method} /anywire/{path} HTTP/1.1\r\n{upgrade}{more}\r\nGET /anywire/client.js HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let answer = raw(server.addr, text.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {path} {more}");
        assert_eq!(
            answer.header("connection"),
            Some("close"),
            "{method} {path} {more}"
        );
    }
}

/// Whom the app sees when the Rust client comes through a balancer that passes bytes on.
async fn seen_through(word: &str, bind: &str) -> String {
    let (config, saw) = noting(Config::new());
    let server = TestServer::start_tuned(config, |serve| {
        serve.proxy_protocol("127.0.0.1".parse().unwrap())
    })
    .await;
    let upstream = server.addr;
    let site = |listen| {
        format!(
            "frontend f\n mode tcp\n bind {listen}\n default_backend b\n\
             backend b\n mode tcp\n server s {upstream} {word}\n"
        )
    };
    let patience = Duration::from_secs(30);
    let balancer = Middlebox::start_with(Product::Haproxy, patience, site);
    let balancer = balancer.await.unwrap();
    // A client on an address of its own, which the balancer must pass on.
    let url = format!("ws://{}/anywire", balancer.addr());
    let from = TcpSocket::new_v4().unwrap();
    from.bind(format!("{bind}:0").parse().unwrap()).unwrap();
    let mut stream = from.connect(balancer.addr()).await.unwrap();
    let open = format!(
        "GET /anywire/events?anywire.offer=anywire.v1%2Canywire.open.{}.1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        new_key()
    );
    stream.write_all(open.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    let seen = saw.lock().unwrap().clone().unwrap().0;
    // The whole client passes too.
    let client = Client::builder(&url)
        .memory(OriginMemory::default())
        .no_proxy();
    let mut client = client.connect().await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(client.recv().await.unwrap().as_text(), Some("hello"));
    seen
}

#[tokio::test]
async fn a_balancer_that_passes_bytes_on_names_the_client() {
    for word in ["send-proxy", "send-proxy-v2"] {
        let seen = seen_through(word, "127.0.0.77").await;
        assert_eq!(seen, "127.0.0.77", "{word}");
    }
    // Without its header a connection from there is closed; from elsewhere none is read.
    let tune = |networks: &'static str| async move {
        let tuned = TestServer::start_tuned(Config::new(), |serve| {
            serve.proxy_protocol(networks.parse().unwrap())
        });
        let server = tuned.await;
        assert_eq!(server.host, Host::Anywire);
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let get = b"GET /anywire/client.js HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        stream.write_all(get).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer.starts_with(b"HTTP/1.1 200")
    };
    assert!(!tune("127.0.0.1").await);
    assert!(tune("10.0.0.0/8").await);
}
