//! How a byte stream to the server comes about: directly, through a proxy, with TLS, or as the app says. What goes over
//! it is left to the legs.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::dial::{Tcp, port};

#[cfg(feature = "tls")]
pub use rustls;

type Dialing = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

trait Bytes: Read + Write + Send + Unpin {}
impl<T: Read + Write + Send + Unpin> Bytes for T {}

/// Makes byte streams to servers.
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn(Uri) -> Dialing + Send + Sync>);

impl Connector {
    /// A connector of the app's own: for a Unix socket, a tunnel, a simulation. It gets the endpoint's address, with
    /// scheme `http` or `https`, and does the TLS itself where that is wanted.
    pub fn new<F, Fut, S>(dial: F) -> Self
    where
        F: Fn(Uri) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move |uri| {
            let dialing = dial(uri);
            Box::pin(async move { Ok(Stream(Box::new(TokioIo::new(dialing.await?)))) })
        }))
    }

    /// A connector over TCP, through the proxies that `proxies` names.
    pub(crate) fn tcp(tcp: Tcp, proxies: Matcher, tls: Tls) -> Self {
        let proxies = Arc::new(proxies);
        Self(Arc::new(move |uri| {
            let (tcp, proxies, tls) = (tcp.clone(), proxies.clone(), tls.clone());
            Box::pin(async move {
                let Some(proxy) = proxies.intercept(&uri) else {
                    return tls.dial(tcp, uri).await;
                };
                let uri = with_port(&uri)?;
                if proxy.uri().scheme_str().is_some_and(is_socks) {
                    tls.dial(socks(&proxy, tcp), uri).await
                } else {
                    tls.dial(tunnel(&proxy, tcp), uri).await
                }
            })
        }))
    }

    pub(crate) async fn dial(&self, uri: Uri) -> io::Result<Stream> {
        (self.0)(uri).await
    }
}

/// The address with its port, where it leaves out the one that its scheme means: what speaks with proxies would take 443.
fn with_port(uri: &Uri) -> io::Result<Uri> {
    let host = uri.host().unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    let authority = format!("{host}:{}", port(uri)).parse();
    parts.authority = Some(authority.map_err(io::Error::other)?);
    Uri::from_parts(parts).map_err(io::Error::other)
}

fn is_socks(scheme: &str) -> bool {
    scheme.starts_with("socks5")
}

fn socks(proxy: &Intercept, tcp: Tcp) -> SocksV5<Tcp> {
    // `socks5h` leaves names to the proxy, which is the way that works behind one.
    let is_local = proxy.uri().scheme_str() == Some("socks5");
    let socks = SocksV5::new(proxy.uri().clone(), tcp).local_dns(is_local);
    match proxy.raw_auth() {
        Some((user, word)) => socks.with_auth(user.to_owned(), word.to_owned()),
        None => socks,
    }
}

fn tunnel(proxy: &Intercept, tcp: Tcp) -> Tunnel<Tcp> {
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    match proxy.basic_auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    }
}

/// What `https:` needs.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    #[cfg(feature = "tls")]
    pub(crate) config: Option<rustls::ClientConfig>,
}

impl Tls {
    async fn dial<C>(&self, connector: C, uri: Uri) -> io::Result<Stream>
    where
        C: Service<Uri> + Send + 'static,
        C::Response: Read + Write + Connection + Send + Unpin + 'static,
        C::Future: Send + 'static,
        C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        #[cfg(feature = "tls")]
        {
            let builder = hyper_rustls::HttpsConnectorBuilder::new();
            let builder = match &self.config {
                Some(config) => builder.with_tls_config(config.clone()),
                None => builder
                    .try_with_platform_verifier()
                    .map_err(io::Error::other)?,
            };
            let connector = builder
                .https_or_http()
                .enable_http1()
                .wrap_connector(connector);
            call(connector, uri).await
        }
        #[cfg(not(feature = "tls"))]
        {
            if uri.scheme_str() == Some("https") {
                return Err(io::Error::other(
                    "https needs the feature `tls` of anywire-client",
                ));
            }
            call(connector, uri).await
        }
    }
}

async fn call<C>(mut connector: C, uri: Uri) -> io::Result<Stream>
where
    C: Service<Uri>,
    C::Response: Read + Write + Send + Unpin + 'static,
    C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    std::future::poll_fn(|cx| connector.poll_ready(cx))
        .await
        .map_err(io::Error::other)?;
    let stream = connector.call(uri).await.map_err(io::Error::other)?;
    Ok(Stream(Box::new(stream)))
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Dialing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Dialing {
        (self.0)(uri)
    }
}

impl Debug for Connector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// A byte stream, whatever it is made of.
pub struct Stream(Box<dyn Bytes>);

impl Debug for Stream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
