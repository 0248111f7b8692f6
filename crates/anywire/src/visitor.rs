//! What the app is asked about a request, and how it says no.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anywire_core::{Asks, Grant, Refusal};
use anywire_polling::query;
use anywire_protocol::{CloseCode, Credential, Transport};
use http::header::{ACCEPT_LANGUAGE, COOKIE};
use http::{Extensions, HeaderMap};

/// Asks the app who a visitor is.
pub(crate) type Authorize = Arc<
    dyn Fn(Visitor) -> Pin<Box<dyn Future<Output = Result<Grant, Denied>> + Send>> + Send + Sync,
>;

/// A request that asks to come in, for [`Config::authorize`](crate::Config::authorize).
///
/// `Debug` hides what may be a credential, so that logs do too.
#[derive(Clone)]
#[non_exhaustive]
pub struct Visitor {
    /// The request's headers. Cookies and a WebSocket's sub-protocols are credentials: do not log them.
    pub headers: HeaderMap,
    /// The request's path, with the mount's.
    pub path: String,
    /// The request's query, without the `?` and the protocol's own parameters.
    pub query: String,
    /// The client's address: the other end of the connection, or whom a trusted proxy names
    /// ([`Config::trust_proxies`](crate::Config::trust_proxies)); its port is 0 where the proxy names none. `None` where the
    /// host does not tell: see [`PeerAddr`](crate::PeerAddr).
    pub peer: Option<SocketAddr>,
    /// What the client spoke. `None` where neither TLS on this server nor a trusted proxy says it.
    pub scheme: Option<Scheme>,
    /// What layers and filters before this server put into the request, such as the user that an authentication layer
    /// found.
    pub extensions: Extensions,
    /// What brings the request; a form is of `jsonp`, which it belongs to.
    pub transport: Transport,
    /// What is asked.
    pub asks: Asks,
    /// What the client says of itself beside its request, such as a token. It has none where it says nothing.
    ///
    /// With [`Asks::Renew`] and a credential there is no request: the fields above are what
    /// [`Config::keep`](crate::Config::keep) has kept of the one that opened the session, or empty.
    pub credential: Option<Credential>,
}

impl Visitor {
    /// The value of a cookie, as it was sent.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(COOKIE).into_iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = named.find(|(other, _)| *other == name)?;
        let inner = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        Some(inner.unwrap_or(value))
    }

    /// The first parameter of this name in the query, without its escapes; `None` too where that is no UTF-8.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let bytes = query::parameter(&self.query, name)?.ok()?;
        String::from_utf8(bytes.into()).ok()
    }

    /// The languages of `Accept-Language`, the preferred first; `*` and those that are not wanted are left out.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        let lines = self.headers.get_all(ACCEPT_LANGUAGE).into_iter();
        let ranges = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','));
        let mut wanted: Vec<(u16, &str)> = ranges
            .filter_map(|range| {
                let (tag, weight) = match range.split_once(';') {
                    Some((tag, weight)) => (tag, weight.trim().strip_prefix("q=")?.parse().ok()?),
                    None => (range, 1.0_f32),
                };
                let thousandths = (weight.clamp(0.0, 1.0) * 1_000.0) as u16;
                Some((thousandths, tag.trim()))
            })
            .filter(|(weight, tag)| *weight > 0 && !tag.is_empty() && *tag != "*")
            .collect();
        wanted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        wanted.into_iter().map(|(_, tag)| tag)
    }
}

impl Debug for Visitor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor")
            .field("transport", &self.transport)
            .field("asks", &self.asks)
            .field("peer", &self.peer)
            .field("scheme", &self.scheme)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What a client spoke, as TLS or a trusted proxy says.
///
/// Also the request extension by which a host that ends TLS itself says so; [`HttpServer`](crate::HttpServer) does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`, or `ws`: without TLS.
    Http,
    /// `https`, or `wss`: over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme of a name in any case; some proxies say `ws` and `wss`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "http" | "ws" => Some(Self::Http),
            "https" | "wss" => Some(Self::Https),
            _ => None,
        }
    }
}

/// The app does not let a visitor in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    code: CloseCode,
    text: String,
    retry_after: Option<Duration>,
}

impl Denied {
    /// The visitor must say who they are: 401, and 4966. The text says how.
    pub fn unauthenticated(text: impl Into<String>) -> Self {
        Self::new(CloseCode::UNAUTHORIZED, text)
    }

    /// The visitor is known and may not: 403, and 4969.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::new(CloseCode::FORBIDDEN, text)
    }

    /// The app cannot tell now, since what it asks is away: 503 with `Retry-After`, and 4902. Clients come again, and a session
    /// whose grant still holds goes on.
    pub fn unavailable(text: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(CloseCode::OVERLOADED, text)
        }
    }

    fn new(code: CloseCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            retry_after: None,
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let refusal = Self::new(denied.code, &denied.text);
        match denied.retry_after {
            Some(wait) => refusal.after(wait),
            None => refusal,
        }
    }
}

/// Asks the app about the origin of a page: `scheme://host[:port]`.
pub(crate) type AllowOrigin = Arc<dyn Fn(&str) -> bool + Send + Sync>;
