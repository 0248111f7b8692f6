//! A node by itself: its OPEN, its lease, its links, its barrier, and what it writes back.

use crate::client::{let_go, tell};
use crate::home::{begin, remember};
use crate::rules::Rules;
use crate::state::{
    Ask, Barrier, Found, Header, Leg, Life, NodeIndex, Opening, State, Stray, Token,
};
use crate::step::{Actor, Next};
use crate::verdict::{is_dead, is_refused};

/// What a node does, or the store and the links do to it.
pub(crate) fn steps(next: &mut Next<'_>, index: NodeIndex) {
    opening_steps(next, index);
    lease_steps(next, index);
    if next.state.is_running(index) {
        link_steps(next, index);
        store_steps(next, index);
        barrier_steps(next, index);
        if next.state.faults.ends && next.state.node(index).session.is_some() {
            next.step(
                Actor::App,
                "the session ends at its home: node",
                [Some(index), None],
                |state| end(state, index),
            );
        }
    }
}

fn end(state: &mut State, home: NodeIndex) {
    let node = state.node_mut(home);
    node.tombstone = node.session.take();
    node.owes = true;
    state.ended = true;
    // One end is enough.
    state.faults.ends = false;
    let_go(state, home, true);
}

/// The OPEN takes effect, is answered, or is given up.
fn opening_steps(next: &mut Next<'_>, index: NodeIndex) {
    let (state, rules) = (next.state, next.rules);
    let node = *state.node(index);
    let whom = [Some(index), None];
    match node.opening {
        Opening::None => {}
        Opening::Sent(token, identity) => {
            let arrives = identity == state.store.identity || !rules.open_is_bound;
            if arrives && !node.away {
                next.step(
                    Actor::Server,
                    "OPEN takes effect in the store: node",
                    whom,
                    |state| {
                        let header = open(state, index, token);
                        let is_older = matches!(header, Header::Live(home, tk) if home == index && tk != token);
                        // Without the rule the node makes nothing of a header of its own that this OPEN did not write.
                        state.node_mut(index).opening = if is_older && !rules.home_takes_its_header {
                            Opening::None
                        } else {
                            Opening::Answered(header)
                        };
                    },
                );
            }
            if state.faults.are_commands_late
                && state.is_running(index)
                && state.stray == Stray::None
            {
                next.step(
                    Actor::Server,
                    "the node gives up its OPEN, which is on its way: node",
                    whom,
                    |state| {
                        state.stray = Stray::Open(index, token, identity);
                        state.node_mut(index).opening = Opening::None;
                    },
                );
            }
        }
        Opening::Answered(header) => {
            if state.is_running(index) {
                next.step(
                    Actor::Server,
                    "the node reads the answer to its OPEN: node",
                    whom,
                    |state| learn(state, index, header),
                );
                next.step(
                    Actor::Server,
                    "the answer to OPEN is lost: node",
                    whom,
                    |state| state.node_mut(index).opening = Opening::None,
                );
            }
        }
    }
}

/// What the script does.
fn open(state: &mut State, node: NodeIndex, token: Token) -> Header {
    if state.store.header == Header::Missing {
        state.store.header = Header::Live(node, token);
    }
    state.store.header
}

/// The node reads the answer: it is the home, or it relays the opens that waited for it.
fn learn(state: &mut State, index: NodeIndex, header: Header) {
    let node = state.node_mut(index);
    node.opening = Opening::None;
    if let Header::Live(home, token) = header
        && home == index
    {
        let is_known = node.session.is_some() || node.tombstone.is_some();
        if !is_known {
            begin(state, index, token);
        }
        return;
    }
    let barrier = node.barrier;
    remember(state, index, header);
    for leg in 0..state.legs.len() {
        if state.legs[leg] == Leg::At(index, Ask::Open, Found::Nothing) {
            if header == Header::Tombstone {
                tell(state, leg as u8);
            } else {
                state.legs[leg] = Leg::At(index, Ask::Open, Found::Read(header, barrier));
            }
        }
    }
}

/// A node beats; a lease ends only if it does not.
fn lease_steps(next: &mut Next<'_>, index: NodeIndex) {
    let node = *next.state.node(index);
    if next.state.reaches_store(index) {
        next.step(
            Actor::Server,
            "the node beats: node",
            [Some(index), None],
            |state| state.node_mut(index).lease = true,
        );
    } else if node.lease && (node.life != Life::Running || node.away) {
        next.step(
            Actor::Server,
            "the lease ends: node",
            [Some(index), None],
            |state| state.node_mut(index).lease = false,
        );
    }
}

/// A node's end of a link dies by a reset or by silence, and comes back.
fn link_steps(next: &mut Next<'_>, index: NodeIndex) {
    for other in 0..next.state.nodes.len() as u8 {
        if other == index {
            continue;
        }
        let whom = [Some(index), Some(other)];
        let connects = next.state.connects(index, other);
        if next.state.is_linked(index, other) {
            if !connects && next.rules.links_are_pinged {
                next.step(
                    Actor::Server,
                    "an end of a link finds it dead: node, other",
                    whom,
                    |state| unlink(state, index, other),
                );
            }
        } else if connects {
            next.step(
                Actor::Server,
                "a link is made anew: node, other",
                whom,
                |state| state.node_mut(index).links |= 1 << other,
            );
        }
    }
}

fn unlink(state: &mut State, index: NodeIndex, other: NodeIndex) {
    let node = state.node_mut(index);
    node.links &= !(1 << other);
    if node.cache == Some(other) {
        node.cache = None;
    }
    for leg in &mut state.legs {
        if matches!(leg, Leg::On(edge, home, _) if *edge == index && *home == other) {
            *leg = Leg::Idle;
        }
    }
}

/// The node meets another store, and writes what it owes.
fn store_steps(next: &mut Next<'_>, index: NodeIndex) {
    let (state, rules) = (next.state, next.rules);
    let node = *state.node(index);
    let whom = [Some(index), None];
    if !node.away && node.knows != state.store.identity {
        next.step(
            Actor::Server,
            "the node meets another store: node",
            whom,
            |state| meet(state, rules, index),
        );
    }
    if node.owes && state.reaches_store(index) {
        next.step(
            Actor::Server,
            "the node writes what it owes: node",
            whom,
            |state| write(state, rules, index),
        );
        if let Some(token) = node.session
            && state.faults.are_commands_late
            && state.stray == Stray::None
        {
            next.step(
                Actor::Server,
                "a copy of the write-back will be late: node",
                whom,
                |state| state.stray = Stray::WriteBack(index, token, node.knows),
            );
        }
    }
}

fn meet(state: &mut State, rules: &Rules, index: NodeIndex) {
    let identity = state.store.identity;
    let node = state.node_mut(index);
    node.knows = identity;
    if rules.open_is_bound {
        // Also an answer that has come from the store before: it does not count any more.
        node.opening = Opening::None;
    }
    let buries = rules.write_back_tombstones && node.tombstone.is_some();
    node.owes = node.session.is_some() || buries;
    node.barrier = if rules.barrier {
        Barrier::Holding
    } else {
        Barrier::Done
    };
    for leg in &mut state.legs {
        if let Leg::At(edge, ask, Found::Read(..)) = *leg
            && edge == index
            && rules.reads_are_bound
        {
            *leg = Leg::At(edge, ask, Found::Nothing);
        }
    }
}

fn write(state: &mut State, rules: &Rules, index: NodeIndex) {
    let node = *state.node(index);
    let header = state.store.header;
    let is_own = |token| header == Header::Missing || header == Header::Live(index, token);
    if let Some(token) = node.session {
        if is_own(token) || !rules.write_back_compares {
            state.store.header = Header::Live(index, token);
        } else {
            state.node_mut(index).session = None;
            let_go(state, index, false);
        }
    } else if let Some(token) = node.tombstone {
        if is_own(token) || header == Header::Tombstone {
            state.store.header = Header::Tombstone;
        } else {
            state.node_mut(index).tombstone = None;
        }
    }
    state.node_mut(index).owes = false;
}

/// The barrier ends when all have written back, or in time.
fn barrier_steps(next: &mut Next<'_>, index: NodeIndex) {
    let (state, rules) = (next.state, next.rules);
    let node = *state.node(index);
    if node.barrier == Barrier::Done || node.owes || !state.reaches_store(index) {
        return;
    }
    let peers = next.peers(index);
    let has_written = |p: u8| state.node(p).knows == node.knows && !state.node(p).owes;
    let is_done = |p: u8| {
        let says_so = state.connects(index, p) && has_written(p);
        let is_gone = if rules.silence_is_no_word {
            is_refused(state, rules, index, p)
        } else {
            is_dead(state, rules, index, p)
        };
        says_so || is_gone
    };
    if peers.iter().all(|p| is_done(*p)) {
        next.step(
            Actor::Server,
            "all live peers have written back: node",
            [Some(index), None],
            |state| state.node_mut(index).barrier = Barrier::Done,
        );
    }
    // Who runs and reaches the store writes back within that time.
    let in_time = |p: u8| !state.is_running(p) || state.node(p).away || has_written(p);
    if node.barrier == Barrier::Holding && peers.iter().all(|p| in_time(*p)) {
        next.step(
            Actor::Server,
            "the barrier's time is over: node",
            [Some(index), None],
            |state| state.node_mut(index).barrier = Barrier::Late,
        );
    }
}

/// A late command takes effect, or is lost.
pub(crate) fn stray_steps(next: &mut Next<'_>) {
    let (state, rules) = (next.state, next.rules);
    let (Stray::Open(node, token, identity) | Stray::WriteBack(node, token, identity)) =
        state.stray
    else {
        return;
    };
    let whom = [Some(node), None];
    next.step(
        Actor::Server,
        "a late command is lost: node",
        whom,
        |state| {
            state.stray = Stray::None;
        },
    );
    let is_open = matches!(state.stray, Stray::Open(..));
    if identity == state.store.identity || (is_open && !rules.open_is_bound) {
        next.step(
            Actor::Server,
            "a late command takes effect: node",
            whom,
            |state| {
                state.stray = Stray::None;
                if is_open || rules.write_back_compares {
                    open(state, node, token);
                } else {
                    state.store.header = Header::Live(node, token);
                }
            },
        );
    }
}
