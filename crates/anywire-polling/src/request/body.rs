//! The body of a request, taken in whole: bounded in bytes and in time, and without its escape or veil.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anywire_core::{Charge, Hub, Memory, Refusal};
use anywire_protocol::{
    CloseCode, CloseReason, ESCAPED_MARK, Encoding, Limits, ProtocolError, Unescaper, VEILED_MARK,
    unveil, veiled_bytes,
};
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep_until};

use super::head::too_large;
use crate::answer::HttpRefusal;

/// A payload that came whole.
pub(crate) struct Payload {
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
    /// How it was wrapped on its way, and so must its answer be.
    pub(crate) wrapping: Wrapping,
    /// Counts the bytes, until the session does: drop it then.
    pub(crate) charge: Charge,
}

/// How a payload is wrapped where the path does not bear it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    Plain,
    /// As text that no engine rewrites (PROTOCOL §4.7).
    Escaped,
    /// So that no text is seen in it (PROTOCOL §4.13).
    Veiled,
}

/// The payload of a request to an endpoint that takes both encodings (PROTOCOL §6.1).
pub(crate) async fn collect_payload<B>(
    headers: &HeaderMap,
    body: B,
    hub: &Hub,
) -> Result<Payload, HttpRefusal>
where
    B: Body<Error: Into<BoxError>>,
{
    let named = headers
        .get(CONTENT_TYPE)
        .map(|value| Encoding::from_content_type(value.to_str().unwrap_or("?")));
    if named == Some(None) {
        let text = "the Content-Type must be text/plain or application/octet-stream";
        let reason = CloseReason::new(CloseCode::UNSUPPORTED_MEDIA_TYPE, text);
        return Err(HttpRefusal::new(reason));
    }
    let named = named.flatten();
    let escape = named.map_or(Escape::Maybe, Escape::from);
    let whole = collect(
        headers,
        body,
        escape,
        hub.limits().max_payload_bytes,
        hub.memory(),
    )
    .await?;
    let encoding = match whole.wrapping {
        Wrapping::Veiled => Encoding::Binary,
        Wrapping::Plain | Wrapping::Escaped => {
            named.unwrap_or_else(|| Encoding::of_request(&whole.bytes))
        }
    };
    Ok(Payload {
        encoding,
        bytes: whole.bytes,
        wrapping: whole.wrapping,
        charge: whole.charge,
    })
}

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

/// A body that came whole, without its wrapping.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    wrapping: Wrapping,
    charge: Charge,
}

/// Takes a body in, if it is not longer than allowed and comes in time.
pub(crate) async fn collect<B>(
    headers: &HeaderMap,
    body: B,
    escape: Escape,
    max_bytes: usize,
    memory: &Memory,
) -> Result<Whole, HttpRefusal>
where
    B: Body<Error: Into<BoxError>>,
{
    let mut intake = Intake::new(escape, max_bytes, memory.charge());
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > intake.longest_body() as u64) {
        return Err(HttpRefusal::from(too_large()).closing());
    }
    let body = std::pin::pin!(body);
    let mut body = TimedBody::new(body);
    while let Some(frame) = body.frame().await {
        // Trailers say nothing.
        let Ok(mut chunk) = frame.map_err(lost)?.into_data() else {
            continue;
        };
        while chunk.has_remaining() {
            let part = chunk.chunk();
            intake
                .take(part)
                .map_err(|error| HttpRefusal::from(error).closing())?;
            let taken = part.len();
            chunk.advance(taken);
            if intake.payload.len() > intake.longest_kept() {
                return Err(HttpRefusal::from(too_large()).closing());
            }
            if intake.charge.set(intake.payload.capacity()) {
                return Err(HttpRefusal::from(Refusal::no_memory()).closing());
            }
        }
    }
    Ok(intake.finish()?)
}

/// The body ended too early. The fault may lie between client and server, so the client may send the same again.
fn lost(error: BodyError) -> HttpRefusal {
    let text = match error {
        BodyError::TimedOut => "the body came too slowly: send less at once",
        BodyError::Lost => "the body ended before it was whole: send it again",
    };
    HttpRefusal::new(CloseReason::new(CloseCode::STALLED, text)).closing()
}

/// A request's body that must come at a least average speed.
///
/// It fails with [`BodyError::TimedOut`] if it waits for bytes when more than 10 s, and a second for each 8,192 bytes
/// received, have passed since [`TimedBody::new`].
#[derive(Debug)]
pub struct TimedBody<B> {
    body: B,
    begun: Instant,
    received: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a [`TimedBody`] ended before it was whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It came too slowly.
    #[error("the body came too slowly")]
    TimedOut,
    /// The connection, or whatever the body comes from, failed.
    #[error("the body ended before it was whole")]
    Lost,
}

impl BodyError {
    /// What an error of the body within means. A host may time the body too, and wrap the error.
    fn of(error: BoxError) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
        while let Some(error) = cause {
            if let Some(known) = error.downcast_ref::<Self>() {
                return *known;
            }
            cause = error.source();
        }
        Self::Lost
    }
}

/// Any error: what the bodies of a host fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

impl<B> TimedBody<B> {
    /// The time begins now.
    pub fn new(body: B) -> Self {
        Self {
            body,
            begun: Instant::now(),
            received: 0,
            timer: None,
        }
    }

    /// By when more must have come.
    fn deadline(&self) -> Instant {
        let received = usize::try_from(self.received).unwrap_or(usize::MAX);
        self.begun + Limits::body_within(received)
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let frame = frame.map(|frame| frame.map_err(|error| BodyError::of(error.into())));
            if let Some(Ok(frame)) = &frame {
                self.received += frame.data_ref().map_or(0, Buf::remaining) as u64;
            }
            self.timer = None;
            return Poll::Ready(frame);
        }
        let deadline = self.deadline();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::TimedOut)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A payload as its body comes. An escape is taken back at once, so what is kept is never longer than the payload; a veil at
/// the end.
struct Intake {
    payload: BytesMut,
    max_bytes: usize,
    escape: Escape,
    state: State,
    charge: Charge,
}

enum State {
    /// Too little has come to tell whether it is escaped or veiled.
    Begun,
    Plain,
    Escaped(Unescaper),
    Veiled,
}

impl Intake {
    fn new(escape: Escape, max_bytes: usize, charge: Charge) -> Self {
        Self {
            payload: BytesMut::new(),
            max_bytes,
            escape,
            state: State::Begun,
            charge,
        }
    }

    /// The longest body that may hold a payload that is not too long.
    fn longest_body(&self) -> usize {
        match (&self.state, self.escape) {
            (State::Plain, _) => self.max_bytes,
            (State::Veiled, _) | (_, Escape::Never) => veiled_bytes(self.max_bytes),
            // An escape makes three bytes of one.
            (State::Begun | State::Escaped(_), _) => {
                self.max_bytes.saturating_mul(3) + ESCAPED_MARK.len()
            }
        }
    }

    /// The most bytes that are kept of such a body.
    fn longest_kept(&self) -> usize {
        match self.state {
            State::Veiled => veiled_bytes(self.max_bytes),
            State::Begun | State::Plain | State::Escaped(_) => self.max_bytes,
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
        if self.escape != Escape::Always && self.payload.starts_with(VEILED_MARK) {
            self.state = State::Veiled;
            return Ok(());
        }
        if self.escape == Escape::Never || !self.payload.starts_with(ESCAPED_MARK) {
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

    fn finish(self) -> Result<Whole, ProtocolError> {
        let wrapping = match self.state {
            State::Veiled => {
                let bytes = unveil(&self.payload)?;
                return match bytes.len() > self.max_bytes {
                    true => Err(too_large()),
                    false => Ok(Whole {
                        bytes,
                        wrapping: Wrapping::Veiled,
                        charge: self.charge,
                    }),
                };
            }
            State::Escaped(unescaper) => {
                unescaper.finish()?;
                Wrapping::Escaped
            }
            State::Begun | State::Plain => {
                may_be_plain(self.escape)?;
                Wrapping::Plain
            }
        };
        Ok(Whole {
            bytes: self.payload.freeze(),
            wrapping,
            charge: self.charge,
        })
    }
}

fn may_be_plain(escape: Escape) -> Result<(), ProtocolError> {
    match escape {
        Escape::Always => Err(ProtocolError::malformed(
            "a form body that is not one field, `b`, with an escaped payload",
        )),
        Escape::Never | Escape::Maybe => Ok(()),
    }
}
