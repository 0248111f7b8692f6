//! Whether the peer is there, as an app is told: that a poll ends and the next one begins is no news.

use std::time::Duration;

use crate::Timestamp;

/// Whether something carries a session, seen over a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Something carries it, or has until a moment ago.
    Attached {
        /// When that began.
        since: Timestamp,
    },
    /// Nothing carries it.
    Detached {
        /// When it was carried last; of a session that has ended, when its peer was heard last.
        since: Timestamp,
        /// What became of what carried it.
        why: Detach,
    },
}

/// Why nothing carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detach {
    /// The connection ended, and no other came.
    Lost,
    /// The connection was silent, or took nothing, for too long, and was dropped. Only a WebSocket shows that; over HTTP it is
    /// [`Detach::Lost`].
    Stalled,
    /// The page has left (PROTOCOL §8.8).
    Left,
    /// The session has ended.
    Closed,
}

/// A session's contact, and how often it has changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contacts {
    since: Timestamp,
    version: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attached,
    /// Whatever comes first undoes it. It takes so many seconds longer where an answer may still be on its way.
    Fading(Detach, u16),
    Detached(Detach),
}

impl Contacts {
    /// Of a session that begins: its peer is there.
    pub(super) fn start(now: Timestamp) -> Self {
        Self {
            since: now,
            version: 0,
            // The connection is about to come.
            state: State::Fading(Detach::Lost, 0),
        }
    }

    /// A connection begins to carry, or an exchange comes.
    pub(super) fn hear(&mut self, now: Timestamp) {
        match self.state {
            State::Attached => {}
            State::Fading(..) => self.state = State::Attached,
            State::Detached(_) => self.change(State::Attached, now),
        }
    }

    /// A request came that carries nothing.
    pub(super) fn brush(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Fading(..)) {
            self.hear(now);
            self.lose(Detach::Lost, Duration::ZERO);
        }
    }

    /// What carried is gone; what it said last may be so long on its way.
    pub(super) fn lose(&mut self, why: Detach, on_its_way: Duration) {
        if !matches!(self.state, State::Detached(_)) {
            let seconds = u16::try_from(on_its_way.as_secs()).unwrap_or(u16::MAX);
            self.state = State::Fading(why, seconds);
        }
    }

    /// Nothing carries since then, and nothing is waited for.
    pub(super) fn end(&mut self, why: Detach, since: Timestamp) {
        if self.state != State::Detached(why) {
            self.change(State::Detached(why), since);
        }
    }

    /// Another transport carries.
    pub(super) fn touch(&mut self) {
        self.version = self.version.wrapping_add(1);
    }

    /// When it counts as detached what is gone since then.
    pub(super) fn fades_at(&self, detached_at: Timestamp, after: Duration) -> Option<Timestamp> {
        match self.state {
            State::Fading(_, seconds) => {
                Some(detached_at + after + Duration::from_secs(seconds.into()))
            }
            State::Attached | State::Detached(_) => None,
        }
    }

    /// Nothing has come meanwhile.
    pub(super) fn fade(&mut self, detached_at: Timestamp) {
        if let State::Fading(why, _) = self.state {
            self.change(State::Detached(why), detached_at);
        }
    }

    pub(super) fn contact(&self) -> Contact {
        let since = self.since;
        match self.state {
            State::Attached | State::Fading(..) => Contact::Attached { since },
            State::Detached(why) => Contact::Detached { since, why },
        }
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    fn change(&mut self, state: State, since: Timestamp) {
        (self.state, self.since) = (state, since);
        self.touch();
    }
}
