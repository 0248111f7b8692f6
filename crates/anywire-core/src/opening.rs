//! What a session keeps of the request that opened it.

use std::fmt::{self, Debug, Formatter};
use std::net::SocketAddr;
use std::sync::Arc;

/// What the app wants kept of the request that opened a session. Clones share it.
#[derive(Clone, Default)]
pub struct Opening(Arc<Inner>);

#[derive(Clone, Default)]
struct Inner {
    headers: Vec<(Box<str>, Box<str>)>,
    path: Option<Box<str>>,
    query: Option<Box<str>>,
    peer: Option<SocketAddr>,
}

impl Opening {
    /// With a header. Names are in lower case.
    pub fn with_header(self, name: &str, value: &str) -> Self {
        self.change(|inner| inner.headers.push((name.into(), value.into())))
    }

    /// With the path.
    pub fn with_path(self, path: &str) -> Self {
        self.change(|inner| inner.path = Some(path.into()))
    }

    /// With the query.
    pub fn with_query(self, query: &str) -> Self {
        self.change(|inner| inner.query = Some(query.into()))
    }

    /// With the client's address.
    pub fn with_peer(self, peer: Option<SocketAddr>) -> Self {
        self.change(|inner| inner.peer = peer)
    }

    /// The first header of this name, in any case; `None` if it is not kept, or there was none.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(kept, _)| kept.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All headers that are kept.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
    }

    /// The path; `None` if it is not kept.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The query, without the `?` and the protocol's own parameters; `None` if it is not kept.
    pub fn query(&self) -> Option<&str> {
        self.0.query.as_deref()
    }

    /// The client's address, as the gate judged it; `None` if it is not kept or not known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// How many bytes it holds.
    pub(crate) fn held_bytes(&self) -> usize {
        let headers = self
            .headers()
            .map(|(name, value)| name.len() + value.len() + 32);
        let texts = [self.path(), self.query()].into_iter().flatten();
        size_of::<Inner>() + headers.sum::<usize>() + texts.map(str::len).sum::<usize>()
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }
}

impl Debug for Opening {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Headers and queries may hold credentials.
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}
