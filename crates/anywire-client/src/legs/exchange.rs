//! One HTTP exchange: a body up, a body down (PROTOCOL §6). The driver writes and reads both.

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::Outcome;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{Failure, MAX_REFUSAL_BYTES};
use crate::authorize::Headers;
use crate::connect::Connector;

/// Keeps connections alive between exchanges.
pub(crate) type HttpClient = Client<Connector, Full<Bytes>>;

/// What the exchanges of one leg have in common.
#[derive(Clone)]
pub(crate) struct Exchanger {
    pub(crate) http: HttpClient,
    pub(crate) uri: Uri,
    pub(crate) headers: Headers,
    /// The headers of this leg: a credential is asked for once in it.
    pub(crate) asked: Arc<OnceCell<HeaderMap>>,
    pub(crate) max_answer_bytes: usize,
}

impl Exchanger {
    /// Sends a payload and gives the answer's. Nothing may move for longer than `patience`.
    pub(crate) async fn exchange(
        self,
        content_type: &'static str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let asking = self.asked.get_or_try_init(|| self.headers.now());
        let headers = timeout(patience, asking)
            .await
            .map_err(|_| Failure::new(Outcome::Failed, "token: no answer"))?;
        let headers = headers.map_err(Failure::from)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers.clone();
        let content_type = http::HeaderValue::from_static(content_type);
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        let response = timeout(patience, self.http.request(request))
            .await
            .map_err(|_| Failure::new(Outcome::Silent, "no answer"))?
            .map_err(|error| {
                let outcome = if error.is_connect() {
                    Outcome::Failed
                } else {
                    Outcome::Closed
                };
                Failure::new(outcome, root_cause(&error))
            })?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::OK {
            return collect(body, self.max_answer_bytes, patience).await;
        }
        let body = collect(body, MAX_REFUSAL_BYTES, patience)
            .await
            .unwrap_or_default();
        Err(Failure::refused(head.status, &head.headers, &body))
    }
}

/// Reads a body whole, as long as it moves.
pub(crate) async fn collect(
    mut body: Incoming,
    max_bytes: usize,
    patience: Duration,
) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    loop {
        let frame = timeout(patience, body.frame())
            .await
            .map_err(|_| Failure::new(Outcome::Silent, "no more of the answer"))?;
        match frame {
            None => return Ok(whole.freeze()),
            Some(Err(error)) => return Err(Failure::new(Outcome::Closed, root_cause(&error))),
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                if whole.len() + data.len() > max_bytes {
                    return Err(Failure::new(Outcome::Refused, "an answer beyond the limit"));
                }
                whole.extend_from_slice(&data);
            }
        }
    }
}

/// The innermost error: "connection refused" rather than "client error".
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
