//! `POST {mount}/poll`: one exchange of long polling (PROTOCOL §6).

use anywire_protocol::{Encoding, Transport, escape_line, veil};
use bytes::{Bytes, BytesMut};
use http::Method;

use crate::answer::{Answer, HttpRefusal};
use crate::exchange::Exchange;
use crate::request::body::{BoxError, Payload, Wrapping, collect_payload};
use crate::request::{Request, Row};
use crate::taken::Taken;

pub(crate) const ROW: Row = Row {
    name: "poll",
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
    let Payload {
        encoding,
        bytes,
        wrapping,
        charge,
    } = payload;
    let exchange = Exchange::begin(hub, Transport::Poll, encoding, bytes, guest).await?;
    // From here on, the session counts its messages.
    drop(charge);
    let memory = hub.memory().clone();
    Ok(Taken::held(async move {
        let answer = exchange.answer().await?;
        let (content_type, answer) = match wrapping {
            Wrapping::Plain => (encoding.content_type(), answer),
            Wrapping::Escaped => (encoding.content_type(), escape(&answer)),
            Wrapping::Veiled => (Encoding::Text.content_type(), veil(&answer, mask())),
        };
        Ok(Answer::whole(content_type, answer).counted(&memory))
    }))
}

fn mask() -> [u8; 4] {
    let mut mask = [0; 4];
    // A veil is no encryption: where the system gives nothing, the mask hides nothing.
    getrandom::fill(&mut mask).ok();
    mask
}

/// A payload as a client that escapes its requests can take it (PROTOCOL §4.7).
pub(crate) fn escape(payload: &[u8]) -> Bytes {
    let mut line = BytesMut::new();
    escape_line(payload, &mut line);
    line.freeze()
}
