//! Random schedules of two sessions over a hostile network: nothing lost, nothing twice, in order, both ways; no
//! unbounded growth; every session ends with exactly one reason.
//!
//! `ANYWIRE_SEED` repeats one schedule; `ANYWIRE_SCHEDULES` says how many to run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the first seed is new in each run"
)]

mod support;

use anywire_protocol::{CloseCode, Role};
use support::pair::{ClientAct, Happening, Pair, Weather, short_limits};
use support::random::Random;

const SCHEDULES: u64 = 10_000;

fn schedule(seed: u64) -> u64 {
    let limits = short_limits();
    let mut pair = Pair::new(seed, limits.clone());
    let mut random = Random::new(seed ^ 0xa5a5_a5a5);
    let storm = 2_000 + random.below(20_000);
    pair.after(0, Happening::Client(ClientAct::StartWebSocket));
    if random.chance(500) {
        pair.after(
            random.below(400),
            Happening::Client(ClientAct::StartPolling),
        );
    }
    for _ in 0..random.below(60) {
        pair.after(random.below(storm), Happening::Client(ClientAct::Send));
        pair.after(random.below(storm), Happening::ServerSend);
    }
    for _ in 0..random.below(8) {
        pair.after(
            random.below(storm),
            Happening::Client(ClientAct::StartWebSocket),
        );
        pair.after(
            random.below(storm),
            Happening::Client(ClientAct::StartPolling),
        );
        pair.after(
            random.below(storm),
            Happening::Client(ClientAct::StartStreaming),
        );
    }
    while pair.now.as_millis() < storm {
        pair.run_until(pair.now.as_millis() + 500, |_| false);
        pair.assert_bounds(&limits);
        pair.assert_sequences();
        pair.client.abandon_unopened();
    }

    // The weather clears: everything accepted must arrive.
    pair.weather = Weather::CALM;
    let last = if random.chance(500) {
        ClientAct::StartPolling
    } else {
        ClientAct::StartStreaming
    };
    pair.after(1, Happening::Client(last));
    let calm = pair.now.as_millis() + 10_000;
    pair.run_until(calm, |_| false);
    pair.assert_sequences();
    if pair.client.closed.is_empty() && pair.server.closed.is_empty() {
        assert_eq!(
            pair.server.heard.len() as u64,
            pair.client.sent,
            "up: all that was accepted"
        );
        assert_eq!(
            pair.client.heard.len() as u64,
            pair.server.sent,
            "down: all that was accepted"
        );
    } else {
        // Only silence beyond the resume window ends a session here.
        let reason = pair
            .client
            .closed
            .first()
            .or(pair.server.closed.first())
            .unwrap();
        let expected = [CloseCode::EXPIRED, CloseCode::UNKNOWN_SESSION];
        assert!(expected.contains(&reason.code), "{reason}");
    }

    // Somebody closes; both are told once.
    let role = if random.chance(500) {
        Role::Server
    } else {
        Role::Client
    };
    pair.after(1, Happening::Close(role));
    let end = pair.now.as_millis() + 60_000;
    pair.run_until(end, |_| false);
    for closed in [&pair.client.closed, &pair.server.closed] {
        assert_eq!(closed.len(), 1, "one reason each: {closed:?}");
    }
    pair.steps
}

#[test]
fn nothing_is_lost_repeated_or_reordered_in_random_schedules() {
    if let Ok(seed) = std::env::var("ANYWIRE_SEED") {
        let steps = schedule(seed.parse().expect("ANYWIRE_SEED is a number"));
        println!("seed {seed}: {steps} steps");
        return;
    }
    let count = std::env::var("ANYWIRE_SCHEDULES").map_or(SCHEDULES, |count| {
        count.parse().expect("ANYWIRE_SCHEDULES is a number")
    });
    let start = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| u64::from(since.subsec_nanos()) + since.as_secs());
    println!("seeds {start} to {}", start + count - 1);
    let mut steps = 0;
    for seed in start..start + count {
        match std::panic::catch_unwind(|| schedule(seed)) {
            Ok(taken) => steps += taken,
            Err(panic) => {
                eprintln!("repeat this schedule with ANYWIRE_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{count} schedules, {steps} steps");
}
