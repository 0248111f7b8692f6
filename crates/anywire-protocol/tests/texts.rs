//! What errors say: each text names what came. An architecture test sees to it that no text is missing here or elsewhere.

use anywire_protocol::*;

type Cause = fn(&str) -> Result<(), ProtocolError>;

fn text_payload(input: &str) -> Result<(), ProtocolError> {
    decode_payload(Encoding::Text, input.to_owned().into()).map(drop)
}

/// A binary payload, written as Latin-1.
fn binary_payload(input: &str) -> Result<(), ProtocolError> {
    let bytes: Vec<u8> = input.chars().map(|character| character as u8).collect();
    decode_payload(Encoding::Binary, bytes.into()).map(drop)
}

/// The text encoding's payload, written as Latin-1.
fn raw_text_payload(input: &str) -> Result<(), ProtocolError> {
    let bytes: Vec<u8> = input.chars().map(|character| character as u8).collect();
    decode_payload(Encoding::Text, bytes.into()).map(drop)
}

fn frame(input: &str) -> Result<(), ProtocolError> {
    decode_frame(Message::text(format!("\u{10}{input}"))).map(drop)
}

/// The packets behind the first of a payload in the text encoding.
fn request(input: &str) -> Result<(), ProtocolError> {
    let packets = decode_payload(Encoding::Text, input.to_owned().into())?;
    check_request(&packets, false, &Limits::default())
}

fn agreed(input: &str) -> Result<(), ProtocolError> {
    let packets = decode_payload(Encoding::Text, input.to_owned().into())?;
    check_agreed(&packets, Can::NONE)
}

/// Two parts, of which the second begins where the first does if that is short.
fn parts(input: &str) -> Result<(), ProtocolError> {
    let (first, second) = input.split_once(' ').expect("two parts");
    let limits = Limits::default().max_message_bytes(4);
    let mut session = Session::new(Role::Server, limits.into(), Timestamp::default());
    session.agree(Can::PART);
    let from = if first.len() == 1 { 0 } else { first.len() };
    for (bytes, text) in [(0, first), (from, second)] {
        let at = Position::new(Offset::default(), bytes as u64);
        let packets = vec![Packet::Offset(at), Packet::Part(text.into())];
        let (generation, received) = (Generation::new(1), Offset::default());
        let now = Timestamp::default();
        match session.handle_request(generation, received, packets, None, now) {
            Err(AttachError::Protocol(error)) => return Err(error),
            other => assert_eq!(other, Ok(None)),
        }
    }
    Ok(())
}

fn veiled(input: &str) -> Result<(), ProtocolError> {
    unveil(input.as_bytes()).map(drop)
}

/// A request with one ping, or one message behind an offset, of so many bytes.
fn long_ping(bytes: &str) -> Result<(), ProtocolError> {
    let long = ".".repeat(bytes.parse().expect("a number"));
    check_request(&[Packet::Ping(long.into())], false, &Limits::default())
}

fn long_message(bytes: &str) -> Result<(), ProtocolError> {
    let long = ".".repeat(bytes.parse().expect("a number"));
    let packets = [
        Packet::Offset(Offset::default().into()),
        Packet::Message(long.into()),
    ];
    check_request(&packets, false, &Limits::default())
}

fn offer(input: &str) -> Result<(), ProtocolError> {
    Offer::parse(input.split(", ")).map(drop)
}

fn renewal(content: &str) -> Result<(), ProtocolError> {
    Renewal::parse(content).map(drop)
}

fn long_offer(bytes: &str) -> Result<(), ProtocolError> {
    let long = "p".repeat(bytes.parse().expect("a number"));
    Offer::parse(["anywire.v1", &long].into_iter()).map(drop)
}

fn long_open(bytes: &str) -> Result<(), ProtocolError> {
    let long = "p".repeat(bytes.parse().expect("a number"));
    frame(&format!(r#"o{{"version":1,"x":"{long}"}}"#))
}

fn many_packets(count: &str) -> Result<(), ProtocolError> {
    text_payload(&"1:-x".repeat(count.parse().expect("a number")))
}

fn escaped(input: &str) -> Result<(), ProtocolError> {
    unescape(input.to_owned().into()).map(drop)
}

fn sub_protocols(count: &str) -> Result<(), ProtocolError> {
    let names: Vec<_> = (0..count.parse::<usize>().expect("a number"))
        .map(|index| format!("p{index}"))
        .collect();
    let tokens = std::iter::once("anywire.v1").chain(names.iter().map(String::as_str));
    Offer::parse(tokens).map(drop)
}

/// Packets to a session of a server, which sent nothing.
fn session(input: &str) -> Result<(), ProtocolError> {
    let packets = decode_payload(Encoding::Text, input.to_owned().into())?;
    let limits = std::sync::Arc::new(Limits::default());
    let mut session = Session::new(Role::Server, limits, Timestamp::default());
    let received = Offset::default();
    let attached = session.handle_attach(
        Generation::new(1),
        received,
        ConnectionMode::Duplex,
        Timestamp::default(),
    );
    let fence = Fence::Connection(attached.expect("it is open").id);
    for packet in packets {
        match session.handle_packet(fence, packet, Timestamp::default()) {
            Err(AttachError::Protocol(error)) => return Err(error),
            other => other.expect("the connection is the newest"),
        }
    }
    Ok(())
}

const KEY: &str = "00112233445566778899aabbccddeeff";

#[test]
fn an_error_names_what_came() {
    let open = format!("anywire.v1, anywire.open.{KEY}.1");
    let table: &[(Cause, &str, &str)] = &[
        (
            text_payload,
            "9:ta",
            "a packet that is longer than the payload that holds it",
        ),
        (
            text_payload,
            "1:t🦀",
            "a packet whose length ends inside a character: lengths count UTF-16 code units",
        ),
        (
            text_payload,
            "01:ta",
            "a number that is not decimal, has leading zeros, or is 2^53 or more",
        ),
        (
            text_payload,
            "1:ba",
            "a binary message that is not base64: in the text encoding it must be",
        ),
        (text_payload, "0:Z", "a packet with an unknown letter"),
        (
            text_payload,
            "85:o{\"version\":1,\"key\":\"00112233445566778899aabbccddeeff\",\"generation\":1,\"credential\":\"\"}",
            "an empty credential: leave it out",
        ),
        (text_payload, "1:sx", "a superseded packet with a content"),
        (
            text_payload,
            "32:x00112233445566778899aabbccddeeff",
            "an attach packet that is not `id secret generation received [holdMs]`",
        ),
        (
            raw_text_payload,
            "1:t\u{ff}",
            "a payload in the text encoding that is not UTF-8",
        ),
        (
            binary_payload,
            "\u{1}t\u{ff}",
            "a text message that is not UTF-8",
        ),
        (binary_payload, "\u{1}p\u{ff}", "a packet that is not UTF-8"),
        (
            binary_payload,
            "\u{80}\u{80}\u{80}\u{80}\u{80}\u{1}",
            "a packet length of more than 5 bytes",
        ),
        (
            binary_payload,
            "\u{81}\u{0}p",
            "a packet length that is not in its shortest LEB128 form",
        ),
        (
            many_packets,
            "1025",
            "a payload of more than 1,024 packets: send fewer at once",
        ),
        (frame, "", "a packet without a letter"),
        (frame, "t", "a packet for payloads only, on a WebSocket"),
        (
            frame,
            "o{",
            "an open packet whose content is not the JSON of PROTOCOL §3.1",
        ),
        (
            frame,
            "O{",
            "an opened packet whose content is not the JSON of PROTOCOL §3.2",
        ),
        (
            long_open,
            "16384",
            "an open packet of more than 16,384 bytes",
        ),
        (
            frame,
            "c999",
            "a close packet with a code other than 1000 to 1003, 1007 to 1014 or 3000 to 4999",
        ),
        (
            frame,
            "c1000 ............................................................................................................................",
            "a close reason of more than 123 bytes",
        ),
        (
            frame,
            "r1 poll connect",
            "a report that does not have five words",
        ),
        (
            frame,
            "r0 poll connect 1 ok",
            "a report with the number 0: attempts count from 1",
        ),
        (
            frame,
            "r1 POLL connect 1 ok",
            "a report with a word that is not 1 to 16 lower-case letters, digits and hyphens",
        ),
        (
            frame,
            "x00112233445566778899aabbccddeeff 00112233445566778899aabbccddeeff 0 0",
            "a generation of 0: the first is 1",
        ),
        (
            frame,
            "x00112233445566778899aabbccddeeff 00112233445566778899aabbccddeeff 1 0 0 0",
            "an attach packet of more than five words",
        ),
        (
            frame,
            "xZ 00112233445566778899aabbccddeeff 1 0",
            "a session id that is not 32 lower-case hex digits",
        ),
        (request, "0:p0:p", "two pings in a payload"),
        (
            request,
            "1:n00:n",
            "a number that is not decimal, has leading zeros, or is 2^53 or more",
        ),
        (
            request,
            "1:n01:n0",
            "two offsets in a payload: one stands before the first message",
        ),
        (request, "1:ta", "a message without an offset before it"),
        (request, "4:c10001:n01:ta", "a message behind a close"),
        (request, "4:c10004:c1000", "two closes in a payload"),
        (request, "1:ka1:kb", "two credentials in a payload"),
        (request, "0:q", "a packet that only servers send"),
        (
            request,
            "69:x00112233445566778899aabbccddeeff 00112233445566778899aabbccddeeff 1 0",
            "a second open or attach: a request begins with one of them",
        ),
        (request, "1:n01:Tx4:c1000", "a close inside a message"),
        (
            request,
            "1:n01:Tx0:b",
            "a text part that goes on in binary, or the reverse",
        ),
        (
            agreed,
            "1:Tx",
            "a part, or bytes of one, in a session whose sides have not agreed that they can",
        ),
        (
            agreed,
            "0:l",
            "a leave in a session whose sides have not agreed that they can",
        ),
        (parts, "abcd e", "a message longer than maxMessageBytes"),
        (
            parts,
            "a 🦀",
            "a part of a text that does not join what came before between two characters",
        ),
        (
            frame,
            "BAQID",
            "a frame that announces a binary part with a content, or behind another such frame",
        ),
        (
            frame,
            "B",
            "a frame that announces a binary part, which stands alone",
        ),
        (
            veiled,
            "v=AQID",
            "a veiled body that is not `v=`, and base64url of a mask and a payload",
        ),
        (long_ping, "32769", "a ping longer than maxPingBytes"),
        (
            long_message,
            "1048577",
            "a message longer than maxMessageBytes",
        ),
        (
            escaped,
            "b=1&c=2",
            "an escaped body that is not one field, `b`",
        ),
        (
            escaped,
            "b=%2",
            "a % without two hexadecimal digits behind it: escape as encodeURIComponent does",
        ),
        (
            offer,
            "chat",
            "this server speaks version 1: offer the sub-protocol anywire.v1, or open with \"version\":1",
        ),
        (
            offer,
            "anywire.v1, anywire.opne.x",
            "an unknown token that begins with `anywire.`: misspelt, or of a later version",
        ),
        (
            offer,
            "anywire.v1, a b",
            "a sub-protocol that is no token of RFC 9110, or begins with `anywire.`",
        ),
        (
            offer,
            "anywire.v1, anywire.open.x",
            "an open offer that is not anywire.open.{key}.{generation}",
        ),
        (
            offer,
            "anywire.v1, anywire.attach.00112233445566778899aabbccddeeff.00112233445566778899aabbccddeeff.1.0.5",
            "an attach offer with holdMs: only exchanges are held",
        ),
        (
            offer,
            "anywire.v1, anywire.can.part",
            "anywire.can… without an offer to open: what a session can is agreed when it opens",
        ),
        (
            offer,
            "anywire.v1, anywire.credential.YQ",
            "anywire.credential… without an offer to open: an attach shows the session's secret",
        ),
        (
            offer,
            "anywire.v1, anywire.credential._w",
            "a credential of an offer that is no base64url of a text",
        ),
        (
            renewal,
            "what",
            "a credential packet of a server that is neither `ask ms` nor `ok`",
        ),
        (long_offer, "16384", "an offer of more than 16,384 bytes"),
        (sub_protocols, "17", "more than 16 sub-protocols"),
        (session, "1:a1", "an ack above what was sent"),
        (
            session,
            "0:s",
            "a packet that does not belong here: one of another direction, transport or time",
        ),
    ];
    let mut wrong = Vec::new();
    for (cause, input, expected) in table {
        match cause(input) {
            Err(error) if error.what() == *expected => {}
            other => wrong.push(format!("{input:.60}: {other:?}, expected {expected}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (more, expected) in [
        (
            ", anywire.can.part, anywire.can.leave",
            "two anywire.can… in one offer",
        ),
        (
            ", anywire.credential.YQ, anywire.credential.YQ",
            "two anywire.credential… in one offer",
        ),
        (
            ", anywire.open.00112233445566778899aabbccddeeff.2",
            "two offers in a request: it opens or attaches once",
        ),
    ] {
        let error = offer(&format!("{open}{more}")).expect_err(expected);
        assert_eq!(error.what(), expected);
    }
    let mut gap = Session::new(
        Role::Client,
        std::sync::Arc::default(),
        Timestamp::default(),
    );
    let fence = Fence::Generation(Generation::new(1));
    gap.handle_packet(
        fence,
        Packet::Offset(Offset::new(5).into()),
        Timestamp::default(),
    )
    .expect("no message yet");
    let gap = gap.handle_packet(fence, Packet::Message("a".into()), Timestamp::default());
    let Err(AttachError::Protocol(gap)) = gap else {
        panic!("{gap:?}")
    };
    assert_eq!(
        gap.what(),
        "a message above what was received: attach anew and send the ones between"
    );
}

#[test]
fn limits_that_contradict_each_other_are_named() {
    use std::time::Duration;
    type Change = fn(&mut Limits);
    let changes: [(Change, &str); 12] = [
        (
            |limits| limits.max_credential_bytes = 8_193,
            "max_credential_bytes must be at most 8,192: an offer carries no longer ones",
        ),
        (
            |limits| limits.max_payload_bytes = 10,
            "max_payload_bytes must be at least 4/3 max_part_bytes + 1,024",
        ),
        (
            |limits| limits.max_outbox_messages = 0,
            "max_message_bytes and max_outbox_messages must not be zero",
        ),
        (
            |limits| limits.max_inbox_bytes = 0,
            "max_inbox_messages and max_inbox_bytes must not be zero",
        ),
        (
            |limits| limits.heartbeat_timeout = limits.ack_delay,
            "heartbeat_timeout must be longer than ack_delay",
        ),
        (
            |limits| limits.max_part_bytes = 1_000,
            "max_part_bytes must be at least 1,024: each part costs a packet",
        ),
        (
            |limits| limits.max_part_bytes = 400_000,
            "max_part_bytes must be at most 320,000: a slow line carries no longer part in 20 s",
        ),
        (
            |limits| limits.max_message_bytes = 1 << 32,
            "max_message_bytes must be below 4 GiB",
        ),
        (
            |limits| limits.padding = Duration::ZERO,
            "padding and stream_age must not be zero",
        ),
        (
            |limits| limits.max_stream_bytes = 100,
            "max_stream_bytes must be at least 4,096: a prelude and opened come before the first message",
        ),
        (
            |limits| limits.hold = Duration::from_secs(100 * 86_400),
            "durations must be below 24 days: browsers have no longer timers",
        ),
        (
            |limits| limits.resume_window = Duration::ZERO,
            "resume_window must not be zero: polls need it between two polls",
        ),
    ];
    for (change, expected) in changes {
        let mut limits = Limits::default();
        change(&mut limits);
        let error = limits.check().expect_err(expected).to_string();
        assert_eq!(error, format!("limits do not fit together: {expected}"));
    }
}
