//! How what let the client in is renewed while the session goes on, and ends it if it is not (PROTOCOL §10.11). Who the client is,
//! and whether it may go on, is for the app to judge.

use std::time::Duration;

use super::connection::ConnectionId;
use super::role::Role;
use crate::{Credential, Limits, ProtocolError, Renewal, Timestamp};

/// Nothing at all in a session whose grant does not run out, and in which no credential has come.
#[derive(Debug, Default)]
pub(super) struct Renewing(Option<Box<State>>);

#[derive(Debug, Default)]
struct State {
    /// When the grant runs out; and since when it is asked for another. A server's.
    term: Option<Term>,
    /// Of a server, what came and is to be judged; of a client, what the server has not confirmed.
    credential: Option<Credential>,
    /// Whether the app judges a credential now.
    is_judged: bool,
    /// Whether `ok` is still to be said.
    owes_ok: bool,
    /// What has been told what there is to say, and when. It is said once on each connection.
    told: Option<(ConnectionId, Timestamp)>,
    /// How long what let this client in still holds, as the server has said; until the shell has heard it.
    asked: Option<Duration>,
}

/// 5 s: no exchange that is held is answered sooner to ask once more.
const ASK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
struct Term {
    until: Timestamp,
    asks_at: Timestamp,
    /// How long before the end the client is asked.
    early: Duration,
}

impl Renewing {
    /// Whether there is nothing to do for it, now or later.
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a credential is there that nobody judges yet.
    pub(super) fn has_credential(&self) -> bool {
        let state = self.0.as_deref();
        state.is_some_and(|state| state.credential.is_some())
    }

    /// The grant holds until then, or for good. Whatever was asked is answered.
    pub(super) fn grant(&mut self, until: Option<Timestamp>, limits: &Limits, now: Timestamp) {
        if until.is_none() && self.0.is_none() {
            return;
        }
        let state = self.0.get_or_insert_default();
        state.is_judged = false;
        state.told = None;
        state.term = until.map(|until| {
            let early = limits.renewal.min(until.since(now) / 2);
            Term {
                until,
                asks_at: now + (until.since(now) - early),
                early,
            }
        });
        if state.is_needless() {
            self.0 = None;
        }
    }

    /// The credential that came is taken: says so.
    pub(super) fn confirm(&mut self) {
        let state = self.0.get_or_insert_default();
        state.owes_ok = true;
        state.is_judged = false;
    }

    /// The app cannot judge now: asks the client again, after a while.
    pub(super) fn ask_again(&mut self, after: Duration, now: Timestamp) {
        if let Some(state) = &mut self.0 {
            state.is_judged = false;
            state.told = None;
            if let Some(term) = &mut state.term {
                term.asks_at = now + after;
            }
        }
    }

    /// The client is asked now. Nothing happens where the grant holds for good, or a credential is being judged.
    pub(super) fn ask_now(&mut self, now: Timestamp) {
        if let Some(state) = &mut self.0
            && let Some(term) = &mut state.term
            && !state.is_judged
            && term.asks_at > now
        {
            term.asks_at = now;
        }
    }

    /// A packet came.
    pub(super) fn take(&mut self, role: Role, content: Credential) -> Result<(), ProtocolError> {
        let state = self.0.get_or_insert_default();
        match role {
            Role::Server => {
                if !state.is_judged {
                    state.credential = Some(content);
                }
            }
            Role::Client => match Renewal::parse(content.as_str())? {
                Renewal::Ask(left) => state.asked = Some(left),
                Renewal::Done => state.credential = None,
            },
        }
        Ok(())
    }

    /// What came, for the app to judge; it judges one at a time.
    pub(super) fn poll_credential(&mut self) -> Option<Credential> {
        let state = self.0.as_mut()?;
        let credential = state.credential.take()?;
        state.is_judged = true;
        Some(credential)
    }

    /// The server asks for a credential: how long there is time.
    pub(super) fn poll_ask(&mut self) -> Option<Duration> {
        self.0.as_mut()?.asked.take()
    }

    /// The client has this to say, on each connection until the server confirms it.
    pub(super) fn offer(&mut self, credential: Credential) {
        let state = self.0.get_or_insert_default();
        (state.credential, state.told) = (Some(credential), None);
    }

    /// What the server has not confirmed; a client's.
    pub(super) fn offered(&self) -> Option<&Credential> {
        self.0.as_ref()?.credential.as_ref()
    }

    /// Whether there is something to say on this connection.
    ///
    /// An exchange that is held is answered for a question that was not asked lately; else it waits for something better to do.
    pub(super) fn has_news(&self, role: Role, id: ConnectionId, can: bool, now: Timestamp) -> bool {
        let Some(state) = &self.0 else {
            return false;
        };
        match role {
            Role::Server => {
                let is_due = state.asks_at().is_some_and(|at| at <= now);
                state.owes_ok || can && is_due && state.must_ask(Some(id), now)
            }
            Role::Client => can && state.credential.is_some() && !state.has_told(Some(id)),
        }
    }

    /// What to say on a connection, or in an answer that none carries; once.
    pub(super) fn tell(
        &mut self,
        role: Role,
        id: Option<ConnectionId>,
        can: bool,
        now: Timestamp,
    ) -> Option<Credential> {
        let state = self.0.as_mut()?;
        if role == Role::Client {
            let is_new = can && !state.has_told(id);
            state.told = id.map(|id| (id, now));
            return state.credential.clone().filter(|_| is_new);
        }
        if std::mem::take(&mut state.owes_ok) {
            if state.is_needless() {
                self.0 = None;
            }
            return Some(Renewal::Done.content());
        }
        if !(can && state.must_ask(id, now)) {
            return None;
        }
        if let Some(id) = id {
            state.told = Some((id, now));
        }
        let term = state.term.expect("only a grant that runs out is asked for");
        // The client waits for a part of that, also where the app asks early.
        let left = term.until.since(now).min(term.early);
        Some(Renewal::Ask(left).content())
    }

    /// When the client is to be asked, or to be asked again.
    pub(super) fn asks_at(&self) -> Option<Timestamp> {
        self.0.as_ref()?.asks_at()
    }

    /// Whether this connection has been told what there is to say.
    pub(super) fn has_told(&self, id: ConnectionId) -> bool {
        self.0
            .as_ref()
            .is_some_and(|state| state.has_told(Some(id)))
    }

    /// When the grant runs out.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        Some(self.0.as_ref()?.term?.until)
    }
}

impl State {
    fn has_told(&self, id: Option<ConnectionId>) -> bool {
        id.is_some() && self.told.map(|(told, _)| told) == id
    }

    fn asks_at(&self) -> Option<Timestamp> {
        let term = self.term?;
        let is_answered = self.is_judged || self.credential.is_some();
        let again_at = self.told.map(|(_, at)| at + ASK_AGAIN);
        (!is_answered).then(|| again_at.unwrap_or(term.asks_at))
    }

    fn must_ask(&self, id: Option<ConnectionId>, now: Timestamp) -> bool {
        !self.has_told(id)
            && !self.is_judged
            && self.credential.is_none()
            && self.term.is_some_and(|term| term.asks_at <= now)
    }

    fn is_needless(&self) -> bool {
        self.term.is_none() && self.credential.is_none() && !self.is_judged && !self.owes_ok
    }
}
