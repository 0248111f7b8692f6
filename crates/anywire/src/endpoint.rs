//! The endpoints: each turns HTTP into a command, and its outcome into HTTP. Routes never decide.

use std::net::SocketAddr;

use anywire_core::Principal;
use http::{HeaderMap, Method};
use hyper::upgrade::OnUpgrade;
use warp::reply::Response;

use crate::gate::{CrossOrigin, Visitor, judge_origin};
use crate::intake::Chunks;
use crate::legacy::{as_call, as_text, call_number, form, jsonp};
use crate::polling::{events, poll, stream};
use crate::query;
use crate::respond::{deny, finish, method_not_allowed, preflight, refuse};
use crate::script::{Build, Freshness};
use crate::serve::ConnectionPermit;
use crate::server::Shared;
use crate::upgrade::{upgrade_raw, upgrade_websocket};

/// What a path under the mount leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    WebSocket,
    Raw,
    Poll,
    Stream,
    Events,
    Jsonp,
    Form,
    Script(Build, Freshness),
}

/// A request without its body.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: String,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) permit: Option<ConnectionPermit>,
}

impl Endpoint {
    pub(crate) fn find(name: &str, shared: &Shared) -> Option<Self> {
        match name {
            "websocket" => Some(Self::WebSocket),
            "raw" => Some(Self::Raw),
            "poll" => Some(Self::Poll),
            "stream" => Some(Self::Stream),
            "events" => Some(Self::Events),
            "jsonp" if shared.config.has_jsonp => Some(Self::Jsonp),
            "form" if shared.config.has_jsonp => Some(Self::Form),
            name => shared
                .scripts
                .matches(name)
                .map(|(build, freshness)| Self::Script(build, freshness)),
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Poll | Self::Stream | Self::Form => "POST",
            Self::WebSocket | Self::Raw | Self::Events | Self::Jsonp | Self::Script(..) => "GET",
        }
    }

    /// The parameters of the query that are the protocol's.
    fn own_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Events => &["offer"],
            Self::Jsonp => &["b", "c"],
            Self::WebSocket
            | Self::Raw
            | Self::Poll
            | Self::Stream
            | Self::Form
            | Self::Script(..) => &[],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Raw => "raw",
            Self::Poll => "poll",
            Self::Stream => "stream",
            Self::Events => "events",
            Self::Jsonp => "jsonp",
            Self::Form => "form",
            Self::Script(Build::Full, _) => "client.js",
            Self::Script(Build::Modern, _) => "client-modern.js",
        }
    }

    pub(crate) async fn respond(
        self,
        shared: &Shared,
        request: Request,
        body: impl Chunks,
    ) -> Response {
        if let Self::Script(build, freshness) = self {
            // The script is public: pages of other origins load it too.
            return finish(script(shared, &request, build, freshness), CrossOrigin::No);
        }
        let number = call_number(&request.query);
        let (response, origin) = match judge_origin(&shared.config, &request.headers) {
            Ok(origin) => {
                let response = self.respond_to_known_origin(shared, request, body, &origin);
                (response.await, origin)
            }
            Err(refusal) => (refuse(&refusal), CrossOrigin::No),
        };
        let response = match (self, number) {
            (Self::Jsonp, Some(number)) => as_call(number, response),
            (Self::Form, _) => as_text(response),
            _ => response,
        };
        finish(response, origin)
    }

    async fn respond_to_known_origin(
        self,
        shared: &Shared,
        request: Request,
        body: impl Chunks,
        origin: &CrossOrigin,
    ) -> Response {
        let allowed = self.method();
        if allowed == "POST" && request.method == Method::OPTIONS && *origin != CrossOrigin::No {
            return preflight();
        }
        if request.method != allowed {
            return method_not_allowed(allowed);
        }
        let principal = match self.authorize(shared, &request).await {
            Ok(principal) => principal,
            Err(response) => return response,
        };
        match self {
            Self::WebSocket => upgrade_websocket(shared, request, principal),
            Self::Raw => upgrade_raw(shared, request, principal),
            Self::Stream => stream(shared, &request.headers, body, principal).await,
            Self::Events => events(shared, &request, principal),
            Self::Jsonp => jsonp(shared, &request.query, principal).await,
            Self::Form => form(shared, &request.headers, body, principal).await,
            Self::Poll | Self::Script(..) => poll(shared, &request.headers, body, principal).await,
        }
    }

    async fn authorize(
        self,
        shared: &Shared,
        request: &Request,
    ) -> Result<Option<Principal>, Response> {
        let Some(authorize) = &shared.config.authorize else {
            return Ok(None);
        };
        let visitor = Visitor {
            headers: request.headers.clone(),
            query: query::without(&request.query, self.own_parameters()),
            peer: request.peer,
            endpoint: self.name(),
        };
        authorize(visitor)
            .await
            .map(Some)
            .map_err(|denied| deny(&denied))
    }
}

fn script(shared: &Shared, request: &Request, build: Build, freshness: Freshness) -> Response {
    match request.method {
        Method::GET | Method::HEAD => shared.scripts.respond(&request.headers, build, freshness),
        _ => method_not_allowed("GET, HEAD"),
    }
}
