//! The head of a request or an answer: what it says, and how a proxy changes it. Finding its end is left to `wire`,
//! the end of its body to `body`.

use std::io;

use super::body::{Body, Chunk, malformed};

/// The head of a request or an answer, up to and with its empty line; the bytes are passed on as they came.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    text: String,
}

impl Head {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self { bytes, text }
    }

    pub(super) fn is_post(&self) -> bool {
        self.word(0) == "POST"
    }

    /// Whether this is a request `POST …/poll`, with or without a query.
    pub(super) fn is_poll(&self) -> bool {
        self.is_post()
            && self
                .word(1)
                .split('?')
                .next()
                .is_some_and(|path| path.ends_with("/poll"))
    }

    pub(super) fn is_upgrade(&self) -> bool {
        self.header("upgrade")
            .is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Whether whoever sent this closes its connection after it.
    pub(super) fn is_last(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default();
        connection.eq_ignore_ascii_case("close")
            || (self.text.lines().next().unwrap_or_default()).contains("HTTP/1.0")
                && !connection.eq_ignore_ascii_case("keep-alive")
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> io::Result<u16> {
        self.word(1).parse().map_err(|_| malformed("a status"))
    }

    pub(super) fn request_body(&self) -> io::Result<Body> {
        Ok(self.announced_body()?.unwrap_or(Body::Sized(0)))
    }

    /// The body of this answer to `request`.
    pub(super) fn answer_body(&self, request: &Head) -> io::Result<Body> {
        let status = self.status()?;
        if request.word(0) == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Ok(Body::Sized(0));
        }
        Ok(self.announced_body()?.unwrap_or(Body::UntilClosed))
    }

    /// The same head without these headers; what stays is as it came.
    pub(super) fn without(&self, names: &[impl AsRef<str>]) -> Self {
        let is_named = |line: &[u8]| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            names
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_ref().as_bytes()))
        };
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n');
        Self::new(
            lines
                .filter(|line| !is_named(line))
                .collect::<Vec<_>>()
                .concat(),
        )
    }

    /// The same head with one header more.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let end = self.bytes.len() - 2;
        let line = format!("{name}: {value}\r\n");
        Self::new([&self.bytes[..end], line.as_bytes(), &self.bytes[end..]].concat())
    }

    /// The same head as one of HTTP/1.0, which ends its connection and knows no upgrade and no chunks.
    pub(super) fn downgraded(&self) -> Self {
        let plain = self.without(&["connection", "keep-alive", "upgrade", "transfer-encoding"]);
        let plain = plain.with("Connection", "close");
        let first_end = plain.bytes.iter().position(|byte| *byte == b'\n');
        let (first, rest) = plain.bytes.split_at(first_end.unwrap_or_default());
        let first = String::from_utf8_lossy(first).replace("HTTP/1.1", "HTTP/1.0");
        Self::new([first.as_bytes(), rest].concat())
    }

    fn announced_body(&self) -> io::Result<Option<Body>> {
        if self
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            return Ok(Some(Body::Chunked(Chunk::Size(0))));
        }
        let Some(length) = self.header("content-length") else {
            return Ok(None);
        };
        Ok(Some(Body::Sized(
            length.parse().map_err(|_| malformed("a length"))?,
        )))
    }

    fn word(&self, index: usize) -> &str {
        let first = self.text.lines().next().unwrap_or_default();
        first.split(' ').nth(index).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}
