//! What the app is asked while a grant is renewed, and what comes of it. `renewal.rs` acts on it.

use std::time::Duration;

use anywire_protocol::{Credential, Loss, Timestamp};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::legs::{Failure, Owned};

/// ```text
///          the server asks           the pause is over          the app answers, or the request is answered
///   idle ──────────────────▶ waits ────────────────────▶ asks ────────────────────────────────────────────▶ idle
///                              ▲                           │
///                              └─────── it fails ──────────┘
/// ```
#[derive(Default)]
pub(super) struct Renewal {
    /// When the pause is over.
    pub(super) at: Option<Timestamp>,
    /// The app is asked, or a request beside the WebSocket is under way.
    pub(super) asking: Option<Asking>,
    /// Until when the session is let in, as the server has said.
    pub(super) until: Timestamp,
    pub(super) failures: u32,
    /// When the app last gave a credential.
    pub(super) given_at: Option<Timestamp>,
    /// Whether an exchange is to be made for this.
    pub(super) is_owed: bool,
}

pub(super) struct Asking {
    _task: Owned,
    answers: mpsc::Receiver<Renewed>,
}

/// What came of asking.
pub(super) enum Renewed {
    /// The app gave this.
    Given(Result<Credential, Loss>),
    /// The request beside the WebSocket was answered so.
    Answered(Result<Bytes, Failure>),
}

impl Asking {
    pub(super) fn start(asked: impl Future<Output = Renewed> + Send + 'static) -> Self {
        let (tell, answers) = mpsc::channel(1);
        let task = Owned::spawn(async move {
            let _ = tell.send(asked.await).await;
        });
        Self {
            _task: task,
            answers,
        }
    }
}

impl Renewal {
    /// Cancel safety: what came stays for the next call.
    pub(super) async fn next(&mut self) -> Renewed {
        let answered = match &mut self.asking {
            Some(asking) => asking.answers.recv().await,
            None => std::future::pending().await,
        };
        // A task that panics gives no answer.
        answered.unwrap_or_else(|| {
            let loss = Loss::new(anywire_protocol::Outcome::Failed, "credential: a panic");
            Renewed::Given(Err(loss))
        })
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.at
    }

    /// It failed: again after a pause, as long as there is time.
    pub(super) fn retry(&mut self, now: Timestamp) {
        let pause = FIRST_PAUSE * (1 << self.failures.min(4));
        self.failures += 1;
        let at = now + pause.mul_f64(1.0 + fastrand::f64());
        self.at = Some(at).filter(|at| *at < self.until);
    }
}

/// The first pause when no credential could be had; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
