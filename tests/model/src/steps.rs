//! All that may happen next in a state. Each kind of step is in the room of its actor.

use crate::rules::Rules;
use crate::state::{Leg, State};
use crate::step::{Next, Step};
use crate::{client, edge, faults, node};

/// All steps from a state.
pub fn successors<'a>(state: &'a State, rules: &'a Rules) -> Vec<(Step, State)> {
    let mut next = Next {
        state,
        rules,
        found: Vec::with_capacity(24),
    };
    for leg in 0..state.legs.len() as u8 {
        client::steps(&mut next, leg);
        if let Leg::At(at, ask, found) = state.legs[usize::from(leg)]
            && state.is_running(at)
        {
            edge::steps(&mut next, leg, at, ask, found);
        }
    }
    for index in 0..state.nodes.len() as u8 {
        node::steps(&mut next, index);
    }
    node::stray_steps(&mut next);
    faults::steps(&mut next);
    next.found
}
