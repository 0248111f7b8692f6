//! What other sites make a visitor's browser send, what lies about itself, and what gets into the log.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use anywire::{Config, Transport};
use anywire_protocol::Packet;
use anywire_tests::http::{poll, request};
use anywire_tests::server::TestServer;
use tokio::task::JoinSet;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use tokio_tungstenite::tungstenite::Message as WsMessage;

use crate::wire::{Variant, Wire, control, new_key, packet, read, upgrade, write};

#[tokio::test]
async fn another_sites_form_with_the_victims_cookie_and_secret_delivers_nothing() {
    let config = Config::new().allow_jsonp();
    let server = TestServer::start(config).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let body =
        packet('x', &format!("{id} {secret} 2 0")) + &packet('n', "0") + &packet('t', "u forged");
    let form = "b=u%3D".to_owned() + &body.replace(' ', "%20").replace(':', "%3A");
    for from in [
        "Origin: https://evil.example",
        "Origin: null",
        "Referer: https://evil.example/page",
        "Sec-Fetch-Site: cross-site",
    ] {
        for (endpoint, content_type, body) in [
            ("poll", "text/plain", body.as_str()),
            ("stream", "text/plain", &body),
            ("poll", "application/x-www-form-urlencoded", &form),
            ("form", "application/x-www-form-urlencoded", &form),
        ] {
            let headers = [
                from,
                "Cookie: who=victim",
                &format!("Content-Type: {content_type}"),
            ];
            let answer = request(
                server.addr,
                "POST",
                &format!("/anywire/{endpoint}"),
                &headers,
                body.as_bytes(),
            )
            .await;
            assert_eq!(answer.status, 403, "{endpoint} {from}");
        }
    }
    assert!(server.seen.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_racing_polls_one_is_answered_and_nothing_comes_twice() {
    let server = TestServer::start(Config::new()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let mut polls = JoinSet::new();
    for _ in 0..100 {
        let body = packet('x', &format!("{id} {secret} 2 0 20000"));
        polls.spawn(async move { poll(server.addr, "anywire", &body).await });
    }
    while server.server.metrics().attaches[Transport::Poll] < 100 {
        tokio::task::yield_now().await;
    }
    let sender = server.server.session(id).await.unwrap();
    sender.send("once").await.unwrap();
    let (mut answered, mut superseded) = (0, 0);
    while let Some(answer) = polls.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            200 => {
                assert_eq!(
                    answer.text().matches("4:tonce").count(),
                    1,
                    "{}",
                    answer.text()
                );
                answered += 1;
            }
            409 => superseded += 1,
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert_eq!((answered, superseded), (1, 99));
}

#[tokio::test]
async fn an_open_of_nested_brackets_harms_nobody() {
    let server = TestServer::start(Config::new()).await;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = open.repeat(2_500) + "1" + &close.repeat(2_500);
        // A member that nobody knows is passed over; one that is known is read no deeper than it may be.
        for (member, status) in [("more", 200), ("protocols", 400), ("can", 400)] {
            let key = new_key();
            let open =
                format!(r#"{{"version":1,"key":"{key}","generation":1,"{member}":{nested}}}"#);
            let answer = poll(server.addr, "anywire", &packet('o', &open)).await;
            assert_eq!(answer.status, status, "{member}");
        }
    }
}

/// Keeps the text of all events.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // As it is: a subscriber may write it so.
        write!(self.0, " {field}={value}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with("anywire")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn the_log_has_neither_secrets_nor_what_a_client_wrote() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let server = TestServer::start(Config::new()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let evil = "\u{1b}[31m\r\nforged";
    let _ = poll(server.addr, "anywire", &packet('z', evil)).await;
    let path = format!(
        "/anywire/events?anywire.offer=anywire.v1%2Canywire.attach.{id}.{secret}.1.0%0d%0a"
    );
    let _ = request(
        server.addr,
        "GET",
        &path,
        &["X-Forwarded-For: \u{1b}[31m, evil"],
        b"",
    )
    .await;
    let mut socket = upgrade(server.addr, "/anywire/websocket", "anywire.v1")
        .await
        .unwrap();
    write(
        &mut socket,
        WsMessage::text(format!("\u{10}x{id} {secret} 5 0")),
    )
    .await;
    assert!(matches!(read(&mut socket).await, Packet::Opened(_)));
    let close = anywire::CloseReason::new(anywire::CloseCode::application(4000).unwrap(), evil);
    write(&mut socket, control(&Packet::Close(close))).await;
    assert!(matches!(read(&mut socket).await, Packet::Close(_)));
    let said = server.seen.wait_closed(1).await;
    assert_eq!(said[0].text(), evil, "the app gets it as it came");
    let text = log.0.lock().unwrap().clone();
    assert!(
        text.contains(&id.to_string()),
        "the log says something: {text}"
    );
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(!text.contains("forged"), "{text}");
    assert!(!text.contains(&format!("{secret}")), "{text}");
}
