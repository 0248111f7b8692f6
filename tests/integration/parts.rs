//! Long messages in parts, over real sockets and each transport (PROTOCOL §4.9 to §4.13).

use std::time::Duration;

use anywire::{Config, Limits, Message};
use anywire_protocol::{
    Can, Encoding, Generation, Offset, Open, Packet, PayloadWriter, Position, decode_payload,
    unveil, veil,
};
use anywire_tests::http::request;
use anywire_tests::server::TestServer;

use crate::wire::{ALL, Got, Variant, Wire, every, new_key};

const MAX_MESSAGE_BYTES: usize = 4_194_304;

fn config() -> Config {
    every().limits(Limits::default().max_message_bytes(MAX_MESSAGE_BYTES))
}

#[tokio::test]
async fn a_message_longer_than_a_body_comes_down_in_parts_on_every_transport() {
    let server = TestServer::start(config()).await;
    // Of 3 MB, with characters of every length, and what event streams and scripts escape.
    let text = "a é€🦀\r\n%</script>\u{2028}\u{10}\u{0}".repeat(90_000);
    let bytes: Vec<u8> = (0..2_500_000_u32).map(|index| index as u8).collect();
    for variant in ALL {
        let mut wire = Wire::open(server.addr, variant).await;
        assert_eq!(wire.opened.can, Can::SPOKEN);
        let cuts: Vec<_> = (1..text.len())
            .step_by(1_000_000)
            .map(|at| (at..).find(|at| text.is_char_boundary(*at)).unwrap())
            .collect();
        wire.send_in_parts(text.as_str(), &cuts).await;
        assert!(
            wire.recv().await == Got::Message(Message::text(text.as_str())),
            "{variant:?}"
        );
        let cuts = [999_999, 999_999, 1_999_998];
        wire.send_in_parts(bytes.clone(), &cuts).await;
        assert!(
            wire.recv().await == Got::Message(Message::binary(bytes.clone())),
            "{variant:?}"
        );
        assert!(wire.parts > 60, "{variant:?}: {} parts", wire.parts);
        wire.send("between").await;
        assert_eq!(wire.recv_text().await, "between");
    }
}

#[tokio::test]
async fn an_unfinished_message_goes_on_over_another_transport() {
    let server = TestServer::start(config()).await;
    let text = "0123456789".repeat(100_000);
    for variant in ALL {
        let mut wire = Wire::open(server.addr, Variant::PollBinary).await;
        // Up: the first parts by exchanges, then all anew where the transport counts messages.
        let place = |bytes| Packet::Offset(Position::new(Offset::new(0), bytes));
        let part = |text: &str| Packet::Part(text.into());
        for (begin, end) in [(0, 500_000), (300_000, 600_000)] {
            let packets = [
                wire.attach_packet(None),
                place(begin as u64),
                part(&text[begin..end]),
            ];
            let answer = wire.exchange(&packets).await;
            let answer = decode_payload(Encoding::Binary, answer.body.into()).unwrap();
            let received = Position::new(Offset::new(0), end as u64);
            assert_eq!(answer, [Packet::Ack(received)]);
        }
        wire.switch(variant).await;
        wire.send_in_parts(text.as_str(), &[400_000, 700_000]).await;
        assert!(
            wire.recv().await == Got::Message(text.as_str().into()),
            "{variant:?}"
        );
    }
}

#[tokio::test]
async fn a_veiled_exchange_has_a_veiled_answer() {
    let server = TestServer::start(config()).await;
    let open = Packet::Open(Box::new(Open {
        key: new_key(),
        generation: Generation::new(1),
        received: Offset::default(),
        hold: Some(Duration::from_secs(5)),
        protocols: Vec::new(),
        can: Can::VEIL,
        credential: None,
    }));
    let mut writer = PayloadWriter::new(Encoding::Binary);
    let message = Packet::Message("<script>".into());
    for packet in [&open, &Packet::Offset(Offset::new(0).into()), &message] {
        writer.push(packet);
    }
    let body = veil(&writer.finish(), [1, 2, 3, 4]);
    for content_type in [
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ] {
        let header = [format!("Content-Type: {content_type}")];
        let header = header.each_ref().map(String::as_str);
        let answer = request(server.addr, "POST", "/anywire/poll", &header, &body).await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
        let text = str::from_utf8(&answer.body).unwrap();
        assert!(!text.contains(['\n', '<']), "one line that shows no text");
        let payload = unveil(&answer.body).unwrap();
        let packets = decode_payload(Encoding::Binary, payload).unwrap();
        assert!(matches!(packets[0], Packet::Opened(_)));
        assert_eq!(
            packets[2..],
            [Packet::Offset(Offset::new(0).into()), message.clone()]
        );
    }
    for body in ["v=", "v=AQIDBA==", "v=****"] {
        let header = ["Content-Type: text/plain"];
        let answer = request(
            server.addr,
            "POST",
            "/anywire/poll",
            &header,
            body.as_bytes(),
        )
        .await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            String::from_utf8_lossy(&answer.body).contains("4960"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_veil_does_not_make_a_payload_longer_than_allowed() {
    let limits = Limits::default()
        .max_message_bytes(8_192)
        .max_payload_bytes(16_384)
        .max_part_bytes(1_024);
    let server = TestServer::start(every().limits(limits)).await;
    let mut wire = Wire::open(server.addr, Variant::PollBinary).await;
    wire.send("before").await;
    for (padding, status) in [(16_000, 200), (17_000, 413)] {
        let mut writer = PayloadWriter::new(Encoding::Binary);
        writer.push(&wire.attach_packet(None));
        writer.push(&Packet::Padding(padding));
        let body = veil(&writer.finish(), [9, 8, 7, 6]);
        let header = ["Content-Type: text/plain"];
        let answer = request(server.addr, "POST", "/anywire/poll", &header, &body).await;
        assert_eq!(answer.status, status, "{padding}");
    }
}
