//! What follows a credential that came on its own: the app is asked, and the session goes on or ends (PROTOCOL §10.11).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{CloseCode, CloseReason, Credential};

use crate::grant::{Grant, Verdict};
use crate::opening::Opening;
use crate::refusal::Refusal;
use crate::session_cell::{Origin, SessionCell, State};
use crate::socket::Sender;

/// A credential that came while its session goes on.
#[derive(Debug)]
pub struct Asked {
    /// What the client says.
    pub credential: Credential,
    /// The session.
    pub sender: Sender,
    /// What is kept of the request that opened the session.
    pub opening: Option<Opening>,
}

/// Asks the app about credentials that come while their sessions go on.
#[derive(Clone)]
pub struct Judge(Arc<dyn Fn(Asked) -> Judging + Send + Sync>);

type Judging = Pin<Box<dyn Future<Output = Verdict> + Send>>;

impl Judge {
    /// A judge that asks so.
    pub fn new<F>(ask: impl Fn(Asked) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        Self(Arc::new(move |asked| Box::pin(ask(asked))))
    }
}

impl Debug for Judge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// After so long a client is asked again whose credential the app could not judge, if the app names no time: 1 s.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the app has said when it is dropped: that it cannot tell now, if it has panicked.
struct Judged<'a> {
    cell: &'a Arc<SessionCell>,
    verdict: Verdict,
}

impl Drop for Judged<'_> {
    fn drop(&mut self) {
        self.cell
            .renew(mem::take(&mut self.verdict), Origin::Outside);
    }
}

impl SessionCell {
    /// Asks the app, and does what it says. Only one credential of a session is judged at a time.
    pub(crate) async fn judge(self: Arc<Self>, judge: Option<Judge>, credential: Credential) {
        let Some(judge) = judge else {
            // Everybody is let in.
            return self.renew(Verdict::default(), Origin::Outside);
        };
        let asked = Asked {
            credential,
            sender: Sender::new(self.clone()),
            opening: self.opening().cloned(),
        };
        let mut judged = Judged {
            cell: &self,
            verdict: Verdict::Denied(Refusal::internal()),
        };
        judged.verdict = (judge.0)(asked).await;
    }

    /// Goes on by a new grant, or ends.
    pub(crate) fn renew(self: &Arc<Self>, verdict: Verdict, origin: Origin) {
        let end = self.end_by(&verdict);
        // The app's values are dropped when the lock is let go.
        let old = self.step(origin, |state, now| match (verdict, end) {
            // It may have ended while the app judged.
            (verdict, _) if state.session.is_ended() => verdict.into_grant(),
            (verdict, Some(reason)) => {
                state.session.cut_short(reason, now);
                verdict.into_grant()
            }
            (Verdict::Granted(grant), None) => {
                let old = state.set_grant(grant, self.clock(), now);
                state.session.confirm_credential();
                state.renewals = state.renewals.wrapping_add(1);
                old
            }
            (Verdict::Denied(refusal), None) => {
                let wait = refusal.retry_after().unwrap_or(ASK_AGAIN_AFTER);
                state.session.ask_again(wait, now);
                None
            }
            (Verdict::NotAsked, None) => {
                state.session.confirm_credential();
                None
            }
        });
        drop(old);
    }

    /// Why what the app says of a credential ends the session, if it does.
    pub(crate) fn end_by(&self, verdict: &Verdict) -> Option<CloseReason> {
        match verdict {
            Verdict::Granted(grant) if grant.principal() != self.owners.principal() => {
                let text = "the credential is somebody else's";
                Some(CloseReason::new(CloseCode::CREDENTIAL_EXPIRED, text))
            }
            Verdict::Denied(refusal) => {
                let reason = refusal.reason();
                let is_final = matches!(
                    reason.code,
                    CloseCode::UNAUTHORIZED | CloseCode::FORBIDDEN | CloseCode::CREDENTIAL_EXPIRED
                );
                is_final.then(|| reason.clone())
            }
            Verdict::Granted(_) | Verdict::NotAsked => None,
        }
    }

    /// What lets the client in now.
    pub(crate) fn grant(&self) -> Grant {
        self.peek(|state| self.grant_of(state))
    }

    pub(crate) fn grant_of(&self, state: &State) -> Grant {
        let kept = state.extra.as_ref().and_then(|extra| extra.grant.clone());
        kept.unwrap_or_else(|| match self.owners.principal() {
            Some(principal) => Grant::to(principal.clone()),
            None => Grant::anonymous(),
        })
    }
}
