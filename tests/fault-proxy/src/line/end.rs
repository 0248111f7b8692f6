//! The end of a line that the proxy speaks on, used like a socket.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{Fate, State};
use crate::live::raise;

/// What a proxy says here reaches the client over the line; dropping it closes the connection after that.
#[derive(Debug)]
pub(crate) struct End {
    pipe: DuplexStream,
    state: Arc<State>,
}

impl End {
    pub(super) fn new(pipe: DuplexStream, state: Arc<State>) -> Self {
        Self { pipe, state }
    }

    /// A request may come: its chance of a cut is drawn.
    pub(crate) fn draw_cut(&self) {
        self.state.cuts().draw();
    }

    /// Says how the connection closes when this is dropped and all has reached the client.
    pub(crate) fn finish(&self, is_reset: bool) {
        let fate = if is_reset {
            Fate::FinishByReset
        } else {
            Fate::Finish
        };
        raise(&self.state.fate, fate);
    }

    /// Resets the connection now.
    pub(crate) fn reset(&self) {
        raise(&self.state.fate, Fate::Reset);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        raise(&self.state.fate, Fate::Finish);
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        let is_end = buf.filled().len() == before && buf.remaining() > 0;
        if is_end && self.state.is_reset.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
