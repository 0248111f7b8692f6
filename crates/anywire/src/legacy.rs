//! The endpoints for engines that let only script tags and forms cross origins: JSONP and form posts (PROTOCOL §15).

use anywire_core::{Principal, Refusal};
use anywire_polling::{Exchange, payload_call, refusal_call, take_form};
use anywire_protocol::{CloseCode, ESCAPED_MARK, Encoding, Transport};
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warp::reply::Response;

use crate::intake::{Chunks, Escape, collect};
use crate::polling::escape_answer;
use crate::query;
use crate::respond::{Refused, answer, describe, refuse};
use crate::server::Shared;

/// `GET {mount}/jsonp`. A refusal is put into a call by [`as_call`].
pub(crate) async fn jsonp(shared: &Shared, query: &str, principal: Option<Principal>) -> Response {
    let Some(number) = call_number(query) else {
        return refuse(&malformed("the query needs a parameter c, a number"));
    };
    let exchange = query::parameter(query, "b")
        .ok_or_else(|| malformed("the query needs a parameter b, a payload"))
        .and_then(|payload| Ok(payload?))
        .and_then(|payload| {
            let via = (Transport::Jsonp, Encoding::Text);
            Exchange::begin(&shared.hub, via, payload, principal.as_ref())
        });
    let answered = match exchange {
        Ok(exchange) => exchange.answer().await,
        Err(refusal) => Err(refusal),
    };
    match answered {
        Ok(payload) => {
            let payload = escape_answer(&payload);
            let payload = str::from_utf8(&payload).expect("the text encoding is UTF-8");
            script(payload_call(number, payload))
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// `POST {mount}/form`. A refusal is made harmless by [`as_text`].
pub(crate) async fn form(
    shared: &Shared,
    headers: &HeaderMap,
    body: impl Chunks,
    principal: Option<Principal>,
) -> Response {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM)) {
        let text = "use application/x-www-form-urlencoded";
        return refuse(&Refusal::new(CloseCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    // The field's value may be escaped itself, which makes three bytes of one.
    let longest = shared.hub.limits().max_payload_bytes.saturating_mul(3) + ESCAPED_MARK.len();
    let value = match collect(headers, body, Escape::Always, longest).await {
        Ok(body) => body.payload,
        Err(response) => return response,
    };
    match take_form(&shared.hub, value, principal.as_ref()) {
        Ok(()) => answer(StatusCode::OK, TEXT, Bytes::from_static(b"ok")),
        Err(refusal) => refuse(&refusal),
    }
}

/// The number of the call that a script tag waits for.
pub(crate) fn call_number(query: &str) -> Option<u64> {
    let value = query::parameter(query, "c")?.ok()?;
    let text = str::from_utf8(&value).ok()?;
    let number: u64 = text.parse().ok()?;
    (number < 1 << 53 && number.to_string() == text).then_some(number)
}

/// A refusal as a script tag can be told of it.
pub(crate) fn as_call(number: u64, response: Response) -> Response {
    match response.extensions().get::<Refused>() {
        Some(Refused(reason)) => script(refusal_call(number, reason)),
        None => response,
    }
}

/// An answer that an iframe shows, if anybody looks, and runs nothing of.
pub(crate) fn as_text(response: Response) -> Response {
    describe(response, TEXT)
}

fn script(script: String) -> Response {
    let mut response = answer(
        StatusCode::OK,
        "application/javascript; charset=utf-8",
        script.into(),
    );
    let headers = response.headers_mut();
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("cross-origin"),
    );
    // Whoever opens the address in a window gets a text file, whatever its path looks like.
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=f.txt"),
    );
    response
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(CloseCode::PROTOCOL_ERROR, text)
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

const FORM: &str = "application/x-www-form-urlencoded";

const TEXT: &str = "text/plain; charset=utf-8";
