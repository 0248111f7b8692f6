//! Answers and the headers that all of them carry (PROTOCOL §8.4, §10.3).

use std::convert::Infallible;

use anywire_core::Refusal;
use anywire_polling::{refusal_body, refusal_status};
use anywire_protocol::{CloseCode, CloseReason};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio_stream::Stream;
use warp::Reply;
use warp::reply::Response;

use crate::gate::{CrossOrigin, Denied};

/// An answer with a body.
pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    describe(response, content_type)
}

/// An answer whose body comes bit by bit, and is not to be held up on its way (PROTOCOL §13.8).
pub(crate) fn stream_answer(
    content_type: &'static str,
    body: impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync + 'static,
) -> Response {
    let mut response = describe(warp::reply::stream(body).into_response(), content_type);
    let headers = response.headers_mut();
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// An answer that is of this type, and whose reader keeps no copy of it.
pub(crate) fn describe(mut response: Response, content_type: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-transform"),
    );
    response
}

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A refusal as PROTOCOL §8.4 has it.
pub(crate) fn refuse(refusal: &Refusal) -> Response {
    let reason = refusal.reason();
    refuse_with(refusal_status(reason.code), reason)
}

/// The app's refusal.
pub(crate) fn deny(denied: &Denied) -> Response {
    refuse_with(
        denied.status,
        &CloseReason::new(CloseCode::UNAUTHORIZED, &denied.text),
    )
}

/// Another method than the endpoint's.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Response {
    let text = "another method is needed here, see Allow";
    let mut response = refuse(&Refusal::new(CloseCode::METHOD_NOT_ALLOWED, text));
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Why an answer is a refusal; for endpoints that put refusals otherwise.
#[derive(Clone)]
pub(crate) struct Refused(pub(crate) CloseReason);

/// A refusal with another status than its code's.
pub(crate) fn refuse_with(status: StatusCode, reason: &CloseReason) -> Response {
    let mut response = answer(status, "application/json", refusal_body(reason).into());
    response.extensions_mut().insert(Refused(reason.clone()));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// The answer to a preflight.
pub(crate) fn preflight() -> Response {
    let mut response = answer(StatusCode::NO_CONTENT, "text/plain", Bytes::new());
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Adds what every answer carries.
pub(crate) fn finish(mut response: Response, origin: CrossOrigin) -> Response {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let origin = match origin {
        CrossOrigin::No => return response,
        CrossOrigin::Opaque => HeaderValue::from_static("null"),
        CrossOrigin::Listed(origin) => {
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            origin
        }
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Retry-After"),
    );
    response
}
