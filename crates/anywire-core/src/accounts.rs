//! Who shares: one account for each address and each principal that has sessions, and one for all. `budgets.rs` says what a share
//! is, `usage.rs` counts what has been used of it.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_protocol::{CloseCode, SessionId, Timestamp};
use dashmap::DashSet;
use tokio::time::Instant;
use tracing::debug;

use crate::budgets::{Budgets, Share};
use crate::counter::Counter;
use crate::grant::Verdict;
use crate::memory::{Memory, is_to_shrink};
use crate::opening::Opening;
use crate::principal::Principal;
use crate::refusal::{Refusal, whole_seconds};
use crate::site::Site;
use crate::usage::{Measure, Traffic, Usage, subtract};

/// Who makes a request: what the app says of it, and the address that the gate judged. The default is somebody whom an app lets in
/// that lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// What the app says.
    pub verdict: Verdict,
    /// The address to count by; `None` where clients cannot be told apart by it.
    pub address: Option<IpAddr>,
    /// What a session is to keep of the request, if this opens one.
    pub opening: Option<Opening>,
    /// When the app was asked: a principal that was put out since does not come in by what it said. `None` if it was not asked.
    pub asked: Option<Instant>,
}

impl Caller {
    /// Who it is, if the app has named it.
    pub fn principal(&self) -> Option<&Principal> {
        self.verdict.grant()?.principal()
    }
}

/// Whose an account is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Site(Site),
    Principal(Principal),
}

/// Who shares what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scope {
    /// One address.
    Address,
    /// One principal.
    Principal,
    /// All clients together.
    Process,
}

impl Scope {
    const ALL: [Self; 3] = [Self::Address, Self::Principal, Self::Process];

    /// Its name in logs and texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Principal => "principal",
            Self::Process => "process",
        }
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    scope: Scope,
    measure: Measure,
    wait: Duration,
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        let Exceeded { scope, measure, .. } = exceeded;
        let code = match scope {
            Scope::Address | Scope::Principal => CloseCode::TOO_MANY,
            Scope::Process => CloseCode::OVERLOADED,
        };
        let whose = match scope {
            Scope::Address => "this address has used its share",
            Scope::Principal => "this principal has used its share",
            Scope::Process => "all clients together have used the server's",
        };
        let seconds = whole_seconds(exceeded.wait);
        let text = format!("{whose} of {}: come back in {seconds} s", measure.name());
        Self::new(code, &text).after(exceeded.wait)
    }
}

type Sessions = HashSet<SessionId>;

/// What an address or a principal has used.
#[derive(Debug)]
struct Account {
    key: Key,
    usage: Usage,
    /// It is among those that leave.
    is_leaving: AtomicBool,
    /// Of a principal: its sessions. Addresses, of which there may be as many as sessions, have no such set.
    sessions: Mutex<Option<Box<Sessions>>>,
}

impl Account {
    fn sessions(&self) -> MutexGuard<'_, Option<Box<Sessions>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An account with its place in the index.
const ACCOUNT_BYTES: i64 = size_of::<Account>() as i64 + 32;

/// An account in the index, found by its key.
struct Indexed(Arc<Account>);

impl Borrow<Key> for Indexed {
    fn borrow(&self) -> &Key {
        &self.0.key
    }
}

impl Hash for Indexed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for Indexed {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Indexed {}

/// The accounts that a session counts in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners {
    address: Option<Arc<Account>>,
    principal: Option<Arc<Account>>,
}

impl Owners {
    pub(crate) fn principal(&self) -> Option<&Principal> {
        match &self.principal.as_ref()?.key {
            Key::Principal(principal) => Some(principal),
            Key::Site(_) => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.address.is_none() && self.principal.is_none()
    }
}

/// All accounts of a hub.
pub(crate) struct Accounts {
    budgets: Budgets,
    memory: Memory,
    process: Usage,
    index: DashSet<Indexed>,
    /// Accounts without sessions that still remember what was used.
    leaving: Mutex<Vec<Arc<Account>>>,
    forgotten: Counter,
    exceeded: [[Counter; Measure::ALL.len()]; Scope::ALL.len()],
}

impl Accounts {
    pub(crate) fn new(budgets: Budgets, memory: Memory) -> Self {
        Self {
            budgets,
            memory,
            process: Usage::default(),
            index: DashSet::new(),
            leaving: Mutex::default(),
            forgotten: Counter::default(),
            exceeded: Default::default(),
        }
    }

    /// Counts an open: one more session, which is not used yet.
    pub(crate) fn open(
        &self,
        session: SessionId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Owners, Exceeded> {
        let owners = Owners {
            address: caller
                .address
                .map(|address| self.account(Key::Site(address.into()))),
            principal: caller
                .principal()
                .cloned()
                .map(|principal| self.account(Key::Principal(principal))),
        };
        let opened = self.count(
            &owners,
            |usage, share| usage.open(share, now),
            Usage::unopen,
        );
        if let Err(exceeded) = opened {
            self.retire(&owners, now);
            return Err(exceeded);
        }
        if !self.has(&owners) {
            // One was forgotten before this session counted in it: the session could not be found by its principal.
            self.of(&owners).for_each(|(_, usage, _)| usage.unopen());
            return self.open(session, caller, now);
        }
        if let Some(account) = &owners.principal {
            account.sessions().get_or_insert_default().insert(session);
        }
        Ok(owners)
    }

    /// The sessions of a principal.
    pub(crate) fn sessions(&self, principal: &Principal) -> Vec<SessionId> {
        let found = self.index.get(&Key::Principal(principal.clone()));
        let account = found.map(|indexed| indexed.key().0.clone());
        account.map_or_else(Vec::new, |account| {
            let sessions = account.sessions();
            sessions
                .iter()
                .flat_map(|all| all.iter())
                .copied()
                .collect()
        })
    }

    /// Whether an open would be counted now; counts nothing.
    pub(crate) fn judge_open(&self, caller: &Caller, now: Timestamp) -> Result<(), Exceeded> {
        let known = |key| Some(self.index.get(&key)?.key().0.clone());
        let owners = Owners {
            address: caller
                .address
                .and_then(|address| known(Key::Site(address.into()))),
            principal: caller
                .principal()
                .cloned()
                .and_then(|principal| known(Key::Principal(principal))),
        };
        for (scope, usage, share) in self.of(&owners) {
            let judged = usage.judge_open(share, now);
            judged.map_err(|(measure, wait)| self.note(scope, measure, wait))?;
        }
        Ok(())
    }

    /// The client has used its session for the first time.
    pub(crate) fn begin_use(&self, owners: &Owners) {
        for (_, usage, _) in self.of(owners) {
            subtract(&usage.unused_sessions);
        }
    }

    /// A session has ended. `true` if some account is to be looked at again later: call [`Accounts::sweep`] then.
    pub(crate) fn close(
        &self,
        session: SessionId,
        owners: &Owners,
        was_used: bool,
        now: Timestamp,
    ) -> bool {
        if let Some(account) = &owners.principal
            && let Some(sessions) = &mut *account.sessions()
        {
            sessions.remove(&session);
        }
        if !was_used {
            self.begin_use(owners);
        }
        for (_, usage, _) in self.of(owners) {
            subtract(&usage.sessions);
        }
        self.retire(owners, now)
    }

    /// A connection begins to carry a session.
    pub(crate) fn attach(&self, owners: &Owners) -> Result<(), Exceeded> {
        self.count(owners, Usage::attach, |usage| subtract(&usage.connections))
    }

    /// Counts in all of the owners' accounts, or in none.
    fn count(
        &self,
        owners: &Owners,
        count: impl Fn(&Usage, &Share) -> Result<(), (Measure, Duration)>,
        undo: impl Fn(&Usage),
    ) -> Result<(), Exceeded> {
        for (index, (scope, usage, share)) in self.of(owners).enumerate() {
            if let Err((measure, wait)) = count(usage, share) {
                self.of(owners)
                    .take(index)
                    .for_each(|(_, usage, _)| undo(usage));
                return Err(self.note(scope, measure, wait));
            }
        }
        Ok(())
    }

    /// A connection carries its session no more. `true` as of [`Accounts::close`].
    pub(crate) fn detach(&self, owners: &Owners, now: Timestamp) -> bool {
        for (_, usage, _) in self.of(owners) {
            subtract(&usage.connections);
        }
        self.retire(owners, now)
    }

    /// Counts what came.
    pub(crate) fn take(
        &self,
        owners: &Owners,
        traffic: Traffic,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        for (scope, usage, share) in self.of(owners) {
            let taken = usage.take(traffic, share, now);
            taken.map_err(|(measure, wait)| self.note(scope, measure, wait))?;
        }
        Ok(())
    }

    /// Counts what came on a connection and was taken. Returns how long the connection is to read no more: so a peer that sends
    /// much is slowed.
    ///
    /// # Errors
    /// Slowing does not help: end the connection.
    pub(crate) fn spend(
        &self,
        owners: &Owners,
        traffic: Traffic,
        now: Timestamp,
    ) -> Result<Duration, Exceeded> {
        let mut pause = Duration::ZERO;
        for (scope, usage, share) in self.of(owners) {
            let spent = usage.spend(traffic, share, now);
            let wait = spent.map_err(|(measure, wait)| self.note(scope, measure, wait))?;
            pause = pause.max(wait);
        }
        Ok(pause)
    }

    /// Forgets the accounts that have nothing left to remember. `true` if others wait for that.
    pub(crate) fn sweep(&self, now: Timestamp) -> bool {
        let waiting = std::mem::take(&mut *self.leaving());
        let left: Vec<_> = waiting
            .into_iter()
            .filter(|account| {
                account.is_leaving.store(false, Ordering::Relaxed);
                let is_left = !self.forget(account, now);
                is_left && !account.is_leaving.swap(true, Ordering::Relaxed)
            })
            .collect();
        let mut leaving = self.leaving();
        leaving.extend(left);
        !leaving.is_empty()
    }

    /// How often each limit was reached.
    pub(crate) fn exceeded(&self) -> impl Iterator<Item = ((Scope, Measure), u64)> + '_ {
        let all = Scope::ALL
            .into_iter()
            .flat_map(|scope| Measure::ALL.map(|measure| (scope, measure)));
        all.map(|(scope, measure)| ((scope, measure), self.counter(scope, measure).read()))
            .filter(|(_, count)| *count > 0)
    }

    /// Those who share in what the owners' session uses. The narrowest first: what one address is refused costs the others
    /// nothing.
    fn of<'a>(&'a self, owners: &'a Owners) -> impl Iterator<Item = (Scope, &'a Usage, &'a Share)> {
        let Budgets {
            address,
            principal,
            process,
            ..
        } = &self.budgets;
        let of_address = owners.address.as_deref();
        let of_principal = owners.principal.as_deref();
        [
            of_address.map(|account| (Scope::Address, &account.usage, address)),
            of_principal.map(|account| (Scope::Principal, &account.usage, principal)),
            Some((Scope::Process, &self.process, process)),
        ]
        .into_iter()
        .flatten()
    }

    /// Whether the owners' accounts are those of the index.
    fn has(&self, owners: &Owners) -> bool {
        let mut accounts = [&owners.address, &owners.principal].into_iter().flatten();
        accounts.all(|account| {
            let found = self.index.get(&account.key);
            found.is_some_and(|found| Arc::ptr_eq(&found.key().0, account))
        })
    }

    fn account(&self, key: Key) -> Arc<Account> {
        if let Some(found) = self.index.get(&key) {
            return found.key().0.clone();
        }
        let account = Arc::new(Account {
            key,
            usage: Usage::default(),
            is_leaving: AtomicBool::new(false),
            sessions: Mutex::default(),
        });
        if !self.index.insert(Indexed(account.clone())) {
            // Another was quicker.
            return self.account(account.key.clone());
        }
        self.memory.change(0, ACCOUNT_BYTES);
        account
    }

    /// Forgets the accounts of owners, or remembers that they are to be forgotten.
    fn retire(&self, owners: &Owners, now: Timestamp) -> bool {
        if owners.is_empty() {
            return false;
        }
        let mut waits = false;
        for account in [&owners.address, &owners.principal].into_iter().flatten() {
            // Whatever ends last looks again.
            if !account.usage.is_needed() && !self.forget(account, now) {
                if !account.is_leaving.swap(true, Ordering::Relaxed) {
                    self.leaving().push(account.clone());
                }
                waits = true;
            }
        }
        waits
    }

    /// Takes an account out of the index if no session counts in it. `false` if the sweep is to try again.
    fn forget(&self, account: &Arc<Account>, now: Timestamp) -> bool {
        if account.usage.is_needed() {
            // It is retired again when that ends.
            return true;
        }
        // While the shard is locked no open can find the account, so only sessions that have it already can use it.
        let is_unused = |indexed: &Indexed| {
            Arc::strong_count(&indexed.0) <= OWN_REFERENCES && indexed.0.usage.is_idle(now)
        };
        if self.index.remove_if(&account.key, is_unused).is_some() {
            self.memory.change(0, -ACCOUNT_BYTES);
            self.forgotten.add(1);
            let index = || (self.index.len(), self.index.capacity());
            if is_to_shrink(&self.forgotten, index) {
                self.index.shrink_to_fit();
            }
            return true;
        }
        self.index.get(&account.key).is_none()
    }

    fn note(&self, scope: Scope, measure: Measure, wait: Duration) -> Exceeded {
        self.counter(scope, measure).add(1);
        let (scope_name, what) = (scope.name(), measure.name());
        debug!(
            scope = scope_name,
            what,
            wait_ms = wait.as_millis() as u64,
            "share used up"
        );
        Exceeded {
            scope,
            measure,
            wait,
        }
    }

    fn counter(&self, scope: Scope, measure: Measure) -> &Counter {
        &self.exceeded[scope as usize][measure as usize]
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Arc<Account>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index's own, the caller's, and the ending session's.
const OWN_REFERENCES: usize = 3;
