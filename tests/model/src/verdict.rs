//! Who is dead. A wrong verdict costs a client its session, so it is the last of all answers.

use crate::rules::Rules;
use crate::state::{Life, NodeIndex, State};

/// Whether the judge takes a node for dead: no lease and no connection, or a connection that is refused.
pub(crate) fn is_dead(state: &State, rules: &Rules, judge: NodeIndex, node: NodeIndex) -> bool {
    let connects = if rules.connect_before_verdict {
        state.connects(judge, node)
    } else {
        state.is_linked(judge, node)
    };
    if rules.link_saves && connects {
        return false;
    }
    // Who runs and reaches the store beats within a lease, so after that time its lease is there.
    let may_beat = state.is_running(node) && !state.node(node).away;
    let has_lease = state.node(node).lease || (rules.lease_is_given_time && may_beat);
    is_refused(state, rules, judge, node) || (state.reaches_store(judge) && !has_lease)
}

/// Whether a new connection to a node is refused: its process is gone, and its host says so.
pub(crate) fn is_refused(state: &State, rules: &Rules, judge: NodeIndex, node: NodeIndex) -> bool {
    if state.cut & State::pair(judge, node) != 0 {
        return !rules.only_hosts_refuse;
    }
    state.node(node).life == Life::Dead
}
