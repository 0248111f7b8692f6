//! Who was put out lately: a client that the app has let in before that must not come in after it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_protocol::{CloseCode, CloseReason};
use tokio::time::Instant;

use crate::grant::Grant;
use crate::principal::Principal;
use crate::refusal::Refusal;

/// 60 s: an app that takes longer to say who comes is asked again, if a principal was put out meanwhile.
const REMEMBERED: Duration = Duration::from_secs(60);

/// 1 s: so long what another node says of a client may be on its way to here.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// 10,000: then the oldest is forgotten, which has what the app was asked before asked again.
const MAX_REMEMBERED: usize = 10_000;

/// Principals that were put out, the oldest first.
///
/// An open may be on its way for a while after the app has said yes to it: the app waits for something else, or a cluster's store is slow. What
/// puts a principal out finds no session of it then.
#[derive(Default)]
pub(crate) struct Revocations(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    latest: VecDeque<(Instant, Principal, CloseReason)>,
    /// What happened up to here is not known any more.
    forgotten: Option<Instant>,
}

impl Revocations {
    /// A principal is put out for this reason. Call it before its sessions are looked for.
    pub(crate) fn put(&self, principal: Principal, reason: CloseReason) {
        let now = Instant::now();
        let mut all = self.lock();
        while all
            .latest
            .front()
            .is_some_and(|(at, ..)| *at + REMEMBERED <= now)
            || all.latest.len() == MAX_REMEMBERED
        {
            all.forgotten = all.latest.pop_front().map(|(at, ..)| at);
        }
        all.latest.push_back((now, principal, reason));
    }

    /// Whether a client may come in about whom the app was asked then. Call it when the client's session can be found by its principal.
    ///
    /// # Errors
    /// It was put out since: 4970. Or it cannot be told whether it was, and the app is to be asked again: 4902.
    pub(crate) fn judge(&self, grant: &Grant, asked: Instant) -> Result<(), Refusal> {
        let Some(principal) = grant.principal() else {
            return Ok(());
        };
        let doubt = match grant.is_relayed() {
            true => ON_ITS_WAY,
            false => Duration::ZERO,
        };
        let all = self.lock();
        let is_since = |at: &Instant| *at + doubt > asked;
        let since = all.latest.iter().rev().take_while(|(at, ..)| is_since(at));
        let put_out = { since }.find(|(_, other, _)| other == principal);
        match put_out {
            Some((at, _, reason)) if *at > asked => return Err(reason.clone().into()),
            None if !all.forgotten.as_ref().is_some_and(is_since) => return Ok(()),
            _ => {}
        }
        let text = "the client may have been put out meanwhile: come again";
        let refusal = Refusal::new(CloseCode::OVERLOADED, text);
        Err(refusal.after(Duration::from_secs(1)))
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
