//! How much of a share has been used: counts, and buckets that leak. `accounts.rs` knows whose share it is.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anywire_protocol::{Packet, Timestamp};

use crate::budgets::{Rate, Share};

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Measure {
    /// Opens a second.
    Opens,
    /// Sessions at once.
    Sessions,
    /// Never-used sessions at once.
    UnusedSessions,
    /// Connections at once.
    Connections,
    /// Messages a second.
    Messages,
    /// Bytes of messages a second.
    Bytes,
    /// Control frames a second.
    ControlFrames,
}

impl Measure {
    pub(crate) const ALL: [Self; 7] = [
        Self::Opens,
        Self::Sessions,
        Self::UnusedSessions,
        Self::Connections,
        Self::Messages,
        Self::Bytes,
        Self::ControlFrames,
    ];

    /// Its name in logs and texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Sessions => "sessions",
            Self::UnusedSessions => "never-used sessions",
            Self::Connections => "connections",
            Self::Messages => "messages",
            Self::Bytes => "bytes",
            Self::ControlFrames => "control frames",
        }
    }
}

/// What one batch of packets asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) messages: u16,
    pub(crate) control_frames: u16,
    pub(crate) bytes: u32,
}

impl Traffic {
    pub(crate) fn add(&mut self, messages: u64, control_frames: u64, bytes: usize) {
        let narrow = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.messages = self.messages.saturating_add(narrow(messages));
        self.control_frames = self.control_frames.saturating_add(narrow(control_frames));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts a packet; returns how many messages it is.
    pub(crate) fn add_packet(&mut self, packet: &Packet) -> u64 {
        match packet {
            Packet::Message(message) => {
                self.add(1, 0, message.len());
                1
            }
            Packet::Part(part) => {
                self.add(0, 1, part.len());
                0
            }
            _ => {
                self.add(0, 1, 0);
                0
            }
        }
    }

    /// Whether so much has come that it is to be counted now. Less is worth no look at the shares.
    pub(crate) fn is_worth_counting(self) -> bool {
        self.messages >= 64 || self.control_frames >= 64 || self.bytes >= 65_536
    }
}

/// When what was used has come back, in nanoseconds of the hub's clock: a bucket that leaks, as one number.
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl Bucket {
    /// Takes so many.
    ///
    /// # Errors
    /// How long to wait; nothing was taken.
    fn take(&self, count: u64, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let Some(taking) = Taking::new(count, rate, now) else {
            return Ok(());
        };
        let take = |full_at| {
            taking
                .wait(full_at)
                .is_zero()
                .then(|| taking.after(full_at))
        };
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|full_at| taking.wait(full_at))
    }

    /// Takes so many in any case; returns how long to wait before more are taken.
    fn spend(&self, count: u64, rate: Rate, now: Timestamp) -> Duration {
        let Some(taking) = Taking::new(count, rate, now) else {
            return Duration::ZERO;
        };
        let spend = |full_at| Some(taking.after(full_at));
        let spent = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
        let (Ok(full_at) | Err(full_at)) = spent;
        taking.wait(full_at)
    }

    /// How long to wait before so many can be taken.
    fn wait(&self, count: u64, rate: Rate, now: Timestamp) -> Duration {
        let taking = Taking::new(count, rate, now);
        taking.map_or(Duration::ZERO, |taking| {
            taking.wait(self.0.load(Ordering::Relaxed))
        })
    }

    fn is_full(&self, now: Timestamp) -> bool {
        self.0.load(Ordering::Relaxed) <= now.as_millis().saturating_mul(1_000_000)
    }
}

/// So many that are taken from a bucket now, in nanoseconds.
struct Taking {
    now: u64,
    /// How long they take to come back.
    cost: u64,
    /// How long all take that there may be at once.
    most: u64,
}

impl Taking {
    /// `None` if taking them has no limit.
    fn new(count: u64, rate: Rate, now: Timestamp) -> Option<Self> {
        if count == 0 || rate == Rate::UNLIMITED {
            return None;
        }
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Some(Self {
            now: now.as_millis().saturating_mul(1_000_000),
            cost: nanos(rate.time_of(count)),
            most: nanos(rate.time_of(rate.at_once)),
        })
    }

    /// When all will have come back of a bucket that would have been full at `full_at`.
    fn after(&self, full_at: u64) -> u64 {
        full_at.max(self.now).saturating_add(self.cost)
    }

    /// How long it is until there would be so many.
    fn wait(&self, full_at: u64) -> Duration {
        Duration::from_nanos((self.after(full_at) - self.now).saturating_sub(self.most))
    }
}

/// What one of those who share has used.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) sessions: AtomicU32,
    pub(crate) unused_sessions: AtomicU32,
    pub(crate) connections: AtomicU32,
    opens: Bucket,
    messages: Bucket,
    bytes: Bucket,
    control_frames: Bucket,
}

impl Usage {
    pub(crate) fn open(&self, share: &Share, now: Timestamp) -> Result<(), (Measure, Duration)> {
        let opened = self.opens.take(1, share.opens, now);
        opened.map_err(|wait| (Measure::Opens, wait))?;
        add(&self.sessions, share.sessions).map_err(|wait| (Measure::Sessions, wait))?;
        add(&self.unused_sessions, share.unused_sessions).map_err(|wait| {
            subtract(&self.sessions);
            (Measure::UnusedSessions, wait)
        })
    }

    /// Whether [`Usage::open`] would count one more.
    pub(crate) fn judge_open(
        &self,
        share: &Share,
        now: Timestamp,
    ) -> Result<(), (Measure, Duration)> {
        let wait = self.opens.wait(1, share.opens, now);
        if !wait.is_zero() {
            return Err((Measure::Opens, wait));
        }
        let has_room = |count: &AtomicU32, most| count.load(Ordering::Relaxed) < most;
        if !has_room(&self.sessions, share.sessions) {
            return Err((Measure::Sessions, WAIT_FOR_AN_END));
        }
        if !has_room(&self.unused_sessions, share.unused_sessions) {
            return Err((Measure::UnusedSessions, WAIT_FOR_AN_END));
        }
        Ok(())
    }

    /// Takes back what [`Usage::open`] has counted.
    pub(crate) fn unopen(&self) {
        subtract(&self.sessions);
        subtract(&self.unused_sessions);
    }

    pub(crate) fn attach(&self, share: &Share) -> Result<(), (Measure, Duration)> {
        add(&self.connections, share.connections).map_err(|wait| (Measure::Connections, wait))
    }

    pub(crate) fn take(
        &self,
        traffic: Traffic,
        share: &Share,
        now: Timestamp,
    ) -> Result<(), (Measure, Duration)> {
        let Traffic {
            messages,
            control_frames,
            bytes,
        } = traffic;
        let taken = self.messages.take(messages.into(), share.messages, now);
        taken.map_err(|wait| (Measure::Messages, wait))?;
        let taken = self.bytes.take(bytes.into(), share.bytes, now);
        taken.map_err(|wait| (Measure::Bytes, wait))?;
        let taken = self
            .control_frames
            .take(control_frames.into(), share.control_frames, now);
        taken.map_err(|wait| (Measure::ControlFrames, wait))
    }

    /// Counts what has come already; returns how long to read no more.
    pub(crate) fn spend(
        &self,
        traffic: Traffic,
        share: &Share,
        now: Timestamp,
    ) -> Result<Duration, (Measure, Duration)> {
        let frames =
            self.control_frames
                .take(traffic.control_frames.into(), share.control_frames, now);
        frames.map_err(|wait| (Measure::ControlFrames, wait))?;
        let messages = self
            .messages
            .spend(traffic.messages.into(), share.messages, now);
        let bytes = self.bytes.spend(traffic.bytes.into(), share.bytes, now);
        for (measure, wait) in [(Measure::Messages, messages), (Measure::Bytes, bytes)] {
            if wait > MAX_PAUSE {
                return Err((measure, wait));
            }
        }
        Ok(messages.max(bytes))
    }

    /// Whether something counts in it now.
    pub(crate) fn is_needed(&self) -> bool {
        let counts = [&self.sessions, &self.connections];
        counts.iter().any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Whether nothing is left to remember.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        let buckets = [
            &self.opens,
            &self.messages,
            &self.bytes,
            &self.control_frames,
        ];
        !self.is_needed() && buckets.iter().all(|bucket| bucket.is_full(now))
    }
}

/// One more, if there may be.
///
/// # Errors
/// How long to wait. The server cannot know when a session or connection ends.
fn add(count: &AtomicU32, most: u32) -> Result<(), Duration> {
    let more = |count: u32| (count < most).then(|| count + 1);
    let added = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    added.map(drop).map_err(|_| WAIT_FOR_AN_END)
}

pub(crate) fn subtract(count: &AtomicU32) {
    count.fetch_sub(1, Ordering::Relaxed);
}

/// 10 s: how long the server asks a client to wait for another session or connection to end.
const WAIT_FOR_AN_END: Duration = Duration::from_secs(10);

/// 5 s: a connection that is to read nothing for longer is ended instead, since its heartbeat would suffer.
const MAX_PAUSE: Duration = Duration::from_secs(5);
