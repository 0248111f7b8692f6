//! The body of an answer: the connection begins to be idle when it has ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::guard::Phase;

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
