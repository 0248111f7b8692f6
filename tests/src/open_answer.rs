//! An answer that is read while it comes: for streams.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(20);

/// An answer whose head has come.
pub struct OpenAnswer {
    /// The status code.
    pub status: u16,
    /// The head as it came, in lower case.
    pub head: String,
    stream: TcpStream,
    pending: BytesMut,
    is_chunked: bool,
    end: Option<End>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As HTTP says that it should.
    Whole,
    /// By the end of its connection, which says nothing about the body.
    Closed,
}

impl OpenAnswer {
    /// Sends bytes as they are and reads the head of the answer.
    pub async fn to(addr: SocketAddr, request: &[u8]) -> Self {
        let mut stream = TcpStream::connect(addr).await.expect("the server listens");
        stream.write_all(request).await.expect("the server reads");
        let mut answer = Self {
            status: 0,
            head: String::new(),
            stream,
            pending: BytesMut::new(),
            is_chunked: false,
            end: None,
        };
        let end = loop {
            if let Some(end) = find(&answer.pending, b"\r\n\r\n") {
                break end;
            }
            assert!(answer.fill().await, "an answer has a head");
        };
        let head = answer.pending.split_to(end + 4);
        answer.head = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
        answer.status = answer.head[9..12].parse().expect("an answer has a status");
        answer.is_chunked = answer.head.contains("transfer-encoding: chunked");
        answer
    }

    /// Posts a body to a path.
    pub async fn post(addr: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::to(addr, &[head.as_bytes(), body].concat()).await
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The next piece of the body; `None` at its end, see [`OpenAnswer::end`].
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.end.is_some() {
                return None;
            }
            if let Some(piece) = self.take_piece() {
                return Some(piece);
            }
            if self.end.is_none() && !self.fill().await {
                self.end = Some(End::Closed);
            }
        }
    }

    /// How the body ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// A piece that has come whole.
    fn take_piece(&mut self) -> Option<Bytes> {
        if !self.is_chunked {
            return (!self.pending.is_empty()).then(|| self.pending.split().freeze());
        }
        let line = find(&self.pending, b"\r\n")?;
        let size = std::str::from_utf8(&self.pending[..line]).expect("a size is ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size is hexadecimal");
        if self.pending.len() < line + 2 + size + 2 {
            return None;
        }
        let _ = self.pending.split_to(line + 2);
        let piece = self.pending.split_to(size).freeze();
        assert_eq!(&self.pending.split_to(2)[..], b"\r\n");
        if piece.is_empty() {
            self.end = Some(End::Whole);
            return None;
        }
        Some(piece)
    }

    async fn fill(&mut self) -> bool {
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.pending)).await;
        // A reset ends it too.
        read.expect("something comes in time").unwrap_or(0) > 0
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
