//! The node where a request came in: it looks for the home in its hub, its cache and the store, and carries the leg, waits,
//! or says 4930.

use crate::client::{carry, tell};
use crate::home::{begin, remember};
use crate::rules::Rules;
use crate::state::{Ask, Barrier, Found, Header, Leg, NodeIndex, Opening, State, Token};
use crate::step::{Actor, Next};
use crate::verdict::is_dead;

/// What a node that runs may do with a leg's request.
pub(crate) fn steps(next: &mut Next<'_>, leg: u8, edge: NodeIndex, ask: Ask, found: Found) {
    let (state, rules) = (next.state, next.rules);
    let whom = [Some(leg), Some(edge)];
    let node = *state.node(edge);
    if let Some(token) = node.session.filter(|token| is_meant(rules, ask, *token)) {
        next.step(
            Actor::Server,
            "the node has the session itself: leg, node",
            whom,
            |state| {
                carry(state, rules, leg, edge, edge, token);
            },
        );
        return;
    }
    if node.tombstone.is_some_and(|tk| is_meant(rules, ask, tk)) {
        next.step(
            Actor::Server,
            "the session ended here, 4930: leg, node",
            whom,
            |state| tell(state, leg),
        );
        return;
    }
    match (found, node.cache, ask) {
        (Found::Nothing, Some(home), _) => ask_cached(next, leg, edge, home, ask),
        (Found::Nothing, None, Ask::Attach(_)) => read(next, leg, edge, ask),
        (Found::Nothing, None, Ask::Open) => open(next, leg, edge),
        (Found::Read(header, barrier), _, _) => judge(next, leg, edge, ask, header, barrier),
    }
}

/// Whether a request is for this incarnation.
fn is_meant(rules: &Rules, ask: Ask, token: Token) -> bool {
    match ask {
        Ask::Open => true,
        Ask::Attach(named) => !rules.attach_names_token || named == token,
    }
}

/// The edge relays to the home that it remembers.
fn ask_cached(next: &mut Next<'_>, leg: u8, edge: NodeIndex, home: NodeIndex, ask: Ask) {
    let (state, rules) = (next.state, next.rules);
    if !state.is_linked(edge, home) {
        next.step(
            Actor::Server,
            "the node forgets a home that it has no link to: leg, node",
            [Some(leg), Some(edge)],
            |state| state.node_mut(edge).cache = None,
        );
        return;
    }
    if !state.connects(edge, home) {
        return; // Until the ping's deadline.
    }
    let session = state.node(home).session;
    next.step(
        Actor::Server,
        "the node asks the home that it remembers: leg, node",
        [Some(leg), Some(edge)],
        |state| match session {
            Some(token) if is_meant(rules, ask, token) => {
                carry(state, rules, leg, edge, home, token)
            }
            _ if rules.cache_is_a_hint => state.node_mut(edge).cache = None,
            _ => tell(state, leg),
        },
    );
}

/// The edge reads the header. The answer may be acted on much later.
fn read(next: &mut Next<'_>, leg: u8, edge: NodeIndex, ask: Ask) {
    if !next.state.reaches_store(edge) {
        return;
    }
    next.step(
        Actor::Server,
        "the node reads the header: leg, node",
        [Some(leg), Some(edge)],
        |state| {
            let found = Found::Read(state.store.header, state.node(edge).barrier);
            remember(state, edge, state.store.header);
            state.legs[usize::from(leg)] = Leg::At(edge, ask, found);
        },
    );
}

/// The edge would be the home: it sends OPEN, once its barrier lets it.
fn open(next: &mut Next<'_>, leg: u8, edge: NodeIndex) {
    let (state, rules) = (next.state, next.rules);
    let node = state.node(edge);
    let whom = [Some(leg), Some(edge)];
    if node.opening != Opening::None || node.barrier == Barrier::Holding {
        return;
    }
    let asks_peers = node.barrier == Barrier::Late && rules.ask_peers_before_open;
    if asks_peers && hear_peers(next, leg, edge, Ask::Open) {
        return;
    }
    next.step(
        Actor::Server,
        "the node sends OPEN to the store: leg, node",
        whom,
        |state| {
            if asks_peers {
                deny(state, rules, edge);
            }
            send_open(state, edge);
        },
    );
}

/// The peers within reach have said that they do not have the session: what they have asked the store for does not count.
fn deny(state: &mut State, rules: &Rules, edge: NodeIndex) {
    for peer in 0..state.nodes.len() as u8 {
        if peer != edge && state.connects(edge, peer) && rules.no_abandons_open {
            state.node_mut(peer).opening = Opening::None;
        }
    }
}

fn send_open(state: &mut State, node: NodeIndex) {
    let token = state.fresh_token();
    let node = state.node_mut(node);
    node.opening = Opening::Sent(token, node.knows);
}

/// What a peer answers over its link.
#[derive(Clone, Copy)]
enum Answer {
    Has(NodeIndex, Token),
    Ended,
}

/// The first peer within reach that knows the session.
fn peer_with(state: &State, rules: &Rules, edge: NodeIndex, ask: Ask) -> Option<Answer> {
    let peers = (0..state.nodes.len() as u8).filter(|p| *p != edge && state.connects(edge, *p));
    peers
        .filter_map(|peer| {
            let node = state.node(peer);
            match (node.session, node.tombstone) {
                (Some(token), _) if is_meant(rules, ask, token) => Some(Answer::Has(peer, token)),
                (_, Some(token)) if is_meant(rules, ask, token) => Some(Answer::Ended),
                _ => None,
            }
        })
        .next()
}

/// The node asks all peers within reach. Returns whether one knows the session: then the request goes its way.
fn hear_peers(next: &mut Next<'_>, leg: u8, edge: NodeIndex, ask: Ask) -> bool {
    let (state, rules) = (next.state, next.rules);
    let Some(answer) = peer_with(state, rules, edge, ask) else {
        return false;
    };
    next.step(
        Actor::Server,
        "a peer has or had the session: leg, node",
        [Some(leg), Some(edge)],
        |state| heed(state, rules, leg, edge, answer),
    );
    true
}

fn heed(state: &mut State, rules: &Rules, leg: u8, edge: NodeIndex, answer: Answer) {
    match answer {
        Answer::Has(home, token) => {
            state.node_mut(edge).links |= 1 << home;
            carry(state, rules, leg, edge, home, token);
        }
        Answer::Ended => tell(state, leg),
    }
}

/// The edge acts on what the store said.
fn judge(
    next: &mut Next<'_>,
    leg: u8,
    edge: NodeIndex,
    ask: Ask,
    header: Header,
    barrier: Barrier,
) {
    let whom = [Some(leg), Some(edge)];
    match header {
        Header::Tombstone => next.step(
            Actor::Server,
            "the store says that it ended, 4930: leg, node",
            whom,
            |state| tell(state, leg),
        ),
        Header::Missing => judge_missing(next, leg, edge, ask, barrier),
        Header::Live(home, _) if home == edge => next.step(
            Actor::Server,
            "the header names the node, which has no such session, 4930: leg, node",
            whom,
            |state| tell(state, leg),
        ),
        Header::Live(home, token) => {
            let is_linked = next.state.is_linked(edge, home);
            if is_linked && next.state.connects(edge, home) {
                relay(next, leg, edge, ask, home, token);
            }
            if !is_linked || !next.rules.link_saves {
                judge_home(next, leg, edge, ask, home);
            }
        }
    }
}

/// No header: after the barrier that is a verdict, before it the peers are asked.
fn judge_missing(next: &mut Next<'_>, leg: u8, edge: NodeIndex, ask: Ask, read_at: Barrier) {
    let (state, rules) = (next.state, next.rules);
    let whom = [Some(leg), Some(edge)];
    let now = state.node(edge).barrier;
    if now == Barrier::Holding {
        return;
    }
    let is_stale = rules.read_after_barrier && read_at < now;
    if is_stale {
        next.step(
            Actor::Server,
            "the node asks anew, for its answer is from before: leg, node",
            whom,
            |state| again(state, leg, edge, ask),
        );
        return;
    }
    let asks_peers = now == Barrier::Late && rules.ask_peers_before_4930;
    if asks_peers && hear_peers(next, leg, edge, ask) {
        return;
    }
    next.step(
        Actor::Server,
        "nobody has the session, 4930: leg, node",
        whom,
        |state| tell(state, leg),
    );
}

fn again(state: &mut State, leg: u8, edge: NodeIndex, ask: Ask) {
    state.legs[usize::from(leg)] = Leg::At(edge, ask, Found::Nothing);
}

/// The edge relays to the home that the header names, and the home decides.
fn relay(next: &mut Next<'_>, leg: u8, edge: NodeIndex, ask: Ask, home: NodeIndex, named: Token) {
    let (state, rules) = (next.state, next.rules);
    let far = *state.node(home);
    let whom = [Some(leg), Some(home)];
    match (far.session, far.tombstone) {
        (Some(token), _) if is_meant(rules, ask, token) => next.step(
            Actor::Server,
            "the home takes the relayed leg: leg, home",
            whom,
            |state| {
                state.node_mut(edge).cache = Some(home);
                carry(state, rules, leg, edge, home, token);
            },
        ),
        // Either the client's incarnation or the header is of the past: the store decides, unless it just has.
        (Some(token), _) if token != named => next.step(
            Actor::Server,
            "the home has another incarnation than the header: leg, home",
            whom,
            |state| again(state, leg, edge, ask),
        ),
        (_, Some(token)) if is_meant(rules, ask, token) => next.step(
            Actor::Server,
            "the home says that it ended, 4930: leg, home",
            whom,
            |state| tell(state, leg),
        ),
        _ if matches!(ask, Ask::Attach(_)) => next.step(
            Actor::Server,
            "the home has no such session, 4930: leg, home",
            whom,
            |state| tell(state, leg),
        ),
        // The home opens as if the request had come to it; meanwhile it waits here.
        _ if far.opening == Opening::None && far.barrier == Barrier::Done => next.step(
            Actor::Server,
            "the home that the header names sends OPEN: leg, home",
            whom,
            |state| {
                send_open(state, home);
                again(state, leg, edge, ask);
            },
        ),
        _ => next.step(
            Actor::Server,
            "the home is not ready to open: leg, home",
            whom,
            |state| again(state, leg, edge, ask),
        ),
    }
}

/// No link to the home: it is dead, or the request waits.
fn judge_home(next: &mut Next<'_>, leg: u8, edge: NodeIndex, ask: Ask, home: NodeIndex) {
    let (state, rules) = (next.state, next.rules);
    if !is_dead(state, rules, edge, home) {
        return;
    }
    let gives_away = !rules.header_outlives_home && ask == Ask::Open;
    next.step(
        Actor::Server,
        "the home is taken for dead: leg, home",
        [Some(leg), Some(home)],
        |state| {
            if gives_away {
                let token = state.fresh_token();
                state.store.header = Header::Live(edge, token);
                begin(state, edge, token);
                again(state, leg, edge, ask);
            } else {
                tell(state, leg);
            }
        },
    );
}
