//! What goes from one machine to another: in order, each thing after its time on the way, or not at all once an end is gone.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::clock;
use super::machines::Machine;
use super::sky::Sky;

/// The end that sends. Dropping it ends the lane, behind what is on its way.
pub(super) struct Writer<T> {
    route: Route,
    lane: Arc<Mutex<Lane<T>>>,
}

/// The end that receives. Dropping it tells the other, after the time on the way.
pub(super) struct Reader<T> {
    /// The way back.
    route: Route,
    lane: Arc<Mutex<Lane<T>>>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Both ways of a connection, as one side has them.
pub(super) struct Line<Out, In> {
    pub(super) writer: Writer<Out>,
    pub(super) reader: Reader<In>,
}

/// From where to where, and what must not be overtaken on it.
struct Route {
    sky: Arc<Sky>,
    from: Machine,
    to: Machine,
    last: Order,
}

/// When the last thing arrives, of lanes that keep one order.
pub(super) type Order = Arc<Mutex<Duration>>;

struct Lane<T> {
    on_the_way: VecDeque<(Duration, T)>,
    /// How many bytes are on the way, if they are bytes.
    bytes: usize,
    /// When the writer's end arrives.
    ends: Option<Duration>,
    /// When the writer hears that nobody reads.
    unread_from: Option<Duration>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A lane of its own.
pub(super) fn lane<T>(sky: &Arc<Sky>, from: Machine, to: Machine) -> (Writer<T>, Reader<T>) {
    lane_in_order(sky, from, to, &Order::default())
}

/// A lane that keeps its order with others.
pub(super) fn lane_in_order<T>(
    sky: &Arc<Sky>,
    from: Machine,
    to: Machine,
    order: &Order,
) -> (Writer<T>, Reader<T>) {
    let lane = Arc::new(Mutex::new(Lane {
        on_the_way: VecDeque::new(),
        bytes: 0,
        ends: None,
        unread_from: None,
        reader: None,
        writer: None,
    }));
    let route = |from, to, last| Route {
        sky: sky.clone(),
        from,
        to,
        last,
    };
    let writer = Writer {
        route: route(from, to, order.clone()),
        lane: lane.clone(),
    };
    let reader = Reader {
        route: route(to, from, Order::default()),
        lane,
        timer: None,
    };
    (writer, reader)
}

/// Both ends of a connection.
pub(super) fn line<A, B>(sky: &Arc<Sky>, from: Machine, to: Machine) -> (Line<A, B>, Line<B, A>) {
    let (there, arriving) = lane(sky, from, to);
    let (back, coming_back) = lane(sky, to, from);
    let near = Line {
        writer: there,
        reader: coming_back,
    };
    let far = Line {
        writer: back,
        reader: arriving,
    };
    (near, far)
}

impl Route {
    fn arrival(&self) -> Duration {
        let mut last = lock(&self.last);
        *last = self
            .sky
            .arrival(self.from, self.to, clock::now())
            .max(*last);
        *last
    }
}

impl<T> Writer<T> {
    pub(super) fn send(&self, thing: T) {
        let arrives = self.route.arrival();
        let mut lane = lock(&self.lane);
        lane.on_the_way.push_back((arrives, thing));
        wake(&mut lane.reader);
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        let arrives = self.route.arrival();
        let mut lane = lock(&self.lane);
        lane.ends = Some(arrives);
        wake(&mut lane.reader);
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        let arrives = self.route.arrival();
        let mut lane = lock(&self.lane);
        lane.unread_from = Some(arrives);
        lane.on_the_way.clear();
        wake(&mut lane.writer);
    }
}

impl<T> Reader<T> {
    /// The next thing that arrives; nothing at the end.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub(super) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.poll_due(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let next = lock(&self.lane).on_the_way.pop_front();
                Poll::Ready(next.map(|(_, thing)| thing))
            }
        }
    }

    /// Waits until something has arrived, or the end.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = {
            let mut lane = lock(&self.lane);
            let due = lane.on_the_way.front().map(|(due, _)| *due).or(lane.ends);
            if due.is_none() {
                lane.reader = Some(cx.waker().clone());
            }
            due
        };
        let Some(due) = due else {
            return Poll::Pending;
        };
        if due <= clock::now() {
            return Poll::Ready(());
        }
        let at = clock::instant(due);
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(at);
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(at))),
        };
        timer.as_mut().poll(cx)
    }
}

impl AsyncRead for Reader<Vec<u8>> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_due(cx).is_pending() {
            return Poll::Pending;
        }
        let mut lane = lock(&self.lane);
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
}

impl AsyncWrite for Writer<Vec<u8>> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut lane = lock(&self.lane);
        if lane.unread_from.is_some_and(|from| from <= clock::now()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let count = WINDOW_BYTES.saturating_sub(lane.bytes).min(buf.len());
        if count == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        lane.bytes += count;
        drop(lane);
        self.send(buf[..count].to_vec());
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may be on the way in one direction.
const WINDOW_BYTES: usize = 65_536;
