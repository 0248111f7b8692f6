//! TCP connections to names that have more addresses than one (RFC 8305): a dead address must not hide a good one. Proxies
//! and TLS are left to `connect.rs`.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_service::Service;

/// Opens a TCP connection to an address's host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tcp {
    /// Hosts whose addresses the app has named.
    named: Arc<HashMap<String, Vec<SocketAddr>>>,
    /// What answered last, and is tried first: each exchange may need a connection of its own.
    answered: Arc<Mutex<Option<SocketAddr>>>,
}

impl Tcp {
    pub(crate) fn new(named: HashMap<String, Vec<SocketAddr>>) -> Self {
        Self {
            named: Arc::new(named),
            answered: Arc::default(),
        }
    }

    async fn dial(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let host = uri.host().unwrap_or_default();
        // An IPv6 address stands in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port(&uri);
        let addresses = match self.named.get(host) {
            Some(addresses) => addresses.clone(),
            None => lookup_host((host, port)).await?.collect(),
        };
        let mut addresses = alternating(addresses);
        let answered = *self.answered();
        let known = addresses
            .iter()
            .position(|address| Some(*address) == answered);
        if let Some(index) = known {
            addresses[..=index].rotate_right(1);
        }
        let stream = connect_any(addresses).await?;
        *self.answered() = stream.peer_addr().ok();
        // Small messages must not wait for each other's acks.
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(stream))
    }

    fn answered(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The port that an address names or its scheme means.
pub(crate) fn port(uri: &Uri) -> u16 {
    let default = match uri.scheme_str() {
        Some("https") => 443,
        Some("socks5" | "socks5h") => 1_080,
        _ => 80,
    };
    uri.port_u16().unwrap_or(default)
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// The addresses in their order, but one family after the other in turn (RFC 8305 §4).
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let starts_with_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == starts_with_v6);
    let (mut first, mut other) = (first.into_iter(), other.into_iter());
    let mut order = Vec::new();
    loop {
        let pair = [first.next(), other.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// The first connection that comes about. The next address is tried when the one before has failed, or has not answered
/// for a while; those that are late are given up.
async fn connect_any(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    loop {
        if let Some(address) = addresses.next() {
            attempts.spawn(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(error);
        }
        let has_more = addresses.len() > 0;
        tokio::select! {
            Some(attempt) = attempts.join_next() => match attempt.map_err(io::Error::other) {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(failure)) | Err(failure) => error = failure,
            },
            () = sleep(ATTEMPT_DELAY), if has_more => {}
        }
    }
}

/// How long an address may not answer until the next is tried too (RFC 8305 §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_not_named_is_that_of_the_scheme() {
        for (uri, expected) in [
            ("http://h", 80),
            ("https://h", 443),
            ("socks5://h", 1_080),
            ("socks5h://h", 1_080),
            ("socks5h://h:9050", 9_050),
        ] {
            assert_eq!(port(&uri.parse().expect("an address")), expected, "{uri}");
        }
    }

    #[test]
    fn families_take_turns_beginning_with_that_of_the_first_address() {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts
                .iter()
                .map(|text| text.parse().expect("an address"))
                .collect()
        };
        let mixed = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let order = parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(alternating(mixed), order);
        let same = parse(&["1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(alternating(same.clone()), same);
        assert_eq!(alternating(Vec::new()), []);
    }
}
