//! Counts what passes on TCP connections and changes nothing: the independent look at what somebody else measures.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What has passed: when, in milliseconds of the wall clock, to or from which port, and how many bytes.
type Log = Arc<Mutex<Vec<(f64, u16, u64)>>>;

/// A capture that listens; its connections end with it.
pub struct Capture {
    /// Where it listens.
    pub address: SocketAddr,
    log: Log,
    _task: JoinSet<()>,
}

impl Capture {
    /// One that passes everything on to `target`.
    pub async fn before(target: SocketAddr) -> Self {
        Self::start(Some(target)).await
    }

    /// One that is a SOCKS5 proxy (RFC 1928), for browsers: it passes on what follows the handshake as it is.
    pub async fn socks() -> Self {
        Self::start(None).await
    }

    /// Bytes that had passed to or from this port by then, both ways.
    pub fn bytes(&self, port: u16, until_ms: f64) -> u64 {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = log
            .iter()
            .filter(|(at, of, _)| *of == port && *at <= until_ms);
        seen.map(|(.., bytes)| bytes).sum()
    }

    async fn start(target: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let log = Log::default();
        let seen = log.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let seen = seen.clone();
                // How a connection breaks is its two ends' matter.
                connections.spawn(async move { pass(client, target, seen).await.err() });
            }
        });
        Self {
            address,
            log,
            _task: task,
        }
    }
}

async fn pass(mut client: TcpStream, target: Option<SocketAddr>, log: Log) -> io::Result<()> {
    let target = match target {
        Some(target) => target,
        None => handshake(&mut client).await?,
    };
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        count(from_client, to_server, target.port(), &log),
        count(from_server, to_client, target.port(), &log),
    )?;
    Ok(())
}

async fn count(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    port: u16,
    log: &Log,
) -> io::Result<()> {
    let mut bytes = vec![0; 65_536];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let entry = (now.as_secs_f64() * 1_000.0, port, length as u64);
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry);
        to.write_all(&bytes[..length]).await?;
    }
}

/// Reads where to connect: an IPv4 address, or a name, which is taken for this machine's.
async fn handshake(client: &mut TcpStream) -> io::Result<SocketAddr> {
    let mut head = [0; 2];
    client.read_exact(&mut head).await?;
    let mut methods = vec![0; head[1].into()];
    client.read_exact(&mut methods).await?;
    client.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host: [u8; 4] = if request[3] == 1 {
        let mut address = [0; 4];
        client.read_exact(&mut address).await?;
        address
    } else {
        let mut name = vec![0; client.read_u8().await?.into()];
        client.read_exact(&mut name).await?;
        [127, 0, 0, 1]
    };
    let port = client.read_u16().await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok((host, port).into())
}
