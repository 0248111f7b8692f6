//! A request as the hosts hand it over.

use std::net::SocketAddr;

use http::header::HOST;
use http::uri::Authority;
use http::{Extensions, HeaderMap, HeaderValue, Method};
use hyper::upgrade::OnUpgrade;

use crate::Config;
use crate::forwarded::Source;
use crate::serve::ConnectionPermit;
use crate::visitor::Scheme;

/// A request without its body, whatever host it comes from.
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) permit: Option<ConnectionPermit>,
    /// What layers and filters before have put in.
    pub(crate) extensions: Extensions,
}

impl RequestHead {
    /// Where the request comes from, as far as the config trusts what it says.
    pub(crate) fn source(&self, config: &Config) -> Source {
        let kind = config.forwarding_headers;
        Source::judge(&config.proxies, kind, self.peer, self.scheme, &self.headers)
    }

    /// Takes the authority of the request's target for the `Host` that an HTTP/2 request does not have.
    pub(crate) fn set_missing_host(headers: &mut HeaderMap, authority: Option<&Authority>) {
        if let Some(authority) = authority
            && !headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            headers.insert(HOST, host);
        }
    }
}
