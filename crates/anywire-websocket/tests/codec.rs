//! The frame codec: whatever is encoded decodes the same, however the bytes are cut, in both roles; garbage never
//! panics and never makes it keep more than has come.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use anywire_protocol::{CloseCode, CloseReason, Message};
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role, Violation};
use proptest::prelude::*;

fn encoder(mask: Option<[u8; 4]>) -> Encoder {
    mask.map_or(Encoder::server(), |mask| Encoder::client(move || mask))
}

const MAX: usize = 70_000;

/// A frame to send, and in how many fragments.
#[derive(Clone, Debug)]
enum Sent {
    Message(Message, usize),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        (".{0,200}", 1_usize..5)
            .prop_map(|(text, parts)| Sent::Message(Message::text(text), parts)),
        (prop::collection::vec(any::<u8>(), 0..300), 1_usize..5)
            .prop_map(|(bytes, parts)| Sent::Message(Message::binary(bytes), parts)),
        (65_000_usize..MAX).prop_map(|length| Sent::Message(Message::binary(vec![7; length]), 2)),
        prop::collection::vec(any::<u8>(), 0..126).prop_map(Sent::Ping),
        prop::collection::vec(any::<u8>(), 0..126).prop_map(Sent::Pong),
    ]
}

/// Encodes, by hand where our encoder does not fragment. A ping goes between fragments.
fn encode(sent: &Sent, mask: Option<[u8; 4]>, out: &mut Vec<u8>) -> Vec<Frame> {
    match sent {
        Sent::Ping(content) => {
            encoder(mask).ping(out, content);
            vec![Frame::Ping(content.clone().into())]
        }
        Sent::Pong(content) => {
            encoder(mask).pong(out, content);
            vec![Frame::Pong(content.clone().into())]
        }
        Sent::Message(message, 1) => {
            encoder(mask).raw_message(out, message);
            vec![Frame::Message(message.clone())]
        }
        Sent::Message(message, parts) => {
            let bytes = message.as_bytes();
            let size = bytes.len() / parts + 1;
            let mut frames = Vec::new();
            for part in 0..*parts {
                let from = (part * size).min(bytes.len());
                let chunk = bytes.slice(from..(from + size).min(bytes.len()));
                let begin = out.len();
                encoder(mask).raw_message(out, &Message::binary(chunk));
                let opcode = if part > 0 {
                    0
                } else {
                    2 - u8::from(message.as_text().is_some())
                };
                out[begin] = opcode | if part + 1 == *parts { 0x80 } else { 0 };
                if part + 1 < *parts {
                    encoder(mask).ping(out, b"between");
                    frames.push(Frame::Ping(b"between"[..].into()));
                }
            }
            frames.push(Frame::Message(message.clone()));
            frames
        }
    }
}

fn decode_all(decoder: &mut Decoder, bytes: &[u8], cut: usize) -> Result<Vec<Frame>, Violation> {
    let mut frames = Vec::new();
    for piece in bytes.chunks(cut) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        while let Some(frame) = decoder.decode(&mut input)? {
            frames.push(frame);
        }
        assert!(input.is_empty());
    }
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_decodes_the_same_however_it_is_cut(
        sent in prop::collection::vec(sent(), 0..6),
        mask in any::<[u8; 4]>(),
        cut in prop_oneof![1_usize..20, 1_usize..100_000],
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
    ) {
        let mask = (role == Role::Server).then_some(mask);
        let mut bytes = Vec::new();
        let expected: Vec<_> = sent.iter().flat_map(|one| encode(one, mask, &mut bytes)).collect();
        let decoded = decode_all(&mut Decoder::new(role, MAX), &bytes, cut);
        prop_assert_eq!(decoded.unwrap(), expected);
    }

    #[test]
    fn garbage_decodes_the_same_however_it_is_cut_and_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cut in 1_usize..50,
        role in prop_oneof![Just(Role::Server), Just(Role::Client)],
    ) {
        let whole = decode_all(&mut Decoder::new(role, 300), &bytes, bytes.len().max(1));
        let pieces = decode_all(&mut Decoder::new(role, 300), &bytes, cut);
        prop_assert_eq!(whole.is_err(), pieces.is_err());
        if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
            prop_assert_eq!(whole, pieces);
        }
    }
}

#[test]
fn closes_carry_code_and_reason_or_neither() {
    let mut bytes = Vec::new();
    Encoder::server().close(
        &mut bytes,
        &CloseReason::new(CloseCode::SUPERSEDED, "newer"),
    );
    Encoder::server().close(&mut bytes, &CloseCode::ABNORMAL.into());
    let frames = decode_all(&mut Decoder::new(Role::Client, MAX), &bytes, 3).unwrap();
    let close = Frame::Close(Some((CloseCode::SUPERSEDED, "newer".into())));
    assert_eq!(frames, [close, Frame::Close(None)]);
    for wrong in [
        &[0x88, 1, 3][..],
        &[0x88, 2, 3, 0xee],
        &[0x88, 2, 0, 1],
        &[0x88, 3, 3, 0xe8, 0xff],
    ] {
        assert!(
            decode_all(&mut Decoder::new(Role::Client, MAX), wrong, 1).is_err(),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_length_over_the_limit_is_refused_by_the_head_alone() {
    for head in [
        &[0x82, 126, 0x11, 0x71][..],
        &[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0],
    ] {
        let error = decode_all(&mut Decoder::new(Role::Client, 4_464), head, 1).unwrap_err();
        assert_eq!(error.code(), CloseCode::TOO_BIG);
    }
    // Over the limit in sum.
    let mut bytes = vec![0x02, 3, 1, 2, 3];
    bytes.extend_from_slice(&[0x80, 3]);
    let error = decode_all(&mut Decoder::new(Role::Client, 5), &bytes, 9).unwrap_err();
    assert_eq!(error.code(), CloseCode::TOO_BIG);
}

#[test]
fn a_message_in_too_many_fragments_is_refused() {
    let mut bytes = vec![0x01, 0];
    bytes.extend_from_slice(&[0x00, 0].repeat(2_000));
    let error = decode_all(&mut Decoder::new(Role::Client, MAX), &bytes, 64).unwrap_err();
    assert_eq!(error.code().as_u16(), 1008);
}
