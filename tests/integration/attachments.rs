//! Whether a session's client is there, as its app is told, over every transport.

use std::time::Duration;

use anywire::{Attachment, Config, Detach, Limits, Sender, Server, SocketEvent, Transport};
use anywire_protocol::Packet;
use anywire_tests::server::TestServer;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::wire::{ALL, Variant, Wire, every};

/// After so long without a connection a client counts as gone.
const GONE_AFTER: Duration = Duration::from_millis(600);

const DEADLINE: Duration = Duration::from_secs(10);

fn config() -> Config {
    every().limits(Limits::default().detached_after(GONE_AFTER))
}

fn transport_of(variant: Variant) -> Transport {
    match variant {
        Variant::WebSocket => Transport::WebSocket,
        Variant::PollText | Variant::PollBinary | Variant::PollEscaped => Transport::Poll,
        Variant::StreamText | Variant::StreamBinary => Transport::Stream,
        Variant::Events => Transport::Events,
        Variant::Jsonp => Transport::Jsonp,
    }
}

async fn session_of(server: &TestServer, wire: &Wire) -> Sender {
    server.server.session(wire.opened.session).await.unwrap()
}

/// Why the session is detached, when it is.
async fn wait_detached(session: &Sender) -> Detach {
    let mut changes = session.attachment_changes();
    let detached = async {
        while let Some(now) = changes.next().await {
            if let Attachment::Detached { why, .. } = now {
                assert_eq!(session.transport(), None);
                return why;
            }
        }
        panic!("it has ended")
    };
    timeout(DEADLINE, detached).await.expect("it is told")
}

async fn wait_attached(session: &Sender) {
    let mut changes = session.attachment_changes();
    let attached = async { while !changes.next().await.unwrap().is_attached() {} };
    timeout(DEADLINE, attached).await.expect("it is told");
}

#[tokio::test]
async fn a_client_is_there_by_its_transport_is_lost_and_comes_back() {
    for variant in ALL {
        let server = TestServer::start(config()).await;
        let mut wire = Wire::open(server.addr, variant).await;
        let session = session_of(&server, &wire).await;
        wire.send("hello").await;
        assert_eq!(wire.recv_text().await, "hello");
        assert_eq!(
            session.transport(),
            Some(transport_of(variant)),
            "{variant:?}"
        );
        wire.let_go();
        assert!(session.attachment().is_attached(), "not yet: {variant:?}");
        assert_eq!(wait_detached(&session).await, Detach::Lost, "{variant:?}");
        wire.switch(Variant::WebSocket).await;
        wait_attached(&session).await;
        assert_eq!(
            session.transport(),
            Some(Transport::WebSocket),
            "{variant:?}"
        );
    }
}

#[tokio::test]
async fn a_page_that_left_is_gone_at_once() {
    for variant in ALL {
        let server = TestServer::start(config()).await;
        let mut wire = Wire::open(server.addr, variant).await;
        let session = session_of(&server, &wire).await;
        let leave = Packet::Leave(Some(Duration::from_secs(60)));
        if wire.is_websocket() {
            wire.say(&leave).await;
        } else {
            let answer = wire.exchange(&[wire.attach_packet(None), leave]).await;
            assert_eq!(answer.status, 200);
        }
        // Later it would be lost.
        assert_eq!(wait_detached(&session).await, Detach::Left, "{variant:?}");
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_has_stalled() {
    let limits = Limits::default()
        .detached_after(GONE_AFTER)
        .ack_delay(Duration::from_millis(50))
        .heartbeat(Duration::from_millis(300))
        .heartbeat_timeout(Duration::from_millis(300));
    let server = TestServer::start(every().limits(limits)).await;
    let wire = Wire::open(server.addr, Variant::WebSocket).await;
    let session = session_of(&server, &wire).await;
    assert_eq!(wait_detached(&session).await, Detach::Stalled);
    drop(wire);
}

#[tokio::test]
async fn polls_that_follow_each_other_are_one_attachment() {
    for variant in [Variant::PollText, Variant::PollBinary, Variant::Jsonp] {
        // Much longer than the pauses, also on a busy machine.
        let limits = Limits::default().detached_after(4 * GONE_AFTER);
        let server = TestServer::start(every().limits(limits)).await;
        let wire = Wire::open(server.addr, variant).await;
        let session = session_of(&server, &wire).await;
        let mut changes = session.attachment_changes();
        let first = changes.next().await.expect("what it is now");
        let polls = async {
            for round in 0..12 {
                // Half of them are held, half are answered at once.
                let hold = Duration::from_millis(if round % 2 == 0 { 200 } else { 0 });
                let answer = wire.exchange(&[wire.attach_packet(Some(hold))]).await;
                assert_eq!(answer.status, 200);
                sleep(GONE_AFTER / 3).await;
            }
        };
        tokio::select! {
            () = polls => {}
            change = changes.next() => panic!("{variant:?}: {first:?}, then {change:?}"),
        }
    }
}

#[tokio::test]
async fn changes_that_nobody_looks_at_are_one_and_the_newest() {
    let server = TestServer::start(config()).await;
    let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
    let session = session_of(&server, &wire).await;
    let mut changes = session.attachment_changes();
    assert!(changes.next().await.unwrap().is_attached());
    for _ in 0..3 {
        wire.let_go();
        wait_detached(&session).await;
        wire.switch(Variant::WebSocket).await;
        wait_attached(&session).await;
    }
    assert!(changes.next().await.unwrap().is_attached());
    let more = timeout(Duration::from_millis(100), changes.next()).await;
    assert!(more.is_err(), "{more:?}");
    wire.let_go();
    drop(server);
}

#[tokio::test]
async fn a_socket_hears_of_it_between_its_messages_and_recv_leaves_it_out() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let server = Server::builder(config()).unwrap();
    let server = server.on_socket(move |mut socket| {
        let told = told.clone();
        async move {
            while let Some(event) = socket.next().await {
                let text = match event {
                    SocketEvent::Message(message) => message.as_text().unwrap_or("?").to_owned(),
                    SocketEvent::Attachment(now) => format!("attached: {}", now.is_attached()),
                    other => format!("{other:?}"),
                };
                let _ = told.send(text);
            }
            let _ = told.send(format!("{}", socket.close_reason().unwrap().code.as_u16()));
        }
    });
    let serving = anywire::serve(server.routes())
        .bind(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let addr = serving.local_addr();
    tokio::spawn(serving.run());
    let mut wire = Wire::open(addr, Variant::WebSocket).await;
    wire.send("one").await;
    let mut next = async || timeout(DEADLINE, heard.recv()).await.unwrap().unwrap();
    assert_eq!(next().await, "one");
    wire.let_go();
    assert_eq!(next().await, "attached: false");
    wire.switch(Variant::WebSocket).await;
    assert_eq!(next().await, "attached: true");
    wire.send("two").await;
    assert_eq!(next().await, "two");
    wire.close(anywire::CloseCode::NORMAL.into()).await;
    assert_eq!(next().await, "1000");
}
