//! An HTTP/1.1 client of few words, which sends exactly what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head as it came, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The close code that a refusal's body gives.
    pub fn code(&self) -> u64 {
        let json: serde_json::Value =
            serde_json::from_slice(&self.body).expect("a refusal is JSON");
        assert!(
            json["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{json}"
        );
        json["code"].as_u64().expect("a refusal has a code")
    }
}

/// Sends a request and reads the answer. `headers` are whole lines without their ends; a `Host` among them replaces the
/// address.
pub async fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        head += &format!("Host: {addr}\r\n");
    }
    if !body.is_empty() || method == "POST" {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers {
        head += header;
        head += "\r\n";
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    raw(addr, &bytes).await
}

/// Sends a text payload to the poll endpoint of `mount`.
pub async fn poll(addr: SocketAddr, mount: &str, body: &str) -> Answer {
    let path = format!("/{mount}/poll");
    request(
        addr,
        "POST",
        &path,
        &["Content-Type: text/plain"],
        body.as_bytes(),
    )
    .await
}

/// Sends bytes as they are and reads until the connection ends.
pub async fn raw(addr: SocketAddr, bytes: &[u8]) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await.expect("the server listens");
        // A server that refuses early may not read it all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = timeout(DEADLINE, exchange)
        .await
        .expect("the server answers in time");
    parse(&answer)
}

/// Upgrades a connection by hand, so that any bytes may follow. `protocols` is the value of the header; empty for none.
///
/// # Errors
/// The head of what came instead of a 101.
pub async fn upgrade_by_hand(
    mut stream: TcpStream,
    host: &str,
    endpoint: &str,
    protocols: &str,
) -> std::io::Result<TcpStream> {
    let protocols = match protocols {
        "" => String::new(),
        some => format!("Sec-WebSocket-Protocol: {some}\r\n"),
    };
    let request = format!(
        "GET /anywire/{endpoint} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocols}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    match head.starts_with(b"HTTP/1.1 101") {
        true => Ok(stream),
        false => Err(std::io::Error::other(String::from_utf8_lossy(&head))),
    }
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head[9..12].parse().expect("an answer has a status");
    let mut body = bytes[end + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Answer { status, head, body }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = bytes
            .windows(2)
            .position(|two| two == b"\r\n")
            .expect("a chunk has a size");
        let size = std::str::from_utf8(&bytes[..end]).expect("a size is ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size is hexadecimal");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
    }
}
