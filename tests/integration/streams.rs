//! What is particular to streams (PROTOCOL §13): the prelude, signs of life, rotation, and how they end.

use std::time::Duration;

use anywire::{CloseCode, Config, Limits, Message, Transport};
use anywire_protocol::{Encoding, Generation, Offset, Packet};
use anywire_tests::host::Host;
use anywire_tests::http::request;
use anywire_tests::open_answer::{End, OpenAnswer};
use anywire_tests::server::TestServer;

use crate::line::StreamLine;
use crate::wire::{Variant, Wire};

const EACH: [Variant; 3] = [Variant::StreamText, Variant::StreamBinary, Variant::Events];

/// Attaches a stream by hand, with the generation that the wire has.
async fn attach(server: &TestServer, wire: &Wire) -> StreamLine {
    StreamLine::begin(server.addr, Encoding::Text, &[wire.attach_packet(None)]).await
}

/// All that is left of a stream.
async fn rest(line: &mut StreamLine) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let Some(packet) = line.next().await {
        packets.push(packet);
    }
    packets
}

#[tokio::test]
async fn a_stream_begins_with_2_kib_that_nobody_may_hold_back() {
    for host in Host::ALL {
        let server = TestServer::start_under(host, Config::new()).await;
        let wire = Wire::open(server.addr, Variant::PollText).await;
        let attach = format!("{} {} 1 0", wire.opened.session, wire.opened.secret);
        let body = format!("{}:x{attach}", attach.len());
        let mut answer = OpenAnswer::post(
            server.addr,
            "/anywire/stream",
            "text/plain",
            body.as_bytes(),
        )
        .await;
        assert_eq!(answer.status, 200);
        for (name, value) in [
            ("content-type", "text/plain; charset=utf-8"),
            ("cache-control", "no-store, no-transform"),
            ("x-content-type-options", "nosniff"),
            ("x-accel-buffering", "no"),
            ("transfer-encoding", "chunked"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{host:?}");
        }
        let mut begin = Vec::new();
        while begin.len() < 2_052 {
            begin.extend_from_slice(&answer.next().await.expect("it goes on"));
        }
        assert!(begin.starts_with(b"2042:-...."), "{host:?}");
        assert_eq!(&begin[2_048..], b"1:a0", "{host:?}");
        assert_eq!(server.server.metrics().attaches[Transport::Stream], 1);
    }
}

#[tokio::test]
async fn streams_rotate_by_bytes_and_lose_and_repeat_nothing() {
    let limits = Limits::default().max_stream_bytes(4_096);
    let server = TestServer::start(Config::new().limits(limits)).await;
    for variant in EACH {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("send:400").await;
        for index in 0..400 {
            assert_eq!(wire.recv_text().await, format!("d{index}"), "{variant:?}");
        }
        // A message longer than a stream may be is whole all the same.
        let long = Message::text("é".repeat(20_000));
        wire.send(long.clone()).await;
        assert_eq!(wire.recv_text().await, long.as_text().unwrap());
    }
    let metrics = server.server.metrics();
    assert!(
        metrics.attaches[Transport::Stream] >= 4 && metrics.attaches[Transport::Events] >= 4,
        "{metrics:?}"
    );
}

#[tokio::test]
async fn a_quiet_stream_pads_and_an_old_one_ends_whole() {
    let limits = Limits::default()
        .padding(Duration::from_millis(50))
        .stream_age(Duration::from_millis(400));
    for host in Host::ALL {
        let server = TestServer::start_under(host, Config::new().limits(limits.clone())).await;
        let wire = Wire::open(server.addr, Variant::PollText).await;
        let mut line = attach(&server, &wire).await;
        let packets = rest(&mut line).await;
        assert_eq!(line.answer.end(), Some(End::Whole));
        assert_eq!(packets[0], Packet::Ack(Offset::new(0).into()));
        let padding = packets[1..].iter();
        let padding = padding.inspect(|packet| assert_eq!(**packet, Packet::Padding(0)));
        assert!((3..=8).contains(&padding.count()), "{packets:?}");
    }
}

#[tokio::test]
async fn to_http_1_0_a_stream_is_its_connection() {
    let limits = Limits::default().stream_age(Duration::from_millis(200));
    for host in Host::ALL {
        let server = TestServer::start_under(host, Config::new().limits(limits.clone())).await;
        let mut wire = Wire::open(server.addr, Variant::PollText).await;
        wire.send("hello").await;
        let attach = format!("{} {} 1 0", wire.opened.session, wire.opened.secret);
        let body = format!("{}:x{attach}", attach.len());
        let request = format!(
            "POST /anywire/stream HTTP/1.0\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut answer = OpenAnswer::to(server.addr, request.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.header("transfer-encoding")),
            (200, None)
        );
        let mut all = Vec::new();
        while let Some(piece) = answer.next().await {
            all.extend_from_slice(&piece);
        }
        assert_eq!(answer.end(), Some(End::Closed));
        assert!(all.ends_with(b"1:a11:n05:thello"), "{host:?}");
    }
}

#[tokio::test]
async fn a_newer_connection_takes_over_and_the_stream_is_told() {
    let server = TestServer::start(Config::new()).await;
    let mut wire = Wire::open(server.addr, Variant::PollText).await;
    let mut first = attach(&server, &wire).await;
    assert_eq!(first.next().await, Some(Packet::Ack(Offset::new(0).into())));
    let mut second = attach(&server, &wire).await;
    assert_eq!(rest(&mut first).await, [Packet::Superseded]);
    assert_eq!(first.answer.end(), Some(End::Whole));
    assert_eq!(
        second.next().await,
        Some(Packet::Ack(Offset::new(0).into()))
    );
    // A held exchange of the same generation does it too.
    wire.send("hello").await;
    assert_eq!(wire.recv_text().await, "hello");
    let told = rest(&mut second).await;
    assert_eq!(told.last(), Some(&Packet::Superseded), "{told:?}");
    // An older generation is refused, as anywhere.
    wire.switch(Variant::WebSocket).await;
    let mut stale = wire.attach_packet(None);
    if let Packet::Attach(attach) = &mut stale {
        attach.generation = Generation::new(1);
    }
    let mut writer = anywire_protocol::PayloadWriter::new(Encoding::Binary);
    writer.push(&stale);
    let octets = ["Content-Type: application/octet-stream"];
    let body = writer.finish();
    let answer = request(server.addr, "POST", "/anywire/stream", &octets, &body).await;
    assert_eq!((answer.status, answer.code()), (409, 4900));
}

#[tokio::test]
async fn what_is_no_request_for_a_stream_is_refused_whole() {
    let server = TestServer::start(Config::new()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let packet = |letter: char, content: &str| format!("{}:{letter}{content}", content.len());
    let good = packet('x', &format!("{id} {secret} 1 0"));
    for body in [
        String::new(),
        "garbage".into(),
        packet('x', &format!("{id} {secret} 1 0 5000")),
        good.clone() + &packet('t', "no offset"),
        good.clone() + &packet('s', ""),
        packet('-', "padding does not open"),
    ] {
        let answer = request(server.addr, "POST", "/anywire/stream", &[], body.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (400, 4960), "{body:?}");
    }
    let html = ["Content-Type: text/html"];
    let answer = request(server.addr, "POST", "/anywire/stream", &html, b"x").await;
    assert_eq!((answer.status, answer.code()), (415, 4967));
    let get = request(server.addr, "GET", "/anywire/stream", &[], b"").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("post")));
    let nobody = packet('x', &format!("{id} {id} 1 0"));
    let answer = request(
        server.addr,
        "POST",
        "/anywire/stream",
        &[],
        nobody.as_bytes(),
    )
    .await;
    assert_eq!((answer.status, answer.code()), (404, 4930));
    assert_eq!(server.server.metrics().attaches[Transport::Stream], 0);
}

#[tokio::test]
async fn a_ping_is_answered_and_messages_are_taken_with_the_request() {
    let server = TestServer::start(Config::new()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let packets = [
        wire.attach_packet(None),
        Packet::Padding(3),
        Packet::Ping("x".repeat(16_384).into()),
        Packet::Offset(Offset::new(0).into()),
        Packet::Message("hello".into()),
    ];
    let mut line = StreamLine::begin(server.addr, Encoding::Binary, &packets).await;
    assert_eq!(
        line.next().await,
        Some(Packet::Pong("x".repeat(16_384).into()))
    );
    assert_eq!(line.next().await, Some(Packet::Ack(Offset::new(1).into())));
    assert_eq!(line.next().await, Some(Packet::Padding(0)));
    assert_eq!(
        line.next().await,
        Some(Packet::Offset(Offset::new(0).into()))
    );
    assert_eq!(line.next().await, Some(Packet::Message("hello".into())));
}

#[tokio::test]
async fn padding_in_an_exchange_is_answered_on_the_stream_after_what_waits() {
    for variant in EACH {
        let server = TestServer::start(Config::new()).await;
        let mut wire = Wire::open(server.addr, Variant::PollText).await;
        wire.send("topic:news").await;
        assert_eq!(wire.recv_text().await, "subscribed");
        for text in ["one", "two", "three"] {
            server.server.publish("news", text);
        }
        let mut line = match variant {
            Variant::Events => StreamLine::events(server.addr, &wire.attach_token(1)).await,
            Variant::StreamBinary => {
                StreamLine::begin(server.addr, Encoding::Binary, &[wire.attach_packet(None)]).await
            }
            _ => attach(&server, &wire).await,
        };
        assert!(
            matches!(line.next().await, Some(Packet::Ack(_))),
            "{variant:?}"
        );
        let question = [wire.attach_packet(None), Packet::Padding(0)];
        let answer = wire.exchange(&question).await;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"1:a1"[..]));
        let mut said = Vec::new();
        while said.last() != Some(&Packet::Padding(0)) {
            said.push(line.next().await.expect("it goes on"));
        }
        let messages = said
            .iter()
            .filter(|packet| matches!(packet, Packet::Message(_)))
            .count();
        assert_eq!(messages, 3, "{variant:?}: {said:?}");
    }
}

#[tokio::test]
async fn a_full_inbox_does_not_keep_the_server_from_the_question() {
    let limits = Limits::default()
        .max_inbox_messages(1)
        .max_outbox_messages(1);
    let server = TestServer::start(Config::new().limits(limits)).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let mut line = attach(&server, &wire).await;
    assert_eq!(line.next().await, Some(Packet::Ack(Offset::new(0).into())));
    // The echo of the first fills the outbox, so the app takes the second and no third.
    let send = |from: u64, texts: &[&str]| {
        let mut packets = vec![
            wire.attach_packet(None),
            Packet::Padding(0),
            Packet::Offset(Offset::new(from).into()),
        ];
        packets.extend(texts.iter().map(|text| Packet::Message((*text).into())));
        packets
    };
    for packets in [send(0, &["a", "b", "c"]), send(3, &["d"])] {
        let answer = wire.exchange(&packets).await;
        assert_eq!(answer.text(), "1:a3", "there is no room for more");
        while line.next().await.expect("it goes on") != Packet::Padding(0) {}
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_and_its_session_resumes_or_expires() {
    let limits = Limits::default()
        .max_outbox_bytes(16_777_216)
        .resume_window(Duration::from_millis(700));
    let config = Config::new().limits(limits);
    let tuned = |serve: anywire::HttpServer<anywire::WarpService>| {
        serve.write_stall(Duration::from_millis(300))
    };
    let server = TestServer::start_tuned(config, tuned).await;
    let mut wire = Wire::open(server.addr, Variant::PollText).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    let line = attach(&server, &wire).await;
    let before = server.server.metrics().messages_down;
    for _ in 0..14 {
        server.server.publish("news", vec![b'x'; 1_000_000]);
    }
    // While a stream carries the session, its resume window does not run: that it ends shows that the stream is gone.
    let closed = server.seen.wait_closed(1).await;
    assert_eq!(closed[0].code, CloseCode::EXPIRED);
    let taken = server.server.metrics().messages_down - before;
    assert!(
        taken < 14,
        "what nobody reads stays in the outbox, but {taken} left it"
    );
    drop(line);
}
