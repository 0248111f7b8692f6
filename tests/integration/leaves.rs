//! What PROTOCOL §8.8 says of pages that leave: over every transport, under every host.

use std::time::{Duration, Instant};

use anywire::{CloseCode, CloseReason, Limits};
use anywire_protocol::{Can, Generation, Offset, Open, Packet};
use anywire_tests::host::Host;
use anywire_tests::server::TestServer;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WsCode;

use crate::wire::{ALL, HTTP, Variant, Wire, every, exchange, new_key};

const WINDOW: Duration = Duration::from_millis(300);
/// Of the server's deadlines.
const TICK: Duration = Duration::from_millis(10);

fn limits() -> Limits {
    Limits::default().leave_window(WINDOW)
}

fn the_page_left() -> CloseReason {
    CloseReason::new(CloseCode::GOING_AWAY, "the page left")
}

/// Leaves, on whatever carries the session: with a last message, where an exchange says it.
async fn leave(wire: &mut Wire, keep: Option<Duration>) {
    let leave = Packet::Leave(keep);
    if wire.is_websocket() {
        wire.say(&leave).await;
        // The server lets go of it.
        return wire.is_let_go().await;
    }
    let offset = Packet::Offset(Offset::new(wire.sent).into());
    let bye = Packet::Message("u bye".into());
    let packets = [wire.attach_packet(None), offset, bye, leave];
    let answer = wire.exchange(&packets).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    wire.sent += 1;
}

#[tokio::test]
async fn a_page_that_leaves_ends_its_session_soon() {
    for host in Host::ALL {
        let server = TestServer::start_under(host, every().limits(limits())).await;
        for (index, variant) in ALL.into_iter().enumerate() {
            let mut wire = Wire::open(server.addr, variant).await;
            let began = Instant::now();
            leave(&mut wire, None).await;
            let closed = server.seen.wait_closed(index + 1).await;
            let took = began.elapsed();
            assert_eq!(closed[index], the_page_left(), "{host:?} {variant:?}");
            assert!(took >= WINDOW - TICK, "{variant:?} {took:?}");
            println!("{host:?} {variant:?}: ended {took:?} after it left");
            if variant != Variant::WebSocket {
                let heard = server.seen.heard();
                assert_eq!(
                    heard.last().map(String::as_str),
                    Some("u bye"),
                    "{variant:?}"
                );
            }
            // Whoever comes later is told.
            let late = wire.attach_packet(Some(Duration::ZERO));
            let refused = exchange(server.addr, Variant::PollText, &[late]).await;
            assert_eq!(refused.status, 404, "{variant:?} {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_page_that_comes_back_goes_on_in_its_session() {
    let server = TestServer::start(every().limits(limits())).await;
    for variant in ALL {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("before").await;
        assert_eq!(wire.recv_text().await, "before", "{variant:?}");
        leave(&mut wire, None).await;
        // What set out before the leave comes too late to undo it.
        let old = wire.attach_packet(Some(Duration::ZERO));
        let refused = exchange(server.addr, Variant::PollText, &[old]).await;
        assert_eq!(refused.status, 409, "{variant:?} {refused:?}");
        wire.switch(variant).await;
        wire.send("after").await;
        assert_eq!(wire.recv_text().await, "after", "{variant:?}");
        tokio::time::sleep(WINDOW * 2).await;
        wire.send("later").await;
        assert_eq!(wire.recv_text().await, "later", "{variant:?}");
    }
    assert_eq!(server.seen.closed(), []);
}

#[tokio::test]
async fn a_websocket_that_a_browser_closes_for_its_page_leaves() {
    for host in Host::ALL {
        let server = TestServer::start_under(host, every().limits(limits())).await;
        let closes = [
            (WsCode::Away, ""),
            (WsCode::Away, "idle"),
            (WsCode::Normal, ""),
        ];
        for (code, reason) in closes {
            let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
            let reason = reason.into();
            wire.say_frame(WsMessage::Close(Some(CloseFrame { code, reason })))
                .await;
        }
        assert_eq!(server.seen.wait_closed(1).await, [the_page_left()]);
        // The others have only lost their connections.
        tokio::time::sleep(WINDOW).await;
        assert_eq!(server.server.metrics().sessions, 2, "{host:?}");
    }
}

#[tokio::test]
async fn a_leave_that_nobody_agreed_on_is_refused_and_changes_nothing() {
    let server = TestServer::start(every().limits(limits())).await;
    for variant in HTTP.iter().copied() {
        let mut wire = Wire::open_that_can(server.addr, variant, Can::NONE).await;
        let packets = [wire.attach_packet(None), Packet::Leave(None)];
        let refused = wire.exchange(&packets).await;
        let told = String::from_utf8_lossy(&refused.body);
        assert!(told.contains("4960"), "{variant:?} {told}");
        wire.send("still here").await;
        assert_eq!(wire.recv_text().await, "still here", "{variant:?}");
    }
    // Nor does an open that leaves make a session.
    let opened = server.server.metrics().opened;
    for variant in HTTP
        .iter()
        .copied()
        .filter(|variant| *variant != Variant::Jsonp)
    {
        let open = Open {
            key: new_key(),
            generation: Generation::new(1),
            received: Offset::default(),
            hold: None,
            protocols: Vec::new(),
            can: Can::NONE,
            credential: None,
        };
        let packets = [Packet::Open(Box::new(open)), Packet::Leave(None)];
        let refused = exchange(server.addr, variant, &packets).await;
        assert_eq!(refused.status, 400, "{variant:?} {refused:?}");
    }
    assert_eq!(server.server.metrics().opened, opened);
    assert_eq!(server.seen.closed(), []);
}
