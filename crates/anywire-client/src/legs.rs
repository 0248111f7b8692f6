//! The legs as bytes: each runs as a task that the driver owns. The driver knows what the packets mean.

pub(crate) mod exchange;
pub(crate) mod pace;
pub(crate) mod poll;
pub(crate) mod websocket;

use anywire_protocol::{CloseCode, CloseReason, Disposition, Loss, Outcome};
use serde::Deserialize;
use tokio::task::JoinHandle;

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct Owned(JoinHandle<()>);

impl Owned {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A leg that did not come to be, or is no more.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) loss: Loss,
    /// What the server itself refused the leg with. Absent if something in between answered, or nothing did.
    pub(crate) refusal: Option<CloseReason>,
    /// Whether something in between found the body too long (PROTOCOL §6.7).
    pub(crate) is_too_long: bool,
    /// Whether something in between may not like what the body says, or its length (PROTOCOL §6.8).
    pub(crate) is_dislike: bool,
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Loss::new(outcome, detail).into()
    }

    /// The refusal that ends the session: one to start anew or to give up.
    pub(crate) fn session_end(&self) -> Option<&CloseReason> {
        self.refusal.as_ref().filter(|reason| {
            let disposition = reason.code.disposition();
            matches!(disposition, Disposition::StartAnew | Disposition::GiveUp)
        })
    }

    /// An answer with a status that is none of success. The body is the server's if it is a refusal of PROTOCOL §8.4;
    /// else something in between wrote it.
    pub(crate) fn refused(
        status: http::StatusCode,
        headers: &http::HeaderMap,
        body: &[u8],
    ) -> Self {
        #[derive(Deserialize)]
        struct Refusal {
            code: u16,
            #[serde(default)]
            message: String,
        }
        let mut failure = Self::new(Outcome::Refused, format!("http {}", status.as_u16()));
        failure.loss.retry_after = headers
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(|seconds: u32| std::time::Duration::from_secs(seconds.into()).min(MAX_HINT));
        if let Ok(refusal) = serde_json::from_slice::<Refusal>(body) {
            let code = CloseCode::from_u16(refusal.code);
            if code == CloseCode::SUPERSEDED {
                failure.loss.outcome = Outcome::Superseded;
            }
            let is_ours = matches!(
                code.disposition(),
                Disposition::Retry | Disposition::StartAnew | Disposition::GiveUp
            );
            failure.refusal = is_ours.then(|| CloseReason::new(code, &refusal.message));
        }
        failure.is_too_long =
            failure.refusal.is_none() && status == http::StatusCode::PAYLOAD_TOO_LARGE;
        failure.is_dislike = failure.refusal.is_none()
            && matches!(status.as_u16(), 400 | 403 | 406 | 413 | 415 | 451);
        failure.loss.is_missing =
            failure.refusal.is_none() && matches!(status.as_u16(), 404 | 405 | 501);
        failure
    }
}

impl From<Loss> for Failure {
    fn from(loss: Loss) -> Self {
        Self {
            loss,
            refusal: None,
            is_too_long: false,
            is_dislike: false,
        }
    }
}

/// A hint beyond this is no hint.
const MAX_HINT: std::time::Duration = std::time::Duration::from_secs(300);

/// Longest body of a refusal that is read.
pub(crate) const MAX_REFUSAL_BYTES: usize = 16_384;
