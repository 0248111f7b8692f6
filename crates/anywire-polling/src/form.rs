//! `POST {mount}/form`: what a page sends that can read no answer (PROTOCOL §15.5).

use anywire_core::{Entry, Guest, Head, Hub, Intent, Refusal};
use anywire_protocol::{
    CloseCode, CloseReason, ESCAPED_MARK, Encoding, Packet, ProtocolError, Transport, unescape,
};
use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;

use crate::answer::{Answer, HttpRefusal, TEXT};
use crate::request::body::{BoxError, Escape, collect};
use crate::request::head::{Parsed, bounded, hold};
use crate::request::{Request, Row};
use crate::taken::Taken;

pub(crate) const ROW: Row = Row {
    name: "form",
    method: Method::POST,
    own_parameters: &[],
    is_opt_in: true,
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
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM)) {
        let text = "the Content-Type of a form must be application/x-www-form-urlencoded";
        let reason = CloseReason::new(CloseCode::UNSUPPORTED_MEDIA_TYPE, text);
        return Err(HttpRefusal::new(reason));
    }
    // The field's value may be escaped itself, which makes three bytes of one.
    let longest = hub.limits().max_payload_bytes.saturating_mul(3) + ESCAPED_MARK.len();
    let field = collect(headers, body, Escape::Always, longest, hub.memory()).await?;
    take_field(hub, field.bytes, guest).await?;
    Ok(Answer::whole(TEXT, Bytes::from_static(b"ok")).into())
}

/// Takes what a form sends. The page cannot read the response, so acks and closes in it must not be recorded as delivered.
async fn take_field(hub: &Hub, field: Bytes, guest: Guest) -> Result<(), Refusal> {
    let payload = bounded(unescape(field)?, hub.limits())?;
    let Parsed { head, mut rest } = Parsed::read(Encoding::Text, payload, false, hub.limits())?;
    // A pong is not for what carries the session meanwhile.
    rest.retain(|packet| !matches!(packet, Packet::Ping(_)));
    let may_begin = match &head {
        Head::Attach(_) => true,
        // What holds a credential does not fit into an address (PROTOCOL §10.10).
        Head::Open(open) => open.credential.is_some(),
    };
    if !may_begin || hold(&head).is_some() {
        let text = "a form that does not begin with an attach, or with an open that has a credential, without holdMs";
        return Err(ProtocolError::malformed(text).into());
    }
    let caller = guest.caller(hub, Some(&head), &rest).await;
    let entry = Entry {
        head,
        packets: rest,
        // A form is what script tags send by.
        transport: Transport::Jsonp,
        intent: Intent::SendUnread,
    };
    hub.enter(entry, &caller).decided().await.map(drop)
}

const FORM: &str = "application/x-www-form-urlencoded";
