//! The gate: origin, authorisation, and what every answer carries.

use anywire::{Config, Denied, Principal, Transport};
use anywire_protocol::Packet;
use anywire_tests::http::request;
use anywire_tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{ALL, Wire, every, new_key, upgrade};

const UPGRADE: [&str; 4] = [
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: anywire.v1",
];

#[tokio::test]
async fn a_foreign_origin_is_refused_on_every_endpoint_before_anything_else() {
    let server = TestServer::start(Config::new().allow_origin("https://friend.example")).await;
    for origin in [
        "https://evil.example",
        "null",
        "https://friend.example.evil",
        "https://friend.example/",
    ] {
        let origin = format!("Origin: {origin}");
        for (method, path) in [
            ("POST", "poll"),
            ("GET", "websocket"),
            ("GET", "raw"),
            ("OPTIONS", "poll"),
            ("POST", "stream"),
            ("OPTIONS", "stream"),
            ("GET", "events"),
        ] {
            let mut headers = UPGRADE.to_vec();
            headers.push(&origin);
            let answer = request(
                server.addr,
                method,
                &format!("/anywire/{path}"),
                &headers,
                b"",
            )
            .await;
            assert_eq!(
                (answer.status, answer.code()),
                (403, 4965),
                "{path} {origin}"
            );
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    assert_eq!(server.server.metrics().opened, 0);
    assert_eq!(server.seen.opened(), 0);
}

/// The endpoint is reached by `https`, as behind a proxy, and its pages are of `http` too.
#[tokio::test]
async fn a_listed_page_of_the_other_scheme_and_the_same_host_may_read() {
    let server = TestServer::start(Config::new().allow_origin("http://app.example")).await;
    let headers = ["Host: app.example", "Origin: http://app.example"];
    let preflight = request(server.addr, "OPTIONS", "/anywire/poll", &headers, b"").await;
    assert_eq!(preflight.status, 204);
    let answer = request(server.addr, "POST", "/anywire/poll", &headers, b"").await;
    for answer in [preflight, answer] {
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("http://app.example"));
    }
}

#[tokio::test]
async fn a_listed_origin_is_let_in_and_named() {
    let server = TestServer::start(Config::new().allow_origin("https://friend.example")).await;
    let origin = "Origin: https://friend.example";
    let preflight = request(server.addr, "OPTIONS", "/anywire/poll", &[origin], b"").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        Some("https://friend.example")
    );
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        Some("post")
    );
    assert_eq!(preflight.header("vary"), Some("origin"));
    let refused = request(server.addr, "POST", "/anywire/poll", &[origin], b"").await;
    assert_eq!((refused.status, refused.code()), (400, 4960));
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://friend.example")
    );
    assert_eq!(
        refused.header("access-control-allow-credentials"),
        Some("true")
    );
    assert_eq!(
        refused.header("access-control-expose-headers"),
        Some("retry-after")
    );
    assert_eq!(
        refused.header("timing-allow-origin"),
        Some("https://friend.example")
    );
    assert_eq!(
        refused.header("cache-control"),
        Some("no-store, no-transform")
    );
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn the_app_decides_who_comes_in_and_a_session_is_its_owners() {
    let config = Config::new().authorize(|visitor| async move {
        assert!(visitor.peer.is_some());
        match visitor
            .headers
            .get("x-user")
            .and_then(|value| value.to_str().ok())
        {
            Some("mallory") => Err(Denied::forbidden("not you")),
            Some(user) => Ok(Principal::new(user)),
            None if visitor.query == "user=ada" => Ok(Principal::new("ada")),
            None => Err(Denied::unauthenticated("say who you are")),
        }
    });
    let server = TestServer::start(config).await;
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let open = format!("{}:o{open}", open.len());
    let post = |headers: Vec<&'static str>, body: String| async move {
        request(
            server.addr,
            "POST",
            "/anywire/poll",
            &headers,
            body.as_bytes(),
        )
        .await
    };
    let nobody = post(vec![], open.clone()).await;
    assert_eq!((nobody.status, nobody.code()), (401, 4966));
    let mallory = post(vec!["X-User: mallory"], open.clone()).await;
    assert_eq!((mallory.status, mallory.code()), (403, 4969));
    assert!(upgrade(server.addr, "/anywire/raw", "").await.is_err());

    let ada = post(vec!["X-User: ada"], open.clone()).await;
    let packets =
        anywire_protocol::decode_payload(anywire_protocol::Encoding::Text, ada.body.into());
    let Some(Packet::Opened(opened)) = packets.unwrap().into_iter().next() else {
        panic!("not opened")
    };
    let attach = format!("{} {} 2 0 0", opened.session, opened.secret);
    let attach = format!("{}:x{attach}", attach.len());
    let bob = post(vec!["X-User: bob"], attach.clone()).await;
    assert_eq!(
        (bob.status, bob.code()),
        (404, 4930),
        "another principal sees no session"
    );
    let bob = post(vec!["X-User: bob"], open).await;
    assert_eq!(
        (bob.status, bob.code()),
        (404, 4930),
        "nor by the opening key"
    );
    assert_eq!(post(vec!["X-User: ada"], attach).await.status, 200);
    if !server.takes_raw() {
        return;
    }
    assert!(
        upgrade(server.addr, "/anywire/raw?user=ada", "")
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn each_script_has_a_strong_etag_and_an_immutable_twin() {
    let server = TestServer::start(Config::new().mount("anywire")).await;
    let mut bodies = Vec::new();
    for name in ["client", "client-modern"] {
        let path = format!("/anywire/{name}.js");
        let script = request(server.addr, "GET", &path, &[], b"").await;
        assert_eq!(script.status, 200);
        assert!(script.text().contains("Anywire"));
        assert_eq!(script.header("cache-control"), Some("no-cache"));
        let etag = script.header("etag").unwrap();
        assert!(etag.starts_with('"'));
        let none_match = format!("If-None-Match: {etag}");
        let known = request(server.addr, "GET", &path, &[&none_match], b"").await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        let twin = format!("/anywire/{name}-{}.js", etag.trim_matches('"'));
        let twin = request(server.addr, "GET", &twin, &[], b"").await;
        assert_eq!(
            twin.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert_eq!(twin.body, script.body);
        let stale = format!("/anywire/{name}-0000000000000000.js");
        let stale = request(server.addr, "GET", &stale, &[], b"").await;
        assert_eq!(stale.status, 404);
        bodies.push(script.body);
    }
    assert!(
        bodies[1].len() < bodies[0].len(),
        "the modern one is smaller"
    );
}

#[tokio::test]
async fn a_script_comes_in_the_smallest_encoding_that_is_accepted() {
    let server = TestServer::start(Config::new()).await;
    let plain = request(server.addr, "GET", "/anywire/client.js", &[], b"").await;
    let hash = plain.header("etag").unwrap().trim_matches('"').to_owned();
    let gzip = Some("gzip");
    for (accepted, coding) in [
        ("Accept-Encoding: gzip, deflate, br, zstd", Some("br")),
        ("Accept-Encoding: gzip, deflate", gzip),
        ("Accept-Encoding: br;q=0, GZIP;q=0.5", gzip),
        ("Accept-Encoding: identity", None),
        ("Accept-Encoding: gzip;q=0", None),
        ("Accept-Encoding: nonsense;;q=,", None),
    ] {
        let headers = [accepted];
        let script = request(server.addr, "GET", "/anywire/client.js", &headers, b"").await;
        assert_eq!(script.header("content-encoding"), coding, "{accepted}");
        assert_eq!(script.header("vary"), Some("accept-encoding"));
        assert_eq!(coding == gzip, script.body.starts_with(&[0x1f, 0x8b]));
        assert_eq!(coding.is_none(), script.body == plain.body, "{accepted}");
        assert!(coding.is_none() || script.body.len() * 2 < plain.body.len());
        let etag = script.header("etag").unwrap().to_owned();
        assert!(etag.trim_matches('"').starts_with(&hash), "{etag}");
        let known = format!("If-None-Match: {etag}");
        let headers = [accepted, known.as_str()];
        let known = request(server.addr, "GET", "/anywire/client.js", &headers, b"").await;
        assert_eq!((known.status, known.body.len()), (304, 0), "{accepted}");
    }
    // It says so, and cannot.
    let six = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)";
    let headers = ["Accept-Encoding: gzip, deflate", six];
    let script = request(server.addr, "GET", "/anywire/client.js", &headers, b"").await;
    assert_eq!(script.body, plain.body);
}

#[tokio::test]
async fn other_methods_and_paths_are_told_so() {
    let server = TestServer::start(Config::new().mount("api/live")).await;
    let get = request(server.addr, "GET", "/api/live/poll", &[], b"").await;
    assert_eq!(
        (get.status, get.code(), get.header("allow")),
        (405, 4968, Some("post"))
    );
    let post = request(server.addr, "POST", "/api/live/websocket", &[], b"").await;
    assert_eq!(
        (post.status, post.code(), post.header("allow")),
        (405, 4968, Some("get"))
    );
    let plain = request(server.addr, "GET", "/api/live/websocket", &[], b"").await;
    assert_eq!((plain.status, plain.code()), (400, 4960));
    for path in [
        "/api/live/",
        "/api/live",
        "/api/live/poll/x",
        "/anywire/poll",
        "/live/poll",
    ] {
        assert_eq!(
            request(server.addr, "GET", path, &[], b"").await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn transports_are_counted() {
    let server = TestServer::start(every()).await;
    for variant in ALL {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("hello").await;
        assert_eq!(wire.recv_text().await, "hello");
    }
    let metrics = server.server.metrics();
    assert_eq!(
        (
            metrics.opened,
            metrics.sessions,
            metrics.attaches[Transport::WebSocket]
        ),
        (ALL.len() as u64, ALL.len() as u64, 1)
    );
    assert!(metrics.attaches[Transport::Stream] >= 2);
    assert!(metrics.attaches[Transport::Events] >= 1 && metrics.attaches[Transport::Jsonp] >= 1);
    assert!(metrics.attaches[Transport::Poll] >= 3);
    assert_eq!(metrics.messages_up, ALL.len() as u64);
    assert_eq!(metrics.messages_down, ALL.len() as u64);
}

#[tokio::test]
async fn opaque_origins_come_without_credentials_or_not_at_all() {
    let open = || {
        let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
        format!("{}:o{open}", open.len())
    };
    let server = TestServer::start(every().allow_opaque_origins()).await;
    let opaque = "Origin: null";
    let text = "Content-Type: text/plain";
    let body = open();
    let poll = |headers: Vec<&'static str>, body: String| async move {
        request(
            server.addr,
            "POST",
            "/anywire/poll",
            &headers,
            body.as_bytes(),
        )
        .await
    };
    let answer = poll(vec![opaque, text], body).await;
    assert_eq!(answer.status, 200);
    let preflight = request(server.addr, "OPTIONS", "/anywire/poll", &[opaque], b"").await;
    assert_eq!(preflight.status, 204);
    for answer in [
        answer,
        preflight,
        poll(vec![opaque, text], "x".into()).await,
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("null"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    let opened = server.server.metrics().opened;
    for credential in ["Cookie: who=victim", "Authorization: Bearer victim"] {
        for (method, path) in [
            ("POST", "poll"),
            ("POST", "stream"),
            ("POST", "form"),
            ("GET", "events"),
            ("GET", "websocket"),
            ("GET", "raw"),
        ] {
            let mut headers = UPGRADE.to_vec();
            headers.extend([opaque, credential, text]);
            let path = format!("/anywire/{path}");
            let answer = request(server.addr, method, &path, &headers, open().as_bytes()).await;
            assert_eq!(
                (answer.status, answer.code()),
                (403, 4965),
                "{path} {credential}"
            );
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    assert_eq!(server.server.metrics().opened, opened);
}

#[tokio::test]
async fn origins_of_webviews_and_of_a_predicate_are_let_in_and_named() {
    let config = Config::new()
        .allow_origin("file://")
        .allow_origin("app://.")
        .allow_origin_if(|origin| origin.ends_with(".friend.example"));
    let server = TestServer::start(config).await;
    for (origin, expected) in [
        ("file://", 204),
        ("app://.", 204),
        ("https://a.friend.example", 204),
        ("null", 403),
        ("app://other", 403),
        ("https://friend.example", 403),
        ("https://a.friend.example:1:2", 403),
    ] {
        let header = format!("Origin: {origin}");
        let answer = request(server.addr, "OPTIONS", "/anywire/poll", &[&header], b"").await;
        assert_eq!(answer.status, expected, "{origin}");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, (expected == 204).then_some(origin));
        let credentials = answer.header("access-control-allow-credentials");
        assert_eq!(credentials, (expected == 204).then_some("true"));
    }
}

#[tokio::test]
async fn the_own_origin_has_one_port_and_no_scheme() {
    let server = TestServer::start(Config::new()).await;
    let port = server.addr.port();
    for (origin, status) in [
        (format!("http://127.0.0.1:{port}"), 400),
        (format!("https://127.0.0.1:{port}"), 400),
        (format!("http://127.0.0.1:{port}:80"), 403),
        (format!("http://127.0.0.1:80:{port}"), 403),
        (format!("http://127.0.0.1:{port}/"), 403),
        (format!("http://x@127.0.0.1:{port}"), 403),
        (format!("ws://127.0.0.1:{port}"), 403),
        ("http://127.0.0.1".into(), 403),
    ] {
        let header = format!("Origin: {origin}");
        let answer = request(server.addr, "POST", "/anywire/poll", &[&header], b"").await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn the_scripts_are_public() {
    let server = TestServer::start(Config::new()).await;
    for script in ["client.js", "client-modern.js"] {
        let path = format!("/anywire/{script}");
        let first = request(server.addr, "GET", &path, &[], b"").await;
        let etag = format!("If-None-Match: {}", first.header("etag").unwrap());
        let foreign = ["Origin: https://elsewhere.example", etag.as_str()];
        let known = request(server.addr, "GET", &path, &foreign, b"").await;
        assert_eq!((first.status, known.status), (200, 304), "{script}");
        for answer in [first, known] {
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            let policy = answer.header("cross-origin-resource-policy");
            assert_eq!(policy, Some("cross-origin"), "{script}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
}

#[tokio::test]
async fn the_applications_own_parameters_never_collide() {
    // As an application may name them, on every endpoint.
    const OWN: &str = "b=1&c=2&offer=3&anywire=4&call=5";
    let config = Config::new().allow_jsonp().authorize(|visitor| async move {
        match visitor.query.as_str() {
            OWN => Ok(Principal::new("ada")),
            other => Err(Denied::unauthenticated(format!("the query is {other}"))),
        }
    });
    let server = TestServer::start(config).await;
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let body = format!("{}:o{open}", open.len());
    let escaped = crate::wire::escape(body.as_bytes());
    let offer = format!("anywire.v1,anywire.open.{}.1", new_key());
    let text = "Content-Type: text/plain";
    for (method, path, body) in [
        ("POST", format!("poll?{OWN}"), body.as_str()),
        ("POST", format!("stream?{OWN}"), body.as_str()),
        ("GET", format!("events?{OWN}&anywire.offer={offer}"), ""),
        (
            "GET",
            format!("jsonp?{OWN}&anywire.c=7&anywire.{escaped}"),
            "",
        ),
    ] {
        let path = format!("/anywire/{path}");
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{text}\r\nContent-Length: {}\r\n\r\n{body}",
            server.addr,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let mut length = 0;
        while !String::from_utf8_lossy(&answer[..length]).contains("session") {
            let read = stream.read(&mut answer[length..]).await.unwrap();
            assert!(read > 0, "{path}: {}", String::from_utf8_lossy(&answer));
            length += read;
        }
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        assert!(!answer.contains("4960"), "{path}: {answer}");
    }
    let offer = offer.replace(',', ", ");
    let upgraded = upgrade(server.addr, &format!("/anywire/websocket?{OWN}"), &offer).await;
    assert!(upgraded.is_ok(), "a WebSocket");
}
