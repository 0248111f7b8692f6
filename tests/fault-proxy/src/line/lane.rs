//! One direction of a line: each byte arrives so long after it was said, no faster than the rate, until the cut.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep_until},
};

use super::{READ_BYTES, State};
use crate::{cuts::Direction, wire::write_in_steps};

/// One direction of a line.
pub(super) struct Lane<'a> {
    direction: Direction,
    delay: Duration,
    rate: Option<u64>,
    /// The most bytes of one write.
    step: usize,
    state: &'a State,
    /// What is on the way, and when it arrives.
    queue: VecDeque<(Instant, Vec<u8>)>,
    queued_bytes: usize,
    /// When the lane is free for the next byte, at its rate.
    free_at: Instant,
}

/// Why a lane stopped before its source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Source,
    Sink,
    Cut,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        direction: Direction,
        delay: Duration,
        rate: Option<u64>,
        step: usize,
        state: &'a State,
    ) -> Self {
        Self {
            direction,
            delay,
            rate,
            step,
            state,
            queue: VecDeque::new(),
            queued_bytes: 0,
            free_at: Instant::now(),
        }
    }

    /// Carries from one to the other until the first ends, and then ends the other.
    pub(super) async fn run(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Broken> {
        let mut room = Vec::new();
        let mut end = None;
        loop {
            room.reserve(READ_BYTES);
            let next = match self.queue.front() {
                Some((due, _)) => Some((*due).max(self.free_at)),
                None => end,
            };
            tokio::select! {
                biased;
                () = arrival(next) => {
                    if self.queue.is_empty() {
                        // An end before a reset would be all that the client sees.
                        if self.state.finishes_by_reset() {
                            return Ok(());
                        }
                        return to.shutdown().await.map_err(|_| Broken::Sink);
                    }
                    self.deliver(&mut to).await?;
                }
                // Only one who keeps reading knows when each byte was said.
                read = from.read_buf(&mut room), if end.is_none() && self.has_room() => {
                    let due = Instant::now() + self.delay;
                    if read.map_err(|_| Broken::Source)? == 0 {
                        end = Some(due);
                    } else {
                        self.take(due, std::mem::take(&mut room));
                    }
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.queued_bytes < MAX_QUEUED_BYTES
    }

    fn take(&mut self, due: Instant, bytes: Vec<u8>) {
        if self.direction == Direction::Up {
            *self.state.moved() = Instant::now();
        }
        self.queued_bytes += bytes.len();
        self.queue.push_back((due, bytes));
    }

    /// Writes the next bytes, as many as the rate lets through at once.
    async fn deliver(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Broken> {
        let Some((due, mut bytes)) = self.queue.pop_front() else {
            return Ok(());
        };
        let rest = bytes.split_off(self.slice().min(bytes.len()));
        if !rest.is_empty() {
            self.queue.push_front((due, rest));
        }
        self.queued_bytes -= bytes.len();
        let granted = self.state.cuts().grant(self.direction, bytes.len());
        write_in_steps(to, &bytes[..granted], self.step)
            .await
            .map_err(|_| Broken::Sink)?;
        if granted < bytes.len() || self.state.cuts().is_due() {
            return Err(Broken::Cut);
        }
        if self.direction == Direction::Down {
            *self.state.moved() = Instant::now();
        }
        if let Some(rate) = self.rate {
            let took = Duration::from_secs_f64(bytes.len() as f64 / rate.max(1) as f64);
            // A timer that was late may be made up for, an idle time may not.
            let earliest = Instant::now().checked_sub(LATENESS);
            self.free_at = earliest.map_or(self.free_at, |at| at.max(self.free_at)) + took;
        }
        Ok(())
    }

    /// How many bytes pass at once: all, or what a hundredth of a second brings.
    fn slice(&self) -> usize {
        self.rate.map_or(usize::MAX, |rate| {
            usize::try_from(rate / 100).unwrap_or(usize::MAX).max(1)
        })
    }
}

/// Waits until then. What is due already does not wait for a timer, whose ticks are whole milliseconds.
async fn arrival(at: Option<Instant>) {
    match at {
        Some(at) if at <= Instant::now() => {}
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What a lane holds on its way; one that is full is read no more until something has arrived.
const MAX_QUEUED_BYTES: usize = 4 * 1_048_576;
/// How far a lane may catch up.
const LATENESS: Duration = Duration::from_millis(20);
