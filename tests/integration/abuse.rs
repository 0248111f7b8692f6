//! Bad input gets the documented answer on every transport; nobody else's session is touched, none is leaked.

use std::net::SocketAddr;

use anywire::{Accept, Config, HttpServer, Limits, Message, Server, Transport};
use anywire_protocol::{CloseCode, Packet};
use anywire_tests::http::{Answer, poll, raw, request, upgrade_by_hand};
use anywire_tests::server::TestServer;
use anywire_websocket::frame::{Encoder, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message as WsMessage;

use crate::wire::{
    Got, Variant, Wire, control, every, new_key, packet, read, read_frame, upgrade, write,
};

const NOBODY: &str = "00000000000000000000000000000000";

/// A session that must not notice anything.
async fn bystander(server: &TestServer) -> Wire {
    let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
    wire.send("before").await;
    assert_eq!(wire.recv_text().await, "before");
    wire
}

async fn assert_untouched(server: &TestServer, mut wire: Wire, sessions: u64) {
    wire.send("after").await;
    assert_eq!(wire.recv_text().await, "after");
    assert_eq!(server.server.metrics().sessions, sessions);
}

fn outcome(answer: &Answer) -> (u16, u64) {
    (answer.status, answer.code())
}

#[tokio::test]
async fn unknown_sessions_and_wrong_secrets_look_the_same() {
    let server = TestServer::start(every()).await;
    let wire = bystander(&server).await;
    let id = wire.opened.session.to_string();
    let mut answers = Vec::new();
    for id in [NOBODY, &id] {
        let attach = format!("{id} {NOBODY} 9 0");
        let answer = poll(server.addr, "anywire", &packet('x', &attach)).await;
        assert_eq!(outcome(&answer), (404, 4930));
        answers.push(answer.body);
        let offer = format!("anywire.v1, anywire.attach.{id}.{NOBODY}.9.0");
        let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
            .await
            .unwrap();
        let Packet::Close(reason) = read(&mut socket).await else {
            panic!("not closed")
        };
        assert_eq!(reason.code, CloseCode::UNKNOWN_SESSION);
        let Some(WsMessage::Close(Some(close))) = read_frame(&mut socket).await else {
            panic!()
        };
        assert_eq!(u16::from(close.code), 4930);
    }
    assert_eq!(answers[0], answers[1]);
    assert_untouched(&server, wire, 1).await;
}

#[tokio::test]
async fn stale_generations_are_superseded_on_both_transports() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open_with(server.addr, Variant::WebSocket, new_key(), 5, &[]).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    for hold in ["", " 0", " 20000"] {
        let stale = packet('x', &format!("{id} {secret} 4 0{hold}"));
        let answer = poll(server.addr, "anywire", &stale).await;
        assert_eq!(outcome(&answer), (409, 4900));
    }
    let offer = format!("anywire.v1, {}", wire.attach_token(4));
    let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
        .await
        .unwrap();
    let Packet::Close(reason) = read(&mut socket).await else {
        panic!("not closed")
    };
    assert_eq!(reason.code, CloseCode::SUPERSEDED);
    wire.send("still here").await;
    assert_eq!(wire.recv_text().await, "still here");
}

#[tokio::test]
async fn a_newer_connection_supersedes_the_older_one() {
    let server = TestServer::start(every()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let hold = std::time::Duration::from_secs(20);
    let held = [wire.attach_packet(Some(hold))];
    let token = format!("anywire.v1, {}", wire.attach_token(2));
    let (answer, socket) = tokio::join!(wire.exchange(&held), async {
        // The poll must be held before it can be superseded.
        while server.server.metrics().attaches[Transport::Poll] < 1 {
            tokio::task::yield_now().await;
        }
        upgrade(server.addr, "/anywire/websocket", &token)
            .await
            .unwrap()
    });
    assert_eq!(outcome(&answer), (409, 4900));
    let mut first = socket;
    assert!(matches!(read(&mut first).await, Packet::Opened(_)));
    let token = format!("anywire.v1, {}", wire.attach_token(3));
    let mut second = upgrade(server.addr, "/anywire/websocket", &token)
        .await
        .unwrap();
    assert!(matches!(read(&mut second).await, Packet::Opened(_)));
    assert_eq!(read(&mut first).await, Packet::Superseded);
    let Some(WsMessage::Close(Some(close))) = read_frame(&mut first).await else {
        panic!()
    };
    assert_eq!(u16::from(close.code), 4900);
}

#[tokio::test]
async fn broken_requests_are_refused_whole() {
    let server = TestServer::start(every()).await;
    let wire = bystander(&server).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let key = new_key();
    let good = packet('x', &format!("{id} {secret} 1 0"));
    let open = |json: String| packet('o', &json);
    for (body, expected) in [
        (String::new(), (400, 4960)),
        ("garbage".into(), (400, 4960)),
        ("5:thello".into(), (400, 4960)),
        ("99:x".into(), (400, 4960)),
        (packet('z', ""), (400, 4960)),
        (packet('x', "1 2 3 4"), (400, 4960)),
        (good.clone() + &packet('t', "no offset"), (400, 4960)),
        (
            good.clone() + &packet('n', "0") + &packet('t', "u") + "1:",
            (400, 4960),
        ),
        (
            good.clone() + &packet('n', "0") + &packet('t', "u") + &packet('n', "1"),
            (400, 4960),
        ),
        (good.clone() + &packet('p', "").repeat(2), (400, 4960)),
        (good.clone() + &packet('O', "{}"), (400, 4960)),
        (open("{}".into()), (400, 4960)),
        (
            open(format!(r#"{{"version":2,"key":"{key}","generation":1}}"#)),
            (400, 4962),
        ),
        (
            open(format!(r#"{{"version":1,"key":"{key}","generation":0}}"#)),
            (400, 4960),
        ),
        (
            open(format!(
                r#"{{"version":1,"key":"{key}","generation":1,"protocols":["anywire.x"]}}"#
            )),
            (400, 4960),
        ),
    ] {
        let answer = poll(server.addr, "anywire", &body).await;
        assert_eq!(outcome(&answer), expected, "{body:?}");
    }
    for body in [
        "b=0%3Ap%",
        "b=1%3At%u00e9",
        "b=0%3Ap&c=1",
        "b=1%3An01%3At%ED%A0%80",
        "b=",
    ] {
        let form = ["Content-Type: application/x-www-form-urlencoded"];
        let answer = request(server.addr, "POST", "/anywire/poll", &form, body.as_bytes()).await;
        assert_eq!(outcome(&answer), (400, 4960), "{body}");
    }
    let answer = request(
        server.addr,
        "POST",
        "/anywire/poll",
        &["Content-Type: text/html"],
        b"x",
    )
    .await;
    assert_eq!(outcome(&answer), (415, 4967));
    assert!(server.seen.heard().is_empty());
    assert_untouched(&server, wire, 1).await;
}

#[tokio::test]
async fn lies_about_offsets_close_the_liars_session() {
    let server = TestServer::start(every()).await;
    let wire = bystander(&server).await;
    for (index, (rest, code)) in [
        ("1 9 0", 4963),
        ("1 0|1:n5|1:tx", 4961),
        ("1 9007199254740991 0", 4963),
    ]
    .into_iter()
    .enumerate()
    {
        let liar = Wire::open(server.addr, Variant::PollText).await;
        let mut parts = rest.split('|');
        let head = format!(
            "{} {} {}",
            liar.opened.session,
            liar.opened.secret,
            parts.next().unwrap()
        );
        let body = packet('x', &head) + &parts.collect::<String>();
        let answer = poll(server.addr, "anywire", &body).await;
        assert_eq!(outcome(&answer), (400, code), "{rest}");
        assert_eq!(
            u64::from(
                server.seen.wait_closed(index + 1).await[index]
                    .code
                    .as_u16()
            ),
            code
        );
    }
    // On a WebSocket too.
    let mut liar = Wire::open(server.addr, Variant::PollText).await;
    liar.switch(Variant::WebSocket).await;
    let token = format!("anywire.v1, {}", liar.attach_token(7));
    let mut socket = upgrade(server.addr, "/anywire/websocket", &token)
        .await
        .unwrap();
    assert!(matches!(read(&mut socket).await, Packet::Opened(_)));
    write(
        &mut socket,
        control(&Packet::Ack(anywire_protocol::Offset::new(3).into())),
    )
    .await;
    let Packet::Close(reason) = read(&mut socket).await else {
        panic!("not closed")
    };
    assert_eq!(reason.code, CloseCode::BAD_ACK);
    let mut wire = wire;
    wire.send("after").await;
    assert_eq!(wire.recv_text().await, "after");
}

#[tokio::test]
async fn sizes_are_limited_on_every_transport() {
    let limits = Limits::default()
        .max_message_bytes(1_000)
        .max_payload_bytes(4_000);
    let server = TestServer::start(every().limits(limits)).await;
    for variant in crate::wire::ALL {
        let mut wire = Wire::open(server.addr, variant).await;
        for length in [999, 1_000] {
            wire.send(Message::binary(vec![1; length])).await;
            assert!(matches!(wire.recv().await, Got::Message(message) if message.len() == length));
        }
        if variant == Variant::WebSocket {
            wire.send(Message::binary(vec![1; 1_001])).await;
            let Got::Closed(reason) = wire.recv().await else {
                panic!("taken")
            };
            assert_eq!(reason.code, CloseCode::TOO_LARGE);
        } else {
            let offset = Packet::Offset(anywire_protocol::Offset::new(wire.sent).into());
            let message = Packet::Message(Message::binary(vec![1; 1_001]));
            let answer = wire
                .exchange(&[wire.attach_packet(None), offset, message])
                .await;
            assert_eq!(outcome(&answer), (413, 4964));
        }
    }
    let body = vec![b'1'; 4_001];
    let answer = request(server.addr, "POST", "/anywire/poll", &[], &body).await;
    assert_eq!(outcome(&answer), (413, 4964));
    // An escape does not count, nor does it hide anything.
    let escaped = |count: usize| format!("b={}", "%31".repeat(count));
    let answer = poll(server.addr, "anywire", &escaped(4_000)).await;
    assert_eq!(outcome(&answer), (400, 4960), "not too long, only garbage");
    for body in [escaped(4_001), format!("b={}", "1".repeat(4_001))] {
        let answer = poll(server.addr, "anywire", &body).await;
        assert_eq!(outcome(&answer), (413, 4964));
    }
    let mut chunked =
        b"POST /anywire/poll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..5 {
        chunked.extend_from_slice(b"3e8\r\n");
        chunked.extend_from_slice(&[b'1'; 1_000]);
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = raw(server.addr, &chunked).await;
    assert_eq!(outcome(&answer), (413, 4964));
}

/// A session's WebSocket, on which any bytes may follow.
async fn upgrade_with_open(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let protocols = format!("anywire.v1, anywire.open.{}.1", new_key());
    let host = server.addr.to_string();
    let upgraded = upgrade_by_hand(stream, &host, "websocket", &protocols).await;
    upgraded.unwrap()
}

#[tokio::test]
async fn frames_that_break_the_rules_fail_their_connection_only() {
    let server = TestServer::start(every()).await;
    let wire = bystander(&server).await;
    let mut unmasked = Vec::new();
    Encoder::server().raw_message(&mut unmasked, &"unmasked".into());
    let mask = [0x80_u8, 1, 2, 3];
    let mut invalid_text = vec![0x81, 0x81];
    invalid_text.extend_from_slice(&mask);
    invalid_text.push(0xff ^ mask[0]);
    let cases: [(&[u8], u16); 8] = [
        (&unmasked, 1002),
        (&[0xf1, 0x80, 0, 0, 0, 0], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        (&[0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        (&invalid_text, 1007),
        (&[0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
    ];
    for (bytes, code) in cases {
        let mut stream = upgrade_with_open(&server).await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let mut decoder =
            anywire_websocket::frame::Decoder::new(anywire_websocket::frame::Role::Client, 1 << 20);
        let mut input = &mut answer[..];
        let mut last = None;
        while let Some(frame) = decoder.decode(&mut input).unwrap() {
            last = Some(frame);
        }
        let Some(Frame::Close(Some((closed, _)))) = last else {
            panic!("{bytes:x?}: {last:?}")
        };
        assert_eq!(closed.as_u16(), code, "{bytes:x?}");
    }
    // Their sessions wait for somebody to resume them, as after any lost connection.
    assert_untouched(&server, wire, 1 + cases.len() as u64).await;
}

#[tokio::test]
async fn garbage_packets_on_a_websocket_close_its_session() {
    let server = TestServer::start(every()).await;
    let wire = bystander(&server).await;
    for text in [
        "\u{10}",
        "\u{10}z",
        "\u{10}n0",
        "\u{10}tx",
        "\u{10}ax",
        "\u{10}c1",
        "\u{10}O{}",
        "\u{10}s",
    ] {
        let offer = format!("anywire.v1, anywire.open.{}.1", new_key());
        let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
            .await
            .unwrap();
        assert!(matches!(read(&mut socket).await, Packet::Opened(_)));
        write(&mut socket, WsMessage::text(text)).await;
        let Packet::Close(reason) = read(&mut socket).await else {
            panic!("{text:?}")
        };
        assert_eq!(reason.code, CloseCode::PROTOCOL_ERROR, "{text:?}");
    }
    let closed = server.seen.wait_closed(8).await;
    assert!(
        closed
            .iter()
            .all(|reason| reason.code == CloseCode::PROTOCOL_ERROR)
    );
    let mut wire = wire;
    wire.send("after").await;
    assert_eq!(wire.recv_text().await, "after");
}

#[tokio::test]
async fn wrong_versions_and_offers_are_refused_before_the_upgrade() {
    let server = TestServer::start(every()).await;
    let with = |protocol: &'static str| async move {
        let headers = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            protocol,
        ];
        request(server.addr, "GET", "/anywire/websocket", &headers, b"").await
    };
    assert_eq!(outcome(&with("X: y").await), (400, 4962));
    assert_eq!(
        outcome(&with("Sec-WebSocket-Protocol: anywire.v2").await),
        (400, 4962)
    );
    let broken = with("Sec-WebSocket-Protocol: anywire.v1, anywire.open.x.1").await;
    assert_eq!(outcome(&broken), (400, 4960));
    assert_eq!(broken.header("connection"), Some("close"));
}

/// The texts of what only endpoints refuse; what is wrong with packets has a table beside the protocol.
#[tokio::test]
async fn a_refusal_names_what_came() {
    let server = TestServer::start(every()).await;
    let form = "application/x-www-form-urlencoded";
    let open = format!(
        r#"{{"version":1,"key":"{}","generation":1,"holdMs":5}}"#,
        new_key()
    );
    let held = format!("{}:o{open}", open.len());
    for (method, path, content_type, body, expected) in [
        (
            "POST",
            "poll",
            "text/plain",
            "0:p",
            "a payload whose first packet is neither open nor attach",
        ),
        (
            "POST",
            "poll",
            "image/png",
            "",
            "the Content-Type must be text/plain or application/octet-stream",
        ),
        (
            "POST",
            "stream",
            "text/plain",
            &held,
            "holdMs on a stream, which is not held: leave it out",
        ),
        (
            "GET",
            "events",
            "text/plain",
            "",
            "a query without a parameter `anywire.offer`",
        ),
        (
            "GET",
            "events?anywire.offer=%ff",
            "text/plain",
            "",
            "an offer with bytes that are not ASCII",
        ),
        (
            "GET",
            "jsonp",
            "text/plain",
            "",
            "a query without a parameter `anywire.c` that is a number",
        ),
        (
            "GET",
            "jsonp?anywire.c=1",
            "text/plain",
            "",
            "a query without a parameter `anywire.b`, the payload",
        ),
        (
            "POST",
            "form",
            "text/plain",
            "",
            "the Content-Type of a form must be application/x-www-form-urlencoded",
        ),
        (
            "POST",
            "form",
            form,
            "x=1",
            "a form body that is not one field, `b`, with an escaped payload",
        ),
        (
            "POST",
            "form",
            form,
            "b=0:p",
            "a payload whose first packet is neither open nor attach",
        ),
        (
            "POST",
            "form",
            form,
            &format!("b={held}"),
            "a form that does not begin with an attach, or with an open that has a credential, without holdMs",
        ),
        (
            "PUT",
            "poll",
            "text/plain",
            "",
            "this method is not allowed here: use one of the Allow header",
        ),
        (
            "GET",
            "websocket",
            "text/plain",
            "",
            "a request without `Connection: Upgrade` and `Upgrade: websocket`",
        ),
    ] {
        let header = format!("Content-Type: {content_type}");
        let path = format!("/anywire/{path}");
        let answer = request(server.addr, method, &path, &[&header], body.as_bytes()).await;
        let text = answer.text().replace("\\u0060", "`");
        assert!(
            text.contains(expected),
            "{method} {path} {body:.40}: {text}"
        );
    }
}

/// Connections that are pipes in memory, so that the clock may be paused.
struct Pipes(mpsc::Receiver<DuplexStream>);

impl Accept for Pipes {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, SocketAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, SocketAddr::from(([192, 0, 2, 1], 1)))),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_too_slowly_is_refused_with_what_to_do() {
    let server = Server::builder(Config::new()).expect("the config is sound");
    let server = server.on_socket(|_| async {});
    for is_warp in [true, false] {
        let (connect, accept) = mpsc::channel(1);
        let accept = Pipes(accept);
        if is_warp {
            tokio::spawn(anywire::serve(server.routes()).incoming(accept).run());
        } else {
            let http = HttpServer::new(server.service());
            tokio::spawn(http.incoming(accept).run());
        }
        let (mut page, stream) = tokio::io::duplex(65_536);
        connect.send(stream).await.unwrap();
        let head = "POST /anywire/poll HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n2:p";
        page.write_all(head.as_bytes()).await.unwrap();
        let begun = Instant::now();
        let mut answer = String::new();
        page.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":4901"), "{answer}");
        let text = "the body came too slowly: send less at once";
        assert!(answer.contains(text), "warp: {is_warp}: {answer}");
        let waited = begun.elapsed().as_secs();
        assert!((10..=11).contains(&waited), "{waited} s");
    }
}
