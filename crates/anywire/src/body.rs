//! Bodies under deadlines: one that dawdles is cut, and a connection is idle only once its answer's body has ended.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::guard::Phase;

/// How long a body may take to come: a while, and longer the more of it has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyClock {
    begin: Instant,
    received: u64,
}

/// How long a body may take that does not come at all.
const AT_LEAST: Duration = Duration::from_secs(10);

/// The slowest that a body may come on average.
const BYTES_PER_SECOND: u64 = 8_192;

impl BodyClock {
    pub(crate) fn start() -> Self {
        Self {
            begin: Instant::now(),
            received: 0,
        }
    }

    pub(crate) fn receive(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// By when more must have come.
    pub(crate) fn deadline(&self) -> Instant {
        self.begin + AT_LEAST + Duration::from_millis(self.received * 1_000 / BYTES_PER_SECOND)
    }
}

/// A request's body that must keep coming.
pub(crate) struct TimedBody {
    incoming: Incoming,
    clock: BodyClock,
    timer: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            clock: BodyClock::start(),
            timer: None,
        }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            let bytes = frame
                .as_ref()
                .and_then(|frame| frame.as_ref().ok()?.data_ref());
            let length = bytes.map_or(0, Buf::remaining);
            self.clock.receive(length);
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let deadline = self.clock.deadline();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// An answer's body; the connection begins to be idle when it has ended.
pub(crate) struct LastBody<B> {
    body: B,
    /// None after an upgrade, which no answer ends.
    phase: Option<Phase>,
}

impl<B> LastBody<B> {
    pub(crate) fn new(body: B, phase: Option<Phase>) -> Self {
        Self { body, phase }
    }
}

impl<B: Body + Unpin> Body for LastBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for LastBody<B> {
    fn drop(&mut self) {
        if let Some(phase) = &self.phase {
            phase.end_answer();
        }
    }
}
