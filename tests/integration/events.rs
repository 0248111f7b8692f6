//! What is particular to event streams (PROTOCOL §14): offers in the query, ids, automatic reconnects.

use std::time::Duration;

use anywire::{Config, Denied, Limits, Message, Principal};
use anywire_protocol::{Can, Packet};
use anywire_tests::host::Host;
use anywire_tests::http::request;
use anywire_tests::open_answer::{End, OpenAnswer};
use anywire_tests::server::TestServer;

use crate::line::{StreamLine, open_events};
use crate::wire::{Got, Variant, Wire, new_key};

async fn all(answer: &mut OpenAnswer) -> String {
    let mut all = Vec::new();
    while let Some(piece) = answer.next().await {
        all.extend_from_slice(&piece);
    }
    String::from_utf8(all).expect("an event stream is UTF-8")
}

#[tokio::test]
async fn an_event_stream_begins_with_2_kib_and_ends_so_that_the_browser_comes_again() {
    let limits = Limits::default()
        .padding(Duration::from_millis(120))
        .stream_age(Duration::from_millis(200));
    for host in Host::ALL {
        let server = TestServer::start_under(host, Config::new().limits(limits.clone())).await;
        let mut wire = Wire::open(server.addr, Variant::PollText).await;
        wire.send("100%\r\n").await;
        let mut answer = open_events(server.addr, &wire.attach_token(1), &[]).await;
        assert_eq!(answer.status, 200);
        for (name, value) in [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-store, no-transform"),
            ("x-content-type-options", "nosniff"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{host:?}");
        }
        let text = all(&mut answer).await;
        assert_eq!(answer.end(), Some(End::Whole));
        let (prelude, rest) = text.split_at(2_048);
        assert!(prelude.starts_with(":..") && prelude.ends_with("..\n\n"));
        assert_eq!(
            rest,
            "retry: 2000\n\nid: 1\ndata: 1:a11:n06:t100%25%0D%0A\n\nid: 1\ndata: 0:-\n\nretry: 50\n\n",
            "{host:?}"
        );
    }
}

/// What an event stream says up to its bound: the close may be what reaches it.
#[tokio::test]
async fn a_browser_is_not_asked_to_come_again_behind_a_close() {
    let limits = Limits::default().max_stream_bytes(4_096);
    let server = TestServer::start(Config::new().limits(limits)).await;
    let mut longest = 0;
    for bytes in (1_900..2_100).step_by(3) {
        let mut wire = Wire::open(server.addr, Variant::PollText).await;
        wire.send("x".repeat(bytes)).await;
        wire.send("close:3003").await;
        let mut answer = open_events(server.addr, &wire.attach_token(1), &[]).await;
        let text = all(&mut answer).await;
        let is_closed = text.contains("c3003");
        assert_ne!(is_closed, text.contains("retry: 50"), "{bytes}: {text}");
        longest = longest.max(if is_closed { text.len() } else { 0 });
    }
    assert!(longest > 4_096, "a close has reached the bound: {longest}");
}

#[tokio::test]
async fn a_browser_that_reconnects_by_itself_goes_on_where_it_was() {
    let limits = Limits::default().max_stream_bytes(4_096);
    let server = TestServer::start(Config::new().limits(limits)).await;
    let offer = format!("anywire.open.{}.1", new_key());
    let mut line = StreamLine::events(server.addr, &offer).await;
    let Some(Packet::Opened(opened)) = line.next().await else {
        panic!("not opened")
    };
    let send = format!(
        "69:x{} {} 1 01:n08:tsend:100",
        opened.session, opened.secret
    );
    let sent = request(server.addr, "POST", "/anywire/poll", &[], send.as_bytes()).await;
    assert_eq!(sent.status, 200);
    // The address stays the same, with its `received` of 0; only Last-Event-ID moves.
    let (mut heard, mut streams) = (Vec::new(), 0);
    while heard.len() < 100 {
        match line.next().await {
            Some(Packet::Message(message)) => heard.push(message),
            Some(Packet::Offset(offset)) => assert_eq!(offset.offset.as_u64(), heard.len() as u64),
            Some(Packet::Opened(_) | Packet::Ack(_)) => {}
            Some(other) => panic!("{other:?}"),
            None => {
                assert_eq!(line.last_id(), Some(heard.len() as u64));
                let last = format!("Last-Event-ID: {}", heard.len());
                let answer = open_events(server.addr, &offer, &[&last]).await;
                assert_eq!(answer.status, 200);
                line = line.again(answer);
                streams += 1;
            }
        }
    }
    let expected: Vec<_> = (0..100)
        .map(|index| Message::text(format!("d{index}")))
        .collect();
    assert_eq!(heard, expected);
    assert!(streams >= 1);
    assert_eq!(server.server.metrics().opened, 1);
}

#[tokio::test]
async fn a_newer_connection_and_a_close_are_told_in_an_event() {
    let server = TestServer::start(Config::new()).await;
    let mut wire = Wire::open(server.addr, Variant::PollText).await;
    let mut first = open_events(server.addr, &wire.attach_token(1), &[]).await;
    let mut second = open_events(server.addr, &wire.attach_token(1), &[]).await;
    assert!(all(&mut first).await.ends_with("\nid: 0\ndata: 0:s\n\n"));
    wire.send("close:4000").await;
    wire.close(anywire::CloseReason::new(
        anywire::CloseCode::application(4_000).unwrap(),
        "",
    ))
    .await;
    let told = all(&mut second).await;
    assert!(told.ends_with("data: 16:c4000 as you wish\n\n"), "{told}");
    // What comes again is refused, which ends an EventSource.
    let again = open_events(server.addr, &wire.attach_token(1), &[]).await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn what_is_no_offer_is_refused() {
    let server = TestServer::start(Config::new()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let good = wire.attach_token(1);
    let get = |query: String| async move {
        let path = format!("/anywire/events{query}");
        request(server.addr, "GET", &path, &[], b"").await
    };
    let id = wire.opened.session;
    for (query, expected) in [
        (String::new(), (400, 4960)),
        ("?anywire.offer=".into(), (400, 4962)),
        ("?anywire.offer=anywire.v1".into(), (400, 4960)),
        (format!("?anywire.offer={good}"), (400, 4962)),
        (
            "?anywire.offer=anywire.v2,anywire.open.x.1".into(),
            (400, 4962),
        ),
        (
            "?anywire.offer=anywire.v1,anywire.open.x.1".into(),
            (400, 4960),
        ),
        ("?anywire.offer=anywire.v1,%".into(), (400, 4960)),
        ("?anywire.offer=anywire.v1,%ff".into(), (400, 4960)),
        (
            format!("?anywire.offer=anywire.v1,{good},{good}"),
            (400, 4960),
        ),
        (
            format!("?anywire.offer=anywire.v1,{good}.5000"),
            (400, 4960),
        ),
        (
            format!("?anywire.offer=anywire.v1,anywire.attach.{id}.{id}.1.0"),
            (404, 4930),
        ),
        (
            format!("?anywire.offer=anywire.v1,{}9", &good[..good.len() - 1]),
            (400, 4963),
        ),
    ] {
        let answer = get(query.clone()).await;
        assert_eq!((answer.status, answer.code()), expected, "{query}");
    }
    // The last was a lie about what was received, and closed its session.
    assert_eq!(server.seen.wait_closed(1).await[0].code.as_u16(), 4963);
    let wire = Wire::open(server.addr, Variant::PollText).await;
    for id in ["x", "-1", "01"] {
        let header = format!("Last-Event-ID: {id}");
        let answer = open_events(server.addr, &wire.attach_token(1), &[&header]).await;
        assert_eq!(answer.status, 400, "{id}");
    }
    let long = |bytes| format!("?anywire.offer=anywire.v1,{}", "x".repeat(bytes));
    let answer = get(long(20_000)).await;
    assert_eq!((answer.status, answer.code()), (400, 4960));
    // Other hosts take longer heads, so the offer itself is judged.
    let too_long = if server.host.is_ours() { 431 } else { 400 };
    assert_eq!(get(long(30_000)).await.status, too_long);
    let post = request(server.addr, "POST", "/anywire/events", &[], b"").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("get")));
}

#[tokio::test]
async fn the_app_sees_its_own_parameters_and_never_the_offer() {
    let config = Config::new().authorize(|visitor| async move {
        let shown = format!("{visitor:?} {}", visitor.query);
        assert!(!shown.contains("anywire."), "{shown}");
        assert!(!format!("{visitor:?}").contains("ada"), "{shown}");
        match visitor.query.as_str() {
            "user=ada" => Ok(Principal::new("ada")),
            _ => Err(Denied::unauthenticated("say who you are")),
        }
    });
    let server = TestServer::start(config).await;
    let offer = format!("anywire.offer=anywire.v1,anywire.open.{}.1", new_key());
    let open = |path: String| async move {
        let head = format!(
            "GET /anywire/events?{path} HTTP/1.1\r\nHost: {}\r\n\r\n",
            server.addr
        );
        OpenAnswer::to(server.addr, head.as_bytes()).await.status
    };
    assert_eq!(open(offer.clone()).await, 401);
    assert_eq!(open(format!("{offer}&user=ada")).await, 200);
    assert_eq!(open(format!("user=ada&{offer}")).await, 200);
}

#[tokio::test]
async fn a_long_message_goes_out_in_one_event() {
    let server = TestServer::start(Config::new()).await;
    let mut wire = Wire::open_that_can(server.addr, Variant::Events, Can::NONE).await;
    for text in [
        "x".repeat(100_000),
        "é%\r\n".repeat(20_000),
        " \u{0}\u{feff}".repeat(9_000),
    ] {
        wire.send(text.clone()).await;
        assert_eq!(wire.recv().await, Got::Message(Message::text(text)));
    }
}
