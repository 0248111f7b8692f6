//! The Rust client and the server against each other over a simulated network, in virtual time: partitions, latency,
//! cuts, silence, restarts. Each seed is judged by the oracle.
//!
//! `ANYWIRE_SEED=7` runs one seed alone and prints its attempts; `ANYWIRE_SEEDS=100000` runs more than 1,000.

use std::time::Duration;

use anywire_tests::simulation;

#[test]
fn exactly_the_accepted_messages_arrive_in_any_weather() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("ANYWIRE_SEED") {
        let outcome = simulation::run(seed);
        println!("{}", outcome.trace.join("\n"));
        assert_eq!(outcome.trouble, None, "took {:?}", outcome.took);
        return;
    }
    let first = 0;
    let seeds = number("ANYWIRE_SEEDS").unwrap_or(SEEDS);
    let (mut complete, mut virtual_time, mut failed) = (0, Duration::ZERO, Vec::new());
    for seed in first..first + seeds {
        let outcome = simulation::run(seed);
        complete += u64::from(outcome.is_complete);
        virtual_time += outcome.took;
        if let Some(trouble) = outcome.trouble {
            println!("ANYWIRE_SEED={seed}: {trouble}");
            failed.push(seed);
        }
    }
    println!("{seeds} seeds, {complete} complete, {virtual_time:?} of virtual time");
    assert!(failed.is_empty(), "seeds {failed:?}");
    // Weather that lets nothing through must not be the rule.
    assert!(complete * 10 > seeds * 7, "{complete} of {seeds} complete");
}

const SEEDS: u64 = 1_000;
