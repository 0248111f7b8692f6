//! What links run over: TCP, and in the simulation what stands for it. `pipe.rs` says what passes.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// How a node reaches others.
pub(crate) trait Network: Debug + Send + Sync {
    /// Connects to where a node takes links.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] if that host says that nobody listens there; others say nothing of the node.
    fn connect(&self, address: SocketAddr) -> Opening<'_>;
}

/// Where a node takes links.
pub(crate) trait Listener: Debug + Send {
    /// The next connection that another node makes.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken none.
    fn accept(&mut self) -> Opening<'_>;
}

/// A connection that is about to be.
pub(crate) type Opening<'a> = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send + 'a>>;

/// A connection that carries bytes.
pub(crate) struct Wire {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Both ends are on this machine.
    pub(crate) stays_here: bool,
}

/// The real network.
#[derive(Debug)]
pub(crate) struct Tcp;

impl Wire {
    /// A connection to `peer` that waits for no more bytes before it sends some.
    pub(super) fn tcp(stream: TcpStream, peer: IpAddr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            stays_here: peer.is_loopback(),
        })
    }
}

impl Network for Tcp {
    fn connect(&self, address: SocketAddr) -> Opening<'_> {
        Box::pin(async move { Wire::tcp(TcpStream::connect(address).await?, address.ip()) })
    }
}

impl Listener for TcpListener {
    fn accept(&mut self) -> Opening<'_> {
        Box::pin(async move {
            let (stream, peer) = TcpListener::accept(self).await?;
            Wire::tcp(stream, peer.ip())
        })
    }
}
