//! The body of a request, taken in whole: not too long, not too slowly.

use anywire_core::Refusal;
use anywire_protocol::{CloseCode, CloseReason};
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time;
use tokio_stream::{Stream, StreamExt};
use warp::reply::Response;

use crate::body::BodyClock;
use crate::respond::{refuse, refuse_with};

/// The body, if it is not longer than allowed.
pub(crate) async fn collect<S, B, E>(
    headers: &HeaderMap,
    body: S,
    max_bytes: usize,
) -> Result<Bytes, Response>
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
