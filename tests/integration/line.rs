//! One stream or event stream for tests, read while it comes.

use std::net::SocketAddr;

use anywire_protocol::{Encoding, Packet, PayloadReader, PayloadWriter};
use anywire_tests::open_answer::{End, OpenAnswer};

use crate::wire::escape;

/// A stream, and what has come of it.
pub struct StreamLine {
    pub answer: OpenAnswer,
    reader: PayloadReader,
    /// For an event stream: what has come of the next lines, and the last id.
    lines: Option<EventLines>,
}

#[derive(Default)]
struct EventLines {
    pending: Vec<u8>,
    id: Option<u64>,
}

impl StreamLine {
    pub async fn begin(addr: SocketAddr, encoding: Encoding, packets: &[Packet]) -> Self {
        let begun = Self::try_begin(addr, encoding, packets).await;
        begun.unwrap_or_else(|refused| panic!("refused: {refused:?}"))
    }

    /// `Err` is the status of a refusal, and its code.
    pub async fn try_begin(
        addr: SocketAddr,
        encoding: Encoding,
        packets: &[Packet],
    ) -> Result<Self, (u16, u64)> {
        let mut writer = PayloadWriter::new(encoding);
        packets.iter().for_each(|packet| writer.push(packet));
        let content_type = encoding.content_type();
        let body = writer.finish();
        let mut answer = OpenAnswer::post(addr, "/anywire/stream", content_type, &body).await;
        if answer.status != 200 {
            let mut said = Vec::new();
            // The connection may stay open.
            let refusal: serde_json::Value = loop {
                let piece = answer.next().await.expect("a refusal has a body");
                said.extend_from_slice(&piece);
                if let Ok(refusal) = serde_json::from_slice(&said) {
                    break refusal;
                }
            };
            return Err((answer.status, refusal["code"].as_u64().unwrap()));
        }
        let reader = PayloadReader::new(encoding, 2_097_152);
        let mut line = Self {
            answer,
            reader,
            lines: None,
        };
        assert!(
            matches!(line.next().await, Some(Packet::Padding(_))),
            "a prelude"
        );
        Ok(line)
    }

    /// Asks for an event stream; `tokens` are the offer's but the first.
    pub async fn events(addr: SocketAddr, tokens: &str) -> Self {
        let answer = open_events(addr, tokens, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        Self {
            answer,
            reader: PayloadReader::new(Encoding::Text, 4_194_304),
            lines: Some(EventLines::default()),
        }
    }

    /// The event stream that follows this one.
    pub fn again(self, answer: OpenAnswer) -> Self {
        assert_eq!(self.answer.end(), Some(End::Whole));
        Self { answer, ..self }
    }

    /// The last event's id.
    pub fn last_id(&self) -> Option<u64> {
        self.lines.as_ref()?.id
    }

    /// The next packet; `None` when the stream has ended between two.
    pub async fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.reader.next_packet().unwrap() {
                return Some(packet);
            }
            let piece = self.answer.next().await?;
            match &mut self.lines {
                None => self.reader.push(&piece),
                Some(lines) => lines.push(&piece, &mut self.reader),
            }
        }
    }
}

impl EventLines {
    /// Takes whole lines and hands on their data, unescaped.
    fn push(&mut self, piece: &[u8], reader: &mut PayloadReader) {
        self.pending.extend_from_slice(piece);
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = std::str::from_utf8(&line[..end]).expect("an event stream is UTF-8");
            assert!(!line.contains('\r'), "{line:?}");
            if let Some(data) = line.strip_prefix("data: ") {
                let data = data
                    .replace("%00", "\0")
                    .replace("%0D", "\r")
                    .replace("%0A", "\n")
                    .replace("%25", "%");
                reader.push(data.as_bytes());
            } else if let Some(id) = line.strip_prefix("id: ") {
                self.id = Some(id.parse().expect("an id is a number"));
            } else {
                let is_known =
                    line.is_empty() || line.starts_with(':') || line.starts_with("retry: ");
                assert!(is_known, "{line:?}");
            }
        }
    }
}

/// Asks for an event stream with more headers.
pub async fn open_events(addr: SocketAddr, tokens: &str, headers: &[&str]) -> OpenAnswer {
    let offer = escape(format!("anywire.v1,{tokens}").as_bytes());
    let mut head = format!(
        "GET /anywire/events?anywire.offer={} HTTP/1.1\r\nHost: {addr}\r\n",
        &offer[2..]
    );
    for header in headers {
        head += header;
        head += "\r\n";
    }
    OpenAnswer::to(addr, (head + "\r\n").as_bytes()).await
}
