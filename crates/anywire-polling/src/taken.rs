//! A request that has been taken, and waits for its answer.

use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;

use crate::answer::{Answer, HttpRefusal};

/// A request that has been taken. Of a poll that is held, this is all that is held.
pub enum Taken {
    /// The answer is there.
    Answered(Box<Answer>),
    /// The answer is made when the session has something to say, or the hold is over.
    ///
    /// Cancel safety: dropping the future detaches the session and loses nothing: the outbox keeps what the client has
    /// not acknowledged.
    Held(Answering),
}

/// An answer that is being made. It fails if a newer connection carries the session, or if the session can no longer be
/// carried.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer, HttpRefusal>> + Send>>;

impl Taken {
    pub(crate) fn held(
        answering: impl Future<Output = Result<Answer, HttpRefusal>> + Send + 'static,
    ) -> Self {
        Self::Held(Box::pin(answering))
    }
}

impl From<Answer> for Taken {
    fn from(answer: Answer) -> Self {
        Self::Answered(Box::new(answer))
    }
}

impl Debug for Taken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => f.debug_tuple("Answered").field(answer).finish(),
            Self::Held(_) => f.debug_tuple("Held").finish_non_exhaustive(),
        }
    }
}
