//! A proxy between a client of plain sockets and a server that tells what it sees. What should be seen is left to
//! the tests.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

use crate::fault_proxy::{Fault, FaultProxy};

/// A proxy and the server behind it, which reports every request line and everything said after an upgrade.
pub(super) struct Bench {
    pub(super) proxy: FaultProxy,
    pub(super) seen: mpsc::Receiver<String>,
    _server: JoinSet<()>,
}

impl Bench {
    pub(super) async fn with(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap());
        proxy.set(fault);
        let (report, seen) = mpsc::channel(64);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(answer(stream, number, report.clone()));
            }
        });
        Self {
            proxy,
            seen,
            _server: server,
        }
    }

    pub(super) async fn client(&self) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(self.proxy.addr()).await.unwrap())
    }

    pub(super) async fn upgraded(&self) -> BufReader<TcpStream> {
        let mut client = self.client().await;
        assert_eq!(
            ask(&mut client, UPGRADE).await.unwrap(),
            "HTTP/1.1 101 Switching Protocols"
        );
        client
    }

    pub(super) async fn next_seen(&mut self) -> String {
        timeout(DEADLINE, self.seen.recv()).await.unwrap().unwrap()
    }
}

/// Answers one request with the number of its connection; after an upgrade it greets and echoes.
async fn answer(stream: TcpStream, number: u32, report: mpsc::Sender<String>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (first, headers) = head(&mut stream).await?;
    report.send(first.clone()).await.unwrap();
    if headers.contains("Upgrade") {
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
            .await?;
        let mut bytes = [0; 64];
        while let said @ 1.. = stream.read(&mut bytes).await? {
            report
                .send(String::from_utf8_lossy(&bytes[..said]).into_owned())
                .await
                .unwrap();
            stream.write_all(&bytes[..said]).await?;
        }
        return Ok(());
    }
    if headers.contains("content-length: 4") {
        stream.read_exact(&mut [0; 4]).await?;
    }
    let answer = if first.contains("/chunked") {
        format!("transfer-encoding: chunked\r\n\r\n1;x=y\r\n{number}\r\n0\r\n\r\n")
    } else {
        format!("content-length: 1\r\n\r\n{number}")
    };
    stream
        .write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes())
        .await?;
    // Kept open, as servers do, until the proxy lets go.
    stream.read(&mut [0]).await.map(|_| ())
}

/// The first line of a head, and its other lines.
async fn head(stream: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if stream.read_line(&mut text).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let (first, rest) = text.split_once("\r\n").unwrap();
    Ok((first.to_owned(), rest.to_owned()))
}

pub(super) async fn ask(client: &mut BufReader<TcpStream>, request: &str) -> io::Result<String> {
    client.write_all(request.as_bytes()).await?;
    Ok(timeout(DEADLINE, head(client))
        .await
        .expect("an answer in time")?
        .0)
}

pub(super) async fn hear(client: &mut BufReader<TcpStream>, bytes: usize) -> io::Result<String> {
    let mut heard = vec![0; bytes];
    timeout(DEADLINE, client.read_exact(&mut heard))
        .await
        .expect("bytes in time")?;
    Ok(String::from_utf8(heard).unwrap())
}

/// Fails if anything comes, an end included, for long enough that loopback would have brought it.
pub(super) async fn hear_nothing(client: &mut BufReader<TcpStream>) {
    assert!(timeout(SILENCE, client.read(&mut [0])).await.is_err());
}

pub(super) const POLL: &str = "POST /anywire/poll?x HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody";
pub(super) const UPGRADE: &str = "GET /anywire/websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(150);
