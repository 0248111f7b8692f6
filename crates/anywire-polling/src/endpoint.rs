//! The endpoints of this crate, a row for each. What each of them does is in the file of its name.

use anywire_protocol::Transport;

use crate::answer::{HttpRefusal, Style};
use crate::request::body::BoxError;
use crate::request::{Request, Row};
use crate::taken::Taken;
use crate::{events, form, jsonp, poll, stream};

/// An endpoint under the mount path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST {mount}/poll`, long polling: each request is held until there is something to answer (PROTOCOL §6).
    Poll,
    /// `POST {mount}/stream`: one endless answer that carries the session down (PROTOCOL §13).
    Stream,
    /// `GET {mount}/events`: the same as server-sent events, for an `EventSource` (PROTOCOL §14).
    Events,
    /// `GET {mount}/jsonp`: long polling by script tags, each answer of which is a script (PROTOCOL §15).
    Jsonp,
    /// `POST {mount}/form`: what is too long for the address of [`Endpoint::Jsonp`], sent by a form (PROTOCOL §15.5).
    Form,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Poll,
        Self::Stream,
        Self::Events,
        Self::Jsonp,
        Self::Form,
    ];

    /// What a router needs to know of it.
    pub fn row(self) -> &'static Row {
        match self {
            Self::Poll => &poll::ROW,
            Self::Stream => &stream::ROW,
            Self::Events => &events::ROW,
            Self::Jsonp => &jsonp::ROW,
            Self::Form => &form::ROW,
        }
    }

    /// The transport that it belongs to.
    pub fn transport(self) -> Transport {
        match self {
            Self::Poll => Transport::Poll,
            Self::Stream => Transport::Stream,
            Self::Events => Transport::Events,
            Self::Jsonp | Self::Form => Transport::Jsonp,
        }
    }

    /// How the endpoint's refusals look, also those of the gate before it.
    pub fn style(self, query: &str) -> Style {
        match self {
            Self::Poll | Self::Stream | Self::Events => Style::Json,
            Self::Jsonp => jsonp::style(query),
            Self::Form => Style::Text,
        }
    }

    /// Takes a request: what it says has been handed on when this returns. Nothing of the request is needed after it.
    ///
    /// Cancel safety: dropping the future loses nothing: the client says again what was not acknowledged.
    ///
    /// # Errors
    /// Nothing of the request was taken: [`render`](crate::render()) the refusal.
    pub async fn take<B>(self, request: Request<'_, B>) -> Result<Taken, HttpRefusal>
    where
        B: http_body::Body<Error: Into<BoxError>>,
    {
        match self {
            Self::Poll => poll::take(request).await,
            Self::Stream => stream::take(request).await,
            Self::Events => events::take(request).await,
            Self::Jsonp => jsonp::take(request).await,
            Self::Form => form::take(request).await,
        }
    }
}
