//! How a session ends: with one reason, told to the app once and to the peer until it has heard (PROTOCOL §8.1).
//! The session knows which side asked for the end.

use crate::{CloseReason, Message, Timestamp};

/// ```text
///          begin                    hear, or deadline
///   Open ─────────▶ Asked ─────────────────────────────▶ Ended
///     │                                                    ▲
///     └────────────────────────────────────────────────────┘
///                    hear, abort, end
/// ```
#[derive(Debug)]
pub(crate) enum Closing {
    Open,
    /// We closed and wait for the peer's close: until `until`, which signs of life put off, but not beyond `latest`.
    Asked {
        reason: CloseReason,
        until: Timestamp,
        latest: Timestamp,
        /// Whether what carries the session now has been given the close.
        is_told: bool,
    },
    Ended(Ended),
}

#[derive(Debug)]
pub(crate) struct Ended {
    reason: CloseReason,
    is_reported: bool,
    telling: Telling,
    /// What a client had accepted and its server had not acknowledged.
    #[expect(
        clippy::box_collection,
        reason = "every idle session pays for its size"
    )]
    left: Option<Box<Vec<Message>>>,
}

/// Whether the peer must still be told of the end.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    /// It knows.
    Done,
    /// It closed first: one answer is enough, and if that is lost it gives up by itself.
    Answer(Timestamp),
    /// It must hear, again on each connection, until it answers.
    Until(Timestamp),
}

impl Closing {
    pub(crate) fn begin(&mut self, reason: CloseReason, until: Timestamp, latest: Timestamp) {
        if self.is_open() {
            *self = Self::Asked {
                reason,
                until,
                latest,
                is_told: false,
            };
        }
    }

    /// Ends at once; the close is repeated to the peer until it answers, or until `until`.
    pub(crate) fn abort(&mut self, reason: CloseReason, until: Timestamp) {
        if !self.is_ended() {
            *self = Self::ended(reason, Telling::Until(until));
        }
    }

    /// Ends at once, without telling the peer.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        self.finish(reason, Telling::Done);
    }

    /// The peer closes, or answers our close.
    pub(crate) fn hear(&mut self, reason: CloseReason, until: Timestamp) {
        self.finish(reason, Telling::Answer(until));
    }

    /// The server closes, or answers our close: if the two cross, its reason counts (PROTOCOL §8.2).
    pub(crate) fn hear_server(&mut self, reason: CloseReason, until: Timestamp) {
        if let Self::Asked { reason: ours, .. } = self {
            *ours = reason.clone();
        }
        self.hear(reason, until);
    }

    /// A close packet goes out.
    pub(crate) fn tell(&mut self) {
        match self {
            Self::Open => {}
            Self::Asked { is_told, .. } => *is_told = true,
            Self::Ended(ended) => {
                if matches!(ended.telling, Telling::Answer(_)) {
                    ended.telling = Telling::Done;
                }
            }
        }
    }

    /// What was given our close may not have delivered it.
    pub(crate) fn lose(&mut self) {
        if let Self::Asked { is_told, .. } = self {
            *is_told = false;
        }
    }

    /// The peer acknowledges what came before our close: the wait begins anew.
    pub(crate) fn postpone(&mut self, later: Timestamp, at_latest: Timestamp) {
        if let Self::Asked { until, latest, .. } = self {
            (*until, *latest) = (later, at_latest);
        }
    }

    /// The peer shows life, so its answer may still come.
    pub(crate) fn hear_life(&mut self, later: Timestamp) {
        if let Self::Asked { until, latest, .. } = self {
            *until = later.min(*latest);
        }
    }

    /// These messages were not acknowledged when the end came.
    pub(crate) fn leave(&mut self, messages: Vec<Message>) {
        if let Self::Ended(ended) = self
            && !messages.is_empty()
        {
            ended.left = Some(Box::new(messages));
        }
    }

    /// Hands out what [`Closing::leave`] has put here.
    pub(crate) fn take_left(&mut self) -> Vec<Message> {
        match self {
            Self::Ended(ended) => ended.left.take().map_or_else(Vec::new, |left| *left),
            Self::Open | Self::Asked { .. } => Vec::new(),
        }
    }

    /// The deadline has passed.
    pub(crate) fn handle_timeout(&mut self) {
        match self {
            Self::Open => {}
            Self::Asked { .. } => self.end_asked(Telling::Done),
            Self::Ended(ended) => ended.telling = Telling::Done,
        }
    }

    /// The reason for the app, once.
    pub(crate) fn report(&mut self) -> Option<CloseReason> {
        match self {
            Self::Ended(ended) if !ended.is_reported => {
                ended.is_reported = true;
                Some(ended.reason.clone())
            }
            _ => None,
        }
    }

    pub(crate) fn reason(&self) -> Option<&CloseReason> {
        match self {
            Self::Open => None,
            Self::Asked { reason, .. } | Self::Ended(Ended { reason, .. }) => Some(reason),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Open => None,
            Self::Asked { until, .. } => Some(*until),
            Self::Ended(ended) => match ended.telling {
                Telling::Done => None,
                Telling::Answer(until) | Telling::Until(until) => Some(until),
            },
        }
    }

    /// Whether the app has yet to be told.
    pub(crate) fn is_unreported(&self) -> bool {
        matches!(
            self,
            Self::Ended(Ended {
                is_reported: false,
                ..
            })
        )
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether we asked to close and the peer may still send.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Asked { .. })
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(
            self,
            Self::Ended(Ended {
                telling: Telling::Done,
                ..
            })
        )
    }

    /// Ends with `reason`, unless we have given one before. A peer that has been told of that needs to be told no more.
    fn finish(&mut self, reason: CloseReason, telling: Telling) {
        match self {
            Self::Open => *self = Self::ended(reason, telling),
            Self::Asked { is_told: true, .. } => self.end_asked(Telling::Done),
            Self::Asked { is_told: false, .. } => self.end_asked(telling),
            Self::Ended(ended) => ended.telling = Telling::Done,
        }
    }

    fn end_asked(&mut self, telling: Telling) {
        if let Self::Asked { reason, .. } = std::mem::replace(self, Self::Open) {
            *self = Self::ended(reason, telling);
        }
    }

    fn ended(reason: CloseReason, telling: Telling) -> Self {
        Self::Ended(Ended {
            reason,
            is_reported: false,
            telling,
            left: None,
        })
    }
}
