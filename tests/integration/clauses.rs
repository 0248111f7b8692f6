//! What PROTOCOL says of the corners: who may send beside what, what an open means that comes again, and that a refusal
//! leaves nothing. Closes are left to `closes.rs`.

use std::net::SocketAddr;
use std::time::Duration;

use anywire::{
    CloseCode, CloseReason, Config, HttpServer, Limits, Server, Socket, Transport, WarpService,
};
use anywire_protocol::{
    Can, Encoding, Message, Offset, OpeningKey, Packet, PayloadWriter, decode_payload,
};
use anywire_tests::http::{Answer, poll, request};
use anywire_tests::open_answer::OpenAnswer;
use anywire_tests::server::TestServer;
use tokio_tungstenite::tungstenite::Message as WsMessage;

use crate::line::{StreamLine, open_events};
use crate::wire::{Variant, Wire, every, new_key, packet, read, upgrade, write};

/// An open with more members.
fn open(key: OpeningKey, more: &str) -> String {
    packet(
        'o',
        &format!(r#"{{"version":1,"key":"{key}","generation":1{more}}}"#),
    )
}

fn outcome(answer: &Answer) -> (u16, u64) {
    (answer.status, answer.code())
}

fn packets(answer: Answer) -> Vec<Packet> {
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    decode_payload(Encoding::Text, answer.body.into()).unwrap()
}

pub fn application(code: u16, text: &str) -> CloseReason {
    CloseReason::new(CloseCode::application(code).unwrap(), text)
}

/// A server whose application takes no message, nor lets a session go.
async fn deaf(limits: Limits) -> (Server, SocketAddr) {
    let server = Server::builder(Config::new().limits(limits)).unwrap();
    let server = server.on_socket(|socket: Socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
    });
    let addr = serve(&server).await;
    (server, addr)
}

pub async fn serve(server: &Server) -> SocketAddr {
    start(anywire::serve(server.routes())).await
}

/// Serves on a free port.
pub async fn start(serve: HttpServer<WarpService>) -> SocketAddr {
    let serving = serve.bind(([127, 0, 0, 1], 0)).await.unwrap();
    let addr = serving.local_addr();
    tokio::spawn(serving.run());
    addr
}

#[tokio::test]
async fn what_is_refused_makes_no_session_on_any_endpoint() {
    let limits = Limits::default().max_sessions(1);
    let server = TestServer::start(every().limits(limits)).await;
    let key = new_key();
    let gap = packet('n', "1") + &packet('t', "u");
    let ack = packet('a', "1");
    let late = packet('c', "1000") + &packet('n', "0") + &packet('t', "u");
    for (path, body, expected) in [
        ("stream", open(key, r#","holdMs":1000"#), (400, 4960)),
        ("stream", open(key, r#","received":5"#), (404, 4930)),
        ("stream", open(key, "") + &gap, (400, 4961)),
        ("poll", open(key, r#","received":5"#), (404, 4930)),
        (
            "poll",
            open(key, r#","holdMs":0,"received":1"#),
            (404, 4930),
        ),
        ("poll", open(key, "") + &gap, (400, 4961)),
        ("poll", open(key, r#","holdMs":500"#) + &gap, (400, 4961)),
        ("poll", open(key, "") + &ack, (400, 4963)),
        ("poll", open(key, "") + &late, (400, 4960)),
        ("poll", open(key, "") + &packet('c', "1005"), (400, 4960)),
        (
            "poll",
            open(key, r#","holdMs":9007199254740992"#),
            (400, 4960),
        ),
        ("poll", open(key, r#","holdMs":1.0"#), (400, 4960)),
        ("poll", open(key, r#","generation":1"#), (400, 4960)),
        (
            "poll",
            open(key, "") + &packet('r', "0 poll connect 5 ok"),
            (400, 4960),
        ),
        (
            "poll",
            open(key, "") + &packet('-', "").repeat(1_024),
            (413, 4964),
        ),
        (
            "poll",
            open(key, "") + &packet('p', &"x".repeat(32_769)),
            (413, 4964),
        ),
    ] {
        let path = format!("/anywire/{path}");
        let text = ["Content-Type: text/plain"];
        let answer = request(server.addr, "POST", &path, &text, body.as_bytes()).await;
        assert_eq!(outcome(&answer), expected, "{path} {:.200}", body);
    }
    let token = format!("anywire.open.{key}.1");
    let seen = open_events(server.addr, &token, &["Last-Event-ID: 5"]).await;
    assert_eq!(seen.status, 404);
    let form = format!("b={}", crate::wire::escape(open(key, "").as_bytes()));
    let form = request(
        server.addr,
        "POST",
        "/anywire/form",
        &["Content-Type: application/x-www-form-urlencoded"],
        form.as_bytes(),
    );
    assert_eq!(outcome(&form.await), (400, 4960));
    for content in [
        format!(r#"{{"version":1,"key":"{key}","generation":1,"received":5}}"#),
        format!(r#"{{"version":1,"key":"{key}","generation":1,"holdMs":0}}"#),
    ] {
        let mut socket = upgrade(server.addr, "/anywire/websocket", "anywire.v1")
            .await
            .unwrap();
        write(&mut socket, WsMessage::text(format!("\u{10}o{content}"))).await;
        assert!(
            matches!(read(&mut socket).await, Packet::Close(_)),
            "{content}"
        );
    }
    let metrics = server.server.metrics();
    assert_eq!((metrics.opened, metrics.sessions), (0, 0));
    assert_eq!(
        (metrics.messages_up, metrics.attaches[Transport::Poll]),
        (0, 0)
    );
    assert_eq!(server.seen.opened(), 0);
    // Neither the only place nor the key is taken.
    let opened = packets(poll(server.addr, "anywire", &open(key, "")).await);
    assert!(
        matches!(opened[..], [Packet::Opened(_), Packet::Ack(_)]),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_gap_behind_the_key_of_a_living_session_closes_that() {
    let server = TestServer::start(every()).await;
    let key = new_key();
    packets(poll(server.addr, "anywire", &open(key, "")).await);
    let gap = packet('n', "1") + &packet('t', "u-gap");
    let answer = poll(server.addr, "anywire", &(open(key, "") + &gap)).await;
    assert_eq!(outcome(&answer), (400, 4961));
    assert_eq!(server.seen.wait_closed(1).await[0].code.as_u16(), 4961);
    assert!(server.seen.heard().is_empty());
}

#[tokio::test]
async fn ids_follow_from_opening_keys() {
    let vectors = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/ids.json"));
    let vectors: serde_json::Value = serde_json::from_str(&vectors.unwrap()).unwrap();
    let server = TestServer::start(every()).await;
    for case in vectors["cases"].as_array().unwrap() {
        let key = case["key"].as_str().unwrap().parse().unwrap();
        let opened = packets(poll(server.addr, "anywire", &open(key, "")).await);
        let [Packet::Opened(opened), ..] = &opened[..] else {
            panic!("{opened:?}")
        };
        assert_eq!(case["session"], opened.session.to_string());
    }
}

#[tokio::test]
async fn an_opening_key_means_its_session_for_as_long_as_that_lives() {
    let limits = Limits::default()
        .open_window(Duration::ZERO)
        .stream_age(Duration::from_millis(50));
    let server = TestServer::start(every().protocols(["a", "b"]).limits(limits)).await;
    let key = new_key();
    let token = format!("anywire.open.{key}.1,a");
    let mut line = StreamLine::events(server.addr, &token).await;
    let Some(Packet::Opened(first)) = line.next().await else {
        panic!("not opened")
    };
    // The `EventSource` comes back by itself, with the same address.
    for _ in 0..2 {
        while line.next().await.is_some() {}
        line = StreamLine::events(server.addr, &token).await;
        let Some(Packet::Opened(again)) = line.next().await else {
            panic!("not opened")
        };
        assert_eq!((again.session, again.secret), (first.session, first.secret));
    }
    // On every leg, and with the sub-protocol that the first open chose.
    let b = r#","protocols":["b"]"#;
    let by_poll = packets(poll(server.addr, "anywire", &open(key, b)).await);
    let offer = format!("anywire.v1, anywire.open.{key}.9, b");
    let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
        .await
        .unwrap();
    for opened in [by_poll[0].clone(), read(&mut socket).await] {
        let Packet::Opened(opened) = opened else {
            panic!("{opened:?}")
        };
        assert_eq!((opened.session, &*opened.protocol), (first.session, "a"));
    }
    assert_eq!(server.seen.opened(), 1);
    assert_eq!(server.server.metrics().opened, 1);
}

#[tokio::test]
async fn a_key_whose_session_has_ended_opens_none_on_any_leg() {
    let server = TestServer::start(every()).await;
    let key = new_key();
    let wire = Wire::open_with(server.addr, Variant::PollText, key, 1, &[]).await;
    let close = [
        wire.attach_packet(None),
        Packet::Close(application(3_000, "")),
    ];
    assert_eq!(wire.exchange(&close).await.status, 200);
    // Its answer was lost, say: the client takes 4930 for it.
    assert_eq!(outcome(&wire.exchange(&close).await), (404, 4930));
    for path in ["poll", "stream"] {
        let path = format!("/anywire/{path}");
        let text = ["Content-Type: text/plain"];
        let body = open(key, "");
        let answer = request(server.addr, "POST", &path, &text, body.as_bytes()).await;
        assert_eq!(outcome(&answer), (404, 4930), "{path}");
    }
    let token = format!("anywire.open.{key}.1");
    assert_eq!(open_events(server.addr, &token, &[]).await.status, 404);
    let offer = format!("anywire.v1, {token}");
    let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
        .await
        .unwrap();
    let Packet::Close(reason) = read(&mut socket).await else {
        panic!("opened")
    };
    assert_eq!(reason.code, CloseCode::UNKNOWN_SESSION);
    assert_eq!(server.seen.opened(), 1);
}

#[tokio::test]
async fn a_ping_is_answered_at_once_while_the_inbox_is_full() {
    let limits = Limits::default()
        .max_inbox_messages(8)
        .hold(Duration::from_secs(60));
    let (server, addr) = deaf(limits).await;
    let wire = Wire::open(addr, Variant::PollText).await;
    let messages = |first: u64, count: u64| {
        let offset = Packet::Offset(Offset::new(first).into());
        let messages = (0..count).map(|index| Packet::Message(Message::text(index.to_string())));
        [vec![wire.attach_packet(None), offset], messages.collect()].concat()
    };
    let ack = |received| Packet::Ack(Offset::new(received).into());
    // All of a request, while there is room for one; none, while there is not.
    let taken = packets(wire.exchange(&messages(0, 300)).await);
    assert_eq!(taken, [ack(300)]);
    let left = packets(wire.exchange(&messages(300, 1)).await);
    assert_eq!(left, [ack(300)]);
    // Held for a minute, but for the ping; and what only sends is answered beside a stream too.
    let report = packet('r', "1 poll connect 5 ok");
    let report = decode_payload(Encoding::Text, report.into())
        .unwrap()
        .remove(0);
    let mut held = messages(300, 1);
    held[0] = wire.attach_packet(Some(Duration::from_secs(60)));
    held.insert(1, Packet::Ping("hello".into()));
    held.insert(2, report);
    held.push(Packet::Close(application(3_000, "")));
    let expected = [Packet::Pong("hello".into()), ack(300)];
    assert_eq!(packets(wire.exchange(&held).await), expected);
    assert_eq!(
        server.metrics().attempts.by_transport[Transport::Poll].ok,
        1,
        "the report is taken"
    );
    let mut stream = StreamLine::begin(addr, Encoding::Text, &[wire.attach_packet(None)]).await;
    assert_eq!(stream.next().await, Some(ack(300)));
    held[0] = wire.attach_packet(None);
    held.remove(2);
    assert_eq!(packets(wire.exchange(&held).await), expected);
    assert_eq!(server.metrics().sessions, 1);
}

#[tokio::test]
async fn what_only_sends_leaves_alone_whatever_carries_the_session() {
    let server = TestServer::start(every()).await;
    for carrier in [
        Variant::WebSocket,
        Variant::StreamText,
        Variant::Events,
        Variant::PollText,
    ] {
        let key = new_key();
        let wire = Wire::open_with(server.addr, Variant::PollText, key, 3, &[]).await;
        let attaches = || {
            let metrics = server.server.metrics();
            metrics.attaches[Transport::Poll]
                + metrics.attaches[Transport::WebSocket]
                + metrics.attaches[Transport::Stream]
        };
        let before = attaches();
        let mut socket = None;
        let mut line = None;
        let mut held = None;
        match carrier {
            Variant::WebSocket => {
                let offer = format!("anywire.v1, {}", wire.attach_token(3));
                let mut opened = upgrade(server.addr, "/anywire/websocket", &offer)
                    .await
                    .unwrap();
                assert!(matches!(read(&mut opened).await, Packet::Opened(_)));
                socket = Some(opened);
            }
            Variant::Events => {
                let token = wire.attach_token(3);
                line = Some(StreamLine::events(server.addr, &token).await);
            }
            Variant::StreamText => {
                let attach = [wire.attach_packet(None)];
                line = Some(StreamLine::begin(server.addr, Encoding::Text, &attach).await);
            }
            _ => {
                let attach = wire.attach_packet(Some(Duration::from_secs(20)));
                let mut writer = PayloadWriter::new(Encoding::Text);
                writer.push(&attach);
                let body = writer.finish();
                let addr = server.addr;
                held = Some(tokio::spawn(async move {
                    poll(addr, "anywire", std::str::from_utf8(&body).unwrap()).await
                }));
                while attaches() == before {
                    tokio::task::yield_now().await;
                }
            }
        }
        // The same generation and a higher one, by secret and by key.
        let (id, secret) = (wire.opened.session, wire.opened.secret);
        for generation in [3, 4] {
            let attach = packet('x', &format!("{id} {secret} {generation} 0"));
            let open = packet(
                'o',
                &format!(r#"{{"version":1,"key":"{key}","generation":{generation}}}"#),
            );
            for head in [attach, open] {
                let said = packets(poll(server.addr, "anywire", &head).await);
                let rest = &said[said.len() - 1..];
                assert_eq!(rest, [Packet::Ack(Offset::default().into())], "{carrier:?}");
            }
        }
        // A form's answer is read by nobody, so its ping has no pong, there or elsewhere.
        let form = packet('x', &format!("{id} {secret} 3 0")) + &packet('p', "form");
        let form = format!("b={form}");
        let header = ["Content-Type: application/x-www-form-urlencoded"];
        let taken = request(
            server.addr,
            "POST",
            "/anywire/form",
            &header,
            form.as_bytes(),
        )
        .await;
        assert_eq!(taken.status, 200, "{carrier:?}");
        let lower = packet('x', &format!("{id} {secret} 2 0"));
        let refused = poll(server.addr, "anywire", &lower).await;
        assert_eq!(outcome(&refused), (409, 4900));
        // What carries it brings what is sent.
        let sent =
            packet('x', &format!("{id} {secret} 4 0")) + &packet('n', "0") + &packet('t', "hi");
        let taken = packets(poll(server.addr, "anywire", &sent).await);
        assert_eq!(taken, [Packet::Ack(Offset::new(1).into())]);
        let mut heard = Vec::new();
        if let Some(socket) = &mut socket {
            heard.push(read(socket).await);
        } else if let Some(line) = &mut line {
            while !matches!(heard.last(), Some(Packet::Message(_))) {
                heard.push(line.next().await.expect("the stream goes on"));
            }
        } else if let Some(held) = held {
            heard = packets(held.await.unwrap());
        }
        let last = heard
            .iter()
            .rfind(|packet| !matches!(packet, Packet::Ack(_)));
        assert_eq!(last, Some(&Packet::Message("hi".into())), "{carrier:?}");
        let is_pong = |packet: &Packet| matches!(packet, Packet::Pong(_));
        assert!(!heard.iter().any(is_pong), "{carrier:?}: {heard:?}");
    }
}

#[tokio::test]
async fn sub_protocols_have_the_same_limits_on_every_leg() {
    let many = |count: usize, bytes: usize| -> Vec<String> {
        let pad = "x".repeat(bytes);
        (0..count)
            .map(|index| format!("p{index:02}{pad}"))
            .collect()
    };
    let last = many(16, 297)[15].clone();
    let server = TestServer::start(every().protocols([last.clone(), "p".repeat(5_000)])).await;
    for (protocols, expected) in [
        (many(16, 297), Ok(&*last)),
        (vec!["p".repeat(5_000)], Ok(&*"p".repeat(5_000))),
        (many(17, 1), Err(4960)),
        (vec!["p".repeat(16_400)], Err(4960)),
        (vec!["a b".into()], Err(4960)),
        (vec!["anywire.foo".into()], Err(4960)),
    ] {
        let named = serde_json::to_string(&protocols).unwrap();
        let body = |key| open(key, &format!(r#","protocols":{named}"#));
        let text = ["Content-Type: text/plain"];
        let polled = poll(server.addr, "anywire", &body(new_key())).await;
        let streamed = OpenAnswer::post(
            server.addr,
            "/anywire/stream",
            "text/plain",
            body(new_key()).as_bytes(),
        )
        .await;
        let token = format!("anywire.open.{}.1,{}", new_key(), protocols.join(","));
        let events = open_events(server.addr, &token, &[]).await;
        let offered = format!("Sec-WebSocket-Protocol: anywire.v1, {token}");
        let upgraded = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            &offered,
        ];
        match expected {
            Err(code) => {
                assert_eq!(outcome(&polled), (400, code), "{:.50}", named);
                assert_eq!(
                    (streamed.status, events.status),
                    (400, 400),
                    "{:.50}",
                    named
                );
                let upgraded =
                    request(server.addr, "GET", "/anywire/websocket", &upgraded, b"").await;
                assert_eq!(outcome(&upgraded), (400, code), "{:.50}", named);
                let body = body(new_key());
                let stream = request(
                    server.addr,
                    "POST",
                    "/anywire/stream",
                    &text,
                    body.as_bytes(),
                );
                assert_eq!(outcome(&stream.await), (400, code), "{:.50}", named);
            }
            Ok(chosen) => {
                assert_eq!(
                    (streamed.status, events.status),
                    (200, 200),
                    "{:.50}",
                    named
                );
                let offer = format!("anywire.v1, {}", token.replace(',', ", "));
                let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
                    .await
                    .unwrap();
                let by_poll = packets(polled).remove(0);
                for opened in [by_poll, read(&mut socket).await] {
                    let Packet::Opened(opened) = opened else {
                        panic!("{opened:?}")
                    };
                    assert_eq!(&*opened.protocol, chosen);
                }
            }
        }
    }
}

#[tokio::test]
async fn before_an_attach_padding_is_ignored_and_each_wrong_packet_has_its_code() {
    let server = TestServer::start(every()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let long = "x".repeat(32_769);
    let early = "a packet before open or attach that is neither ping nor padding";
    for (text, code, expected) in [
        (format!("\u{10}p{long}"), 4964, ""),
        ("x".repeat(2 * 1_048_576 + 1), 4964, ""),
        (format!("\u{10}x{id} {secret} 2 0 500"), 4960, "holdMs"),
        ("\u{10}r1 poll connect 5 ok".into(), 4960, early),
        ("\u{10}a0".into(), 4960, early),
        ("\u{10}B".into(), 4960, early),
        ("a message".into(), 4960, early),
    ] {
        let mut socket = upgrade(server.addr, "/anywire/websocket", "anywire.v1")
            .await
            .unwrap();
        write(&mut socket, WsMessage::text(text.clone())).await;
        let Packet::Close(reason) = read(&mut socket).await else {
            panic!("{:.50} is taken", text)
        };
        assert_eq!(reason.code.as_u16(), code, "{:.50}", text);
        assert!(reason.text().contains(expected), "{:.50}: {reason}", text);
    }
    let mut socket = upgrade(server.addr, "/anywire/websocket", "anywire.v1")
        .await
        .unwrap();
    for text in ["\u{10}-", "\u{10}-....", "\u{10}pthere?"] {
        write(&mut socket, WsMessage::text(text)).await;
    }
    assert_eq!(read(&mut socket).await, Packet::Pong("there?".into()));
    // An equal generation takes over, on a WebSocket too.
    let attach = format!("\u{10}x{id} {secret} 1 0");
    let mut second = upgrade(server.addr, "/anywire/websocket", "anywire.v1")
        .await
        .unwrap();
    for socket in [&mut socket, &mut second] {
        write(socket, WsMessage::text(attach.clone())).await;
        assert!(matches!(read(socket).await, Packet::Opened(_)));
    }
    assert_eq!(read(&mut socket).await, Packet::Superseded);
    write(&mut second, WsMessage::text("\u{10}-")).await;
    write(&mut second, WsMessage::text("hello")).await;
    assert_eq!(read(&mut second).await, Packet::Message("hello".into()));
}

#[tokio::test]
async fn what_both_can_is_agreed_once_on_every_leg() {
    let server = TestServer::start(every()).await;
    let key = new_key();
    let names = r#","can":["part","veil","leave","credential","topic","telepathy"]"#;
    let by_poll = packets(poll(server.addr, "anywire", &open(key, names)).await).remove(0);
    let offer = format!("anywire.v1, anywire.open.{key}.2, anywire.can.part.telepathy");
    let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
        .await
        .unwrap();
    let token = format!("anywire.open.{key}.3,anywire.can.leave");
    let mut events = StreamLine::events(server.addr, &token).await;
    let by_events = events.next().await.unwrap();
    for opened in [by_poll, read(&mut socket).await, by_events] {
        let Packet::Opened(opened) = opened else {
            panic!("{opened:?}")
        };
        assert_eq!(opened.can, Can::SPOKEN, "what the first open has agreed");
    }
}

#[tokio::test]
async fn the_mark_alone_says_whether_a_body_is_escaped() {
    let server = TestServer::start(every()).await;
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let body = open(new_key(), "");
    let answer = request(server.addr, "POST", "/anywire/poll", &form, body.as_bytes()).await;
    assert!(matches!(
        packets(answer)[..],
        [Packet::Opened(_), Packet::Ack(_)]
    ));
}

#[tokio::test]
async fn endpoints_of_post_answer_preflights_and_no_others() {
    let origin = "Origin: https://friend.example";
    let config = every().allow_origin("https://friend.example");
    let server = TestServer::start(config).await;
    for (endpoint, status) in [
        ("poll", 204),
        ("stream", 204),
        ("form", 204),
        ("websocket", 405),
        ("raw", 405),
        ("events", 405),
        ("jsonp", 405),
        ("client.js", 405),
    ] {
        let path = format!("/anywire/{endpoint}");
        let asks = [origin, "Access-Control-Request-Method: POST"];
        let answer = request(server.addr, "OPTIONS", &path, &asks, b"").await;
        assert_eq!(answer.status, status, "{endpoint}");
        assert!(answer.header("vary").is_some(), "{endpoint}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        // A page of its own needs none.
        let own = request(server.addr, "OPTIONS", &path, &[], b"").await;
        assert_eq!(own.status, 405, "{endpoint}");
    }
    // What is no endpoint is not the protocol's, and says nothing of a session.
    let nothing = request(server.addr, "POST", "/anywire/pool", &[], b"").await;
    assert_eq!(nothing.status, 404);
    assert!(!nothing.text().contains("4930"));
}
