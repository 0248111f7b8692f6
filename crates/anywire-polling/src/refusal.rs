//! How a refusal looks over HTTP (PROTOCOL §8.4).

use anywire_protocol::{CloseCode, CloseReason};
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    code: u16,
    error: &'a str,
    message: &'a str,
}

/// The JSON body of a refusal.
pub fn refusal_body(reason: &CloseReason) -> String {
    let (code, error) = (reason.code.as_u16(), reason.code.name());
    let body = Body {
        code,
        error,
        message: reason.text(),
    };
    serde_json::to_string(&body).expect("plain data always serialises")
}

/// The status of a refusal.
pub fn refusal_status(code: CloseCode) -> StatusCode {
    match code {
        CloseCode::SUPERSEDED => StatusCode::CONFLICT,
        CloseCode::OVERLOADED | CloseCode::DRAINING => StatusCode::SERVICE_UNAVAILABLE,
        CloseCode::UNKNOWN_SESSION => StatusCode::NOT_FOUND,
        CloseCode::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        CloseCode::FORBIDDEN_ORIGIN | CloseCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
        CloseCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        CloseCode::METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
        CloseCode::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
