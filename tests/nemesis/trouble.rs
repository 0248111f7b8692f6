//! The nemesis: every ten seconds something happens, to one node and to something else by turns, and has healed before the next.

use std::error::Error;
use std::time::Duration;

use anywire_tests::line::{Line, Wire};
use anywire_tests::redis::RedisServer;
use tokio::time::{Instant, sleep, sleep_until};

use crate::nodes::{Nodes, PLACES};

/// What happens to one node after the other.
const TO_A_NODE: [&str; 3] = ["kill", "drain", "pause"];

/// What happens between.
const TO_THE_REST: [&str; 7] = [
    "cut the links to a node",
    "kill Redis, and start it empty",
    "kill the connections for topics",
    "let the links to a node go dead",
    "cut a node's line to Redis",
    "hang Redis",
    "let a node's line to Redis go dead",
];

/// Between two beginnings; all has healed by then, the barrier after a loss too.
const EVERY: Duration = Duration::from_secs(10);

/// How long a line is broken, or Redis hangs: longer than a silent peer is believed, shorter than a lease.
const LASTS: Duration = Duration::from_millis(3_500);

/// Does all this until a time.
pub async fn make(
    nodes: &Nodes,
    redis: &mut RedisServer,
    until: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut next = Instant::now();
    // A short trial begins at another kind each time.
    let first = fastrand::usize(..TO_A_NODE.len() * TO_THE_REST.len());
    for turn in 2 * first.. {
        next += EVERY;
        if next + EVERY > until {
            break;
        }
        let place = fastrand::usize(..PLACES);
        let what = match turn % 2 {
            0 => TO_A_NODE[turn / 2 % TO_A_NODE.len()],
            _ => TO_THE_REST[turn / 2 % TO_THE_REST.len()],
        };
        nodes.note(&format!("{what}, at {place}"));
        println!("  {what} (node {place})");
        do_one(what, nodes, redis, place).await?;
        sleep_until(next).await;
    }
    nodes.settled().await
}

async fn do_one(
    what: &str,
    nodes: &Nodes,
    redis: &mut RedisServer,
    place: usize,
) -> Result<(), Box<dyn Error>> {
    let at = &nodes.places()[place];
    match what {
        "kill" => {
            nodes.kill(place).await?;
            sleep(Duration::from_secs(2)).await;
            nodes.begin(place).await?;
        }
        "drain" => {
            nodes.drain(place).await?;
            nodes.begin(place).await?;
        }
        "pause" => nodes.pause(place, Duration::from_secs(5)).await?,
        "cut the links to a node" => break_for_a_while(&at.to_links, Line::Cut).await,
        "let the links to a node go dead" => break_for_a_while(&at.to_links, Line::Dead).await,
        "cut a node's line to Redis" => break_for_a_while(&at.to_redis, Line::Cut).await,
        "let a node's line to Redis go dead" => break_for_a_while(&at.to_redis, Line::Dead).await,
        "kill the connections for topics" => {
            redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        "hang Redis" => {
            redis.set_hung(true);
            sleep(LASTS).await;
            redis.set_hung(false);
        }
        _ => {
            redis.kill();
            sleep(Duration::from_millis(500)).await;
            redis.start_again();
        }
    }
    Ok(())
}

async fn break_for_a_while(wire: &Wire, how: Line) {
    wire.set(how);
    sleep(LASTS).await;
    wire.set(Line::Whole);
}
