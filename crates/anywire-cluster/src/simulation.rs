//! The cluster whole, in virtual time: three nodes, their links and their store, and clients that come to any node, while
//! nodes stand still and die, networks are cut, and the store is away or forgets. What befalls a run follows from its seed.
//!
//! `ANYWIRE_SEED=7` runs one seed alone and prints what happened; `ANYWIRE_SEEDS=100000` runs more than 500. Each time other
//! seeds are run. Of what is drawn, the names of processes and the order of what is ready at once do not follow from the
//! seed, so that one that fails rarely is to be run some times.
//!
//! Time is a runtime of its own for each process, in turns: a crate for simulated networks has that too, but none that can have
//! a process stand still.

mod client;
mod clock;
mod door;
mod judge;
mod lane;
mod ledger;
mod leg;
mod machines;
mod network;
mod plan;
mod process;
mod sky;
mod store;
mod weather;
mod world;

use std::time::Duration;

#[test]
fn sessions_are_served_once_and_in_order_or_their_end_is_told_in_any_weather() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("ANYWIRE_SEED") {
        let outcome = world::run(seed);
        println!("{}", outcome.trace.join("\n"));
        assert_eq!(outcome.trouble, Vec::<String>::new());
        return;
    }
    let seeds = number("ANYWIRE_SEEDS").unwrap_or(SEEDS);
    let first = u64::from(fastrand::u32(..));
    println!("seeds from {first} on");
    let (mut virtual_time, mut failed) = (Duration::ZERO, Vec::new());
    for seed in first..first + seeds {
        let outcome = world::run(seed);
        virtual_time += outcome.took;
        if !outcome.trouble.is_empty() {
            println!("ANYWIRE_SEED={seed}: {}", outcome.trouble.join("\n    "));
            failed.push(seed);
        }
    }
    println!("{seeds} seeds, {virtual_time:?} of virtual time");
    assert!(failed.is_empty(), "seeds {failed:?}");
}

const SEEDS: u64 = 500;
