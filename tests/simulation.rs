//! The Rust client and the server against each other over a simulated network, in virtual time: partitions, latency,
//! cuts, silence, restarts. Each seed is judged by the oracle.
//!
//! `ANYWIRE_SEED=7` runs one seed alone and prints its attempts; `ANYWIRE_SEEDS=100000` runs more than 1,000.

use std::time::Duration;

use anywire_client::{CloseCode, Transport};
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

#[test]
fn connecting_takes_no_round_trip_more_than_it_must() {
    println!("round trip, websocket, poll, both: to the first echo, TCP included");
    for round_trip in [0, 20, 100].map(Duration::from_millis) {
        let websocket = simulation::connect(round_trip, Some(Transport::WebSocket));
        let poll = simulation::connect(round_trip, Some(Transport::Poll));
        let both = simulation::connect(round_trip, None);
        let costs = [&websocket, &poll, &both].map(|cost| cost.to_first_echo);
        println!("{round_trip:?}: {costs:?}");
        // Timers count whole milliseconds.
        let allowed = |round_trips: u32| round_trip * round_trips + Duration::from_millis(10);
        assert!(websocket.to_first_echo <= allowed(3), "{websocket:?}");
        assert!(poll.to_first_echo <= allowed(2), "{poll:?}");
        assert!(both.to_first_echo <= allowed(3), "{both:?}");
        // A healthy client costs the server no second session, and no request for the race.
        assert_eq!(both.metrics.opened, 1);
        assert_eq!(both.metrics.attaches[Transport::Poll], 0, "{both:?}");
        assert_eq!(both.dials, 1, "{both:?}");
    }
}

#[test]
fn a_race_that_polling_enters_costs_one_request_and_no_second_session() {
    // The WebSocket's answer comes after polling has begun.
    let cost = simulation::connect(Duration::from_millis(200), None);
    assert_eq!(cost.metrics.opened, 1, "{cost:?}");
    assert!(cost.metrics.attaches[Transport::Poll] <= 1, "{cost:?}");
    assert!(cost.dials <= 2, "{cost:?}");
}

#[test]
fn an_app_that_takes_nothing_for_longer_than_the_resume_window_keeps_its_session() {
    // Beyond the resume window, and within the age of a message in the server's outbox.
    let pause = Duration::from_secs(140);
    let (websocket, poll) = (Some(Transport::WebSocket), Some(Transport::Poll));
    for (only, count, inbox) in [
        (websocket, 16, 16),
        (poll, 16, 16),
        (poll, 16, 32),
        (poll, 64, 16),
        // More than twice what there is room for: a WebSocket is not read from any more, and polling takes over.
        (None, 64, 16),
    ] {
        let read = simulation::read_after(pause, count, inbox, only);
        let case = format!("{only:?}: {count} messages, room for {inbox}");
        assert_eq!(read.end, Some(CloseCode::NORMAL.into()), "{case}");
        assert!(
            read.messages.into_iter().eq(simulation::sent(count)),
            "{case}"
        );
    }
}

#[test]
fn a_websocket_whose_proof_comes_late_is_stalled_no_longer() {
    let late = simulation::prove_late();
    assert_eq!(late.transport, Some(Transport::WebSocket), "{late:#?}");
    // Polling was tried when the proof was overdue, and is not once it has come.
    assert!(
        late.trace.iter().any(|attempt| attempt.starts_with("poll")),
        "{late:#?}"
    );
    assert_eq!(late.metrics.attaches[Transport::Poll], 0, "{late:#?}");
}

const SEEDS: u64 = 1_000;
