//! The event-stream format: how a payload becomes an event (PROTOCOL §14.3). What the payload says is left to
//! `framing.rs`.

use anywire_protocol::{Offset, escape_line};
use bytes::{BufMut, Bytes, BytesMut};

/// Begins an event whose data is a payload in the text encoding. The end of its data and [`END`] must follow.
///
/// No field can hold a line end: the id is a number, and the data is escaped. So none can begin another field.
pub(crate) fn begin(id: Offset, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(payload.len() + 32);
    out.put_slice(b"id: ");
    out.put_slice(id.to_string().as_bytes());
    // The space is taken off again by the reader; one that the data begins with is not.
    out.put_slice(b"\ndata: ");
    escape_line(payload, &mut out);
    out
}

/// What ends an event.
pub(crate) const END: &[u8] = b"\n\n";

/// What an event stream that rotates ends with: come again at once.
pub(crate) const COME_AGAIN: &[u8] = b"retry: 50\n\n";

/// What an event stream begins with: a comment of `bytes`, and how long to wait after a failure.
pub(crate) fn prelude(bytes: usize) -> Bytes {
    let mut out = BytesMut::from(&b":"[..]);
    out.put_bytes(b'.', bytes - 3);
    out.put_slice(b"\n\n");
    out.put_slice(b"retry: 2000\n\n");
    out.freeze()
}

#[cfg(test)]
mod tests {
    use anywire_protocol::unescape;
    use eventsource_stream::{Event, Eventsource};
    use proptest::prelude::*;
    use tokio_stream::StreamExt;

    use super::*;

    /// What a foreign reader makes of a stream that comes in pieces.
    fn read(stream: &[u8], piece: usize) -> Vec<Event> {
        let pieces: Vec<_> = stream
            .chunks(piece)
            .map(|piece| Ok::<_, std::convert::Infallible>(piece.to_vec()))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let events = tokio_stream::iter(pieces).eventsource();
            events
                .map(|event| event.expect("it is well formed"))
                .collect()
                .await
        })
    }

    fn nasty() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\r"),
            Just("\n"),
            Just("\r\n"),
            Just("\n\n"),
            Just("%"),
            Just("%0D"),
            Just(":"),
            Just(" "),
            Just("data: x"),
            Just("id: 9"),
            Just("event: x"),
            Just("\u{0}"),
            Just("\u{feff}"),
            Just("\u{2028}\u{85}"),
            Just("é🦀"),
            Just("a"),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_foreign_reader_sees_each_payload_as_it_was(
            payloads in prop::collection::vec((nasty(), 0..1_u64 << 53), 0..5),
            piece in 1_usize..50,
        ) {
            let mut stream = prelude(2_048).to_vec();
            prop_assert_eq!(stream.iter().position(|byte| *byte == b'r'), Some(2_048));
            for (payload, id) in &payloads {
                stream.extend_from_slice(&begin(Offset::new(*id), payload.as_bytes()));
                stream.extend_from_slice(END);
            }
            stream.extend_from_slice(COME_AGAIN);
            let events = read(&stream, piece);
            // A reader that shows events without data does no harm.
            let events: Vec<_> = events.iter().filter(|event| !event.id.is_empty()).collect();
            prop_assert_eq!(events.len(), payloads.len());
            for (event, (payload, id)) in events.iter().zip(&payloads) {
                // Unlike `decodeURIComponent`, the server's reader knows forms.
                let data = unescape(format!("b={}", event.data.replace('+', "%2B").replace('&', "%26")).into());
                prop_assert_eq!(data.expect("it is well escaped"), payload.as_bytes());
                prop_assert_eq!(&event.id, &id.to_string());
                prop_assert_eq!(event.event.as_str(), "message");
            }
        }
    }
}
