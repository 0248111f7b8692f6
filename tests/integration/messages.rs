//! Messages arrive, whole, once and in order, whatever carries them.

use std::time::Duration;

use anywire::{Limits, Message};
use anywire_protocol::{Offset, Packet};
use anywire_tests::host::Host;
use anywire_tests::server::TestServer;
use tokio_tungstenite::tungstenite::Message as WsMessage;

use crate::wire::{
    ALL, Got, Variant, Wire, control, every, new_key, read_frame, unpack, upgrade, write,
};

#[tokio::test]
async fn every_kind_of_message_comes_back_on_every_transport_under_both_loops() {
    for host in Host::ALL {
        let server = TestServer::start_under(host, every()).await;
        for variant in ALL {
            let mut wire = Wire::open(server.addr, variant).await;
            for message in [
                Message::text("hello"),
                Message::text(""),
                Message::text("é🦀\u{0}\r\n\u{2028}"),
                Message::text("\u{10}control?"),
                Message::text("\u{10}\u{10}"),
                Message::binary(vec![0, 255, 16, 10]),
                Message::binary(Vec::new()),
                Message::text("x".repeat(70_000)),
                Message::binary(vec![7; 1_048_576]),
                Message::text("é".repeat(524_288)),
            ] {
                wire.send(message.clone()).await;
                assert_eq!(
                    wire.recv().await,
                    Got::Message(message),
                    "{host:?} {variant:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_session_goes_on_over_any_mix_of_transports() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::PollText).await;
    wire.send("send:200").await;
    let mut next = 0;
    for variant in [
        Variant::WebSocket,
        Variant::PollBinary,
        Variant::StreamText,
        Variant::Events,
        Variant::Jsonp,
        Variant::WebSocket,
        Variant::StreamBinary,
        Variant::WebSocket,
        Variant::PollText,
    ] {
        for _ in 0..20 {
            assert_eq!(wire.recv_text().await, format!("d{next}"));
            next += 1;
            wire.send(format!("u{}", wire.sent)).await;
        }
        // What is on its way on the old connection is lost with it.
        wire.switch_after_settling(variant, &server).await;
    }
    while next < 200 {
        assert_eq!(wire.recv_text().await, format!("d{next}"));
        next += 1;
    }
    let heard = server.seen.wait_heard(180).await;
    let expected: Vec<_> = (1..=180).map(|index| format!("u{index}")).collect();
    assert_eq!(heard, expected);
    assert_eq!(server.seen.opened(), 1);
}

#[tokio::test]
async fn what_is_sent_while_nobody_is_attached_waits() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
    wire.send("send:50").await;
    assert_eq!(wire.recv_text().await, "d0");
    wire.switch(Variant::PollText).await;
    for index in 1..50 {
        assert_eq!(wire.recv_text().await, format!("d{index}"));
    }
}

#[tokio::test]
async fn a_repeated_or_lost_exchange_repeats_and_loses_nothing() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::PollText).await;
    let send = [
        wire.attach_packet(None),
        Packet::Offset(Offset::new(0).into()),
        Packet::Message("u0".into()),
    ];
    for _ in 0..3 {
        assert_eq!(wire.exchange(&send).await.status, 200);
    }
    wire.sent = 1;
    wire.send("hello").await;
    let poll = [wire.attach_packet(Some(Duration::from_secs(5)))];
    let (first, again) = (wire.exchange(&poll).await, wire.exchange(&poll).await);
    assert_eq!(
        unpack(Variant::PollText, first),
        unpack(Variant::PollText, again)
    );
    assert_eq!(wire.recv_text().await, "hello");
    assert_eq!(server.seen.heard(), ["u0"]);
}

#[tokio::test]
async fn a_poll_is_held_until_there_is_something_and_no_longer_than_asked() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::PollText).await;
    let begin = std::time::Instant::now();
    let empty = wire
        .exchange(&[wire.attach_packet(Some(Duration::from_millis(300)))])
        .await;
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(
        unpack(Variant::PollText, empty),
        [Packet::Ack(Offset::new(0).into())]
    );
    let now = wire
        .exchange(&[wire.attach_packet(Some(Duration::ZERO))])
        .await;
    assert_eq!(
        unpack(Variant::PollText, now),
        [Packet::Ack(Offset::new(0).into())]
    );

    let hold = [wire.attach_packet(Some(Duration::from_secs(20)))];
    let held = wire.exchange(&hold);
    let push = async {
        server
            .server
            .session(wire.opened.session)
            .await
            .unwrap()
            .send("news")
            .await
            .unwrap();
    };
    let (held, ()) = tokio::join!(held, push);
    assert!(unpack(Variant::PollText, held).contains(&Packet::Message("news".into())));
    wire.received = 1;
}

#[tokio::test]
async fn a_burst_beyond_all_queues_comes_back_from_an_app_that_waits() {
    const COUNT: u64 = 6_000;
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
    let mut got = Vec::new();
    while got.len() < COUNT as usize {
        // The client keeps to the window that the server announces.
        if wire.sent < COUNT && wire.sent - wire.acked < 1_024 {
            wire.send(format!("{}", wire.sent)).await;
        } else if let Packet::Message(message) = wire.next_packet().await {
            got.push(message);
        }
    }
    let expected: Vec<_> = (0..COUNT)
        .map(|index| Message::text(index.to_string()))
        .collect();
    assert!(got == expected);
}

#[tokio::test]
async fn a_client_that_ignores_the_window_is_slowed_and_loses_nothing() {
    const COUNT: u64 = 6_000;
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
    for index in 0..COUNT {
        wire.send(format!("u{index}")).await;
    }
    let heard = server.seen.wait_heard(COUNT as usize).await;
    assert!(
        heard
            .iter()
            .enumerate()
            .all(|(index, text)| *text == format!("u{index}"))
    );
}

#[tokio::test]
async fn a_topic_reaches_its_followers_on_every_transport() {
    let server = TestServer::start(every()).await;
    let mut wires = Vec::new();
    for variant in ALL {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("topic:news").await;
        assert_eq!(wire.recv_text().await, "subscribed");
        wires.push(wire);
    }
    assert_eq!(server.server.publish("news", "extra"), ALL.len());
    assert_eq!(server.server.publish("olds", "nothing"), 0);
    for wire in &mut wires {
        assert_eq!(wire.recv_text().await, "extra");
    }
}

#[tokio::test]
async fn a_follower_that_does_not_read_is_closed_and_slows_nobody() {
    let limits = Limits::default().max_outbox_messages(16);
    let server = TestServer::start(every().limits(limits)).await;
    let mut lazy = Wire::open(server.addr, Variant::PollText).await;
    let mut keen = Wire::open(server.addr, Variant::WebSocket).await;
    for wire in [&mut lazy, &mut keen] {
        wire.send("topic:news").await;
        assert_eq!(wire.recv_text().await, "subscribed");
    }
    for round in 0..40 {
        server.server.publish("news", format!("{round}"));
        assert_eq!(keen.recv_text().await, round.to_string());
    }
    let Got::Closed(reason) = lazy.recv().await else {
        panic!("the lazy one goes on")
    };
    assert_eq!(reason.code.as_u16(), 4932);
    assert_eq!(server.seen.wait_closed(1).await[0].code.as_u16(), 4932);
}

#[tokio::test]
async fn an_unattached_websocket_answers_pings_and_attaches_by_packet() {
    let server = TestServer::start(every()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let mut socket = upgrade(server.addr, "/anywire/websocket", "anywire.v1")
        .await
        .unwrap();
    write(&mut socket, control(&Packet::Ping("are you there?".into()))).await;
    let pong = read_frame(&mut socket).await.unwrap();
    assert_eq!(pong, WsMessage::text("\u{10}qare you there?"));
    let mut attach = wire.attach_packet(None);
    if let Packet::Attach(attach) = &mut attach {
        attach.generation = anywire_protocol::Generation::new(2);
    }
    write(&mut socket, control(&attach)).await;
    let opened = read_frame(&mut socket).await.unwrap().into_text().unwrap();
    assert!(opened.starts_with("\u{10}O{"), "{opened}");
    write(&mut socket, WsMessage::text("hello")).await;
    assert_eq!(
        read_frame(&mut socket).await.unwrap(),
        WsMessage::text("hello")
    );
}

#[tokio::test]
async fn opening_is_idempotent_and_the_app_runs_once() {
    let server = TestServer::start(every().protocols(["b", "a"])).await;
    let key = new_key();
    let poll = Wire::open_with(server.addr, Variant::PollText, key, 1, &["a", "b"]).await;
    let socket = Wire::open_with(server.addr, Variant::WebSocket, key, 2, &["a", "b"]).await;
    assert_eq!(poll.opened.session, socket.opened.session);
    assert_eq!(poll.opened.secret, socket.opened.secret);
    assert_eq!(socket.opened.protocol, "a");
    let late = poll
        .exchange(&[poll.attach_packet(Some(Duration::ZERO))])
        .await;
    assert_eq!((late.status, late.code()), (409, 4900));
    assert_eq!(server.server.metrics().opened, 1);
}

#[tokio::test]
async fn raw_is_a_plain_websocket() {
    let server = TestServer::start(every().protocols(["chat"])).await;
    if !server.takes_raw() {
        return;
    }
    let mut socket = upgrade(server.addr, "/anywire/raw", "chat, other")
        .await
        .unwrap();
    for frame in [
        WsMessage::text("\u{10}x"),
        WsMessage::binary(vec![1, 2]),
        WsMessage::text(""),
    ] {
        write(&mut socket, frame.clone()).await;
        assert_eq!(read_frame(&mut socket).await.unwrap(), frame);
    }
    write(&mut socket, WsMessage::text("close:4000")).await;
    let Some(WsMessage::Close(Some(close))) = read_frame(&mut socket).await else {
        panic!("no close")
    };
    assert_eq!(
        (u16::from(close.code), close.reason.as_str()),
        (4000, "as you wish")
    );
    drop(socket);
    assert_eq!(server.seen.wait_closed(1).await[0].code.as_u16(), 4000);
}
