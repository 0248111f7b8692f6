//! The endpoints of `anywire-polling`: from a request to its body, and from what comes of it to an answer.

use anywire_core::{Principal, Refusal};
use anywire_polling::{Exchange, StreamBody};
use anywire_protocol::{CloseCode, Encoding};
use bytes::{Buf, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use tokio_stream::Stream;
use warp::reply::Response;

use crate::intake::collect;
use crate::respond::{answer, refuse, stream_answer};
use crate::server::Shared;

/// `POST {mount}/poll` (PROTOCOL §6).
pub(crate) async fn poll<S, B, E>(
    shared: &Shared,
    headers: &HeaderMap,
    body: S,
    principal: Option<Principal>,
) -> Response
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let (encoding, body) = match read(shared, headers, body).await {
        Ok(read) => read,
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

/// `POST {mount}/stream` (PROTOCOL §13).
pub(crate) async fn stream<S, B, E>(
    shared: &Shared,
    headers: &HeaderMap,
    body: S,
    principal: Option<Principal>,
) -> Response
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let (encoding, body) = match read(shared, headers, body).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    match StreamBody::begin(&shared.hub, encoding, body, principal.as_ref()) {
        Ok(body) => stream_answer(encoding.content_type(), body),
        Err(refusal) => refuse(&refusal),
    }
}

/// The encoding that the request is in, and its body.
async fn read<S, B, E>(
    shared: &Shared,
    headers: &HeaderMap,
    body: S,
) -> Result<(Encoding, Bytes), Response>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("?"));
    let Some(encoding) = Encoding::from_content_type(content_type) else {
        let text = "use text/plain or application/octet-stream";
        return Err(refuse(&Refusal::new(
            CloseCode::UNSUPPORTED_MEDIA_TYPE,
            text,
        )));
    };
    let max_bytes = shared.hub.limits().max_payload_bytes;
    let body = collect(headers, body, encoding, max_bytes).await?;
    Ok((encoding, body))
}
