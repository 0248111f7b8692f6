//! What a session keeps of the request that opened it.

use std::sync::Arc;

use anywire_core::Opening;
use http::HeaderName;

use crate::visitor::Visitor;

/// What a session keeps of the request that opened it, for [`Socket::opening`](crate::Socket::opening). Default: nothing, since each
/// byte of it is held as long as the session lives.
///
/// ```
/// use anywire::{Config, Keep};
///
/// let config = Config::new().keep(Keep::nothing().headers(["user-agent"]).query());
/// # let _ = config;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Keep(Arc<Wanted>);

#[derive(Clone, Debug, Default)]
struct Wanted {
    headers: Vec<HeaderName>,
    path: bool,
    query: bool,
    peer: bool,
}

impl Keep {
    /// Nothing: the default.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// These headers. Of `Cookie` and `Authorization` better keep what you made of them, as a value of the
    /// [`Grant`](crate::Grant).
    ///
    /// # Panics
    /// A name is none of a header.
    pub fn headers<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(|name| {
            let parsed = name.parse::<HeaderName>();
            parsed
                .unwrap_or_else(|_| panic!("`{name}` is no name of a header: name it as HTTP does"))
        });
        let names: Vec<_> = names.collect();
        self.change(|wanted| wanted.headers.extend(names))
    }

    /// The path.
    pub fn path(self) -> Self {
        self.change(|wanted| wanted.path = true)
    }

    /// The query, without the protocol's own parameters.
    pub fn query(self) -> Self {
        self.change(|wanted| wanted.query = true)
    }

    /// The client's address.
    pub fn peer(self) -> Self {
        self.change(|wanted| wanted.peer = true)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        let Wanted {
            headers,
            path,
            query,
            peer,
        } = &*self.0;
        headers.is_empty() && !(*path || *query || *peer)
    }

    /// What is kept of a visitor.
    pub(crate) fn of(&self, visitor: &Visitor) -> Option<Opening> {
        if self.is_nothing() {
            return None;
        }
        let mut opening = Opening::default();
        for name in &self.0.headers {
            for value in visitor.headers.get_all(name) {
                // What is no text is of no use there.
                if let Ok(value) = value.to_str() {
                    opening = opening.with_header(name.as_str(), value);
                }
            }
        }
        if self.0.path {
            opening = opening.with_path(&visitor.path);
        }
        if self.0.query {
            opening = opening.with_query(&visitor.query);
        }
        if self.0.peer {
            opening = opening.with_peer(visitor.peer);
        }
        Some(opening)
    }

    fn change(self, change: impl FnOnce(&mut Wanted)) -> Self {
        let mut wanted = Arc::unwrap_or_clone(self.0);
        change(&mut wanted);
        Self(Arc::new(wanted))
    }
}
