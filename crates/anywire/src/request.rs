//! A request as the hosts hand it over.

use std::net::SocketAddr;

use http::{Extensions, HeaderMap, Method};
use hyper::upgrade::OnUpgrade;

use crate::serve::ConnectionPermit;

/// A request without its body, whatever host it comes from.
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: String,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) permit: Option<ConnectionPermit>,
    /// What layers and filters before have put in.
    pub(crate) extensions: Extensions,
}
