//! As much of HTTP/1.1 as a proxy needs: where a head ends and what it says. Where a body ends is left to `body`,
//! what to do about it to `exchange`.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::body::{Body, Chunk, malformed};

/// The head of a request or an answer, up to and with its empty line; the bytes are passed on as they came.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    text: String,
}

/// A connection and what was read from it but not used yet.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    pub(super) buffer: Vec<u8>,
}

impl Head {
    fn new(bytes: Vec<u8>) -> Self {
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
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
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

impl Wire {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Reads what there is; `false` at the end. Dropping the future loses nothing.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Whether so much was read ahead that reading on has to wait.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= MAX_HEAD_BYTES
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next head, or `None` if the connection ends before one begins. Dropping the future loses nothing.
    pub(super) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(at) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                return Ok(Some(Head::new(self.buffer.drain(..at + 4).collect())));
            }
            if self.is_full() {
                return Err(malformed("a head"));
            }
            if !self.fill().await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(ended())
                };
            }
        }
    }

    /// The next bytes of `body`, as they come; empty when it is over. Dropping the future loses nothing.
    pub(super) async fn piece(&mut self, body: &mut Body) -> io::Result<Vec<u8>> {
        while !body.is_over() {
            let taken = body.take(&self.buffer)?;
            if taken > 0 {
                return Ok(self.buffer.drain(..taken).collect());
            }
            if !self.fill().await? {
                return if *body == Body::UntilClosed {
                    Ok(Vec::new())
                } else {
                    Err(ended())
                };
            }
        }
        Ok(Vec::new())
    }

    /// All of `body`, after what it follows.
    pub(super) async fn whole(
        &mut self,
        body: &mut Body,
        mut after: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        loop {
            let piece = self.piece(body).await?;
            if piece.is_empty() {
                return Ok(after);
            }
            after.extend(piece);
            if after.len() > MAX_MESSAGE_BYTES {
                return Err(malformed("a body"));
            }
        }
    }
}

fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Room for one read; without it a vector offers 64 bytes at a time.
pub(super) const READ_BYTES: usize = 16_384;
/// A head that has not ended by then never will.
const MAX_HEAD_BYTES: usize = 65_536;
/// What the proxy holds at once for a request or an answer that it must know whole.
const MAX_MESSAGE_BYTES: usize = 64 * 1_048_576;
