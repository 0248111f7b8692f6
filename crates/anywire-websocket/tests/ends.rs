//! How a WebSocket ends that has not attached, or has only just.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anywire_core::{App, Budgets, Caller, Guest, Hub};
use anywire_protocol::{CloseCode, Limits, Message, Packet, decode_frame};
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role};
use anywire_websocket::server::{Driver, Start};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

fn encoder(mask: Option<[u8; 4]>) -> Encoder {
    mask.map_or(Encoder::server(), |mask| Encoder::client(move || mask))
}

/// What comes on the line: packets, and the code of the WebSocket close, which nothing follows.
async fn said_until_the_end(mut line: DuplexStream) -> (Vec<Packet>, Option<CloseCode>) {
    let mut bytes = Vec::new();
    line.read_to_end(&mut bytes).await.unwrap();
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let mut input = &mut bytes[..];
    let mut said = Vec::new();
    let mut closed = None;
    while let Some(frame) = decoder.decode(&mut input).unwrap() {
        assert_eq!(closed, None, "nothing follows a WebSocket close: {frame:?}");
        match frame {
            Frame::Message(message) => said.push(decode_frame(message).unwrap()),
            Frame::Close(close) => closed = close.map(|(code, _)| code),
            other => panic!("{other:?}"),
        }
    }
    (said, closed)
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_does_not_attach_is_told_so_and_closed() {
    let hub = Hub::new(
        Limits::default(),
        Budgets::default(),
        Vec::new(),
        App::task(|_| async {}),
    );
    let start = Start::Later {
        guest: Guest::Known(Caller::default()),
        protocols: Vec::new(),
    };
    let (mut ours, theirs) = duplex(4_096);
    tokio::spawn(Driver::new(theirs, Bytes::new(), hub.clone(), start));
    let begun = Instant::now();
    // A client that only proves the path has not attached.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut ping = Vec::new();
    encoder(Some([1, 2, 3, 4])).raw_message(&mut ping, &Message::text("\u{10}pthere?"));
    ours.write_all(&ping).await.unwrap();

    let (said, closed) = said_until_the_end(ours).await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!(said[0], Packet::Pong("there?".into()));
    assert!(
        matches!(&said[1..], [Packet::Close(reason)] if reason.code == CloseCode::STALLED),
        "{said:?}"
    );
    assert_eq!(closed, Some(CloseCode::STALLED));
    assert_eq!(hub.metrics().opened, 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_and_a_websocket_close_in_one_read_are_answered_in_their_order() {
    let hub = Hub::new(
        Limits::default(),
        Budgets::default(),
        Vec::new(),
        App::task(|_| async {}),
    );
    let start = Start::Later {
        guest: Guest::Known(Caller::default()),
        protocols: Vec::new(),
    };
    let (mut ours, theirs) = duplex(4_096);
    let mask = Some([1, 2, 3, 4]);
    let mut both = Vec::new();
    let key = "0123456789abcdef".repeat(2);
    let open = format!("\u{10}o{{\"version\":1,\"key\":\"{key}\",\"generation\":1}}");
    encoder(mask).raw_message(&mut both, &Message::text(open));
    encoder(mask).close(&mut both, &CloseCode::GOING_AWAY.into());
    ours.write_all(&both).await.unwrap();
    tokio::spawn(Driver::new(theirs, Bytes::new(), hub, start));
    let (said, closed) = said_until_the_end(ours).await;
    assert!(matches!(said[0], Packet::Opened(_)), "{said:?}");
    assert_eq!(closed, Some(CloseCode::GOING_AWAY));
}
