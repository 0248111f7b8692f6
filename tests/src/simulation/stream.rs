//! One end of a simulated connection: bytes arrive after their time on the way, in order, or not at all.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::net::Sky;
use super::weather::Upgrades;

/// One end.
pub(super) struct SimStream {
    side: usize,
    pair: Arc<Mutex<Pair>>,
    sky: Arc<Sky>,
    timer: Pin<Box<Sleep>>,
}

/// Both directions, and what is to become of them.
struct Pair {
    lanes: [Lane; 2],
    /// The connection is reset when so many more bytes have been written, both ways together.
    cut_after: Option<u64>,
    mute_after: Option<u64>,
    is_reset: bool,
    is_mute: bool,
    has_begun: bool,
}

/// What goes from one side to the other; indexed by the side that writes.
#[derive(Default)]
struct Lane {
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the writer's end arrives, once it has ended.
    end: Option<Instant>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connection, from outside.
pub(super) struct Cable(Weak<Mutex<Pair>>);

impl Cable {
    /// Resets the connection, as when the process at one end has ended.
    pub(super) fn reset(&self) {
        if let Some(pair) = self.0.upgrade() {
            pair.lock().unwrap_or_else(PoisonError::into_inner).reset();
        }
    }
}

/// Both ends of a new connection, the client's and the server's, and its cable.
pub(super) fn pair(
    sky: &Arc<Sky>,
    cut_after: Option<u64>,
    mute_after: Option<u64>,
) -> (SimStream, SimStream, Cable) {
    let pair = Arc::new(Mutex::new(Pair {
        lanes: Default::default(),
        cut_after,
        mute_after,
        is_reset: false,
        is_mute: false,
        has_begun: false,
    }));
    let end = |side| SimStream {
        side,
        pair: pair.clone(),
        sky: sky.clone(),
        timer: Box::pin(sleep_until(Instant::now())),
    };
    (end(CLIENT), end(SERVER), Cable(Arc::downgrade(&pair)))
}

impl SimStream {
    fn lock(&self) -> MutexGuard<'_, Pair> {
        self.pair.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the moment; the waker is told by the timer.
    fn wait_until(&mut self, at: Instant, cx: &mut Context<'_>) {
        self.timer.as_mut().reset(at);
        // If it has come meanwhile, look again.
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

impl Pair {
    fn reset(&mut self) {
        self.is_reset = true;
        for lane in &mut self.lanes {
            lane.on_the_way.clear();
            lane.bytes = 0;
            wake(&mut lane.reader);
            wake(&mut lane.writer);
        }
    }

    /// What the network makes of so many bytes.
    fn meet(&mut self, written: &[u8], upgrades: Upgrades) {
        let count = written.len() as u64;
        if !std::mem::replace(&mut self.has_begun, true) && is_upgrade(written) {
            match upgrades {
                Upgrades::Pass => {}
                Upgrades::Cut => return self.reset(),
                Upgrades::Hang => self.is_mute = true,
            }
        }
        if let Some(left) = &mut self.mute_after {
            *left = left.saturating_sub(count);
            self.is_mute |= *left == 0;
        }
        if let Some(left) = &mut self.cut_after {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.reset();
            }
        }
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = Instant::now();
        let clear = self.sky.clears_at();
        let mut pair = self.lock();
        if pair.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let lane = &mut pair.lanes[1 - self.side];
        let due = match lane.on_the_way.front() {
            Some((at, _)) => Some(*at),
            None => lane.end,
        };
        let due = due.map(|at| at.max(clear.unwrap_or(at)));
        lane.reader = Some(cx.waker().clone());
        match due {
            Some(at) if at <= now => {
                if let Some((_, bytes)) = lane.on_the_way.front_mut() {
                    let count = bytes.len().min(buf.remaining());
                    buf.put_slice(&bytes[..count]);
                    bytes.drain(..count);
                    if bytes.is_empty() {
                        lane.on_the_way.pop_front();
                    }
                    lane.bytes -= count;
                    wake(&mut lane.writer);
                }
                Poll::Ready(Ok(()))
            }
            Some(at) => {
                drop(pair);
                self.wait_until(at, cx);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let arrives = self.sky.arrival();
        let upgrades = self.sky.weather().upgrades;
        let mut pair = self.lock();
        if pair.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let room = WINDOW_BYTES.saturating_sub(pair.lanes[self.side].bytes);
        if room == 0 {
            pair.lanes[self.side].writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(buf.len());
        let written = &buf[..count];
        pair.meet(written, upgrades);
        if pair.is_reset || pair.is_mute {
            return Poll::Ready(Ok(count));
        }
        let lane = &mut pair.lanes[self.side];
        // Nothing overtakes what was written before it.
        let last = lane.on_the_way.back().map_or(arrives, |(at, _)| *at);
        lane.on_the_way
            .push_back((arrives.max(last), written.to_vec()));
        lane.bytes += count;
        wake(&mut lane.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl SimStream {
    fn end(&self) {
        let arrives = self.sky.arrival();
        let mut pair = self.lock();
        if pair.is_mute {
            return;
        }
        let lane = &mut pair.lanes[self.side];
        let last = lane.on_the_way.back().map_or(arrives, |(at, _)| *at);
        lane.end.get_or_insert(arrives.max(last));
        wake(&mut lane.reader);
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.end();
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn is_upgrade(written: &[u8]) -> bool {
    written.starts_with(b"GET ")
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// What may be on the way in one direction.
const WINDOW_BYTES: usize = 65_536;
