//! Looks at every state, the nearest first, so that a counterexample is as short as can be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use crate::rules::{Faults, Rules};
use crate::state::{Client, Leg, State, Wrong};
use crate::step::{Actor, Step};
use crate::steps::successors;
use crate::symmetry::canonical;

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// How many nodes there are, at most [`crate::state::MAX_NODES`].
    pub nodes: u8,
    /// What may befall them.
    pub faults: Faults,
    /// What they hold to.
    pub rules: Rules,
    /// What must not happen. Other wrongs are passed over.
    pub never: &'a [Wrong],
}

/// What a search has found.
#[derive(Debug)]
pub struct Outcome {
    /// States that were looked at.
    pub states: usize,
    /// The shortest way to something wrong.
    pub counterexample: Option<(Wrong, Vec<Step>)>,
}

/// Where nothing goes on, or nothing that would go on without the client.
#[derive(Debug)]
pub struct Stuck {
    /// The way to such a state.
    pub steps: Vec<Step>,
    /// The state.
    pub state: State,
}

impl Search<'_> {
    /// Looks for the nearest wrong.
    pub fn run(&self) -> Outcome {
        let mut graph = Graph::default();
        let counterexample = self.fill(&mut graph, |_, _, _| {});
        Outcome {
            states: graph.states.len(),
            counterexample,
        }
    }

    /// Looks for a calm state from which nodes, store and links alone never answer all requests that are there, and for one
    /// from which, with the client, it is never carried or told.
    pub fn find_stuck(&self) -> Option<Stuck> {
        let mut graph = Graph::default();
        let mut edges = Vec::new();
        self.fill(&mut graph, |from, to, actor| edges.push((from, to, actor)));
        let is_answered = |state: &State| !state.legs.iter().any(|leg| matches!(leg, Leg::At(..)));
        let is_served = |state: &State| {
            state.client == Client::Told || state.legs.iter().any(|leg| matches!(leg, Leg::On(..)))
        };
        let at = graph
            .stuck(&edges, &[Actor::Server], is_answered)
            .or_else(|| graph.stuck(&edges, &[Actor::Server, Actor::Client], is_served))?;
        Some(Stuck {
            steps: self.way_to(&graph, at, None),
            state: graph.states[at as usize],
        })
    }

    fn fill(
        &self,
        graph: &mut Graph,
        mut edge: impl FnMut(u32, u32, Actor),
    ) -> Option<(Wrong, Vec<Step>)> {
        graph.add(&State::start(self.nodes, self.faults), NOWHERE);
        let mut at = 0;
        while let Some(state) = graph.states.get(at).copied() {
            let from = at as u32;
            for (step, mut state) in successors(&state, &self.rules) {
                if let Some(wrong) = state.wrong.take()
                    && self.never.contains(&wrong)
                {
                    return Some((wrong, self.way_to(graph, from, Some(wrong))));
                }
                let to = graph.add(&state, from);
                edge(from, to, step.actor);
            }
            at += 1;
        }
        None
    }

    /// The steps to a state, and the one behind it that goes wrong. The states of the graph change names from one to the
    /// next, so the way is walked once more from the start without that.
    fn way_to(&self, graph: &Graph, number: u32, wrong: Option<Wrong>) -> Vec<Step> {
        let mut numbers = vec![number];
        while graph.parents[numbers[numbers.len() - 1] as usize] != NOWHERE {
            numbers.push(graph.parents[numbers[numbers.len() - 1] as usize]);
        }
        let mut state = State::start(self.nodes, self.faults);
        let mut steps = Vec::new();
        for number in numbers.into_iter().rev().skip(1) {
            let reached = graph.states[number as usize];
            let is_it = |state: &State| {
                canonical(&State {
                    wrong: None,
                    ..*state
                }) == reached
            };
            let mut all = successors(&state, &self.rules).into_iter();
            let (step, next) = all
                .find(|(_, state)| is_it(state))
                .expect("a state is a successor of its parent");
            steps.push(step);
            state = State {
                wrong: None,
                ..next
            };
        }
        if wrong.is_some() {
            let mut all = successors(&state, &self.rules).into_iter();
            let last = all.find(|(_, state)| state.wrong == wrong);
            steps.push(last.expect("the last step goes wrong").0);
        }
        steps
    }
}

/// The states so far, in the order in which they were met, and from where each was met first.
#[derive(Default)]
struct Graph {
    states: Vec<State>,
    parents: Vec<u32>,
    numbers: HashMap<State, u32, BuildHasherDefault<Mix>>,
}

impl Graph {
    fn add(&mut self, state: &State, parent: u32) -> u32 {
        let state = canonical(state);
        let number = self.states.len() as u32;
        match self.numbers.entry(state) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                entry.insert(number);
                self.states.push(state);
                self.parents.push(parent);
                number
            }
        }
    }

    /// The nearest calm state that the goal cannot be reached from by these actors.
    fn stuck(
        &self,
        edges: &[(u32, u32, Actor)],
        actors: &[Actor],
        is_goal: impl Fn(&State) -> bool,
    ) -> Option<u32> {
        let mut reaches: Vec<bool> = self.states.iter().map(is_goal).collect();
        // From the last met to the first, again and again: most ways lead to states met later or just before.
        loop {
            let mut has_grown = false;
            for (from, to, actor) in edges.iter().rev() {
                if reaches[*to as usize] && !reaches[*from as usize] && actors.contains(actor) {
                    reaches[*from as usize] = true;
                    has_grown = true;
                }
            }
            if !has_grown {
                break;
            }
        }
        let has_nodes = |state: &State| (0..state.nodes.len() as u8).any(|n| state.is_running(n));
        let at = (0..self.states.len()).find(|at| {
            let state = &self.states[*at];
            !reaches[*at] && state.is_calm() && has_nodes(state)
        })?;
        Some(at as u32)
    }
}

/// The first state has no parent.
const NOWHERE: u32 = u32::MAX;

/// A fast hasher for states: nobody chooses them to collide.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}
