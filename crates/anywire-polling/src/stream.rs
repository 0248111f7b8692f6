//! `POST {mount}/stream`: one endless answer (PROTOCOL §13).

use http::Method;

use crate::answer::{Answer, HttpRefusal};
use crate::request::body::{BoxError, collect_payload};
use crate::request::{Request, Row};
use crate::stream_body::StreamBody;
use crate::taken::Taken;

pub(crate) const ROW: Row = Row {
    name: "stream",
    method: Method::POST,
    own_parameters: &[],
    is_opt_in: false,
};

pub(crate) async fn take<B>(request: Request<'_, B>) -> Result<Taken, HttpRefusal>
where
    B: http_body::Body<Error: Into<BoxError>>,
{
    let Request {
        hub,
        guest,
        headers,
        body,
        ..
    } = request;
    let payload = collect_payload(headers, body, hub).await?;
    let encoding = payload.encoding;
    let body = StreamBody::begin(hub, encoding, payload.bytes, guest).await?;
    Ok(Answer::stream(encoding.content_type(), body).into())
}
