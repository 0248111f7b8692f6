//! The body of an answer, the service's or the loop's own: the connection begins to be idle when it has ended.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use hyper::body::{Body, Frame, SizeHint};

use super::guard::Phase;

/// An answer's body; the connection begins to be idle when it has ended.
pub(crate) struct LastBody<B> {
    body: Source<B>,
    /// None after an upgrade, which no answer ends.
    phase: Option<Phase>,
}

enum Source<B> {
    Service(B),
    Loop(&'static [u8]),
}

impl<B> LastBody<B> {
    pub(crate) fn new(body: B, phase: Option<Phase>) -> Self {
        let body = Source::Service(body);
        Self { body, phase }
    }

    /// What the loop itself says.
    pub(super) fn of_loop(text: &'static str, phase: Phase) -> Self {
        let body = Source::Loop(text.as_bytes());
        let phase = Some(phase);
        Self { body, phase }
    }
}

impl<B: Body + Unpin> Body for LastBody<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        match &mut self.body {
            Source::Service(body) => {
                let polled = Pin::new(body).poll_frame(cx);
                polled.map_ok(|frame| frame.map_data(Piece::Service))
            }
            Source::Loop([]) => Poll::Ready(None),
            Source::Loop(text) => {
                let piece = Piece::Loop(std::mem::take(text));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Source::Service(body) => body.is_end_stream(),
            Source::Loop(text) => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Source::Service(body) => body.size_hint(),
            Source::Loop(text) => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl<B> Drop for LastBody<B> {
    fn drop(&mut self) {
        if let Some(phase) = &self.phase {
            phase.end_answer();
        }
    }
}

/// A piece of either.
pub(crate) enum Piece<D> {
    Service(D),
    Loop(&'static [u8]),
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Service(data) => data.remaining(),
            Self::Loop(text) => text.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Service(data) => data.chunk(),
            Self::Loop(text) => text,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Service(data) => data.chunks_vectored(slices),
            Self::Loop(text) => text.chunks_vectored(slices),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Service(data) => data.advance(count),
            Self::Loop(text) => text.advance(count),
        }
    }
}
