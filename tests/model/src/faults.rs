//! What befalls the cluster, and how it heals.

use crate::rules::{Faults, Rules};
use crate::state::{Barrier, Leg, Life, NodeIndex, Opening, State, Stray};
use crate::step::{Actor, Next};

/// Faults that may still come, and the ends of those that have.
pub(crate) fn steps(next: &mut Next<'_>) {
    let state = *next.state;
    let rules = next.rules;
    if state.faults.is_replicated && state.store.replica != state.store.header {
        next.step(Actor::Fault, "the replica catches up", [None; 2], |state| {
            state.store.replica = state.store.header;
        });
    }
    fault(
        next,
        "the store becomes another",
        [None; 2],
        |faults| &mut faults.losses,
        |state| lose(state, rules),
    );
    for node in next.alive() {
        let whom = [Some(node), None];
        if state.is_running(node) {
            fault(
                next,
                "a node pauses: node",
                whom,
                |f| &mut f.pauses,
                |state| {
                    state.node_mut(node).life = Life::Paused;
                },
            );
        } else {
            next.step(Actor::Fault, "a node goes on: node", whom, |state| {
                state.node_mut(node).life = Life::Running;
            });
        }
        fault(
            next,
            "a node dies: node",
            whom,
            |f| &mut f.crashes,
            |state| {
                die(state, node);
            },
        );
        if state.node(node).away {
            next.step(
                Actor::Fault,
                "a node reaches the store again: node",
                whom,
                |state| {
                    state.node_mut(node).away = false;
                },
            );
        } else {
            fault(
                next,
                "a node cannot reach the store: node",
                whom,
                |f| &mut f.aways,
                |state| {
                    state.node_mut(node).away = true;
                },
            );
        }
        for other in next.alive().filter(|other| *other > node) {
            let whom = [Some(node), Some(other)];
            let bit = State::pair(node, other);
            if state.cut & bit == 0 {
                fault(
                    next,
                    "the network between two nodes is cut: both",
                    whom,
                    |f| &mut f.cuts,
                    |state| {
                        state.cut |= bit;
                    },
                );
            } else {
                next.step(
                    Actor::Fault,
                    "the network between two nodes heals: both",
                    whom,
                    |state| {
                        state.cut &= !bit;
                    },
                );
            }
        }
    }
}

/// A fault, if one of its kind may still come.
fn fault(
    next: &mut Next<'_>,
    what: &'static str,
    whom: [Option<u8>; 2],
    kind: impl Fn(&mut Faults) -> &mut u8,
    change: impl FnOnce(&mut State),
) {
    let mut left = next.state.faults;
    if *kind(&mut left) == 0 {
        return;
    }
    *kind(&mut left) -= 1;
    next.step(Actor::Fault, what, whom, |state| {
        state.faults = left;
        change(state);
    });
}

/// A fail-over, or a restart without a file: what was not replicated is gone, leases too.
fn lose(state: &mut State, rules: &Rules) {
    state.store.identity += 1;
    state.store.header = state.store.replica;
    for node in &mut state.nodes {
        // Nobody looks before those that can beat have beaten.
        node.lease &= rules.lease_is_given_time && node.life == Life::Running && !node.away;
    }
}

fn die(state: &mut State, index: NodeIndex) {
    let node = state.node_mut(index);
    let opening = node.opening;
    node.life = Life::Dead;
    node.session = None;
    node.tombstone = None;
    node.owes = false;
    node.barrier = Barrier::Done;
    node.opening = Opening::None;
    node.cache = None;
    node.away = false;
    node.links = 0;
    if let (Opening::Sent(token, identity), Stray::None) = (opening, state.stray) {
        state.stray = Stray::Open(index, token, identity);
    }
    for leg in &mut state.legs {
        if matches!(leg, Leg::At(edge, ..) | Leg::On(edge, ..) if *edge == index) {
            *leg = Leg::Idle;
        }
    }
}
