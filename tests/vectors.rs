//! The vectors under `vectors/` bind the spec, Rust and JavaScript together; the browser client's tests read them too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use anywire_protocol::{
    Can, CloseCode, Encoding, Event, FrameReader, Generation, Limits, Message, MessageKind, Offer,
    Offset, Packet, PayloadWriter, ProtocolError, Role, Session, Timestamp, check_request,
    decode_frame, decode_payload, encode_control, escape_line, is_answer, unescape, unveil, veil,
    veiled_bytes,
};
use serde_json::Value;

fn load(name: &str) -> Value {
    let path = format!("{}/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the vectors are there");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

fn each<'a>(cases: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let cases = cases[kind].as_array().expect("a list of cases");
    assert!(!cases.is_empty());
    cases
        .iter()
        .map(|case| (case["name"].as_str().expect("a name"), case))
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The packet that a vector names by letter and content.
fn packet(vector: &Value) -> Packet {
    let (letter, content) = (vector[0].as_str().unwrap(), vector[1].as_str().unwrap());
    let length = content.encode_utf16().count();
    let payload = format!("{length}:{letter}{content}");
    decode_payload(Encoding::Text, payload.into())
        .unwrap()
        .remove(0)
}

/// The packets that a list of such vectors names.
fn packets(vectors: &Value) -> Vec<Packet> {
    vectors.as_array().unwrap().iter().map(packet).collect()
}

#[test]
fn payloads_read_and_write_as_the_vectors_say() {
    let vectors = load("payloads.json");
    for (name, case) in each(&vectors, "valid") {
        let packets = packets(&case["packets"]);
        let text = case["text"].as_str().map(|text| text.as_bytes().to_vec());
        let binary = case["binary"].as_str().map(unhex);
        for (encoding, expected) in [(Encoding::Text, text), (Encoding::Binary, binary)] {
            let Some(expected) = expected else { continue };
            let read = decode_payload(encoding, expected.clone().into());
            assert_eq!(read.as_ref(), Ok(&packets), "{name} {encoding:?}");
            let mut writer = PayloadWriter::new(encoding);
            packets.iter().for_each(|packet| writer.push(packet));
            let again = decode_payload(encoding, writer.finish());
            assert_eq!(
                again.as_ref(),
                Ok(&packets),
                "{name} {encoding:?}: what is written reads the same"
            );
            if packets
                .iter()
                .all(|packet| matches!(packet, Packet::Message(_) | Packet::Ack(_)))
            {
                let mut writer = PayloadWriter::new(encoding);
                packets.iter().for_each(|packet| writer.push(packet));
                assert_eq!(writer.finish(), expected, "{name} {encoding:?}");
            }
        }
    }
    for (name, case) in each(&vectors, "invalid") {
        let (encoding, bytes) = match (case["text"].as_str(), case["binary"].as_str()) {
            (Some(text), None) => (Encoding::Text, text.as_bytes().to_vec()),
            (None, Some(hex)) => (Encoding::Binary, unhex(hex)),
            _ => panic!("{name}: one of text and binary"),
        };
        let error = decode_payload(encoding, bytes.into()).expect_err(name);
        assert_eq!(error.code(), CloseCode::PROTOCOL_ERROR, "{name}");
    }
}

#[test]
fn escaped_bodies_and_padding_read_as_the_vectors_say() {
    let vectors = load("escapes.json");
    let read = |body: &Value| {
        let body = body.as_str().expect("a body").as_bytes().to_vec();
        decode_payload(Encoding::Text, unescape(body.into())?)
    };
    for kind in ["escaped", "accepted"] {
        for (name, case) in each(&vectors, kind) {
            let packets = packets(&case["packets"]);
            assert_eq!(read(&case["body"]), Ok(packets), "{name}");
            let is_ascii = case["body"].as_str().unwrap().is_ascii();
            assert!(kind == "accepted" || is_ascii, "{name}");
        }
    }
    for (name, case) in each(&vectors, "refused") {
        let error = read(&case["body"]).expect_err(name);
        assert_eq!(error.code(), CloseCode::PROTOCOL_ERROR, "{name}");
    }
    for (name, case) in each(&vectors, "lines") {
        let mut writer = PayloadWriter::new(Encoding::Text);
        for vector in case["packets"].as_array().unwrap() {
            writer.push(&packet(vector));
        }
        let mut data = bytes::BytesMut::new();
        escape_line(&writer.finish(), &mut data);
        assert_eq!(
            &data[..],
            case["data"].as_str().unwrap().as_bytes(),
            "{name}"
        );
    }
    for (name, case) in each(&vectors, "padding") {
        let length = usize::try_from(case["length"].as_u64().unwrap()).unwrap();
        let padding = Packet::Padding(length);
        let text = case["text"].as_str().unwrap().as_bytes().to_vec();
        let binary = unhex(case["binary"].as_str().unwrap());
        for (encoding, payload) in [(Encoding::Text, text), (Encoding::Binary, binary)] {
            let mut writer = PayloadWriter::new(encoding);
            writer.push(&padding);
            assert_eq!(writer.finish(), payload, "{name} {encoding:?}");
            let read = decode_payload(encoding, payload.into());
            assert_eq!(read, Ok(vec![padding.clone()]), "{name} {encoding:?}");
        }
    }
}

#[test]
fn veiled_bodies_read_and_write_as_the_vectors_say() {
    let vectors = load("veils.json");
    for (name, case) in each(&vectors, "veiled") {
        let body = case["body"].as_str().unwrap().as_bytes();
        let packets = packets(&case["packets"]);
        let payload = unveil(body).expect(name);
        assert_eq!(veiled_bytes(payload.len()), body.len(), "{name}");
        assert_eq!(
            decode_payload(Encoding::Binary, payload),
            Ok(packets.clone()),
            "{name}"
        );
        let mut writer = PayloadWriter::new(Encoding::Binary);
        packets.iter().for_each(|packet| writer.push(packet));
        let mask = unhex(case["mask"].as_str().unwrap()).try_into().unwrap();
        assert_eq!(veil(&writer.finish(), mask), body, "{name}");
    }
    for (name, case) in each(&vectors, "refused") {
        let error = unveil(case["body"].as_str().unwrap().as_bytes()).expect_err(name);
        assert_eq!(error.code(), CloseCode::PROTOCOL_ERROR, "{name}");
    }
}

#[test]
fn frames_read_and_write_as_the_vectors_say() {
    let vectors = load("frames.json");
    for (name, case) in each(&vectors, "valid") {
        let expected = packet(&case["packet"]);
        let frame = match (case["text"].as_str(), case["binary"].as_str()) {
            (Some(text), None) => Message::text(text),
            (None, Some(hex)) => Message::binary(unhex(hex)),
            _ => panic!("{name}: one of text and binary"),
        };
        assert_eq!(
            decode_frame(frame.clone()).as_ref(),
            Ok(&expected),
            "{name}"
        );
        if !matches!(expected, Packet::Message(_)) {
            let mut written = Vec::new();
            encode_control(&expected, &mut written);
            let written = Message::from_utf8(written.into()).unwrap();
            assert_eq!(decode_frame(written).as_ref(), Ok(&expected), "{name}");
        } else if frame.kind() == MessageKind::Binary {
            assert!(
                matches!(expected, Packet::Message(message) if message == frame),
                "{name}"
            );
        }
    }
    for (name, case) in each(&vectors, "invalid") {
        let frame = Message::text(case["text"].as_str().expect("text"));
        let error = decode_frame(frame).expect_err(name);
        assert_eq!(error.code(), CloseCode::PROTOCOL_ERROR, "{name}");
    }
}

#[test]
fn frames_of_parts_read_as_the_vectors_say() {
    for (name, case) in each(&load("frames.json"), "sequences") {
        let frames = case["frames"].as_array().unwrap().iter();
        let frames = frames.map(|frame| match frame["text"].as_str() {
            Some(text) => Message::text(text),
            None => Message::binary(unhex(frame["binary"].as_str().unwrap())),
        });
        let mut reader = FrameReader::default();
        let read = frames.map(|frame| reader.read(frame));
        let read: Result<Vec<_>, _> = read.collect();
        match case["code"].as_u64() {
            Some(_) => assert_eq!(code(read.err()), case["code"].as_u64(), "{name}"),
            None => {
                let expected = packets(&case["packets"]);
                let read: Vec<_> = read.unwrap().into_iter().flatten().collect();
                assert_eq!(read, expected, "{name}");
            }
        }
    }
}

#[test]
fn parts_join_as_the_vectors_say() {
    let vectors = load("parts.json");
    let limit = vectors["maxMessageBytes"].as_u64().unwrap();
    let limits = Limits::default().max_message_bytes(usize::try_from(limit).unwrap());
    for (name, case) in each(&vectors, "cases") {
        let now = Timestamp::default();
        let mut session = Session::new(Role::Server, limits.clone().into(), now);
        session.agree(Can::PART);
        let mut judged = Ok(None);
        for payload in case["payloads"].as_array().unwrap() {
            assert_eq!(judged, Ok(None), "{name}");
            let before = session.received_position();
            let (generation, received) = (Generation::new(1), Offset::default());
            judged = session.handle_request(generation, received, packets(payload), None, now);
            if judged.is_err() {
                // The close takes what was not whole.
                assert_eq!(session.received(), before.offset, "{name}");
            }
        }
        let events = std::iter::from_fn(|| session.poll_event());
        let messages: Vec<_> = events
            .filter_map(|event| match event {
                Event::Message(message) => Some(Packet::Message(message)),
                Event::Closed(_) => None,
            })
            .collect();
        match case["code"].as_u64() {
            Some(expected) => {
                let reason = session.close_reason().expect(name);
                assert_eq!(u64::from(reason.code.as_u16()), expected, "{name}");
            }
            None => {
                judged.expect(name);
                let expected = packets(&case["messages"]);
                assert_eq!(messages, expected, "{name}");
                let ack = session.poll_answer(Timestamp::default()).received;
                assert_eq!(ack.to_string(), case["ack"].as_str().unwrap(), "{name}");
            }
        }
    }
}

#[test]
fn answers_have_the_grammar_that_the_vectors_say() {
    let vectors = load("answers.json");
    for (kind, expected) in [("valid", true), ("invalid", false)] {
        for (name, case) in each(&vectors, kind) {
            let text = case["text"].as_str().expect("text").to_owned();
            let packets = decode_payload(Encoding::Text, text.into()).expect(name);
            assert_eq!(is_answer(&packets), expected, "{name}");
        }
    }
}

/// What a server judges of a request without knowing its session.
fn judge_request(body: String) -> Result<(), ProtocolError> {
    let wrong = || ProtocolError::new(CloseCode::PROTOCOL_ERROR, "no head");
    let mut packets = decode_payload(Encoding::Text, body.into())?.into_iter();
    let hold = match packets.next() {
        Some(Packet::Open(open)) => open.hold,
        Some(Packet::Attach(attach)) => attach.hold,
        _ => return Err(wrong()),
    };
    let rest = packets.collect::<Vec<_>>();
    check_request(&rest, hold.is_some(), &Limits::default())
}

#[test]
fn requests_are_taken_or_refused_as_the_vectors_say() {
    for (name, case) in each(&load("requests.json"), "cases") {
        let times = usize::try_from(case["times"].as_u64().unwrap_or_default()).unwrap();
        let then = case["then"].as_str().unwrap_or_default().repeat(times);
        let judged = judge_request(case["text"].as_str().expect("text").to_owned() + &then);
        assert_eq!(code(judged.err()), case["code"].as_u64(), "{name}");
    }
}

#[test]
fn offers_are_read_or_refused_as_the_vectors_say() {
    for (name, case) in each(&load("offers.json"), "cases") {
        let tokens = case["tokens"].as_array().expect("tokens").iter();
        let offer = Offer::parse(tokens.map(|token| token.as_str().unwrap()));
        assert_eq!(code(offer.clone().err()), case["code"].as_u64(), "{name}");
        if let Ok(offer) = offer {
            let written = offer.tokens();
            let again = Offer::parse(written.iter().map(String::as_str));
            assert_eq!(again, Ok(offer), "{name}: what is written reads the same");
        }
    }
}

fn code(error: Option<ProtocolError>) -> Option<u64> {
    error.map(|error| error.code().as_u16().into())
}

#[test]
fn both_sides_can_what_the_vectors_say() {
    let open = |can: &Value| {
        let mut open = serde_json::json!({
            "version": 1, "key": "00112233445566778899aabbccddeeff", "generation": 1,
        });
        if !can.is_null() {
            open["can"] = can.clone();
        }
        let content = open.to_string();
        let payload = format!("{}:o{content}", content.len());
        match decode_payload(Encoding::Text, payload.into())
            .unwrap()
            .remove(0)
        {
            Packet::Open(open) => open.can,
            other => panic!("{other:?}"),
        }
    };
    let offer = |can: &Value| {
        let names = can.as_array().map(|names| {
            let names: Vec<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
            format!("anywire.can.{}", names.join("."))
        });
        let open = "anywire.open.00112233445566778899aabbccddeeff.1";
        let tokens = ["anywire.v1", open].into_iter().chain(names.as_deref());
        match Offer::parse(tokens).unwrap() {
            Offer::Open(open) => open.can,
            other => panic!("{other:?}"),
        }
    };
    for (name, case) in each(&load("can.json"), "cases") {
        let (open, offer) = (open(&case["client"]), offer(&case["client"]));
        assert_eq!(open, offer, "{name}: on every leg");
        let server = case["server"].as_array().into_iter().flatten();
        let server = Can::from_names(server.map(|name| name.as_str().unwrap()));
        let agreed: Vec<_> = open.and(server).names().collect();
        assert_eq!(case["opened"], serde_json::json!(agreed), "{name}");
    }
}

#[test]
fn a_codes_range_says_what_to_do() {
    for case in load("close-codes.json").as_array().expect("a list") {
        let code = CloseCode::from_u16(u16::try_from(case["code"].as_u64().unwrap()).unwrap());
        assert_eq!(case["disposition"], code.disposition().name(), "{code}");
    }
}
