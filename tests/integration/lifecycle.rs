//! How sessions end, and how the server does.

use std::time::Duration;

use anywire::{CloseCode, CloseReason, Limits};
use anywire_protocol::Packet;
use anywire_tests::http::poll;
use anywire_tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::wire::{ALL, Got, Variant, Wire, every, read_frame, unpack, upgrade, write};

#[tokio::test]
async fn the_server_closes_with_its_code_after_what_it_sent() {
    let server = TestServer::start(every()).await;
    for (index, variant) in ALL.into_iter().enumerate() {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("last words").await;
        wire.send("close:4321").await;
        assert_eq!(wire.recv_text().await, "last words");
        let reason = CloseReason::new(CloseCode::application(4321).unwrap(), "as you wish");
        assert_eq!(
            wire.recv().await,
            Got::Closed(reason.clone()),
            "{variant:?}"
        );
        wire.close(reason.clone()).await;
        assert_eq!(server.seen.wait_closed(index + 1).await[index], reason);
    }
    let emptied = timeout(Duration::from_secs(5), async {
        while server.server.metrics().sessions > 0 {
            tokio::task::yield_now().await;
        }
    });
    emptied.await.expect("no session is left");
}

#[tokio::test]
async fn the_client_closes_and_the_app_is_told_its_reason() {
    let server = TestServer::start(every()).await;
    for (index, variant) in ALL.into_iter().enumerate() {
        let mut wire = Wire::open(server.addr, variant).await;
        wire.send("u").await;
        let reason = CloseReason::new(CloseCode::application(3333).unwrap(), "enough");
        wire.close(reason.clone()).await;
        assert_eq!(
            server.seen.wait_closed(index + 1).await[index],
            reason,
            "{variant:?}"
        );
    }
    assert_eq!(server.seen.heard().len(), ALL.len());
}

#[tokio::test]
async fn a_session_that_nobody_resumes_expires() {
    let limits = Limits::default().resume_window(Duration::from_millis(200));
    let server = TestServer::start(every().limits(limits)).await;
    for (index, variant) in ALL.into_iter().enumerate() {
        drop(Wire::open(server.addr, variant).await);
        assert_eq!(
            server.seen.wait_closed(index + 1).await[index].code,
            CloseCode::EXPIRED
        );
    }
    assert_eq!(server.server.metrics().sessions, 0);
}

#[tokio::test]
async fn a_websocket_that_falls_silent_is_dropped_and_the_session_lives() {
    let limits = Limits::default()
        .heartbeat(Duration::from_millis(100))
        .ack_delay(Duration::from_millis(50))
        .heartbeat_timeout(Duration::from_millis(200));
    let server = TestServer::start(every().limits(limits)).await;
    let offer = format!("anywire.v1, anywire.open.{}.1", crate::wire::new_key());
    let mut socket = upgrade(server.addr, "/anywire/websocket", &offer)
        .await
        .unwrap();
    let mut frames = Vec::new();
    // This client reads and answers nothing.
    while let Some(frame) = read_frame(&mut socket).await {
        frames.push(frame);
    }
    assert!(
        frames
            .iter()
            .any(|frame| frame.to_text().is_ok_and(|text| text == "\u{10}p"))
    );
    assert_eq!(server.server.metrics().sessions, 1);
}

#[tokio::test]
async fn drain_tells_everybody_and_takes_no_more() {
    let server = TestServer::start(every()).await;
    let mut wires = Vec::new();
    for variant in ALL {
        wires.push(Wire::open(server.addr, variant).await);
    }
    let handle = server.server.clone();
    let drain = tokio::spawn(async move { handle.drain(Duration::from_secs(10)).await });
    for wire in &mut wires {
        let Got::Closed(reason) = wire.recv().await else {
            panic!("not closed")
        };
        assert_eq!(reason.code, CloseCode::RESTART);
        wire.close(reason).await;
    }
    assert_eq!(drain.await.unwrap(), 0);
    let open = r#"{"version":1,"key":"00112233445566778899aabbccddeeff","generation":1}"#;
    let refused = poll(server.addr, "anywire", &format!("{}:o{open}", open.len())).await;
    assert_eq!((refused.status, refused.code()), (503, 4903));
    assert_eq!(refused.header("retry-after"), Some("2"));
    let offer = format!("anywire.v1, anywire.open.{}.1", crate::wire::new_key());
    assert!(
        upgrade(server.addr, "/anywire/websocket", &offer)
            .await
            .is_err()
    );
    let closed = server.seen.wait_closed(ALL.len()).await;
    assert_eq!(closed.len(), ALL.len());
}

#[tokio::test]
async fn a_drain_that_takes_too_long_aborts_the_rest() {
    let server = TestServer::start(every()).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    assert_eq!(server.server.drain(Duration::from_millis(50)).await, 1);
    assert_eq!(server.seen.wait_closed(1).await[0].code, CloseCode::RESTART);
    // Whoever was between two polls is told, not left to find no session.
    let told = unpack(
        Variant::PollText,
        wire.exchange(&[wire.attach_packet(None)]).await,
    );
    let Some(Packet::Close(reason)) = told.last() else {
        panic!("{told:?}")
    };
    assert_eq!(reason.code, CloseCode::RESTART);
    let answer = [wire.attach_packet(None), Packet::Close(reason.clone())];
    assert_eq!(wire.exchange(&answer).await.status, 200);
    let gone = wire.exchange(&[wire.attach_packet(None)]).await;
    assert_eq!((gone.status, gone.code()), (404, 4930));
}

#[tokio::test]
async fn connections_that_dawdle_are_cut() {
    let tune = |serve: anywire::HttpServer<anywire::WarpService>| {
        serve
            .first_byte_within(Duration::from_millis(100))
            .head_within(Duration::from_millis(200))
            .keep_alive(Duration::from_millis(300))
    };
    let server = TestServer::start_tuned(every(), tune).await;
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (sent, at_least) in [("", 100), ("GET / HT", 200), (request, 300)] {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        let _ = read.unwrap_or_else(|_| panic!("not cut after {sent:?}"));
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), sent == request);
        assert!(
            begin.elapsed() >= Duration::from_millis(at_least),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn a_graceful_server_answers_what_it_holds_and_ends() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let app_seen = seen.clone();
    let app = anywire::Server::builder(every())
        .unwrap()
        .on_socket(move |mut socket| {
            let seen = app_seen.clone();
            async move {
                while socket.recv().await.is_some() {}
                seen.lock().unwrap().push(socket.close_reason().cloned());
            }
        });
    let serving = anywire::serve(app.routes())
        .bind(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let addr = serving.local_addr();
    let drained = app.clone();
    let running = tokio::spawn(
        serving
            .graceful(async move {
                let _ = stopped.await;
                drained.drain(Duration::from_millis(500)).await;
            })
            .run(),
    );
    let wire = Wire::open(addr, Variant::PollText).await;
    let hold = [wire.attach_packet(Some(Duration::from_secs(20)))];
    let held = wire.exchange(&hold);
    let (answer, _) = tokio::join!(held, async { stop.send(()) });
    let packets = crate::wire::unpack(Variant::PollText, answer);
    let is_restart = |packet: &Packet| matches!(packet, Packet::Close(reason) if reason.code == CloseCode::RESTART);
    assert!(packets.iter().any(is_restart), "{packets:?}");
    timeout(Duration::from_secs(10), running)
        .await
        .expect("the server ends")
        .unwrap();
}

#[tokio::test]
async fn callbacks_come_in_order_and_a_panic_ends_one_session_only() {
    struct Shout;
    impl anywire::Handler for Shout {
        type State = ();
        fn on_open(&self, sender: &anywire::Sender) {
            sender.try_send("welcome").unwrap();
        }
        fn on_message(&self, _: &mut (), sender: &anywire::Sender, message: anywire::Message) {
            let text = message.as_text().unwrap();
            assert_ne!(text, "panic", "as the test asks");
            sender.try_send(text.to_uppercase()).unwrap();
        }
    }
    let app = anywire::Server::builder(every()).unwrap().handler(Shout);
    let serving = anywire::serve(app.routes())
        .bind(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let addr = serving.local_addr();
    let running = tokio::spawn(serving.run());
    for variant in ALL {
        let mut wire = Wire::open(addr, variant).await;
        assert_eq!(wire.recv_text().await, "welcome");
        for text in ["a", "b"] {
            wire.send(text).await;
            assert_eq!(wire.recv_text().await, text.to_uppercase());
        }
    }
    let mut doomed = upgrade(addr, "/anywire/raw", "").await.unwrap();
    write(&mut doomed, "panic".into()).await;
    while read_frame(&mut doomed).await.is_some() {}
    let mut wire = Wire::open(addr, Variant::WebSocket).await;
    assert_eq!(wire.recv_text().await, "welcome");
    running.abort();
}

#[tokio::test]
async fn a_full_server_says_so_before_anything_else() {
    let limits = Limits::default().max_sessions(1);
    let server = TestServer::start(every().limits(limits)).await;
    let _one = Wire::open(server.addr, Variant::WebSocket).await;
    let open = format!(
        r#"{{"version":1,"key":"{}","generation":1}}"#,
        crate::wire::new_key()
    );
    let refused = poll(server.addr, "anywire", &format!("{}:o{open}", open.len())).await;
    assert_eq!((refused.status, refused.code()), (503, 4902));
    assert_eq!(refused.header("retry-after"), Some("2"));
    let offer = format!("anywire.v1, anywire.open.{}.1", crate::wire::new_key());
    assert!(
        upgrade(server.addr, "/anywire/websocket", &offer)
            .await
            .is_err()
    );
    assert_eq!(server.server.metrics().opened, 1);
}
