//! A server loop shaped like `warp::serve`, with the deadlines, limits and drain that it lacks. What is served is left to
//! any tower service.

mod connections;
mod guard;
mod head;
mod last_body;
mod proxy;
mod reset;
#[cfg(feature = "tls")]
mod tls;

use std::any::Any;
use std::fmt::{self, Debug, Formatter};
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
#[cfg(feature = "tls")]
use std::path::Path;
use std::pin::{Pin, pin};
use std::time::Duration;

use anywire_polling::{BoxError, TimedBody};
use anywire_protocol::Limits;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{self, Instant};
use tower_service::Service;
use tracing::debug;

pub(crate) use self::connections::ConnectionPermit;
use self::connections::{Connections, Slot};
pub(crate) use self::guard::Guarded;
use self::guard::{Deadlines, Phase};
use self::last_body::LastBody;
pub(crate) use self::reset::{prepare, reset_on_drop};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};
use crate::networks::Networks;
use crate::visitor::Scheme;

/// The address of the other end of a connection, as an extension of the request.
///
/// [`HttpServer`] inserts it. Under another host the app may do so, for [`Visitor::peer`](crate::Visitor::peer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// A server over HTTP/1.1 that has no address yet, with deadlines and limits.
///
/// [`serve`](crate::serve()) makes one of a warp filter, [`HttpServer::new`] of a tower service.
#[derive(Clone, Debug)]
#[must_use = "a server serves once it runs: call `run`, or `bind`"]
pub struct HttpServer<S> {
    service: S,
    deadlines: Deadlines,
    max_connections: usize,
    max_connections_per_address: u32,
    finish_within: Duration,
    handshake_within: Duration,
    proxies: Networks,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// The body of a request that [`HttpServer`] hands to its service.
pub type RequestBody = TimedBody<Incoming>;

impl<S> HttpServer<S> {
    /// A server for a tower service: [`Server::service`](crate::Server::service), or a router that leads to it.
    pub fn new(service: S) -> Self {
        Self {
            service,
            deadlines: Deadlines {
                first_byte: Duration::from_secs(5),
                head: Duration::from_secs(10),
                keep_alive: Duration::from_secs(75),
                write_stall: Duration::from_secs(20),
            },
            max_connections: 100_000,
            max_connections_per_address: 16_384,
            finish_within: Duration::from_secs(30),
            handshake_within: Duration::from_secs(10),
            proxies: Networks::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Most connections at once. Default 100,000. Beyond, new ones wait in the listener's backlog. Keep it below the
    /// process's limit of open files.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// Most connections of one address at once, and of one /64 of IPv6. Default 16,384. Beyond, a new one is reset. Too small,
    /// and people in one office shut each other out: a browser may have six connections, and a WebSocket for each tab.
    ///
    /// An address that turns out to be a proxy's has no limit: one of [`Config::trust_proxies`](crate::Config::trust_proxies), or a
    /// private one that forwards requests.
    pub fn max_connections_per_address(mut self, count: u32) -> Self {
        self.max_connections_per_address = count;
        self
    }

    /// How long a connection may stay silent before its first byte. Default 5 s.
    pub fn first_byte_within(mut self, duration: Duration) -> Self {
        self.deadlines.first_byte = duration;
        self
    }

    /// How long a request's head may take from its first byte. Default 10 s.
    pub fn head_within(mut self, duration: Duration) -> Self {
        self.deadlines.head = duration;
        self
    }

    /// How long a connection may stay idle between requests. Default 75 s; longer than the balancer's in front.
    pub fn keep_alive(mut self, duration: Duration) -> Self {
        self.deadlines.keep_alive = duration;
        self
    }

    /// How long a peer may take no bytes of an answer. Default 20 s.
    pub fn write_stall(mut self, duration: Duration) -> Self {
        self.deadlines.write_stall = duration;
        self
    }

    /// How long connections may take to finish after the shutdown signal. Default 30 s.
    pub fn finish_within(mut self, duration: Duration) -> Self {
        self.finish_within = duration;
        self
    }

    /// How long a connection may take before its first request: for the balancer's header and the handshake of TLS. Default
    /// 10 s.
    pub fn handshake_within(mut self, duration: Duration) -> Self {
        self.handshake_within = duration;
        self
    }

    /// The networks of balancers that pass bytes on and say first whose they are, by the PROXY protocol, version 1 or 2.
    /// Default: none.
    ///
    /// A connection from there must begin with that header, or it is closed. From elsewhere none is read. The client's address
    /// is then what [`PeerAddr`] says.
    pub fn proxy_protocol(mut self, networks: Networks) -> Self {
        self.proxies = networks;
        self
    }

    /// Speaks TLS, with a certificate chain and its key from files in PEM: addresses begin `https://` and `wss://`.
    ///
    /// [`Tls`] has certificates for several names, and says when the files are read again.
    ///
    /// # Errors
    /// The files cannot be read, or do not go together; the error names them.
    #[cfg(feature = "tls")]
    pub fn tls(
        self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Ok(self.tls_with(Tls::new(certificate, key)?))
    }

    /// Speaks TLS with these certificates.
    #[cfg(feature = "tls")]
    pub fn tls_with(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Binds; port 0 takes a free one, see [`BoundServer::local_addr`].
    ///
    /// Cancel safety: dropping the future binds nothing.
    ///
    /// # Errors
    /// The address cannot be bound: it is in use, or not this machine's.
    pub async fn bind(self, addr: impl Into<SocketAddr>) -> io::Result<BoundServer<S>> {
        Ok(self.incoming(TcpListener::bind(addr.into()).await?))
    }

    /// Serves what `accept` brings: a listener that was made elsewhere, a Unix socket, a TLS acceptor, a simulation.
    pub fn incoming<A: Accept>(self, accept: A) -> BoundServer<S, A> {
        BoundServer {
            server: self,
            accept,
            signal: Box::pin(pending()),
        }
    }
}

impl<S, B> HttpServer<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send + Sync,
    B: Body<Data: Send, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    /// Binds and serves until the process ends.
    ///
    /// Cancel safety: dropping the future accepts no more connections; those that were accepted go on.
    ///
    /// # Errors
    /// The address cannot be bound: it is in use, or not this machine's.
    pub async fn run(self, addr: impl Into<SocketAddr>) -> io::Result<()> {
        self.bind(addr).await?.run().await;
        Ok(())
    }

    /// A connection that was accepted: whose it is, TLS, then HTTP.
    fn meet<I: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        mut stream: I,
        peer: SocketAddr,
        slot: Slot,
        mut told: watch::Receiver<()>,
    ) {
        let is_named = self.proxies.contains(peer.ip());
        #[cfg(feature = "tls")]
        let is_secret = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let is_secret = false;
        let mut about = About { peer, scheme: None };
        let mut place = Place::Free(slot);
        if !is_named {
            let Some(permit) = place.taken(&stream, peer) else {
                return;
            };
            if !is_secret {
                return self.start(stream, about, permit, told);
            }
            place = Place::Taken(permit);
        }
        let server = self.clone();
        tokio::spawn(async move {
            let deadline = Instant::now() + server.handshake_within;
            let header = async {
                if is_named && let Some(named) = proxy::read(&mut stream).await? {
                    about = About {
                        peer: named.peer,
                        scheme: named.scheme,
                    };
                }
                io::Result::Ok(())
            };
            let read = tokio::select! {
                read = time::timeout_at(deadline, header) => read,
                _ = told.changed() => return,
            };
            if !matches!(read, Ok(Ok(()))) {
                return debug!(%peer, "no header of the PROXY protocol came: connection closed");
            }
            let Some(permit) = place.taken(&stream, about.peer) else {
                return;
            };
            #[cfg(feature = "tls")]
            if let Some(tls) = &server.tls {
                let accepted = tokio::select! {
                    accepted = time::timeout_at(deadline, tls.accept(stream)) => accepted,
                    _ = told.changed() => return,
                };
                let Ok(Ok(stream)) = accepted else {
                    return debug!(peer = %about.peer, "no handshake of TLS came: connection closed");
                };
                about.scheme = Some(Scheme::Https);
                return server.start(stream, about, permit, told);
            }
            server.start(stream, about, permit, told);
        });
    }

    fn start<I: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        stream: I,
        about: About,
        permit: ConnectionPermit,
        mut told: watch::Receiver<()>,
    ) {
        let phase = Phase::default();
        let guarded = Guarded::new(stream, self.deadlines, phase.clone());
        let inner = TowerToHyperService::new(self.service.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            phase.begin_answer();
            let judged = head::judge(&request, phase.has_two_lengths());
            let asks_for_upgrade = request.headers().contains_key(UPGRADE);
            let phase = phase.clone();
            let answer = judged.map(|()| {
                let extensions = request.extensions_mut();
                extensions.insert(PeerAddr(about.peer));
                about.scheme.map(|scheme| extensions.insert(scheme));
                extensions.insert(permit.clone());
                hyper::service::Service::call(&inner, request.map(TimedBody::new))
            });
            async move {
                let answer = match answer {
                    Ok(answer) => answer.await?,
                    Err(text) => return Ok(refuse(text, phase)),
                };
                let is_upgrade = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
                let phase = (!is_upgrade).then_some(phase);
                let mut answer = answer.map(|body| LastBody::new(body, phase));
                if asks_for_upgrade && !is_upgrade {
                    // Bytes that follow a refused upgrade are no request: they may be smuggled.
                    answer.headers_mut().insert(CONNECTION, CLOSE);
                }
                Ok::<_, S::Error>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // The guard's deadlines tell a slow head from an idle connection.
            .header_read_timeout(None)
            .max_headers(64)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(guarded), service)
            .with_upgrades();
        let finish_within = self.finish_within;
        tokio::spawn(async move {
            // How a connection broke concerns its client only.
            let mut connection = pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = told.changed() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = time::timeout(finish_within, connection).await;
        });
    }
}

/// Whose a connection is, and what they speak.
#[derive(Clone, Copy)]
struct About {
    peer: SocketAddr,
    /// `None` where a proxy may stand in between that ends TLS.
    scheme: Option<Scheme>,
}

/// A connection's place, before and after it is known whose it is.
enum Place {
    Free(Slot),
    Taken(ConnectionPermit),
}

impl Place {
    /// Counts the connection as one of its peer's address. `None` if that has too many: then it is to be dropped.
    fn taken(self, stream: &dyn Any, peer: SocketAddr) -> Option<ConnectionPermit> {
        let permit = match self {
            Self::Taken(permit) => Some(permit),
            Self::Free(slot) => slot.of(peer.ip()),
        };
        if permit.is_none() {
            reset_on_drop(stream);
            debug!(%peer, "connections of this address used up: reset");
        }
        permit
    }
}

/// Answers a request that no service sees; the connection ends.
fn refuse<B>(text: &'static str, phase: Phase) -> Response<LastBody<B>> {
    let mut answer = Response::new(LastBody::of_loop(text, phase));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, CLOSE);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Where connections come from.
pub trait Accept: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next connection, and returns it with the address of its other end.
    ///
    /// Cancel safety: the server drops the future at a shutdown; a connection that was not returned is not served.
    ///
    /// # Errors
    /// No connection now; the server goes on to ask.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        prepare(&stream, Limits::WRITE_STALL);
        Ok((stream, peer))
    }
}

/// A server that has an address; call [`BoundServer::run`].
#[must_use = "a bound server serves once it runs: call `run`"]
pub struct BoundServer<S, A = TcpListener> {
    server: HttpServer<S>,
    accept: A,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S> BoundServer<S> {
    /// The address bound.
    ///
    /// # Panics
    /// Never: a listener that is bound has one.
    pub fn local_addr(&self) -> SocketAddr {
        self.accept
            .local_addr()
            .expect("a bound listener has an address")
    }

    /// The address bound as browsers write it: `http://127.0.0.1:3030`, and `https` where it speaks TLS.
    pub fn url(&self) -> String {
        #[cfg(feature = "tls")]
        if self.server.tls.is_some() {
            return format!("https://{}", self.local_addr());
        }
        format!("http://{}", self.local_addr())
    }
}

impl<S, A> BoundServer<S, A> {
    /// Stops when `signal` is done: accepts no more, lets answers finish, closes the rest after
    /// [`HttpServer::finish_within`].
    ///
    /// To end the sessions first, let the signal do it: `async { ctrl_c().await; server.drain(within).await; }`.
    pub fn graceful(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Box::pin(signal);
        self
    }
}

impl<S, A> Debug for BoundServer<S, A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundServer").finish_non_exhaustive()
    }
}

impl<S, A, B> BoundServer<S, A>
where
    A: Accept,
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send + Sync,
    B: Body<Data: Send, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    /// Serves until the signal of [`BoundServer::graceful`]; without one, until the process ends.
    ///
    /// Cancel safety: dropping the future accepts no more connections; those that were accepted go on.
    pub async fn run(self) {
        let Self {
            server,
            mut accept,
            mut signal,
        } = self;
        let max_connections = server.max_connections.min(Semaphore::MAX_PERMITS);
        let connections = Connections::new(max_connections, server.max_connections_per_address);
        let (shutdown, told) = watch::channel(());
        loop {
            let accepted = async {
                let slot = connections.slot().await;
                (accept.accept().await, slot)
            };
            let (accepted, slot) = tokio::select! {
                () = &mut signal => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, peer)) => server.meet(stream, peer, slot, told.clone()),
                Err(error) => recover(&error).await,
            }
        }
        drop((accept, told));
        // Each connection finishes or is cut, and lets go of its end.
        shutdown.send_replace(());
        shutdown.closed().await;
        // WebSockets have left the connections that began them; the last words to them are on their way.
        let _ = time::timeout(LAST_WORDS_WITHIN, connections.all_gone(max_connections)).await;
    }
}

/// How long upgraded connections may take to end once the server has.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

/// Longest head of a request; also what hyper buffers at most. An offer as long as an open may be fits in it, beside the
/// other headers (PROTOCOL §3.1).
const MAX_HEAD_BYTES: usize = Limits::MAX_OPEN_BYTES + 8_192;

/// An accept that failed for want of files or memory is tried again shortly; others concern one client only.
async fn recover(error: &io::Error) {
    let is_one_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !is_one_client {
        time::sleep(Duration::from_millis(50)).await;
    }
}
