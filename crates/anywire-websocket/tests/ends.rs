//! How a WebSocket ends that nobody attached by.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anywire_core::{App, Hub};
use anywire_protocol::{CloseCode, Limits, Message, Packet, decode_frame};
use anywire_websocket::frame::{Decoder, Frame, Role, encode_message};
use anywire_websocket::server::{Driver, Start};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_websocket_that_does_not_attach_is_told_so_and_closed() {
    let hub = Hub::new(Limits::default(), Vec::new(), App::task(|_| async {}));
    let start = Start::Later {
        principal: None,
        protocols: Vec::new(),
    };
    let (mut ours, theirs) = duplex(4_096);
    tokio::spawn(Driver::new(theirs, Bytes::new(), hub.clone(), start));
    let begun = Instant::now();
    // A client that only proves the path has not attached.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut ping = Vec::new();
    encode_message(
        &mut ping,
        &Message::text("\u{10}pthere?"),
        Some([1, 2, 3, 4]),
    );
    ours.write_all(&ping).await.unwrap();

    let mut bytes = Vec::new();
    ours.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 10);
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let mut input = &mut bytes[..];
    let mut said = Vec::new();
    let mut closed = None;
    while let Some(frame) = decoder.decode(&mut input).unwrap() {
        match frame {
            Frame::Message(message) => said.push(decode_frame(message).unwrap()),
            Frame::Close(close) => closed = close,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said[0], Packet::Pong("there?".into()));
    assert!(
        matches!(&said[1..], [Packet::Close(reason)] if reason.code == CloseCode::STALLED),
        "{said:?}"
    );
    assert_eq!(closed.map(|(code, _)| code), Some(CloseCode::STALLED));
    assert_eq!(hub.metrics().opened, 0);
}
