//! This process as a node of the cluster: decides where each entry goes, and relays those whose session lives elsewhere.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_core::{
    Answering, Caller, Deed, Entered, Entry, Head, Hub, Nodes, Place, Placing, Reached, Reaching,
    Refusal, RemoteConnection, Verdict, WeakHub, Whom,
};
use anywire_protocol::{CloseCode, Message, SessionId};
use dashmap::DashMap;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use crate::barrier::{Barrier, MAX_HOLD, Passed};
use crate::commands::Commands;
use crate::homes::Homes;
use crate::link::{Claim, Link, Links, Making, NoLink, NotEntered, Sessions};
use crate::metrics::Counters;
use crate::steady::Steady;
use crate::store::{Header, NodeId, Store, StoreError, StoreId, Token};

/// What every part of a node needs.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) hub: WeakHub,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) links: Links,
    pub(crate) barrier: Barrier,
    pub(crate) steady: Steady,
    /// Another store was met, to which this node must write back.
    pub(crate) must_settle: Notify,
    /// The sessions that this node made, or is about to make, by their opens.
    pub(crate) own: DashMap<SessionId, Own>,
    /// Those that have ended here lately, and until when that is to be remembered.
    pub(crate) ended_lately: Mutex<VecDeque<(Instant, SessionId)>>,
    /// What the store is to hear of.
    pub(crate) ended: mpsc::UnboundedSender<Ended>,
    pub(crate) topics: Commands,
    pub(crate) counters: Arc<Counters>,
    homes: Homes,
    /// A packet on a link is no longer than this.
    max_packet_bytes: usize,
}

/// A session that this node made, or is about to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) token: Token,
    /// The store has said that it is this node's: entries that fail later change nothing of that.
    is_certain: bool,
}

/// A session that is this node's no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) session: SessionId,
    pub(crate) token: Token,
    /// How long the store is to remember that; not at all if it is as if the session had never been opened.
    pub(crate) keep: Duration,
}

/// Where a session is said to be.
enum Whereabouts {
    Here,
    At(NodeId, Claim),
    /// It has ended, or never was.
    Nowhere,
}

type Remote = Entered<Box<dyn RemoteConnection>>;

impl Debug for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .field("sessions", &self.own.len())
            .finish_non_exhaustive()
    }
}

impl Node {
    pub(crate) fn new(
        id: NodeId,
        hub: &Hub,
        store: Arc<dyn Store>,
        links: Links,
        ended: mpsc::UnboundedSender<Ended>,
        topics: Commands,
        counters: Arc<Counters>,
    ) -> Self {
        let limits = hub.limits();
        let longest = limits.max_message_bytes.max(limits.max_payload_bytes);
        Self {
            id,
            hub: hub.downgrade(),
            store,
            links,
            barrier: Barrier::new(),
            steady: Steady::new(),
            must_settle: Notify::new(),
            own: DashMap::new(),
            ended_lately: Mutex::default(),
            ended,
            topics,
            counters,
            homes: Homes::default(),
            max_packet_bytes: longest + 16,
        }
    }

    /// Whether all other nodes have written back to a store.
    pub(crate) fn others_have_settled(&self, store: StoreId) -> bool {
        let has_settled = |(_, link): &(NodeId, Arc<Link>)| link.settled() == Some(store);
        self.links.has_no_silent() && self.links.up().iter().all(has_settled)
    }

    /// A store answers; what another one said before counts no more. `true` if it is another one.
    pub(crate) fn meet(&self, store: StoreId) -> bool {
        let is_other = self.barrier.meet(store);
        if is_other {
            self.counters.other_stores.add();
            // Nobody is gone for having no lease there yet.
            self.steady.shaken();
            self.homes.clear();
            // What an edge has read of them in the store before is no word.
            self.own.retain(|_, own| own.is_certain);
            self.must_settle.notify_one();
        }
        is_other
    }

    fn passed_barrier(&self) -> Option<Passed> {
        self.barrier.passed(|store| self.others_have_settled(store))
    }

    /// Whether no other node can use the store either, as far as they say.
    pub(crate) fn none_has_store(&self) -> bool {
        self.links.up().iter().all(|(_, link)| !link.has_store())
    }

    async fn pass_barrier(&self, deadline: Instant) -> Option<Passed> {
        self.barrier
            .pass(|store| self.others_have_settled(store), deadline)
            .await
    }

    async fn place(
        &self,
        session: SessionId,
        entry: Entry,
        caller: &Caller,
    ) -> Result<Place, Refusal> {
        let deadline = Instant::now() + DECIDE_WITHIN;
        if let Some(decided) = self.try_hint(session, &entry, caller).await {
            return decided.map(Place::Elsewhere);
        }
        let denied = match &caller.verdict {
            Verdict::Denied(refusal) => Some(refusal),
            Verdict::Granted(_) | Verdict::NotAsked => None,
        };
        loop {
            let found = match (&entry.head, denied) {
                // It begins nothing, but may be of a session that goes on by its grant.
                (Head::Open(_), Some(refusal)) => match self.find(session, deadline).await? {
                    Whereabouts::Nowhere => return Err(refusal.clone()),
                    found => found,
                },
                (Head::Open(_), None) if self.is_draining() => {
                    return self
                        .begin_elsewhere(session, &entry, caller, deadline)
                        .await;
                }
                (Head::Open(_), None) => self.find_or_make(session, deadline).await?,
                (Head::Attach(_), _) => self.find(session, deadline).await?,
            };
            let (node, claim) = match found {
                Whereabouts::Here => return Ok(Place::Here(entry)),
                Whereabouts::Nowhere => return Err(Refusal::unknown_session()),
                Whereabouts::At(node, claim) => (node, claim),
            };
            match self.links.to(node, LINK_WITHIN).await {
                Ok(link) => {
                    let entered = self.relay(&link, &entry, claim, caller).await;
                    if entered.is_ok() {
                        self.homes.put(session, node, claim);
                    }
                    return entered.map(Place::Elsewhere).map_err(NotEntered::into);
                }
                Err(_) if self.is_dead(node).await => {
                    debug!(%session, %node, "the session's node is dead");
                    return Err(Refusal::unknown_session());
                }
                Err(_) if Instant::now() >= deadline => return Err(Refusal::node_lost()),
                Err(_) => sleep(ASK_AGAIN).await,
            }
        }
    }

    fn tell_end(&self, session: SessionId, has_begun: bool) {
        if let Some((session, Own { token, .. })) = self.own.remove(&session) {
            let keep = match has_begun {
                true => self.remember_end(session),
                // An open that came late for one that has ended here was refused: its end stays known.
                false => self.end_is_known_for(session),
            };
            let ended = Ended {
                session,
                token,
                keep,
            };
            // The node may be about to end itself.
            let _ = self.ended.send(ended);
        }
    }

    /// Returns for how long the end is to be known.
    fn remember_end(&self, session: SessionId) -> Duration {
        let Some(hub) = self.hub.upgrade() else {
            return Duration::ZERO;
        };
        let keep = hub.limits().open_window;
        let mut lately = lock(&self.ended_lately);
        lately.push_back((Instant::now() + keep, session));
        if lately.len() > MAX_ENDED_LATELY {
            lately.pop_front();
        }
        keep
    }

    fn end_is_known_for(&self, session: SessionId) -> Duration {
        let lately = lock(&self.ended_lately);
        let end = lately.iter().rev().find(|(_, ended)| *ended == session);
        end.map_or(Duration::ZERO, |(until, _)| {
            until.saturating_duration_since(Instant::now())
        })
    }

    fn is_draining(&self) -> bool {
        self.hub.upgrade().is_none_or(|hub| hub.is_draining())
    }

    /// A node that drains makes no session its own: another one takes it, if there is one.
    async fn begin_elsewhere(
        &self,
        session: SessionId,
        entry: &Entry,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<Place, Refusal> {
        if let Whereabouts::At(node, claim) = self.find(session, deadline).await?
            && let Ok(link) = self.links.to(node, LINK_WITHIN).await
        {
            let entered = self.relay(&link, entry, claim, caller).await;
            return entered.map(Place::Elsewhere).map_err(NotEntered::into);
        }
        let mut others = self.links.up();
        fastrand::shuffle(&mut others);
        let mut refused = Refusal::draining();
        for (node, link) in others {
            match self.relay(&link, entry, Claim::New, caller).await {
                Ok(entered) => {
                    self.homes.put(session, node, Claim::Any);
                    return Ok(Place::Elsewhere(entered));
                }
                // It drains too, or is at its limit.
                Err(NotEntered::Refused(refusal)) if is_of_the_node(&refusal) => refused = refusal,
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused)
    }

    /// Asks first where the session was when it was last heard of. Nothing if it is not there any more: the store knows better.
    async fn try_hint(
        &self,
        session: SessionId,
        entry: &Entry,
        caller: &Caller,
    ) -> Option<Result<Remote, Refusal>> {
        let (node, claim) = self.homes.get(session)?;
        let Ok(link) = self.links.to(node, Duration::ZERO).await else {
            self.homes.forget(session);
            return None;
        };
        match self.relay(&link, entry, claim, caller).await {
            Ok(entered) => Some(Ok(entered)),
            Err(NotEntered::Refused(refusal)) => Some(Err(refusal)),
            Err(NotEntered::Lost) => Some(Err(NotEntered::Lost.into())),
            Err(NotEntered::NotHere) => {
                self.homes.forget(session);
                None
            }
        }
    }

    async fn relay(
        &self,
        link: &Arc<Link>,
        entry: &Entry,
        claim: Claim,
        caller: &Caller,
    ) -> Result<Remote, NotEntered> {
        let relayed = link.enter(entry, claim, caller, self.max_packet_bytes);
        let relayed = relayed.await;
        if relayed.is_ok() {
            self.counters.relayed.add();
        }
        relayed
    }

    /// Where a session is that a client opens; here, if nobody has opened it before.
    async fn find_or_make(
        &self,
        session: SessionId,
        deadline: Instant,
    ) -> Result<Whereabouts, Refusal> {
        let found = self.open_in_store(session, deadline).await;
        if !matches!(found, Ok(Whereabouts::Here)) {
            // Another entry, which came with this one, may have made it meanwhile.
            self.own.remove_if(&session, |_, own| !own.is_certain);
        }
        found
    }

    /// Marks a session that is about to be this node's: relays that come before the store has answered must find it.
    fn mark(&self, session: SessionId) -> Token {
        let mark = self.own.entry(session);
        mark.or_insert_with(|| Own {
            token: Token::draw(),
            is_certain: false,
        })
        .token
    }

    /// The store says that a session is this node's, by this open; `false` if the mark is gone that was made before it was asked.
    fn make_certain(&self, session: SessionId, mark: Token, opened: Token) -> bool {
        let Some(mut own) = self.own.get_mut(&session) else {
            return false;
        };
        let still_stands = own.token == mark || own.token == opened;
        if still_stands {
            *own = Own {
                token: opened,
                is_certain: true,
            };
        }
        still_stands
    }

    async fn open_in_store(
        &self,
        session: SessionId,
        deadline: Instant,
    ) -> Result<Whereabouts, Refusal> {
        let mut token = self.mark(session);
        loop {
            let passed = self.pass_barrier(deadline).await;
            let Passed { store, is_late } = passed.ok_or_else(store_away)?;
            // One who has not written back may have it.
            if is_late && let Some(node) = self.ask_others(session).await {
                return Ok(Whereabouts::At(node, Claim::Any));
            }
            let opened = self.store.open(session, self.id, token, store).await;
            if !self.barrier.is_met(store) {
                continue;
            }
            match opened {
                Ok(Header::At(node, opened)) if node == self.id => {
                    // The answer to an earlier open of this node may have been lost.
                    if self.make_certain(session, token, opened) {
                        return Ok(Whereabouts::Here);
                    }
                    // Another node was told meanwhile that the session is not here: the store is asked anew, by a new mark,
                    // since relays may still come for the old one.
                    token = self.mark(session);
                }
                Ok(Header::At(node, token)) => {
                    return Ok(Whereabouts::At(node, Claim::Opened(token.0)));
                }
                Ok(Header::Ended) => return Ok(Whereabouts::Nowhere),
                Err(StoreError::Other(store)) => drop(self.meet(store)),
                Err(error) => {
                    debug!(%session, %error, "the store did not take an open");
                    if Instant::now() >= deadline {
                        return Err(store_away());
                    }
                    sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    /// Where a session is that a client attaches to.
    async fn find(&self, session: SessionId, deadline: Instant) -> Result<Whereabouts, Refusal> {
        loop {
            // Only what is read after the barrier was passed says that there is no such session.
            let passed = self.passed_barrier();
            match self.store.find(session).await {
                Ok((_, store)) if !self.barrier.is_met(store) => drop(self.meet(store)),
                Ok((Some(Header::Ended), _)) => return Ok(Whereabouts::Nowhere),
                Ok((Some(Header::At(node, _)), _)) if node == self.id => {
                    // It may have begun since the hub looked.
                    let hub = self.hub.upgrade();
                    let is_here = hub.is_some_and(|hub| hub.has_session(session));
                    return Ok(match is_here {
                        true => Whereabouts::Here,
                        false => Whereabouts::Nowhere,
                    });
                }
                Ok((Some(Header::At(node, token)), _)) => {
                    return Ok(Whereabouts::At(node, Claim::Opened(token.0)));
                }
                // A store that has forgotten says the same.
                Ok((None, store)) => match passed.filter(|passed| passed.store == store) {
                    Some(Passed { is_late: false, .. }) => return Ok(Whereabouts::Nowhere),
                    Some(Passed { is_late: true, .. }) => {
                        let node = self.ask_others(session).await;
                        return Ok(node.map_or(Whereabouts::Nowhere, |node| {
                            Whereabouts::At(node, Claim::Any)
                        }));
                    }
                    None => {}
                },
                Err(error) => debug!(%session, %error, "the store cannot say where a session is"),
            }
            if let Some(node) = self.ask_others(session).await {
                return Ok(Whereabouts::At(node, Claim::Any));
            }
            if Instant::now() >= deadline {
                return Err(store_away());
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// Whether a session goes on by its grant, as its home says; nothing if that cannot be told.
    async fn asks_by_grant(&self, session: SessionId) -> Option<bool> {
        if let Some(is_by_grant) = self.homes.is_by_grant(session) {
            return Some(is_by_grant);
        }
        let node = match self.homes.get(session) {
            Some((node, _)) => node,
            None => match self.find(session, Instant::now()).await.ok()? {
                Whereabouts::At(node, claim) => {
                    self.homes.put(session, node, claim);
                    node
                }
                Whereabouts::Here | Whereabouts::Nowhere => return None,
            },
        };
        let link = self.links.to(node, LINK_WITHIN).await.ok()?;
        let is_by_grant = link.is_by_grant(session).await?;
        self.homes.note_grant(session, is_by_grant);
        Some(is_by_grant)
    }

    /// Asks the nodes that this one has links to whether a session lives there.
    async fn ask_others(&self, session: SessionId) -> Option<NodeId> {
        for (node, link) in self.links.up() {
            if link.has_session(session).await == Some(true) {
                return Some(node);
            }
        }
        None
    }

    /// Whether a node that cannot be reached is dead, and not only far away: it has no lease, a connection that is tried after
    /// that fails, and no other node has one.
    async fn is_dead(&self, node: NodeId) -> bool {
        let Ok((nodes, store)) = self.store.nodes().await else {
            return false;
        };
        if !self.barrier.is_met(store) {
            self.meet(store);
            return false;
        }
        let has_lease = nodes.iter().any(|(leased, _)| *leased == node);
        // A process that ends has its connection to the store closed at once.
        let is_listening = has_lease && self.store.is_listening(node).await.unwrap_or(true);
        match self.links.probe(node).await {
            Ok(()) => false,
            Err(NoLink::Gone) => !is_listening,
            // After a stall of the store all leases are gone at once.
            Err(NoLink::Silent) => {
                let is_silent = !has_lease && self.steady.is_for(MAX_HOLD);
                is_silent && !self.others_reach(node).await
            }
        }
    }

    /// Whether another node has a link to a node. One that has begun while that node could not reach the store does not even know
    /// where it is.
    async fn others_reach(&self, node: NodeId) -> bool {
        for (_, link) in self.links.up() {
            if link.is_linked(node).await == Some(true) {
                return true;
            }
        }
        false
    }
}

impl From<NotEntered> for Refusal {
    fn from(error: NotEntered) -> Self {
        match error {
            NotEntered::Refused(refusal) => refusal,
            // The store has just named this home, so the session has ended there.
            NotEntered::NotHere => Self::unknown_session(),
            // Whether the home has taken the packets is unknown; the client brings them again.
            NotEntered::Lost => Self::node_lost(),
        }
    }
}

/// Whether another node may take what this one refuses.
fn is_of_the_node(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason().code,
        CloseCode::DRAINING | CloseCode::OVERLOADED
    )
}

impl Nodes for Node {
    fn enter<'a>(
        self: Arc<Self>,
        session: SessionId,
        entry: Entry,
        caller: &'a Caller,
    ) -> Placing<'a> {
        Box::pin(async move { self.place(session, entry, caller).await })
    }

    fn is_by_grant(&self, session: SessionId) -> Answering<'_> {
        Box::pin(async move { self.asks_by_grant(session).await.unwrap_or(false) })
    }

    fn ended(&self, session: SessionId) {
        self.tell_end(session, true);
    }

    fn not_begun(&self, session: SessionId) {
        self.tell_end(session, false);
    }

    fn publish(&self, topic: &str, message: Message) {
        self.topics.publish(topic, message);
    }

    fn reach(self: Arc<Self>, whom: Whom, deed: Deed) -> Reaching {
        // Where one session is may be known; if it is not there any more, the others are asked.
        let hint = match &whom {
            Whom::Session(session) => self.homes.get(*session).map(|(node, _)| node),
            Whom::Principal(_) | Whom::Followers { .. } => None,
        };
        let longest = self.max_packet_bytes;
        let is_too_long = matches!(&deed, Deed::Send(message) if message.len() > longest);
        let (mut asked, mut silent_nodes) = (Vec::new(), self.links.missing());
        for (node, link) in self.links.up() {
            // What no session takes is brought to none.
            if !is_too_long && hint.is_none_or(|hint| hint == node) {
                match link.reach(&whom, &deed) {
                    Some(answer) => asked.push((node, answer)),
                    None => silent_nodes += 1,
                }
            }
        }
        let missing = silent_nodes;
        Box::pin(async move {
            let mut reached = Reached::default();
            for (node, answer) in asked {
                match timeout(ANSWER_WITHIN, answer).await {
                    Ok(Some(theirs)) => {
                        if let Whom::Session(session) = &whom
                            && theirs.reach.sessions > 0
                        {
                            self.homes.put(*session, node, Claim::Any);
                        }
                        reached.add(theirs);
                    }
                    _ => silent_nodes += 1,
                }
            }
            reached.reach.silent_nodes = silent_nodes;
            // Where it was known to be has said that it is not there. Who has not answered may have done it.
            let is_sure = reached.reach.sessions == 0 && silent_nodes == missing;
            if let (Some(_), true, Whom::Session(session)) = (hint, is_sure, &whom) {
                self.homes.forget(*session);
                return self.clone().reach(whom, deed).await;
            }
            reached
        })
    }

    fn follow(&self, topic: &str) {
        self.topics.change(topic);
    }

    fn unfollow(&self, topic: &str) {
        self.topics.change(topic);
    }
}

impl Sessions for Node {
    fn hub(&self) -> Option<Hub> {
        self.hub.upgrade()
    }

    fn has_store(&self) -> bool {
        self.store.trouble().is_none()
    }

    fn count_brought(&self) {
        self.counters.brought.add();
    }

    fn is_linked(&self, node: NodeId) -> bool {
        self.links.up().iter().any(|(linked, _)| *linked == node)
    }

    fn is_mine(&self, session: SessionId, token: [u8; 8]) -> bool {
        let Some(mut own) = self.own.get_mut(&session) else {
            return false;
        };
        let is_mine = own.token.0 == token;
        // The store has told an edge so, which may be before its answer comes here.
        own.is_certain |= is_mine;
        is_mine
    }

    fn has(&self, session: SessionId) -> bool {
        let hub = self.hub.upgrade();
        // Of one that has ended here, nobody but this node may know: it says so to who comes.
        let is_known =
            hub.is_some_and(|hub| hub.has_session(session) || hub.has_ended_lately(session));
        if !is_known {
            // One that the store has not decided on does not live: whoever asks may make it.
            self.own.remove_if(&session, |_, own| !own.is_certain);
        }
        is_known || self.own.contains_key(&session)
    }

    fn not_begun(&self, session: SessionId) {
        self.tell_end(session, false);
    }

    fn make_mine(self: Arc<Self>, session: SessionId) -> Making {
        Box::pin(async move {
            if self.is_draining() {
                return Err(Refusal::draining());
            }
            let deadline = Instant::now() + DECIDE_WITHIN;
            let found = self.find_or_make(session, deadline).await?;
            Ok(matches!(found, Whereabouts::Here))
        })
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is plain data.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 100,000: so many ends are written back to a store that has forgotten them.
const MAX_ENDED_LATELY: usize = 100_000;

/// The store cannot be asked, so that nobody can say whether the session lives.
fn store_away() -> Refusal {
    let text = "the nodes' store cannot be reached: try again";
    Refusal::new(CloseCode::OVERLOADED, text).after(Duration::from_secs(1))
}

/// 8 s: longer than the barrier holds, and than a dead node's lease lives.
const DECIDE_WITHIN: Duration = Duration::from_secs(8);

/// How long a link that is not up is waited for at once.
const LINK_WITHIN: Duration = Duration::from_millis(500);

/// 3 s: a link that is dead is known by then.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

const ASK_AGAIN: Duration = Duration::from_millis(50);
