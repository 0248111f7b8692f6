//! One step: who acts, what happens, and the state after it.

use std::fmt::{self, Debug, Formatter};

use crate::rules::Rules;
use crate::state::{Life, State};

/// Who acts in a step. Progress must need neither the app nor a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The client.
    Client,
    /// A node, the store or a link.
    Server,
    /// The app, which may close its session but need not.
    App,
    /// What befalls them; healing too.
    Fault,
}

/// What happens in a step, for a reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Who acts.
    pub actor: Actor,
    /// What it does.
    pub what: &'static str,
    /// The leg or node, and the other node if there is one.
    pub whom: [Option<u8>; 2],
}

impl Debug for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        self.whom
            .iter()
            .flatten()
            .try_for_each(|number| write!(f, " {number}"))
    }
}

/// Gathers the successors of one state.
#[derive(Debug)]
pub struct Next<'a> {
    /// The state before.
    pub state: &'a State,
    /// What nodes hold to.
    pub rules: &'a Rules,
    /// What may happen.
    pub found: Vec<(Step, State)>,
}

impl Next<'_> {
    /// A step; `change` makes the state after it of that before.
    pub(crate) fn step(
        &mut self,
        actor: Actor,
        what: &'static str,
        whom: [Option<u8>; 2],
        change: impl FnOnce(&mut State),
    ) {
        let mut state = *self.state;
        state.wrong = None;
        change(&mut state);
        if state != *self.state {
            self.found.push((Step { actor, what, whom }, state));
        }
    }

    /// All other nodes of the configuration, the dead too: nobody knows at once that they are.
    pub(crate) fn peers(&self, index: u8) -> Vec<u8> {
        let all = 0..self.state.nodes.len() as u8;
        all.filter(|n| *n != index && self.state.node(*n).life != Life::Absent)
            .collect()
    }

    /// The nodes of the configuration that live.
    pub(crate) fn alive(&self) -> impl Iterator<Item = u8> + use<> {
        let state = *self.state;
        (0..state.nodes.len() as u8)
            .filter(move |n| matches!(state.node(*n).life, Life::Running | Life::Paused))
    }
}
