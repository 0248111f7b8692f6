//! The messages of each step, which both sides send and both expect. `page/samples.js` makes the same.

use std::iter;

use anywire::{Message, MessageKind};

/// The messages of this step.
pub fn of(step: &str) -> Option<Vec<Message>> {
    match step {
        "numbered" => Some(numbered(1_000)),
        "unicode" => Some(unicode()),
        "binary" => Some(binary()),
        "large" => Some(vec![blocks(16_384).into()]),
        "parts" => Some(parts()),
        "veil" => Some(veil()),
        "resumed" => Some(numbered(100)),
        "idle" => Some(numbered(10)),
        "awaited" => Some(numbered(100)),
        "framework" | "renewed" | "reopened" => Some(numbered(10)),
        _ => None,
    }
}

/// How a message that came differs from the one that was sent, for people; `None` when it does not.
pub fn difference(expected: &Message, found: &Message) -> Option<String> {
    if expected == found {
        return None;
    }
    Some(match (expected.as_text(), found.as_text()) {
        (Some(expected), Some(found)) => {
            let hex = |unit: &u16| format!("{unit:04x}");
            unit_difference(&units(expected), &units(found), hex)
        }
        (None, None) => unit_difference(expected.as_bytes(), found.as_bytes(), |byte| {
            byte.to_string()
        }),
        _ => format!(
            "{} came as {}: {:?}",
            kind(expected),
            kind(found),
            found.as_bytes().slice(..found.len().min(40))
        ),
    })
}

fn numbered(count: usize) -> Vec<Message> {
    (0..count)
        .map(|index| Message::text(format!("message {index}")))
        .collect()
}

/// Every code unit of the BMP but surrogates, in rows of 256, and what follows from how texts are changed or framed.
fn unicode() -> Vec<Message> {
    let rows = (0..=255_u32)
        .filter(|row| !(0xd8..=0xdf).contains(row))
        .map(|row| (0..256).map(|cell| character(256 * row + cell)).collect());
    let planes = (1..=16_u32).map(|plane| {
        [0, 0x8000, 0xffff]
            .map(|low| character(0x10000 * plane + low))
            .iter()
            .collect()
    });
    let awkward = [
        "\u{1f600}\u{1d15e}\u{1d164}\u{2f800}\u{2fa1d}",
        "",
        "\u{10}",
        "\u{10}\u{10}",
        "\u{10}c1000",
        "\u{feff}first",
        "e\u{301}",
        "\u{1112}\u{1161}\u{11ab}",
        "\u{323}\u{307}s",
        "\r\n\r\ndata: x\rid: 1\n\n",
        "12:tlonger",
        "\u{2028}\u{2029}\u{85}",
        "</script><!--",
    ];
    rows.chain(planes)
        .chain(awkward.map(String::from))
        .map(Message::text)
        .collect()
}

fn binary() -> Vec<Message> {
    let whole = [0, 1, 256, 70_001].map(|length| Message::binary(bytes(0..length)));
    whole
        .into_iter()
        .chain(iter::once(Message::binary(bytes(7..130))))
        .collect()
}

/// Each longer than a part, and than the bodies that pass.
fn parts() -> Vec<Message> {
    let texts = [
        "first".to_owned(),
        blocks(2_048),
        blocks(2_048),
        "last".to_owned(),
    ];
    texts.map(Message::text).into()
}

/// What filters take for an attack.
fn veil() -> Vec<Message> {
    let texts = [
        "first".to_owned(),
        "a <script>alert(1)</script> b".to_owned(),
        blocks(512) + "<script>",
        "last".to_owned(),
    ];
    texts.map(Message::text).into()
}

/// A text of so many blocks of 64 bytes; of 16,384 it is as long as a message may be: 1 MiB.
fn blocks(count: usize) -> String {
    const FILLING: &str =
        "-the-quick-brown-fox-jumps-over-the-lazy-dog-abc\u{e9}-\u{20ac}-\u{1f600}-";
    (0..count)
        .map(|index| format!("{index:04x}{FILLING}"))
        .collect()
}

fn bytes(range: std::ops::Range<usize>) -> Vec<u8> {
    range
        .map(|index| ((index + (index >> 8)) & 255) as u8)
        .collect()
}

fn character(number: u32) -> char {
    char::from_u32(number).expect("it is no surrogate")
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn kind(message: &Message) -> &'static str {
    if message.kind() == MessageKind::Text {
        "text"
    } else {
        "bytes"
    }
}

fn unit_difference<T: PartialEq>(
    expected: &[T],
    found: &[T],
    show: impl Fn(&T) -> String,
) -> String {
    let differing: Vec<_> = (0..expected.len())
        .filter(|&index| found.get(index) != Some(&expected[index]))
        .collect();
    let first: Vec<_> = differing
        .iter()
        .take(4)
        .map(|&index| {
            let came = found.get(index).map_or_else(|| "nothing".into(), &show);
            format!("at {index} {} came as {came}", show(&expected[index]))
        })
        .collect();
    format!(
        "length {} came as {}, {} units differ: {}",
        expected.len(),
        found.len(),
        differing.len(),
        first.join(", ")
    )
}
