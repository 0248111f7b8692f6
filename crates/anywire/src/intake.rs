//! The body of a request, taken in whole: not too long, not too slowly, and without its escape.

use anywire_core::Refusal;
use anywire_protocol::{CloseCode, CloseReason, ESCAPED_MARK, Encoding, ProtocolError, Unescaper};
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time;
use tokio_stream::{Stream, StreamExt};
use warp::reply::Response;

use crate::body::BodyClock;
use crate::respond::{refuse, refuse_with};

/// Whether a body is escaped (PROTOCOL §4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    Never,
    /// If it begins so.
    Maybe,
    /// It is a form.
    Always,
}

impl From<Encoding> for Escape {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Text => Self::Maybe,
            Encoding::Binary => Self::Never,
        }
    }
}

/// A payload that came whole.
pub(crate) struct Body {
    pub(crate) payload: Bytes,
    /// Whether it was escaped on its way, and so must its answer be.
    pub(crate) was_escaped: bool,
}

/// A body as it comes, whoever's loop serves it.
pub(crate) trait Chunks:
    Stream<Item = Result<<Self as Chunks>::Chunk, <Self as Chunks>::Error>>
{
    /// Some of it.
    type Chunk: Buf;
    /// Why no more comes.
    type Error;
}

impl<S, B, E> Chunks for S
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    type Chunk = B;
    type Error = E;
}

/// The payload that a body is, if it is not longer than allowed.
pub(crate) async fn collect(
    headers: &HeaderMap,
    body: impl Chunks,
    escape: Escape,
    max_bytes: usize,
) -> Result<Body, Response> {
    let mut intake = Intake::new(escape, max_bytes);
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > intake.longest_body() as u64) {
        return Err(too_large());
    }
    let mut body = std::pin::pin!(body);
    let mut clock = BodyClock::start();
    loop {
        let Ok(next) = time::timeout_at(clock.deadline(), body.next()).await else {
            let reason = CloseReason::new(CloseCode::STALLED, "the body came too slowly");
            return Err(closing(refuse_with(StatusCode::REQUEST_TIMEOUT, &reason)));
        };
        let Some(chunk) = next else {
            return intake.finish().map_err(|error| refuse(&error.into()));
        };
        let mut chunk = chunk.map_err(|_| {
            // On the way, and not by a client that breaks rules: it may send the same again.
            let reason = CloseReason::new(CloseCode::STALLED, "the body ended before it was whole");
            closing(refuse_with(StatusCode::REQUEST_TIMEOUT, &reason))
        })?;
        clock.receive(chunk.remaining());
        while chunk.has_remaining() {
            let part = chunk.chunk();
            intake
                .take(part)
                .map_err(|error| closing(refuse(&error.into())))?;
            let taken = part.len();
            chunk.advance(taken);
            if intake.payload.len() > max_bytes {
                return Err(too_large());
            }
        }
    }
}

/// A payload as its body comes. An escape is taken back at once, so what is kept is never longer than the payload.
struct Intake {
    payload: BytesMut,
    max_bytes: usize,
    escape: Escape,
    state: State,
}

enum State {
    /// Too little has come to tell whether it is escaped.
    Begun,
    Plain,
    Escaped(Unescaper),
}

impl Intake {
    fn new(escape: Escape, max_bytes: usize) -> Self {
        let state = match escape {
            Escape::Never => State::Plain,
            Escape::Maybe | Escape::Always => State::Begun,
        };
        Self {
            payload: BytesMut::new(),
            max_bytes,
            escape,
            state,
        }
    }

    /// The longest body that may hold a payload that is not too long.
    fn longest_body(&self) -> usize {
        match self.state {
            State::Plain => self.max_bytes,
            // An escape makes three bytes of one.
            State::Begun | State::Escaped(_) => {
                self.max_bytes.saturating_mul(3) + ESCAPED_MARK.len()
            }
        }
    }

    fn take(&mut self, part: &[u8]) -> Result<(), ProtocolError> {
        if let State::Escaped(unescaper) = &mut self.state {
            return unescaper.push(part, &mut self.payload);
        }
        self.payload.extend_from_slice(part);
        if !matches!(self.state, State::Begun) || self.payload.len() < ESCAPED_MARK.len() {
            return Ok(());
        }
        if !self.payload.starts_with(ESCAPED_MARK) {
            may_be_plain(self.escape)?;
            self.state = State::Plain;
            return Ok(());
        }
        let begin = self.payload.split();
        let mut unescaper = Unescaper::default();
        unescaper.push(&begin[ESCAPED_MARK.len()..], &mut self.payload)?;
        self.state = State::Escaped(unescaper);
        Ok(())
    }

    fn finish(self) -> Result<Body, ProtocolError> {
        let was_escaped = matches!(self.state, State::Escaped(_));
        match self.state {
            State::Escaped(unescaper) => unescaper.finish()?,
            State::Begun | State::Plain => may_be_plain(self.escape)?,
        }
        Ok(Body {
            payload: self.payload.freeze(),
            was_escaped,
        })
    }
}

fn may_be_plain(escape: Escape) -> Result<(), ProtocolError> {
    match escape {
        Escape::Always => Err(ProtocolError::new(
            CloseCode::PROTOCOL_ERROR,
            "a form has one field, b",
        )),
        Escape::Never | Escape::Maybe => Ok(()),
    }
}

fn too_large() -> Response {
    let text = "send less than maxPayloadBytes at once";
    closing(refuse(&Refusal::new(CloseCode::TOO_LARGE, text)))
}

/// The rest of the request is not read, so the connection cannot go on.
fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
