//! A connection on which heads and bodies are read. What a head says is left to `head`, where a body ends to `body`.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    body::{Body, malformed},
    head::Head,
};

/// A connection and what was read from it but not used yet.
#[derive(Debug)]
pub(super) struct Wire<S> {
    pub(super) stream: S,
    pub(super) buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
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

/// Writes all of `bytes`, no more than `step` at a time.
pub(super) async fn write_in_steps(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    step: usize,
) -> io::Result<()> {
    for some in bytes.chunks(step) {
        to.write_all(some).await?;
        if some.len() < bytes.len() {
            // Who reads shall see the pieces.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
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
