//! What the app is asked about a request, and how it says no.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anywire_core::Principal;
use http::{Extensions, HeaderMap, StatusCode};

/// Asks the app who a visitor is.
pub(crate) type Authorize = Arc<
    dyn Fn(Visitor) -> Pin<Box<dyn Future<Output = Result<Principal, Denied>> + Send>>
        + Send
        + Sync,
>;

/// A request that asks to come in, for [`Config::authorize`](crate::Config::authorize).
///
/// `Debug` hides what may be a credential, so that logs do too.
#[derive(Clone)]
#[non_exhaustive]
pub struct Visitor {
    /// The request's headers. Cookies and a WebSocket's sub-protocols are credentials: do not log them.
    pub headers: HeaderMap,
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
    /// The endpoint's name: `websocket`, `stream`, `events`, `poll`, `jsonp`, `form` or
    /// `raw`.
    pub endpoint: &'static str,
}

impl Debug for Visitor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor")
            .field("endpoint", &self.endpoint)
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
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Denied {
    /// The visitor must say who they are: 401. The text says how.
    pub fn unauthenticated(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            text: text.into(),
        }
    }

    /// The visitor is known and may not: 403.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            text: text.into(),
        }
    }
}

/// Asks the app about the origin of a page: `scheme://host[:port]`.
pub(crate) type AllowOrigin = Arc<dyn Fn(&str) -> bool + Send + Sync>;
