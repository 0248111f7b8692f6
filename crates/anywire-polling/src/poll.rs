//! `POST {mount}/poll`: one exchange of long polling (PROTOCOL §6).

use anywire_protocol::{Transport, escape_line};
use bytes::{Bytes, BytesMut};
use http::Method;

use crate::answer::{Answer, HttpRefusal};
use crate::exchange::Exchange;
use crate::request::body::{BoxError, collect_payload};
use crate::request::{Request, Row};

pub(crate) const ROW: Row = Row {
    name: "poll",
    method: Method::POST,
    own_parameters: &[],
    is_opt_in: false,
};

pub(crate) async fn answer<B>(request: Request<'_, B>) -> Result<Answer, HttpRefusal>
where
    B: http_body::Body<Error: Into<BoxError>>,
{
    let Request {
        hub,
        principal,
        headers,
        body,
        ..
    } = request;
    let payload = collect_payload(headers, body, hub.limits()).await?;
    let encoding = payload.encoding;
    let exchange = Exchange::begin(hub, Transport::Poll, encoding, payload.bytes, principal)?;
    let mut answer = exchange.answer().await?;
    if payload.was_escaped {
        answer = escape(&answer);
    }
    Ok(Answer::whole(encoding.content_type(), answer))
}

/// A payload as a client that escapes its requests can take it (PROTOCOL §4.7).
pub(crate) fn escape(payload: &[u8]) -> Bytes {
    let mut line = BytesMut::new();
    escape_line(payload, &mut line);
    line.freeze()
}
