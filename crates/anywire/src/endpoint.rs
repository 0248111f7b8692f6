//! The endpoints: each turns HTTP into a command, and its outcome into HTTP. Routes never decide.

use std::net::SocketAddr;

use anywire_core::{Principal, Refusal};
use anywire_polling::Exchange;
use anywire_protocol::{CloseCode, CloseReason, Encoding};
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::time;
use tokio_stream::{Stream, StreamExt};
use warp::reply::Response;

use crate::body::BodyClock;
use crate::gate::{CrossOrigin, Visitor, judge_origin};
use crate::respond::{answer, deny, finish, method_not_allowed, preflight, refuse, refuse_with};
use crate::script::{Build, Freshness, Scripts};
use crate::serve::ConnectionPermit;
use crate::server::Shared;
use crate::upgrade::{upgrade_raw, upgrade_websocket};

/// What a path under the mount leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    WebSocket,
    Raw,
    Poll,
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
    pub(crate) fn find(name: &str, scripts: &Scripts) -> Option<Self> {
        match name {
            "websocket" => Some(Self::WebSocket),
            "raw" => Some(Self::Raw),
            "poll" => Some(Self::Poll),
            name => scripts
                .matches(name)
                .map(|(build, freshness)| Self::Script(build, freshness)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Raw => "raw",
            Self::Poll => "poll",
            Self::Script(Build::Full, _) => "client.js",
            Self::Script(Build::Modern, _) => "client-modern.js",
        }
    }

    pub(crate) async fn respond<S, B, E>(
        self,
        shared: &Shared,
        request: Request,
        body: S,
    ) -> Response
    where
        S: Stream<Item = Result<B, E>>,
        B: Buf,
    {
        if let Self::Script(build, freshness) = self {
            // The script is public: pages of other origins load it too.
            return finish(script(shared, &request, build, freshness), None);
        }
        let origin = match judge_origin(&shared.config, &request.headers) {
            Ok(origin) => origin,
            Err(refusal) => return finish(refuse(&refusal), None),
        };
        finish(
            self.respond_to_known_origin(shared, request, body, &origin)
                .await,
            origin,
        )
    }

    async fn respond_to_known_origin<S, B, E>(
        self,
        shared: &Shared,
        request: Request,
        body: S,
        origin: &CrossOrigin,
    ) -> Response
    where
        S: Stream<Item = Result<B, E>>,
        B: Buf,
    {
        let allowed = if self == Self::Poll { "POST" } else { "GET" };
        if self == Self::Poll && request.method == Method::OPTIONS && origin.is_some() {
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
            query: request.query.clone(),
            peer: request.peer,
            endpoint: self.name(),
        };
        authorize(visitor)
            .await
            .map(Some)
            .map_err(|denied| deny(&denied))
    }
}

/// `POST {mount}/poll` (PROTOCOL §6).
async fn poll<S, B, E>(
    shared: &Shared,
    headers: &HeaderMap,
    body: S,
    principal: Option<Principal>,
) -> Response
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("?"));
    let Some(encoding) = Encoding::from_content_type(content_type) else {
        let text = "use text/plain or application/octet-stream";
        return refuse(&Refusal::new(CloseCode::UNSUPPORTED_MEDIA_TYPE, text));
    };
    let max_bytes = shared.hub.limits().max_payload_bytes;
    let body = match collect(headers, body, max_bytes).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let exchange = match Exchange::begin(&shared.hub, encoding, body, principal.as_ref()) {
        Ok(exchange) => exchange,
        Err(refusal) => return refuse(&refusal),
    };
    match exchange.answer().await {
        Ok(payload) => answer(StatusCode::OK, encoding.content_type(), payload),
        Err(refusal) => refuse(&refusal),
    }
}

/// The body, if it is not longer than allowed.
async fn collect<S, B, E>(headers: &HeaderMap, body: S, max_bytes: usize) -> Result<Bytes, Response>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let too_large = || {
        let refusal = Refusal::new(
            CloseCode::TOO_LARGE,
            "send less than maxPayloadBytes at once",
        );
        closing(refuse(&refusal))
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > max_bytes as u64) {
        return Err(too_large());
    }
    let mut body = std::pin::pin!(body);
    let mut whole = BytesMut::new();
    let mut clock = BodyClock::start();
    loop {
        let Ok(next) = time::timeout_at(clock.deadline(), body.next()).await else {
            let reason = CloseReason::new(CloseCode::STALLED, "the body came too slowly");
            return Err(closing(refuse_with(StatusCode::REQUEST_TIMEOUT, &reason)));
        };
        let Some(chunk) = next else {
            return Ok(whole.freeze());
        };
        let mut chunk = chunk.map_err(|_| {
            let text = "the body ended before it was whole";
            closing(refuse(&Refusal::new(CloseCode::PROTOCOL_ERROR, text)))
        })?;
        if whole.len() + chunk.remaining() > max_bytes {
            return Err(too_large());
        }
        clock.receive(chunk.remaining());
        whole.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
}

/// The rest of the request is not read, so the connection cannot go on.
fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn script(shared: &Shared, request: &Request, build: Build, freshness: Freshness) -> Response {
    match request.method {
        Method::GET | Method::HEAD => shared.scripts.respond(&request.headers, build, freshness),
        _ => method_not_allowed("GET, HEAD"),
    }
}
