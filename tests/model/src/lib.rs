//! A model of how nodes share sessions at level `memory`, small enough to be searched whole: each order of steps, each fault
//! at each moment, within a bound on how many faults there are.
//!
//! One client wants one session and has two legs. Each leg asks any node; the node finds the home, or becomes it.
//! `state.rs` is one moment, `rules.rs` what nodes hold to, `client.rs`, `edge.rs`, `node.rs` and `faults.rs` what may happen
//! next, `symmetry.rs` says which moments are the same but for names, `search.rs` looks at all of it.

mod client;
mod edge;
mod faults;
mod home;
mod node;
pub mod rules;
pub mod search;
pub mod state;
pub mod step;
pub mod steps;
mod symmetry;
mod verdict;
