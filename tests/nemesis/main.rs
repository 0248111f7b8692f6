//! Three node processes before one Redis, with balancers that know nothing of stickiness, clients in Rust and in Chromium, and a
//! nemesis. Run `make cluster`.
//!
//! Everybody writes what it sent, heard and got into a file of its own; the verdict reads the files: equal, or told.

mod balancer;
mod browser;
mod deploy;
mod node;
mod nodes;
mod record;
mod trial;
mod trouble;
mod verdict;
mod visitor;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// What all sessions follow.
const TOPIC: &str = "news";

const USAGE: &str = "anywire-nemesis [trial SECONDS] [deploy CLIENTS]
  trial   kills, drains and pauses nodes, restarts Redis, cuts lines, for so long
  deploy  restarts three nodes one after the other under so many sessions
  Nothing: ten minutes of the first, then the second under 3,000.
";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match run(&words).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[&str]) -> Result<bool, Box<dyn Error>> {
    match words {
        ["node", told] => node::run(told).await.map(|()| true),
        [] => {
            let is_well = trial::run(Duration::from_secs(600)).await?;
            Ok(deploy::run(3_000).await? && is_well)
        }
        _ => {
            let mut is_well = true;
            for pair in words.chunks(2) {
                is_well &= match pair {
                    ["trial", seconds] => trial::run(Duration::from_secs(seconds.parse()?)).await?,
                    ["deploy", clients] => deploy::run(clients.parse()?).await?,
                    _ => return Err(USAGE.into()),
                };
            }
            Ok(is_well)
        }
    }
}
