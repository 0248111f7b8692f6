//! Who comes: what the app sees of them, what it says, and what a session keeps of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anywire::{Asks, Config, Denied, Grant, Keep, Transport, Visitor};
use anywire_protocol::{Credential, Packet};
use anywire_tests::http::request;
use anywire_tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::wire::{ALL, Variant, Wire, escape, every, exchange, new_key, open_by, packet, upgrade};

/// What the app was asked.
type Log = Arc<Mutex<Vec<(Asks, Transport, Option<String>)>>>;

/// A config that names everyone who shows `token of NAME`, and writes down what it is asked.
pub fn by_token(log: &Log) -> Config {
    let log = log.clone();
    every().authorize(move |visitor: Visitor| {
        let said = visitor.credential.as_ref();
        let said = said.map(|credential| credential.as_str().to_owned());
        let entry = (visitor.asks, visitor.transport, said.clone());
        log.lock().unwrap().push(entry);
        async move {
            match said.as_deref() {
                Some("forbidden") => Err(Denied::forbidden("not you")),
                Some("away") => Err(Denied::unavailable("who knows", Duration::from_secs(7))),
                Some("over") => Ok(Grant::to("late").until(SystemTime::UNIX_EPOCH)),
                Some(token) => match token.strip_prefix("token of ") {
                    Some(name) => Ok(Grant::to(name)),
                    None => Err(Denied::unauthenticated("an unknown token")),
                },
                None => Err(Denied::unauthenticated("send a token")),
            }
        }
    })
}

fn transport_of(variant: Variant) -> Transport {
    match variant {
        Variant::WebSocket => Transport::WebSocket,
        Variant::PollText | Variant::PollBinary | Variant::PollEscaped | Variant::Events => {
            Transport::Poll
        }
        Variant::StreamText | Variant::StreamBinary => Transport::Stream,
        Variant::Jsonp => Transport::Jsonp,
    }
}

#[tokio::test]
async fn a_session_opened_with_a_credential_goes_on_by_its_grant_over_every_transport() {
    for variant in ALL {
        let log = Log::default();
        let server = TestServer::start(by_token(&log)).await;
        let mut wire = Wire::present(server.addr, variant, "token of ada")
            .await
            .unwrap();
        let session = server.server.session(wire.opened.session).await.unwrap();
        assert_eq!(session.principal().unwrap().name(), "ada", "{variant:?}");
        let opened = (
            Asks::Open,
            transport_of(variant),
            Some("token of ada".into()),
        );
        // A script tag opens again where its form has opened, without the credential and without a question.
        let of_this_node = |log: &Log| {
            let asked = log.lock().unwrap().clone();
            asked
                .into_iter()
                .filter(|(_, _, said)| said.is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(of_this_node(&log), [opened], "{variant:?}");
        wire.send("one").await;
        assert_eq!(wire.recv_text().await, "one");
        for other in ALL {
            wire.switch(other).await;
            wire.send("two").await;
            assert_eq!(wire.recv_text().await, "two", "{variant:?} then {other:?}");
        }
        assert_eq!(of_this_node(&log).len(), 1, "{variant:?}");
    }
}

#[tokio::test]
async fn each_no_has_its_code_and_status_on_every_transport() {
    for variant in ALL {
        let server = TestServer::start(by_token(&Log::default())).await;
        for (token, status, code) in [
            ("unknown", 401, 4966),
            ("forbidden", 403, 4969),
            ("away", 503, 4902),
            ("over", 401, 4935),
        ] {
            let refused = Wire::present(server.addr, variant, token).await.err();
            let status = match variant {
                // A page hears of its credential only behind the upgrade.
                Variant::WebSocket => 101,
                _ => status,
            };
            assert_eq!(refused, Some((status, code)), "{variant:?} {token}");
        }
        assert_eq!(server.server.metrics().opened, 0, "{variant:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_judged_now_is_told_when_to_come_again() {
    let server = TestServer::start(by_token(&Log::default())).await;
    let key = new_key();
    let open = format!(r#"{{"version":1,"key":"{key}","generation":1,"credential":"away"}}"#);
    let body = packet('o', &open);
    let path = "/anywire/poll";
    let answer = request(server.addr, "POST", path, &[], body.as_bytes()).await;
    assert_eq!((answer.status, answer.code()), (503, 4902));
    assert_eq!(answer.header("retry-after"), Some("7"));
    // An upgrade without a credential is refused before it happens.
    let offer = format!("anywire.v1, anywire.open.{key}.2");
    let refused = upgrade(server.addr, "/anywire/websocket", &offer).await;
    assert!(format!("{refused:?}").contains("401"), "{refused:?}");
}

#[tokio::test]
async fn a_credential_never_stands_in_an_address() {
    let server = TestServer::start(by_token(&Log::default())).await;
    let key = new_key();
    let offer = format!("anywire.v1%2Canywire.open.{key}.1%2Canywire.credential.dG9rZW4");
    let path = format!("/anywire/events?anywire.offer={offer}");
    let refused = request(server.addr, "GET", &path, &[], b"").await;
    assert_eq!((refused.status, refused.code()), (400, 4960));
    let text = "a credential in the address of an event stream: open by an exchange";
    assert!(refused.text().contains(text), "{}", refused.text());
}

#[tokio::test]
async fn a_credential_never_stands_in_the_address_of_a_script() {
    let server = TestServer::start(by_token(&Log::default())).await;
    let token = "token of ada";
    let open = Packet::Open(Box::new(open_by(token)));
    let wire = Wire::present(server.addr, Variant::PollText, token)
        .await
        .unwrap();
    let attach = wire.attach_packet(None);
    let renewal = Packet::Credential(Credential::new(token));
    for packets in [vec![open], vec![attach.clone(), renewal]] {
        let answer = exchange(server.addr, Variant::Jsonp, &packets).await;
        assert_eq!(answer.code(), 4960, "{}", answer.text());
        let text = "a credential in the address of a script: send it by a form";
        assert!(answer.text().contains(text), "{}", answer.text());
    }
    // To ask about the request is to say nothing.
    let question = [attach, Packet::Credential(Credential::new(""))];
    let answer = exchange(server.addr, Variant::Jsonp, &question).await;
    assert_ne!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn a_principal_with_a_name_too_long_lets_nobody_in() {
    for (bytes, code) in [(1_024, None), (1_025, Some(1011))] {
        let config = every()
            .authorize(move |_| async move { Ok::<_, Denied>(Grant::to("x".repeat(bytes))) });
        let server = TestServer::start(config).await;
        for variant in ALL {
            let refused = Wire::present(server.addr, variant, "t").await.err();
            assert_eq!(refused.map(|(_, code)| code), code, "{variant:?} {bytes}");
        }
    }
}

#[tokio::test]
async fn what_is_kept_to_ask_by_counts_while_a_websocket_waits_to_attach() {
    let server = TestServer::start(by_token(&Log::default())).await;
    if !server.takes_raw() {
        // The node counts it that the clients come to.
        return;
    }
    let before = server.server.metrics().held_bytes;
    let cookie = format!("Cookie: large={}", "x".repeat(8_000));
    let origin = format!("Origin: http://{}", server.addr);
    let headers = [
        &cookie[..],
        &origin,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: anywire.v1",
    ];
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
        let head = format!(
            "GET /anywire/websocket HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n",
            server.addr,
            headers.join("\r\n")
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        streams.push(stream);
    }
    let counted = async {
        while server.server.metrics().held_bytes < before + 80_000 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = timeout(Duration::from_secs(5), counted).await;
    let held = server.server.metrics().held_bytes - before;
    assert!(counted.is_ok(), "{held} bytes are counted");
}

#[tokio::test]
async fn without_a_credential_each_request_is_asked_about() {
    for variant in [Variant::PollText, Variant::StreamText, Variant::WebSocket] {
        let asked: Arc<Mutex<Vec<Asks>>> = Arc::default();
        let log = asked.clone();
        let config = every().authorize(move |visitor| {
            log.lock().unwrap().push(visitor.asks);
            async move { Ok::<_, Denied>(Grant::to("ada")) }
        });
        let server = TestServer::start(config).await;
        let mut wire = Wire::open(server.addr, variant).await;
        let answer = exchange(server.addr, Variant::PollText, &[wire.attach_packet(None)]).await;
        assert_eq!(answer.status, 200);
        wire.switch(Variant::WebSocket).await;
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked[..1], [Asks::Open], "{variant:?}");
        assert!(
            asked[1..].iter().all(|asks| *asks == Asks::Request),
            "{asked:?}"
        );
        assert!(asked.len() >= 3, "{asked:?}");
    }
}

/// What an app makes of a visitor.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    path: String,
    room: Option<String>,
    login: Option<String>,
    languages: Vec<String>,
    is_local: bool,
}

#[tokio::test]
async fn the_app_sees_the_whole_request_and_keeps_what_it_names() {
    let keep = Keep::nothing().headers(["X-Kept"]).query().path().peer();
    let config = every().keep(keep).authorize(|visitor: Visitor| async move {
        let seen = Seen {
            path: visitor.path.clone(),
            room: visitor.parameter("room"),
            login: visitor.cookie("login").map(str::to_owned),
            languages: visitor.languages().map(str::to_owned).collect(),
            is_local: visitor.peer.is_some_and(|peer| peer.ip().is_loopback()),
        };
        let grant = Grant::to("ada");
        Ok::<_, Denied>(match visitor.parameter("plain") {
            Some(_) => grant,
            None => grant.with(seen),
        })
    });
    let server = TestServer::start(config).await;
    let open = |key: &str| format!(r#"{{"version":1,"key":"{key}","generation":1}}"#);
    let key = new_key();
    let headers = [
        "Cookie: a=b; login=secret; c=\"d\"",
        "Accept-Language: de;q=0.5, ko, *;q=0.1, en;q=0",
        "X-Kept: this",
        "X-Dropped: that",
        &format!("Origin: http://{}", server.addr),
    ];
    let path = "/anywire/poll?room=a%20b&x=1";
    let body = packet('o', &open(&key.to_string()));
    let mut answer = request(server.addr, "POST", path, &headers, body.as_bytes()).await;
    if !server.takes_raw() {
        // Values of the app's own types go to no other node, and no app is to miss them.
        assert_eq!((answer.status, answer.code()), (503, 4903));
        let path = format!("{path}&plain=1");
        answer = request(server.addr, "POST", &path, &headers, body.as_bytes()).await;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let session = server.server.sessions().next().expect("it is open");
    let seen = Seen {
        path: "/anywire/poll".into(),
        room: Some("a b".into()),
        login: Some("secret".into()),
        languages: vec!["ko".into(), "de".into()],
        is_local: true,
    };
    assert_eq!(session.principal().unwrap().name(), "ada");
    let (seen, query) = match server.takes_raw() {
        true => (Some(&seen), "room=a%20b&x=1"),
        false => (None, "room=a%20b&x=1&plain=1"),
    };
    assert_eq!(session.grant().get::<Seen>(), seen);
    let opening = session.opening().expect("something is kept");
    assert_eq!(opening.header("x-kept"), Some("this"));
    assert_eq!(opening.header("x-dropped"), None);
    assert_eq!(opening.header("cookie"), None);
    assert_eq!(opening.query(), Some(query));
    assert_eq!(opening.path(), Some("/anywire/poll"));
    assert!(opening.peer().is_some_and(|peer| peer.ip().is_loopback()));
}

#[tokio::test]
async fn nothing_is_kept_that_is_not_named() {
    let server = TestServer::start(every()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let session = server.server.session(wire.opened.session).await.unwrap();
    assert!(session.opening().is_none());
    assert!(session.grant().principal().is_none());
}

#[tokio::test]
async fn a_websocket_without_an_offer_is_asked_about_when_it_says_what_it_wants() {
    let log = Log::default();
    let server = TestServer::start(by_token(&log)).await;
    for (token, code) in [("token of ada", None), ("forbidden", Some(4969))] {
        let upgraded = upgrade(server.addr, "/anywire/websocket", "anywire.v1").await;
        let mut socket = upgraded.expect("nobody has been asked");
        let open = format!(
            r#"{{"version":1,"key":"{}","generation":1,"credential":"{token}"}}"#,
            new_key()
        );
        let frame = format!("\u{10}o{open}");
        crate::wire::write(
            &mut socket,
            tokio_tungstenite::tungstenite::Message::text(frame),
        )
        .await;
        match crate::wire::read(&mut socket).await {
            Packet::Opened(_) => assert_eq!(code, None),
            Packet::Close(reason) => assert_eq!(Some(reason.code.as_u16()), code),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_open_with_too_long_a_credential_is_refused_and_leaves_nothing() {
    let server = TestServer::start(by_token(&Log::default())).await;
    let long = "x".repeat(8_193);
    let open = format!(
        r#"{{"version":1,"key":"{}","generation":1,"credential":"{long}"}}"#,
        new_key()
    );
    let body = packet('o', &open);
    let answer = request(server.addr, "POST", "/anywire/poll", &[], body.as_bytes()).await;
    assert_eq!((answer.status, answer.code()), (413, 4964));
    assert_eq!(server.server.metrics().opened, 0);
}

/// Of a script tag, whose answer is always 200.
#[tokio::test]
async fn a_script_tag_whose_form_was_refused_hears_why() {
    let server = TestServer::start(by_token(&Log::default())).await;
    let addr: SocketAddr = server.addr;
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let payload = escape(packet('o', &open).as_bytes());
    let path = format!("/anywire/jsonp?anywire.c=7&anywire.{payload}");
    let answer = request(addr, "GET", &path, &[], b"").await;
    assert_eq!(crate::wire::argument(&answer, 7)["code"], 4966);
}
