//! Whatever a peer sends, decoding neither panics nor hangs, and what was encoded decodes the same.
//!
//! `PROPTEST_CASES` says how many inputs; `make fuzz` runs a million.

use std::time::Duration;

use anywire_protocol::*;
use bytes::Bytes;
use proptest::prelude::*;

fn hex16() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>()
}

fn number() -> impl Strategy<Value = u64> {
    0..1_u64 << 53
}

fn packet() -> impl Strategy<Value = Packet> {
    let attach = (
        hex16(),
        hex16(),
        1..1_u64 << 53,
        number(),
        prop::option::of(0..1_000_000_u64),
    );
    let open = (
        hex16(),
        1..1_u64 << 53,
        number(),
        prop::option::of(0..1_000_000_u64),
    );
    prop_oneof![
        ".{0,40}".prop_map(|text| Packet::Message(Message::text(text))),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(|b| Packet::Message(Message::binary(b))),
        ".{0,40}".prop_map(|text| Packet::Part(Message::text(text))),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(|b| Packet::Part(Message::binary(b))),
        position().prop_map(Packet::Ack),
        position().prop_map(Packet::Offset),
        ".{0,40}".prop_map(|text| Packet::Ping(text.into())),
        ".{0,40}".prop_map(|text| Packet::Pong(text.into())),
        (close_code(), ".{0,30}")
            .prop_map(|(code, text)| Packet::Close(CloseReason::new(code, &text))),
        Just(Packet::Superseded),
        (0_usize..40).prop_map(Packet::Padding),
        proptest::option::of(0..1_u64 << 40)
            .prop_map(|keep| Packet::Leave(keep.map(Duration::from_millis))),
        attach.prop_map(|(session, secret, generation, received, hold)| {
            Packet::Attach(Box::new(Attach {
                session: SessionId::from_bytes(session),
                secret: Secret::from_bytes(secret),
                generation: Generation::new(generation),
                received: Offset::new(received),
                hold: hold.map(Duration::from_millis),
            }))
        }),
        ".{0,30}".prop_map(|text| Packet::Credential(Credential::new(text))),
        (open, can(), proptest::option::of(".{1,30}")).prop_map(
            |((key, generation, received, hold), can, credential)| {
                Packet::Open(Box::new(Open {
                    key: OpeningKey::from_bytes(key),
                    generation: Generation::new(generation),
                    received: Offset::new(received),
                    hold: hold.map(Duration::from_millis),
                    protocols: vec!["chat".into()],
                    can,
                    credential: credential.map(Credential::new),
                }))
            }
        ),
        (hex16(), hex16(), 1..1_u64 << 53, number(), number(), can()).prop_map(
            |(session, secret, generation, received, first, can)| {
                Packet::Opened(Box::new(Opened {
                    session: SessionId::from_bytes(session),
                    secret: Secret::from_bytes(secret),
                    generation: Generation::new(generation),
                    received: Offset::new(received),
                    first: Offset::new(first),
                    protocol: "chat".into(),
                    can,
                    limits: AnnouncedLimits::default(),
                }))
            }
        ),
    ]
}

/// Half of them between messages.
fn position() -> impl Strategy<Value = Position> {
    let bytes = prop_oneof![Just(0), number()];
    (number(), bytes).prop_map(|(offset, bytes)| Position::new(Offset::new(offset), bytes))
}

/// Codes that a close may carry (PROTOCOL §3.5).
fn close_code() -> impl Strategy<Value = CloseCode> {
    prop_oneof![1_000_u16..=1_003, 1_007_u16..=1_014, 3_000_u16..=4_999]
        .prop_map(CloseCode::from_u16)
}

/// Known names and others.
fn can() -> impl Strategy<Value = Can> {
    const NAMES: &[&str] = &["part", "veil", "leave", "credential", "topic", "lineage"];
    prop::collection::vec(prop::sample::select(NAMES), 0..4).prop_map(Can::from_names)
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Text), Just(Encoding::Binary)]
}

/// Bytes that look like a payload more often than chance would have it.
fn nearly_a_payload() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        "[0-9]{1,4}:[a-zA-Z].{0,8}".prop_map(String::into_bytes),
        (0_u8..20, "[oxOntbTBapqcs-]", ".{0,8}").prop_map(|(length, letter, content)| {
            [&[length][..], letter.as_bytes(), content.as_bytes()].concat()
        }),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn config() -> ProptestConfig {
    // PROPTEST_CASES overrides the number of cases.
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn payloads_survive_a_round_trip(
        packets in prop::collection::vec(packet(), 0..8),
        encoding in encoding(),
    ) {
        let mut writer = PayloadWriter::new(encoding);
        packets.iter().for_each(|packet| writer.push(packet));
        prop_assert_eq!(decode_payload(encoding, writer.finish()), Ok(packets));
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in nearly_a_payload(), encoding in encoding()) {
        if let Ok(packets) = decode_payload(encoding, Bytes::from(bytes)) {
            let mut writer = PayloadWriter::new(encoding);
            packets.iter().for_each(|packet| writer.push(packet));
            prop_assert_eq!(decode_payload(encoding, writer.finish()), Ok(packets));
        }
    }

    #[test]
    fn escaped_bodies_read_the_same_in_pieces_and_no_input_panics(
        text in ".{0,60}",
        noise in "[ -~é]{0,40}",
        piece in 1_usize..7,
    ) {
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut unescaper = Unescaper::default();
        let mut out = bytes::BytesMut::new();
        for piece in escaped.as_bytes().chunks(piece) {
            unescaper.push(piece, &mut out).expect("it is well escaped");
        }
        prop_assert_eq!(unescaper.finish(), Ok(()));
        prop_assert_eq!(&out[..], text.as_bytes());
        let _ = unescape(format!("b={noise}").into());
        prop_assert_eq!(unescape(format!("1:{noise}").into()), Ok(Bytes::from(format!("1:{noise}"))));
    }

    #[test]
    fn a_payload_reads_the_same_in_pieces(
        bytes in prop_oneof![
            nearly_a_payload(),
            (prop::collection::vec(packet(), 0..8), encoding()).prop_map(|(packets, encoding)| {
                let mut writer = PayloadWriter::new(encoding);
                packets.iter().for_each(|packet| writer.push(packet));
                writer.finish().to_vec()
            }),
        ],
        piece in 1_usize..40,
        encoding in encoding(),
    ) {
        let mut reader = PayloadReader::new(encoding, 1 << 20);
        let mut packets = Vec::new();
        let mut outcome = Ok(());
        'pieces: for piece in bytes.chunks(piece) {
            reader.push(piece);
            loop {
                match reader.next_packet() {
                    Ok(Some(packet)) => packets.push(packet),
                    Ok(None) => break,
                    Err(error) => {
                        outcome = Err(error);
                        break 'pieces;
                    }
                }
            }
        }
        if let Ok(whole) = decode_payload(encoding, Bytes::from(bytes)) {
            prop_assert_eq!(outcome, Ok(()));
            prop_assert_eq!(packets, whole);
        }
    }

    #[test]
    fn a_long_message_goes_out_shared_and_reads_the_same(
        text in prop_oneof!["[a-zé🦀]{0,40}", "[a-zé🦀]{4090,4200}"],
        is_text in any::<bool>(),
        is_part in any::<bool>(),
        encoding in encoding(),
    ) {
        let message = if is_text { Message::text(text) } else { Message::binary(text.into_bytes()) };
        let mut writer = PayloadWriter::new(encoding);
        writer.push_prelude(2_048);
        let mut payload = writer.take().to_vec();
        prop_assert_eq!(payload.len(), 2_048);
        let shared = match is_part {
            true => writer.push_shared_part(&message),
            false => writer.push_shared(&message),
        };
        payload.extend_from_slice(&writer.take());
        if let Some(content) = shared {
            prop_assert_eq!(content.as_ptr(), message.as_bytes().as_ptr());
            payload.extend_from_slice(&content);
        }
        let packets = decode_payload(encoding, payload.into()).expect("it was written so");
        prop_assert!(matches!(packets[0], Packet::Padding(_)));
        let expected = if is_part { Packet::Part(message) } else { Packet::Message(message) };
        prop_assert_eq!(&packets[1..], &[expected]);
    }

    #[test]
    fn frames_survive_a_round_trip(packet in packet()) {
        if !matches!(packet, Packet::Offset(_)) {
            let frame = match &packet {
                Packet::Message(message) => match message.as_text() {
                    Some(text) if text.starts_with('\u{10}') => Message::text(format!("\u{10}{text}")),
                    _ => message.clone(),
                },
                control => {
                    let mut bytes = Vec::new();
                    encode_control(control, &mut bytes);
                    Message::from_utf8(bytes.into()).expect("control packets are UTF-8")
                }
            };
            let mut reader = FrameReader::default();
            let mut read = reader.read(frame).expect("it was written so");
            if let (None, Packet::Part(part)) = (&read, &packet) {
                read = reader.read(part.clone()).expect("it was announced");
            }
            prop_assert_eq!(read, Some(packet));
        }
    }

    #[test]
    fn any_frames_decode_or_are_refused(texts in prop::collection::vec("\u{10}?[TB]?.{0,60}", 0..5)) {
        let mut reader = FrameReader::default();
        for text in texts {
            let _ = reader.read(Message::text(text.clone()));
            let _ = reader.read(Message::binary(text.into_bytes()));
        }
    }

    #[test]
    fn a_veil_comes_off_and_any_other_body_is_refused(
        payload in prop::collection::vec(any::<u8>(), 0..60),
        mask in any::<[u8; 4]>(),
        other in prop_oneof!["v=[A-Za-z0-9_-]{0,40}", ".{0,40}"],
    ) {
        let veiled = veil(&payload, mask);
        prop_assert!(veiled.is_ascii());
        prop_assert_eq!(veiled.len(), veiled_bytes(payload.len()));
        prop_assert!(veiled_bytes(unveiled_bytes(veiled.len())) <= veiled.len());
        prop_assert_eq!(unveil(&veiled), Ok(payload.into()));
        let _ = unveil(other.as_bytes());
    }

    #[test]
    fn any_requests_join_or_close_the_session(
        requests in prop::collection::vec(prop::collection::vec(packet(), 0..8), 0..6),
    ) {
        let limits = Limits::default().max_message_bytes(100);
        let now = Timestamp::default();
        let mut session = Session::new(Role::Server, limits.into(), now);
        session.agree(Can::SPOKEN);
        for packets in requests {
            let generation = session.generation();
            let _ = session.handle_request(generation, Offset::default(), packets, None, now);
            prop_assert!(session.received_position().bytes <= 100);
        }
    }

    #[test]
    fn any_offer_is_read_or_refused(tokens in prop::collection::vec("(anywire\\.(v1|open|attach))?[.0-9a-f]{0,80}", 0..5)) {
        let _ = Offer::parse(tokens.iter().map(String::as_str));
    }
}
