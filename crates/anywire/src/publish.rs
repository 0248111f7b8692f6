//! `POST {mount}/publish`: a message to the followers of a topic, from a program that has the key.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use anywire_polling::{Answer, BodyError, BoxError, HttpRefusal, Row, TimedBody, query};
use anywire_protocol::{CloseCode, CloseReason, Message};
use bytes::{Buf, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use http_body::Body;

use crate::publish_key::PublishKey;
use crate::request::RequestHead;
use crate::server::Shared;

pub(crate) const ROW: Row = Row {
    name: "publish",
    method: Method::POST,
    own_parameters: &[],
    is_opt_in: true,
};

/// Reads the message, publishes it, and tells where it stands.
pub(crate) async fn answer<B>(
    shared: &Shared,
    head: &RequestHead,
    body: B,
) -> Result<Answer, HttpRefusal>
where
    B: Body<Error: Into<BoxError>>,
{
    judge_key(shared, head)?;
    let topic = query::parameter(&head.query, "topic").ok_or_else(no_topic)??;
    let topic = std::str::from_utf8(&topic).map_err(|_| no_topic())?;
    let repeated = text_of(head, "idempotency-key")?;
    let body = read(body, shared.config.limits.max_message_bytes).await?;
    let is_bytes = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().split(|byte| *byte == b';').next())
        .is_some_and(|kind| {
            let kind = kind.trim_ascii();
            kind.eq_ignore_ascii_case(b"application/octet-stream")
        });
    let message = match is_bytes {
        true => Message::from(body.freeze()),
        false => {
            let text = String::from_utf8(body.into()).map_err(|_| {
                let text = "the message is no UTF-8: send bytes as application/octet-stream";
                refusal(CloseCode::INVALID_TEXT, text)
            })?;
            Message::from(text)
        }
    };
    let told = publish(shared, topic, message, repeated).await?;
    Ok(Answer::whole("application/json", told.into()))
}

async fn publish(
    shared: &Shared,
    topic: &str,
    message: Message,
    key: Option<&str>,
) -> Result<String, HttpRefusal> {
    #[cfg(feature = "cluster")]
    if let Some(publisher) = shared.publisher.get() {
        let published = publisher.publish(topic, message, key).await;
        let position =
            published.map_err(|error| refusal(CloseCode::OVERLOADED, &error.to_string()))?;
        let (epoch, number) = (position.epoch, position.number);
        return Ok(format!(r#"{{"epoch":"{epoch:016x}","number":{number}}}"#));
    }
    publish_here(shared, topic, message, key)
}

/// To the followers of this server, which is alone.
fn publish_here(
    shared: &Shared,
    topic: &str,
    message: Message,
    key: Option<&str>,
) -> Result<String, HttpRefusal> {
    if key.is_some() {
        let text = "a server that is not in a cluster remembers no Idempotency-Key: leave it out";
        return Err(refusal(CloseCode::PROTOCOL_ERROR, text));
    }
    let followers = shared.hub.publish(topic, message);
    Ok(format!(r#"{{"followers":{followers}}}"#))
}

fn judge_key(shared: &Shared, head: &RequestHead) -> Result<(), HttpRefusal> {
    let given = text_of(head, AUTHORIZATION.as_str())?.and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    if given
        .map(PublishKey::new)
        .is_some_and(|given| shared.config.publish_key == Some(given))
    {
        return Ok(());
    }
    let text = "publishing needs the server's key, as `Authorization: Bearer KEY`";
    let refusal = refusal(CloseCode::UNAUTHORIZED, text).with_status(StatusCode::UNAUTHORIZED);
    Err(refusal.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
}

/// A header's text, if there is such a header.
fn text_of<'a>(head: &'a RequestHead, name: &str) -> Result<Option<&'a str>, HttpRefusal> {
    let value = head.headers.get(name).map(HeaderValue::to_str);
    value.transpose().map_err(|_| {
        let text = "a header of the request is not of visible ASCII characters";
        refusal(CloseCode::PROTOCOL_ERROR, text)
    })
}

async fn read<B>(body: B, max_bytes: usize) -> Result<BytesMut, HttpRefusal>
where
    B: Body<Error: Into<BoxError>>,
{
    let body = pin!(body);
    let mut body = TimedBody::new(body);
    let mut read = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| {
            let text = match error {
                BodyError::TimedOut => "the message came too slowly",
                BodyError::Lost => "the message ended before it was whole: send it again",
            };
            refusal(CloseCode::STALLED, text).closing()
        })?;
        // Trailers say nothing.
        let Ok(mut chunk) = frame.into_data() else {
            continue;
        };
        if read.len() + chunk.remaining() > max_bytes {
            let text = format!("a message has at most {max_bytes} bytes: split it");
            return Err(refusal(CloseCode::TOO_LARGE, &text).closing());
        }
        while chunk.has_remaining() {
            let part = chunk.chunk();
            read.extend_from_slice(part);
            let taken = part.len();
            chunk.advance(taken);
        }
    }
    Ok(read)
}

fn no_topic() -> HttpRefusal {
    let text = "the request names no topic: add `?topic=NAME` to the address";
    refusal(CloseCode::PROTOCOL_ERROR, text)
}

fn refusal(code: CloseCode, text: &str) -> HttpRefusal {
    HttpRefusal::new(CloseReason::new(code, text))
}
