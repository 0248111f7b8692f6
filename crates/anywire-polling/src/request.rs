//! What comes in: which endpoint a request is for, its query, its body, and what the body begins with.

pub(crate) mod body;
pub(crate) mod head;
pub mod query;

use anywire_core::{Guest, Hub};
use http::{HeaderMap, Method};

/// What a router needs to know of an endpoint.
#[derive(Debug)]
pub struct Row {
    /// Its path under the mount.
    pub name: &'static str,
    /// The only method that it answers, apart from preflights.
    pub method: Method,
    /// The parameters of the query that belong to the protocol. They are, or hold, credentials.
    pub own_parameters: &'static [&'static str],
    /// Whether the server's owner must turn it on: see `Config::allow_jsonp`.
    pub is_opt_in: bool,
}

/// A request that has passed the gate as far as its body does not matter.
#[derive(Debug)]
pub struct Request<'a, B> {
    /// The sessions.
    pub hub: &'a Hub,
    /// Who makes it.
    pub guest: Guest,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The request's query, without the `?`; empty if there is none.
    pub query: &'a str,
    /// The request's body.
    pub body: B,
}
