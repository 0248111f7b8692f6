//! The deadlines that `warp::serve` lacks: a connection that dawdles is cut. Whole bodies are timed by the endpoints.

use std::any::Any;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::head::HeadScan;
use super::reset::reset_on_drop;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long each part of a connection's life may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    pub(crate) first_byte: Duration,
    pub(crate) head: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) write_stall: Duration,
}

/// What a connection is doing, told by the bytes and by the service.
///
/// ```text
///          bytes           request             answer           bytes
///   Fresh ──────▶ Reading ─────────▶ Answering ──────▶ Idle ──────────▶ Reading
/// ```
#[derive(Clone, Default)]
pub(crate) struct Phase(Arc<PhaseState>);

#[derive(Default)]
struct PhaseState {
    now: AtomicU8,
    has_two_lengths: AtomicBool,
}

impl Phase {
    const FRESH: u8 = 0;
    const READING: u8 = 1;
    const ANSWERING: u8 = 2;
    const IDLE: u8 = 3;

    /// A request's head has come whole.
    pub(crate) fn begin_answer(&self) {
        self.set(Self::ANSWERING);
    }

    /// Whether a head gave the length of its body in two ways.
    pub(crate) fn has_two_lengths(&self) -> bool {
        self.0.has_two_lengths.load(Ordering::Relaxed)
    }

    /// The service has answered.
    pub(crate) fn end_answer(&self) {
        self.set(Self::IDLE);
    }

    /// Bytes came: they begin a head, or are of what has begun.
    fn bytes_came(&self, scan: &mut HeadScan, bytes: &[u8]) {
        let now = self.get();
        if now == Self::FRESH || now == Self::IDLE {
            scan.restart();
            self.set(Self::READING);
        }
        if now != Self::ANSWERING && scan.read(bytes) {
            self.0.has_two_lengths.store(true, Ordering::Relaxed);
        }
    }

    fn get(&self) -> u8 {
        self.0.now.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.now.store(phase, Ordering::Relaxed);
    }
}

/// A connection under deadlines.
pub(crate) struct Guarded<S> {
    stream: S,
    deadlines: Deadlines,
    phase: Phase,
    scan: HeadScan,
    /// The phase that the read timer was set for.
    timed: Option<u8>,
    read_timer: Pin<Box<Sleep>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<S: Any> Guarded<S> {
    pub(crate) fn new(stream: S, deadlines: Deadlines, phase: Phase) -> Self {
        let read_timer = Box::pin(sleep(deadlines.first_byte));
        Self {
            stream,
            deadlines,
            phase,
            scan: HeadScan::default(),
            timed: None,
            read_timer,
            write_timer: None,
        }
    }

    /// The socket alone.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// Ready when the peer has kept us waiting for too long.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.phase.get();
        let allowed = match phase {
            Phase::FRESH => self.deadlines.first_byte,
            Phase::READING => self.deadlines.head,
            Phase::IDLE => self.deadlines.keep_alive,
            _ => {
                self.timed = Some(phase);
                return Poll::Pending;
            }
        };
        if self.timed != Some(phase) {
            self.timed = Some(phase);
            self.read_timer.as_mut().reset(Instant::now() + allowed);
        }
        self.read_timer.as_mut().poll(cx)
    }

    fn poll_written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let stall = self.deadlines.write_stall;
        let timer = self
            .write_timer
            .get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(timer.as_mut().poll(cx));
        reset_on_drop(&self.stream);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin + Any> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => {
                ready!(self.poll_overdue(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            done => {
                let Self { phase, scan, .. } = &mut *self;
                phase.bytes_came(scan, &buf.filled()[before..]);
                done
            }
        }
    }
}

impl<S: AsyncWrite + Unpin + Any> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.poll_written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // After an answer hyper waits without reading again, so the idle timer is set here. When it fires, hyper reads
        // and is told.
        let _ = self.poll_overdue(cx);
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.poll_written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
