//! A WebSocket cut at any byte, either way: the session goes on over the next one, nothing lost, nothing twice.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anywire_core::{App, Budgets, Caller, Guest, Hub};
use anywire_protocol::{Limits, MessageKind, Offer, Opened, Packet, SUBPROTOCOL, decode_frame};
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role};
use anywire_websocket::server::{Driver, Start};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

fn encoder(mask: Option<[u8; 4]>) -> Encoder {
    mask.map_or(Encoder::server(), |mask| Encoder::client(move || mask))
}

const MESSAGES: [&str; 5] = ["one", "", "\u{10}three", "four 🦀", "five"];
const KEY: &str = "00112233445566778899aabbccddeeff";

/// The client's side, counted by hand.
#[derive(Default)]
struct Client {
    opened: Option<Opened>,
    generation: u64,
    received: Vec<String>,
}

impl Client {
    /// A new connection that attaches, or opens.
    async fn connect(&mut self, hub: &Hub) -> DuplexStream {
        self.generation += 1;
        let offer = match &self.opened {
            None => format!("anywire.open.{KEY}.{}", self.generation),
            Some(opened) => format!(
                "anywire.attach.{}.{}.{}.{}",
                opened.session,
                opened.secret,
                self.generation,
                self.received.len()
            ),
        };
        let offer = Offer::parse([SUBPROTOCOL, &offer].into_iter()).unwrap();
        let (ours, theirs) = duplex(4_096);
        let start = Start::from_offer(hub, offer, Guest::Known(Caller::default())).await;
        tokio::spawn(Driver::new(theirs, Bytes::new(), hub.clone(), start));
        ours
    }

    /// Takes what the server sent; returns how many messages the server had received.
    fn take(&mut self, bytes: &mut [u8]) -> Option<u64> {
        let mut decoder = Decoder::new(Role::Client, 1 << 20);
        let (mut input, mut received, mut next) = (bytes, None, 0);
        while let Some(frame) = decoder.decode(&mut input).unwrap() {
            let Frame::Message(message) = frame else {
                continue;
            };
            match decode_frame(message).unwrap() {
                Packet::Opened(opened) => {
                    received = Some(opened.received.as_u64());
                    next = opened.first.as_u64() as usize;
                    self.opened = Some(*opened);
                }
                Packet::Message(message) => {
                    // What came before on an older connection comes again only if it was not counted.
                    assert_eq!(next, self.received.len(), "a gap or a repeat");
                    next += 1;
                    assert_eq!(message.kind(), MessageKind::Text);
                    self.received.push(message.as_text().unwrap().to_owned());
                }
                _ => {}
            }
        }
        received
    }
}

/// The frames of the messages from `first` on.
fn frames(first: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in &MESSAGES[first as usize..] {
        let mark = if text.starts_with('\u{10}') {
            "\u{10}"
        } else {
            ""
        };
        encoder(Some([1, 2, 3, 4])).raw_message(&mut bytes, &format!("{mark}{text}").into());
    }
    bytes
}

/// Reads until the server has been quiet for a while (of paused time), or `limit` bytes have come.
async fn read(stream: &mut DuplexStream, limit: usize) -> Vec<u8> {
    let mut bytes = vec![0; limit];
    let mut count = 0;
    while count < limit {
        let next = timeout(Duration::from_millis(50), stream.read(&mut bytes[count..])).await;
        match next {
            Ok(Ok(read @ 1..)) => count += read,
            _ => break,
        }
    }
    bytes.truncate(count);
    bytes
}

async fn echo_after_a_cut(up: usize, down: usize) -> usize {
    let app = App::task(|mut socket| async move {
        while let Some(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    });
    let hub = Hub::new(Limits::default(), Budgets::default(), Vec::new(), app);
    let mut client = Client::default();

    let mut first = client.connect(&hub).await;
    let sent = frames(0);
    first.write_all(&sent[..up.min(sent.len())]).await.unwrap();
    let mut got = read(&mut first, down).await;
    drop(first);
    let total = got.len();
    client.take(&mut got);

    let mut second = client.connect(&hub).await;
    let mut got = read(&mut second, 4_096).await;
    let received = client.take(&mut got).expect("opened comes first");
    second.write_all(&frames(received)).await.unwrap();
    let mut rest = read(&mut second, 4_096).await;
    // The second connection goes on where its first part ended.
    let mut decoder = Decoder::new(Role::Client, 1 << 20);
    let mut input = &mut rest[..];
    while let Some(frame) = decoder.decode(&mut input).unwrap() {
        let Frame::Message(message) = frame else {
            continue;
        };
        if let Packet::Message(message) = decode_frame(message).unwrap() {
            client.received.push(message.as_text().unwrap().to_owned());
        }
    }
    assert_eq!(
        client.received, MESSAGES,
        "cut after {up} bytes up, {down} down"
    );
    assert_eq!(hub.metrics().opened, 1);
    total
}

#[tokio::test(start_paused = true)]
async fn a_cut_at_any_byte_loses_and_repeats_nothing() {
    for up in 0..=frames(0).len() {
        echo_after_a_cut(up, 4_096).await;
    }
    let total = echo_after_a_cut(usize::MAX, 4_096).await;
    assert!(total > 400, "{total}");
    for down in 0..=total {
        echo_after_a_cut(usize::MAX, down).await;
    }
}
