//! A proxy between a client of plain sockets and a server that tells what it sees. What should be seen is left to
//! the tests.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};

use crate::{FaultProxy, Faults};

/// A proxy and the server behind it, which reports every request line and everything said after an upgrade.
pub(super) struct Bench {
    pub(super) proxy: FaultProxy,
    pub(super) seen: mpsc::Receiver<String>,
    /// Lets one answer in halves go on.
    pub(super) go_on: Arc<Notify>,
    _server: JoinSet<()>,
}

impl Bench {
    pub(super) async fn with(faults: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap());
        proxy.set(Faults::of(faults));
        let (report, seen) = mpsc::channel(64);
        let go_on = Arc::<Notify>::default();
        let may_go_on = go_on.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(answer(stream, number, report.clone(), may_go_on.clone()));
            }
        });
        Self {
            proxy,
            seen,
            go_on,
            _server: server,
        }
    }

    /// The same with another server.
    pub(super) fn in_front_of(self, upstream: SocketAddr) -> Self {
        Self {
            proxy: FaultProxy::start(upstream),
            ..self
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
        within(self.seen.recv()).await.unwrap()
    }
}

/// Answers one request with the number of its connection, or as its path says; after an upgrade it greets and
/// echoes.
async fn answer(
    stream: TcpStream,
    number: u32,
    report: mpsc::Sender<String>,
    go_on: Arc<Notify>,
) -> io::Result<()> {
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
    let mut body = Vec::new();
    if headers.contains("ontent-") {
        body.resize(4, 0);
        stream.read_exact(&mut body).await?;
    }
    let sized = |text: &str| {
        format!(
            "x-server: bench\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        )
    };
    let answer = match first.split(' ').nth(1).unwrap() {
        "/chunked" => format!("transfer-encoding: chunked\r\n\r\n1;x=y\r\n{number}\r\n0\r\n\r\n"),
        "/heard" => sized(&format!(
            "{first}\r\n{headers}{}",
            String::from_utf8_lossy(&body)
        )),
        "/large" => sized(&"x".repeat(LARGE_BYTES)),
        "/halves" => sized("0123456789"),
        _ => sized(&number.to_string()),
    };
    let answer = format!("HTTP/1.1 200 OK\r\n{answer}");
    if first.contains("/halves") {
        let (one, other) = answer.split_at(answer.len() - 5);
        stream.write_all(one.as_bytes()).await?;
        go_on.notified().await;
        stream.write_all(other.as_bytes()).await?;
    } else {
        stream.write_all(answer.as_bytes()).await?;
    }
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

/// Sends a request; gives the answer's first line.
pub(super) async fn ask(client: &mut BufReader<TcpStream>, request: &str) -> io::Result<String> {
    client.write_all(request.as_bytes()).await?;
    Ok(within(head(client)).await?.0)
}

pub(super) async fn hear(client: &mut BufReader<TcpStream>, bytes: usize) -> io::Result<String> {
    let mut heard = vec![0; bytes];
    within(client.read_exact(&mut heard)).await?;
    Ok(String::from_utf8(heard).unwrap())
}

/// All that comes until the connection ends, and whether it ends gently.
pub(super) async fn hear_out(client: &mut BufReader<TcpStream>) -> (String, io::Result<()>) {
    let mut heard = Vec::new();
    let end = within(client.read_to_end(&mut heard)).await.map(|_| ());
    (String::from_utf8(heard).unwrap(), end)
}

/// Whether the next thing to come is a gentle end.
pub(super) async fn ends(client: &mut BufReader<TcpStream>) -> bool {
    matches!(within(client.read(&mut [0])).await, Ok(0))
}

/// Whether the next thing to come is a reset.
pub(super) async fn is_reset(client: &mut BufReader<TcpStream>) -> bool {
    let read = within(client.read(&mut [0])).await;
    read.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}

/// Fails if anything comes, an end included, for long enough that loopback would have brought it.
pub(super) async fn hear_nothing(client: &mut BufReader<TcpStream>) {
    assert!(timeout(SILENCE, client.read(&mut [0])).await.is_err());
}

/// Waits no longer than a test may.
pub(super) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("it happens in time")
}

pub(super) const POLL: &str = "POST /anywire/poll?x HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody";
pub(super) const UPGRADE: &str = "GET /anywire/websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
pub(super) const LARGE: &str = "GET /large HTTP/1.1\r\n\r\n";
pub(super) const HALVES: &str = "GET /halves HTTP/1.1\r\n\r\n";
/// The length of the answer to [`LARGE`].
pub(super) const LARGE_BYTES: usize = 512 * 1_024;
const DEADLINE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(100);
