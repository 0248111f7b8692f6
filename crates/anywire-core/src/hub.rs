//! This node's sessions. What happens inside one is left to `session_cell.rs`, how a transport comes in to
//! `visit.rs`.

use std::fmt::{self, Debug, Formatter};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use anywire_protocol::{
    Attach, CloseCode, CloseReason, Credential, Limits, Message, Offset, Open, Packet, Role,
    Session, SessionId, Timestamp, Transport, check_agreed,
};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tracing::debug;

use crate::accounts::{Accounts, Owners};
use crate::app::App;
use crate::budgets::Budgets;
use crate::clock::Clock;
use crate::deadlines::{Due, tick};
use crate::memory::{Memory, is_to_shrink};
use crate::metrics::{Counters, Metrics};
use crate::nodes::Nodes;
use crate::refusal::Refusal;
use crate::revocations::Revocations;
use crate::secrets::Secrets;
use crate::session_cell::{About, Home, Node, Origin, SessionCell};
use crate::socket::{Sender, Socket};
use crate::tombstones::Tombstones;
use crate::topics::Topics;
use crate::unheard::Unheard;

/// All sessions of one server. Clones share them; when the last is dropped, the sessions end.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<HubState>,
}

impl Debug for Hub {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("sessions", &self.inner.sessions.len())
            .finish_non_exhaustive()
    }
}

pub(crate) struct HubState {
    pub(crate) limits: Arc<Limits>,
    pub(crate) app: App,
    pub(crate) topics: Topics,
    pub(crate) node: Arc<Node>,
    pub(crate) accounts: Accounts,
    /// Those of this process, while it is not in a cluster.
    secrets: Secrets,
    cluster: OnceLock<Joined>,
    pub(crate) counters: Counters,
    pub(crate) unheard: Unheard,
    pub(crate) revocations: Revocations,
    /// Held while a message is given to the sessions of a principal.
    pub(crate) sending: Mutex<()>,
    pub(crate) protocols: Vec<String>,
    sessions: DashMap<SessionId, Arc<SessionCell>>,
    /// Itself, for tasks.
    own: Weak<Self>,
    tombstones: Mutex<Tombstones>,
    /// Where the wheel turns; set when the first session opens.
    runtime: OnceLock<Handle>,
    pub(crate) is_draining: AtomicBool,
    /// The wheel has an entry to look at accounts.
    sweeps_accounts: AtomicBool,
    /// A task is giving up what takes too much memory.
    pub(crate) is_relieving: AtomicBool,
    pub(crate) has_fewer: Notify,
}

impl Hub {
    /// A hub without sessions. `protocols` are the application's sub-protocols that it supports.
    pub fn new(limits: Limits, budgets: Budgets, protocols: Vec<String>, app: App) -> Self {
        let node = Node {
            clock: Clock::start(),
            memory: Memory::new(budgets.max_bytes),
            deadlines: Arc::default(),
        };
        let inner = Arc::new_cyclic(|own: &Weak<HubState>| HubState {
            limits: Arc::new(limits),
            app,
            topics: Topics::default(),
            tombstones: Mutex::new(Tombstones::new(node.memory.charge())),
            accounts: Accounts::new(budgets, node.memory.clone()),
            node: Arc::new(node),
            secrets: Secrets::new(),
            cluster: OnceLock::new(),
            counters: Counters::default(),
            unheard: Unheard::default(),
            revocations: Revocations::default(),
            sending: Mutex::default(),
            protocols,
            sessions: DashMap::new(),
            own: own.clone(),
            runtime: OnceLock::new(),
            is_draining: AtomicBool::new(false),
            sweeps_accounts: AtomicBool::new(false),
            is_relieving: AtomicBool::new(false),
            has_fewer: Notify::new(),
        });
        Self { inner }
    }

    /// Makes this hub one node of a cluster, for good. `keys` are the same at all nodes, 32 random bytes each: the first makes
    /// the secrets of sessions, all of them are believed.
    ///
    /// Call it before the first session opens: what has been opened is known to this node alone. A second call changes nothing.
    pub fn join(&self, nodes: Arc<dyn Nodes>, keys: &[[u8; 32]]) {
        let secrets = Secrets::shared(keys);
        self.inner.cluster.get_or_init(|| Joined { nodes, secrets });
    }

    /// What sessions of this hub allow.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.inner.limits
    }

    /// The application's sub-protocols that the hub supports.
    pub fn protocols(&self) -> &[String] {
        &self.inner.protocols
    }

    /// Sends a message to every session that follows `topic`; returns to how many.
    ///
    /// The bytes are shared, not copied. A session whose outbox is full is closed with 4932: a slow reader slows
    /// only itself.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> usize {
        self.inner.publish(topic, message.into())
    }

    /// How many sessions follow `topic`.
    pub fn followers(&self, topic: &str) -> usize {
        self.inner.topics.followers(topic)
    }

    /// The bytes that sessions hold, for transports to count theirs.
    pub fn memory(&self) -> &Memory {
        &self.inner.node.memory
    }

    /// Sends a message of another node to every session of this one that follows `topic`; returns to how many.
    pub fn deliver(&self, topic: &str, message: Message) -> usize {
        self.inner.deliver(topic, message)
    }

    /// Whether a session lives here.
    pub fn has_session(&self, id: SessionId) -> bool {
        self.inner.sessions.contains_key(&id)
    }

    /// Whether a session has ended here lately, so that an open of its key that comes now is late, and refused.
    pub fn has_ended_lately(&self, id: SessionId) -> bool {
        self.inner.has_tombstone(id)
    }

    /// Ends a session at once, whatever it had still to say; nothing happens if there is none.
    pub fn abort(&self, id: SessionId, reason: CloseReason) {
        if let Some(cell) = self.inner.session(id) {
            cell.step(Origin::Outside, |state, now| {
                state.session.abort(reason, now)
            });
        }
    }

    /// The hub, for those who must not keep it alive.
    pub fn downgrade(&self) -> WeakHub {
        WeakHub(Arc::downgrade(&self.inner))
    }

    /// A handle to a session by its public name, while it lives.
    pub fn sender(&self, id: SessionId) -> Option<Sender> {
        self.inner.session(id).map(Sender::new)
    }

    /// A reading of the counters.
    pub fn metrics(&self) -> Metrics {
        let inner = &self.inner;
        Metrics {
            sessions: inner.sessions.len() as u64,
            held_bytes: inner.node.memory.held(),
            exceeded: inner.accounts.exceeded().collect(),
            ..inner.counters.read()
        }
    }

    /// Whether new sessions are refused.
    pub fn is_draining(&self) -> bool {
        self.inner.is_draining.load(Ordering::Relaxed)
    }
}

/// A hub that ends when all others who have it are gone.
#[derive(Clone)]
pub struct WeakHub(Weak<HubState>);

impl Debug for WeakHub {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHub").finish_non_exhaustive()
    }
}

impl WeakHub {
    /// The hub, if it has not ended.
    pub fn upgrade(&self) -> Option<Hub> {
        self.0.upgrade().map(|inner| Hub { inner })
    }
}

/// The cluster that a hub is a node of.
struct Joined {
    nodes: Arc<dyn Nodes>,
    secrets: Secrets,
}

impl HubState {
    pub(crate) fn nodes(&self) -> Option<&Arc<dyn Nodes>> {
        self.cluster.get().map(|joined| &joined.nodes)
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        let joined = self.cluster.get();
        joined.map_or(&self.secrets, |joined| &joined.secrets)
    }

    /// Whether an attach shows its session's secret.
    pub(crate) fn has_secret(&self, attach: &Attach) -> bool {
        self.secrets().is_valid(attach.session, &attach.secret)
    }

    fn deliver(&self, topic: &str, message: Message) -> usize {
        self.topics.publish(topic, message, &self.node.memory)
    }

    pub(crate) fn session(&self, id: SessionId) -> Option<Arc<SessionCell>> {
        self.sessions.get(&id).map(|entry| entry.value().clone())
    }

    /// The session that an opening key means, or a new one if the open and the packets behind it may begin one. What is
    /// refused leaves nothing (PROTOCOL §2.2, §8.6), but that it was asked counts.
    pub(crate) fn open(
        self: &Arc<Self>,
        open: &Open,
        packets: &[Packet],
        about: About<'_>,
    ) -> Result<Arc<SessionCell>, Refusal> {
        self.start_wheel();
        let id = Secrets::id(&open.key);
        let cell = match self.sessions.entry(id) {
            Entry::Occupied(entry) => return Ok(entry.get().clone()),
            Entry::Vacant(entry) => {
                if open.received > Offset::default() || self.has_tombstone(id) {
                    return Err(Refusal::unknown_session());
                }
                self.admit_new()?;
                check_agreed(packets, about.can)?;
                let grant = about.caller.verdict.granted()?.clone();
                let mut session = self.new_session();
                session.agree(about.can);
                session.judge(open.received, packets)?;
                let cell = Arc::new(self.new_cell(id, session, about)?);
                cell.admit(grant);
                entry.insert(cell.clone());
                debug!(session = %id, "session opened");
                self.counters.opened.add(1);
                cell
            }
        };
        self.begin(&cell);
        Ok(cell)
    }

    /// A new session without an opening key.
    pub(crate) fn open_raw(
        self: &Arc<Self>,
        about: About<'_>,
    ) -> Result<Arc<SessionCell>, Refusal> {
        self.admit_new()?;
        self.start_wheel();
        let id = Secrets::raw_id();
        let grant = about.caller.verdict.granted()?.clone();
        // While it is locked, what looks for the session waits for it.
        let entry = self.sessions.entry(id);
        let cell = Arc::new(self.new_cell(id, self.new_session(), about)?);
        cell.admit(grant);
        entry.insert(cell.clone());
        debug!(session = %id, "raw session opened");
        self.counters.opened.add(1);
        self.begin(&cell);
        Ok(cell)
    }

    /// Whether an open may be let in, as far as that can be told without it.
    pub(crate) fn admit(&self, open: &Open) -> Result<(), Refusal> {
        let id = Secrets::id(&open.key);
        let may_begin_elsewhere =
            self.is_draining.load(Ordering::Relaxed) && self.nodes().is_some();
        if may_begin_elsewhere || self.sessions.contains_key(&id) || self.has_tombstone(id) {
            return Ok(());
        }
        self.admit_new()
    }

    /// Whether a new session may be let in. It locks no shard: its callers may hold one.
    fn admit_new(&self) -> Result<(), Refusal> {
        if self.is_draining.load(Ordering::Relaxed) {
            return Err(Refusal::draining());
        }
        if self.counters.alive() >= self.limits.max_sessions as u64 {
            let text = "the server has as many sessions as it allows: try later";
            return Err(Refusal::new(CloseCode::OVERLOADED, text));
        }
        if self.node.memory.is_over() {
            return Err(Refusal::no_memory());
        }
        Ok(())
    }

    fn new_session(&self) -> Session {
        Session::new(Role::Server, self.limits.clone(), self.now())
    }

    fn new_cell(
        self: &Arc<Self>,
        id: SessionId,
        session: Session,
        about: About<'_>,
    ) -> Result<SessionCell, Refusal> {
        let owners = self.accounts.open(id, about.caller, self.now());
        // An account may have been made for nothing.
        let owners = owners.inspect_err(|_| self.arm_accounts())?;
        if let (Some(grant), Some(asked)) = (about.caller.verdict.grant(), about.caller.asked)
            && let Err(refusal) = self.revocations.judge(grant, asked)
        {
            self.close_account(id, &owners, false);
            return Err(refusal);
        }
        let home: Weak<Self> = Arc::downgrade(self);
        let has_handler = self.app.has_handler();
        Ok(SessionCell::new(
            id,
            session,
            owners,
            about,
            home,
            self.node.clone(),
            has_handler,
        ))
    }

    /// Has the wheel turn, before there is a session that needs it.
    fn start_wheel(self: &Arc<Self>) {
        self.runtime.get_or_init(|| {
            let runtime = Handle::current();
            let hub = Arc::downgrade(self);
            // Waiting must not keep the hub alive.
            let handle = move |due| match hub.upgrade() {
                Some(hub) => {
                    hub.handle_due(due);
                    ControlFlow::Continue(())
                }
                None => ControlFlow::Break(()),
            };
            runtime.spawn(self.node.deadlines.clone().run(self.node.clock, handle));
            runtime
        });
    }

    /// Arms the session's deadline and tells the app.
    fn begin(self: &Arc<Self>, cell: &Arc<SessionCell>) {
        self.app.start(|| Socket::new(cell.clone()));
        let is_late = self.is_draining.load(Ordering::SeqCst);
        cell.step(Origin::Connection, |state, now| {
            if is_late {
                // It was let in just before the drain began, which may have missed it.
                state.session.close(restart(), now);
            }
        });
    }

    fn bury(&self, id: SessionId) {
        if self.limits.open_window.is_zero() {
            return;
        }
        let now = self.now();
        let until = now + self.limits.open_window;
        let most = self.limits.max_sessions.max(Tombstones::MIN_BOUND);
        let must_look = self.tombstones().insert(id, until, most);
        if must_look {
            self.arm_sweep(until, now);
        }
    }

    /// The wheel has come to these.
    fn handle_due(&self, all: Vec<(u64, Due)>) {
        for (tick, due) in all {
            match due {
                Due::Session(id) => {
                    if let Some(cell) = self.session(id) {
                        cell.handle_deadline(tick);
                    }
                }
                Due::Tombstones => self.sweep_tombstones(),
                Due::Accounts => {
                    self.sweeps_accounts.store(false, Ordering::Relaxed);
                    if self.accounts.sweep(self.now()) {
                        self.arm_accounts();
                    }
                }
            }
        }
    }

    fn sweep_tombstones(&self) {
        let now = self.now();
        let next = self.tombstones().sweep(now);
        if let Some(until) = next {
            self.arm_sweep(until, now);
        }
    }

    fn arm_sweep(&self, until: Timestamp, now: Timestamp) {
        if self
            .node
            .deadlines
            .insert(tick(until, now), Due::Tombstones)
        {
            self.node.deadlines.wake();
        }
    }

    /// A connection carries its session no more.
    pub(crate) fn let_go(&self, owners: &Owners) {
        if self.accounts.detach(owners, self.now()) {
            self.arm_accounts();
        }
    }

    /// A session counts in its owners' accounts no more.
    fn close_account(&self, id: SessionId, owners: &Owners, was_used: bool) {
        if self.accounts.close(id, owners, was_used, self.now()) {
            self.arm_accounts();
        }
    }

    /// Has the wheel sweep the accounts without sessions in a while.
    fn arm_accounts(&self) {
        if !self.sweeps_accounts.swap(true, Ordering::Relaxed) {
            let now = self.now();
            if self
                .node
                .deadlines
                .insert(tick(now + SWEEP_ACCOUNTS_EVERY, now), Due::Accounts)
            {
                self.node.deadlines.wake();
            }
        }
    }

    pub(crate) fn has_tombstone(&self, id: SessionId) -> bool {
        self.tombstones().contains(id)
    }

    fn tombstones(&self) -> MutexGuard<'_, Tombstones> {
        self.tombstones
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    /// The sessions that have not ended.
    pub(crate) fn open_sessions(&self) -> Vec<Arc<SessionCell>> {
        let mut all = self.all();
        all.retain(|cell| !cell.is_ended());
        all
    }

    pub(crate) fn all(&self) -> Vec<Arc<SessionCell>> {
        self.sessions
            .iter()
            .map(|entry| entry.value().clone())
            .collect()
    }
}

impl Home for HubState {
    fn dispatch(&self, cell: &Arc<SessionCell>, origin: Origin) {
        self.app.dispatch(cell, origin != Origin::Outside, |task| {
            if let Some(runtime) = self.runtime.get() {
                runtime.spawn(task);
            }
        });
    }

    fn judge(&self, cell: &Arc<SessionCell>, credential: Credential) {
        if let Some(runtime) = self.runtime.get() {
            runtime.spawn(cell.clone().judge(self.app.judge().cloned(), credential));
        }
    }

    fn forget(&self, cell: &Arc<SessionCell>, topics: &[Arc<str>]) {
        for topic in topics {
            self.topics.unsubscribe(topic, cell, self.nodes());
        }
        // First the tombstone: in between, an open with the session's key must find one of the two.
        if cell.transport() != Transport::Raw {
            self.bury(cell.id);
        }
        if self.sessions.remove(&cell.id).is_some() {
            let (was_used, ticks) = cell.peek(|state| (state.is_used, state.disarm()));
            for tick in ticks.into_iter().flatten() {
                self.node.deadlines.remove(tick, &Due::Session(cell.id));
            }
            self.close_account(cell.id, &cell.owners, was_used);
            let index = || (self.sessions.len(), self.sessions.capacity());
            if is_to_shrink(&self.counters.closed, index) {
                self.sessions.shrink_to_fit();
            }
            let code = cell.close_code();
            debug!(session = %cell.id, %code, "session closed");
            self.counters.count_close(code);
            if let Some(nodes) = self.nodes() {
                nodes.ended(cell.id);
            }
            self.has_fewer.notify_waiters();
        }
    }

    fn subscribe(&self, topic: &str, cell: &Arc<SessionCell>) {
        self.topics.subscribe(topic, cell, self.nodes());
    }

    fn unsubscribe(&self, topic: &str, cell: &Arc<SessionCell>) {
        self.topics.unsubscribe(topic, cell, self.nodes());
    }

    fn publish(&self, topic: &str, message: Message) -> usize {
        match self.nodes() {
            // It comes back from there, in the order that all nodes see.
            Some(nodes) => {
                nodes.publish(topic, message);
                self.topics.followers(topic)
            }
            None => self.deliver(topic, message),
        }
    }

    fn relieve(&self) {
        if let (Some(hub), Some(runtime)) = (self.own.upgrade(), self.runtime.get())
            && !self.is_relieving.swap(true, Ordering::AcqRel)
        {
            runtime.spawn(async move { hub.give_up_what_is_too_much().await });
        }
    }
}

/// 10 s.
const SWEEP_ACCOUNTS_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn restart() -> CloseReason {
    CloseReason::new(CloseCode::RESTART, "the server restarts")
}

impl Drop for HubState {
    fn drop(&mut self) {
        for cell in self.all() {
            cell.step(Origin::Outside, |state, now| {
                let gone = CloseReason::new(CloseCode::GOING_AWAY, "the server is gone");
                state.session.cut_short(gone, now);
            });
        }
        self.node.deadlines.wake();
    }
}
