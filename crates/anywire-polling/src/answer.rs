//! What an endpoint answers, and the one place where that becomes a response (PROTOCOL §8.4). `gate.rs` of
//! `anywire` adds the headers for other origins.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use anywire_core::{Memory, Refusal};
use anywire_protocol::{CloseCode, CloseReason, ProtocolError};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use serde::Serialize;

use crate::StreamBody;
use crate::call::script;

/// An answer to a request that was not refused.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    /// An answer without a body, which caches may not keep.
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Body::Whole(Bytes::new()),
        }
        .with(CACHE_CONTROL, NO_CACHE)
    }

    /// An answer that is there whole.
    pub fn whole(content_type: &'static str, body: Bytes) -> Self {
        Self {
            body: Body::Whole(body),
            ..Self::empty(StatusCode::OK)
        }
        .with(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// An answer that goes on as long as the body does.
    pub(crate) fn stream(content_type: &'static str, body: StreamBody) -> Self {
        Self {
            body: Body::Stream(body),
            ..Self::empty(StatusCode::OK)
        }
        .with(CONTENT_TYPE, HeaderValue::from_static(content_type))
        .with(X_ACCEL_BUFFERING, HeaderValue::from_static("no"))
    }

    /// A script that hands JSON to the page (PROTOCOL §15).
    pub(crate) fn call(number: u64, json: &str) -> Self {
        let value = HeaderValue::from_static;
        Self::whole(
            "application/javascript; charset=utf-8",
            script(number, json).into(),
        )
        .with(CROSS_ORIGIN_RESOURCE_POLICY, value("cross-origin"))
        // A visitor who opens the address in a window gets a text file, whatever its path looks like.
        .with(CONTENT_DISPOSITION, value("attachment; filename=f.txt"))
    }

    /// Sets a header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Counts the body for as long as it waits to go out.
    pub(crate) fn counted(mut self, memory: &Memory) -> Self {
        if let Body::Whole(bytes) = &mut self.body {
            *bytes = memory.count(std::mem::take(bytes));
        }
        self
    }

    /// Takes a header off.
    pub fn without(mut self, name: HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sets another status than 200.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// All of it; empty once it has gone out.
    Whole(Bytes),
    /// What a session has to say, for as long as it is carried.
    Stream(StreamBody),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(std::mem::take(bytes)),
            Self::Stream(body) => std::task::ready!(body.poll_piece(cx)),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// A refusal, and what HTTP says beside its code.
#[derive(Clone, Debug)]
pub struct HttpRefusal {
    reason: CloseReason,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpRefusal {
    /// A refusal with the status of its code: 404 for 4930, 409 for 4900, 503 for 4902 and 4903, and so on. A code without a
    /// status of its own gets 400 (PROTOCOL §8.4).
    pub fn new(reason: CloseReason) -> Self {
        Self {
            status: status(reason.code),
            reason,
            headers: Vec::new(),
        }
    }

    /// Sets another status than that of the code.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Closes the connection after the answer: the rest of the request is not read.
    pub fn closing(self) -> Self {
        self.with(CONNECTION, HeaderValue::from_static("close"))
    }
}

impl From<Refusal> for HttpRefusal {
    fn from(refusal: Refusal) -> Self {
        let this = Self::new(refusal.reason().clone());
        match refusal.retry_after_seconds() {
            Some(seconds) => this.with(RETRY_AFTER, seconds.into()),
            None => this,
        }
    }
}

impl From<ProtocolError> for HttpRefusal {
    fn from(error: ProtocolError) -> Self {
        Self::new(error.into())
    }
}

/// How an endpoint shows refusals to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// By status and a JSON body.
    Json,
    /// As the call that a script tag waits for, by its number: a script tag shows neither status nor body.
    Call(u64),
    /// By status and plain text, of which an iframe runs nothing.
    Text,
}

/// Makes the response of an outcome.
pub fn render(outcome: Result<Answer, HttpRefusal>, style: Style) -> Response<Body> {
    let Answer {
        status,
        headers,
        body,
    } = outcome.unwrap_or_else(|refusal| show(refusal, style));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn show(refusal: HttpRefusal, style: Style) -> Answer {
    let body = refusal_body(&refusal.reason);
    let content_type = match style {
        Style::Call(number) => return Answer::call(number, &body),
        Style::Json => "application/json",
        Style::Text => TEXT,
    };
    let mut answer = Answer::whole(content_type, body.into()).with_status(refusal.status);
    if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
        answer = answer.with(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    let headers = refusal.headers.into_iter();
    headers.fold(answer, |answer, (name, value)| answer.with(name, value))
}

#[derive(Serialize)]
struct RefusalBody<'a> {
    code: u16,
    error: &'a str,
    message: &'a str,
}

/// A refusal as JSON.
fn refusal_body(reason: &CloseReason) -> String {
    let body = RefusalBody {
        code: reason.code.as_u16(),
        error: reason.code.name(),
        message: reason.text(),
    };
    serde_json::to_string(&body).expect("plain data always serialises")
}

/// The status of a code (PROTOCOL §8.4).
fn status(code: CloseCode) -> StatusCode {
    match code {
        CloseCode::SUPERSEDED => StatusCode::CONFLICT,
        CloseCode::STALLED => StatusCode::REQUEST_TIMEOUT,
        CloseCode::OVERLOADED | CloseCode::DRAINING => StatusCode::SERVICE_UNAVAILABLE,
        CloseCode::TOO_MANY => StatusCode::TOO_MANY_REQUESTS,
        CloseCode::UNKNOWN_SESSION => StatusCode::NOT_FOUND,
        CloseCode::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        CloseCode::UNAUTHORIZED | CloseCode::CREDENTIAL_EXPIRED => StatusCode::UNAUTHORIZED,
        CloseCode::FORBIDDEN_ORIGIN | CloseCode::FORBIDDEN | CloseCode::REVOKED => {
            StatusCode::FORBIDDEN
        }
        CloseCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        CloseCode::METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
        CloseCode::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-store, no-transform");

/// Who may load an answer where a page demands a word of it (Fetch).
pub const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
