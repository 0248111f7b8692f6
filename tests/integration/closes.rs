//! What PROTOCOL says of closes: who is told, by which code, what follows, and whose reason counts.

use std::time::Duration;

use anywire::{CloseCode, CloseReason, Limits, Server};
use anywire_client::{Client, Transport};
use anywire_protocol::Packet;
use anywire_tests::host::Host;
use anywire_tests::open_answer::End;
use anywire_tests::server::TestServer;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::clauses::{application, serve};
use crate::line::StreamLine;
use crate::wire::{
    Got, HTTP, Variant, Wire, control, every, new_key, read, read_frame, upgrade, write,
};

#[tokio::test]
async fn a_client_that_only_sends_is_told_of_a_close() {
    let server = TestServer::start(every()).await;
    for (index, variant) in HTTP.iter().copied().enumerate() {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("close:3003").await;
        let reason = application(3_003, "as you wish");
        // The app closes when it has heard; what only sends is told then, and again until it answers.
        for _ in 0..2 {
            let told = loop {
                let answer = wire.exchange(&[wire.attach_packet(None)]).await;
                let told = crate::wire::unpack(variant, answer);
                if told.len() > 1 {
                    break told;
                }
                tokio::task::yield_now().await;
            };
            assert_eq!(told[1..], [Packet::Close(reason.clone())], "{variant:?}");
        }
        wire.close(reason.clone()).await;
        assert_eq!(server.seen.wait_closed(index + 1).await[index], reason);
    }
}

#[tokio::test]
async fn a_client_that_only_sends_is_told_of_a_drain() {
    let server = TestServer::start(every()).await;
    let mut wires = Vec::new();
    for variant in HTTP.iter().copied() {
        wires.push(Wire::open(server.addr, variant).await);
    }
    let app = server.server.clone();
    let drain = tokio::spawn(async move { app.drain(Duration::from_secs(20)).await });
    while !server.server.is_draining() {
        tokio::task::yield_now().await;
    }
    for (variant, mut wire) in HTTP.iter().copied().zip(wires) {
        // A node of a cluster closes its sessions in turn.
        let told = async {
            loop {
                let answer = wire.exchange(&[wire.attach_packet(None)]).await;
                let told = crate::wire::unpack(variant, answer);
                if let Some(Packet::Close(reason)) = told.last() {
                    return reason.clone();
                }
            }
        };
        let told = timeout(Duration::from_secs(10), told).await;
        let reason = told.unwrap_or_else(|_| panic!("{variant:?}"));
        assert_eq!(reason.code, CloseCode::RESTART);
        wire.close(reason).await;
    }
    assert_eq!(drain.await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_follows_a_close_on_a_stream() {
    let limits = Limits::default().padding(Duration::from_millis(20));
    for host in Host::ALL {
        let server = TestServer::start_under(host, every().limits(limits.clone())).await;
        for variant in [Variant::StreamText, Variant::StreamBinary, Variant::Events] {
            let mut wire = Wire::open(server.addr, Variant::PollText).await;
            let mut line = match variant {
                Variant::Events => StreamLine::events(server.addr, &wire.attach_token(1)).await,
                _ => {
                    let attach = [wire.attach_packet(None)];
                    StreamLine::begin(server.addr, variant.encoding(), &attach).await
                }
            };
            wire.send("close:4000").await;
            // Nobody answers the close, and yet the stream ends.
            let mut last = None;
            while let Some(packet) = line.next().await {
                last = Some(packet);
            }
            let expected = Packet::Close(application(4_000, "as you wish"));
            assert_eq!(last, Some(expected), "{host:?} {variant:?}");
            assert_eq!(line.answer.end(), Some(End::Whole));
        }
    }
}

async fn closed_by(
    socket: &mut WebSocketStream<TcpStream>,
    frame: Option<CloseFrame>,
) -> Option<CloseFrame> {
    write(socket, WsMessage::Close(frame)).await;
    loop {
        match read_frame(socket).await {
            Some(WsMessage::Close(close)) => return close,
            Some(_) => {}
            None => panic!("it ended without a close"),
        }
    }
}

fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame {
        code: code.into(),
        reason: reason.into(),
    }
}

#[tokio::test]
async fn a_websocket_is_closed_by_the_code_that_it_was_closed_with() {
    let server = TestServer::start(every()).await;
    let offer = |key| format!("anywire.v1, anywire.open.{key}.1");
    for (code, reason) in [(3_001, "x"), (4_899, ""), (1_000, "done"), (1_001, "")] {
        // Behind a close packet, in one go.
        let mut socket = upgrade(server.addr, "/anywire/websocket", &offer(new_key()))
            .await
            .unwrap();
        assert!(matches!(read(&mut socket).await, Packet::Opened(_)));
        let packet = CloseReason::new(CloseCode::from_u16(code), reason);
        write(&mut socket, control(&Packet::Close(packet))).await;
        let frame = close_frame(code, reason);
        assert_eq!(
            closed_by(&mut socket, Some(frame.clone())).await,
            Some(frame.clone())
        );
        // Without one, which only detaches.
        let before = server.server.metrics().sessions;
        let mut socket = upgrade(server.addr, "/anywire/websocket", &offer(new_key()))
            .await
            .unwrap();
        assert!(matches!(read(&mut socket).await, Packet::Opened(_)));
        assert_eq!(
            closed_by(&mut socket, Some(frame.clone())).await,
            Some(frame.clone())
        );
        assert_eq!(server.server.metrics().sessions, before + 1);
        if !server.takes_raw() {
            continue;
        }
        // A raw one, and its app is told.
        let closed = server.seen.closed().len();
        let mut raw = upgrade(server.addr, "/anywire/raw", "").await.unwrap();
        assert_eq!(closed_by(&mut raw, Some(frame.clone())).await, Some(frame));
        let told = server.seen.wait_closed(closed + 1).await;
        assert_eq!(
            (told[closed].code.as_u16(), told[closed].text()),
            (code, reason)
        );
    }
    for (path, protocols) in [("raw", String::new()), ("websocket", offer(new_key()))] {
        if path == "raw" && !server.takes_raw() {
            continue;
        }
        let path = format!("/anywire/{path}");
        let mut socket = upgrade(server.addr, &path, &protocols).await.unwrap();
        assert_eq!(
            closed_by(&mut socket, None).await,
            None,
            "no code, none back"
        );
    }
}

#[tokio::test]
async fn an_app_that_closes_at_open_is_reported_by_both_sides() {
    let server = Server::builder(every()).unwrap();
    let (told, mut reasons) = tokio::sync::mpsc::unbounded_channel();
    struct Closes(tokio::sync::mpsc::UnboundedSender<CloseReason>);
    impl anywire::Handler for Closes {
        type State = ();
        fn on_open(&self, sender: &anywire::Sender) {
            sender.close(CloseReason::new(CloseCode::GOING_AWAY, "not now"));
        }
        fn on_message(&self, _: &mut (), _: &anywire::Sender, _: anywire::Message) {}
        fn on_close(&self, _: (), _: &anywire::Sender, reason: &CloseReason) {
            let _ = self.0.send(reason.clone());
        }
    }
    let server = server.handler(Closes(told));
    let addr = serve(&server).await;
    let expected = CloseReason::new(CloseCode::GOING_AWAY, "not now");
    for leg in [Transport::WebSocket, Transport::Poll] {
        let client = Client::builder(&format!("ws://{addr}/anywire"))
            .only(leg)
            .connect()
            .await
            .unwrap();
        let reported = client
            .close(CloseReason::new(CloseCode::NORMAL, "mine"))
            .await;
        assert_eq!(reported, expected, "{leg:?}");
        // Long before the server would give up waiting for the answer.
        let told = timeout(Duration::from_secs(4), reasons.recv()).await;
        assert_eq!(
            told.expect("it is answered"),
            Some(expected.clone()),
            "{leg:?}"
        );
    }
    for variant in HTTP.iter().copied() {
        // A page's close crosses the server's.
        let mut wire = Wire::open(addr, variant).await;
        wire.close(application(3_000, "mine")).await;
        assert_eq!(reasons.recv().await, Some(expected.clone()), "{variant:?}");
    }
}

#[tokio::test]
async fn a_stream_that_both_close_ends_with_the_servers_reason() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::StreamText).await;
    wire.send("close:4001").await;
    wire.close(application(3_000, "mine")).await;
    let Got::Closed(reason) = wire.recv().await else {
        panic!("a message")
    };
    assert_eq!(reason, application(4_001, "as you wish"));
    let told = server.seen.wait_closed(1).await;
    assert_eq!(told[0], reason);
}
