//! The endpoints of `anywire-polling`: from a request to its body, and from what comes of it to an answer.

use anywire_core::{Principal, Refusal};
use anywire_polling::{Exchange, StreamBody};
use anywire_protocol::{CloseCode, Encoding, Offer, Offset, Transport, escape_line};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};
use warp::reply::Response;

use crate::endpoint::Request;
use crate::intake::{Body, Chunks, Escape, collect};
use crate::query;
use crate::respond::{answer, refuse, stream_answer};
use crate::server::Shared;

/// `POST {mount}/poll` (PROTOCOL §6).
pub(crate) async fn poll(
    shared: &Shared,
    headers: &HeaderMap,
    body: impl Chunks,
    principal: Option<Principal>,
) -> Response {
    let (encoding, body) = match read(shared, headers, body).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let via = (Transport::Poll, encoding);
    let exchange = match Exchange::begin(&shared.hub, via, body.payload, principal.as_ref()) {
        Ok(exchange) => exchange,
        Err(refusal) => return refuse(&refusal),
    };
    match exchange.answer().await {
        Ok(payload) => {
            let payload = if body.was_escaped {
                escape_answer(&payload)
            } else {
                payload
            };
            answer(StatusCode::OK, encoding.content_type(), payload)
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// An answer as one that escapes its requests can take it (PROTOCOL §4.7).
pub(crate) fn escape_answer(payload: &[u8]) -> Bytes {
    let mut line = BytesMut::new();
    escape_line(payload, &mut line);
    line.freeze()
}

/// `POST {mount}/stream` (PROTOCOL §13).
pub(crate) async fn stream(
    shared: &Shared,
    headers: &HeaderMap,
    body: impl Chunks,
    principal: Option<Principal>,
) -> Response {
    let (encoding, body) = match read(shared, headers, body).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    match StreamBody::begin(&shared.hub, encoding, body.payload, principal.as_ref()) {
        Ok(body) => stream_answer(encoding.content_type(), body),
        Err(refusal) => refuse(&refusal),
    }
}

/// `GET {mount}/events` (PROTOCOL §14).
pub(crate) fn events(shared: &Shared, request: &Request, principal: Option<Principal>) -> Response {
    match begin_events(shared, request, principal.as_ref()) {
        Ok(body) => stream_answer("text/event-stream; charset=utf-8", body),
        Err(refusal) => refuse(&refusal),
    }
}

fn begin_events(
    shared: &Shared,
    request: &Request,
    principal: Option<&Principal>,
) -> Result<StreamBody, Refusal> {
    let malformed = |text| Refusal::new(CloseCode::PROTOCOL_ERROR, text);
    let tokens = query::parameter(&request.query, "offer")
        .ok_or_else(|| malformed("the query needs a parameter offer"))??;
    let tokens = str::from_utf8(&tokens).map_err(|_| malformed("an offer is ASCII"))?;
    let offer = Offer::parse(tokens.split(',').map(str::trim))?;
    let seen = match request.headers.get(LAST_EVENT_ID) {
        // A browser that has seen no event yet may say so by an empty id.
        Some(id) if !id.is_empty() => {
            let id = id.to_str().unwrap_or("?");
            Some(id.parse::<Offset>()?)
        }
        _ => None,
    };
    StreamBody::begin_events(&shared.hub, offer, seen, principal)
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The encoding that the request is in, and its body.
async fn read(
    shared: &Shared,
    headers: &HeaderMap,
    body: impl Chunks,
) -> Result<(Encoding, Body), Response> {
    let named = headers
        .get(CONTENT_TYPE)
        .map(|value| Encoding::from_content_type(value.to_str().unwrap_or("?")));
    if named == Some(None) {
        let text = "use text/plain or application/octet-stream";
        return Err(refuse(&Refusal::new(
            CloseCode::UNSUPPORTED_MEDIA_TYPE,
            text,
        )));
    }
    let named = named.flatten();
    let escape = named.map_or(Escape::Maybe, Escape::from);
    let max_bytes = shared.hub.limits().max_payload_bytes;
    let body = collect(headers, body, escape, max_bytes).await?;
    let encoding = named.unwrap_or_else(|| Encoding::of_request(&body.payload));
    Ok((encoding, body))
}
