//! One acceptance page in old and new browser engines, over each transport that the engine can do. The page and the
//! server's app must agree that every message came once, in order and unchanged.
//!
//! `make browsers` runs all engines (`--all`), tells which could not be had, and writes the table of docs/browsers.md;
//! `make test` runs those that are quick to get, and fails where one of them cannot be had. Give parts of facts to run these
//! alone:
//! `cargo test -p anywire-tests --test browsers -- phantomjs over_poll`.

mod app;
mod engine;
mod journal;
mod matrix;
mod results;
mod roster;
mod samples;
mod stage;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use engine::Engine;
use journal::Record;
use matrix::Run;
use results::Outcome;
use roster::ENGINES;
use stage::Stage;
use verdict::{Verdict, closes, judge};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_all = arguments.iter().any(|argument| argument == "--all");
    let words: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let begun = Instant::now();
    let slots = Arc::new(Semaphore::new(ENGINES_AT_ONCE));
    let mut visits = JoinSet::new();
    for (index, engine) in ENGINES.iter().enumerate() {
        let mut runs = matrix::runs(engine);
        runs.retain(|run| words.iter().all(|word| run.fact().contains(word.as_str())));
        // Named engines run whether they are everyday's or not.
        if runs.is_empty() || !(engine.is_everyday || is_all || !words.is_empty()) {
            continue;
        }
        let installed = engine::install(engine.program).await;
        let slots = slots.clone();
        visits.spawn(async move {
            let _slot = slots.acquire().await.expect("nobody closes it");
            (index, visit_all(runs, installed).await)
        });
    }
    let mut outcomes = visits.join_all().await;
    outcomes.sort_by_key(|(index, _)| *index);
    let outcomes: Vec<_> = outcomes
        .into_iter()
        .flat_map(|(_, outcomes)| outcomes)
        .collect();
    results::write_json(&outcomes).expect("target can be written to");
    if is_all && words.is_empty() {
        results::write_page(&outcomes).expect("docs/browsers.md has a place for the table");
    }
    match results::print_summary(&outcomes, is_all, begun.elapsed().as_secs_f64()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The runs of one engine, one after the other: some engines cannot run twice at once.
async fn visit_all(runs: Vec<Run>, installed: Result<(), String>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for run in runs {
        let begun = Instant::now();
        let (verdict, record) = match &installed {
            Ok(()) => visit(&run).await,
            Err(missing) => (Verdict::NotRun(missing.clone()), Record::default()),
        };
        let outcome = Outcome {
            run,
            verdict,
            record,
            seconds: begun.elapsed().as_secs_f64(),
        };
        outcome.print();
        outcomes.push(outcome);
    }
    outcomes
}

async fn visit(run: &Run) -> (Verdict, Record) {
    let stage = Stage::start(run).await;
    let mut engine = match Engine::start(run.engine.program, &stage.url, LIMIT) {
        Ok(engine) => engine,
        Err(error) => return (Verdict::NotRun(error.to_string()), Record::default()),
    };
    tokio::select! {
        _ = stage.journal.wait(LIMIT, |record| record.end.is_some()) => {}
        _ = engine.ended() => {}
    }
    // The app may see the last close a moment after the page.
    let sessions = closes(run).len();
    let is_over = |record: &Record| {
        record.end.is_none() || (record.closed.len() >= sessions && record.abandoned == 0)
    };
    let record = stage.journal.wait(AFTERMATH, is_over).await;
    let printed = engine.end().await;
    if !record.is_loaded {
        return (
            Verdict::NotRun(format!("it did not open the page: {printed}")),
            record,
        );
    }
    let mut verdict = judge(run, &record);
    if let (Verdict::Failed(problems), false) = (&mut verdict, printed.is_empty()) {
        problems.push(format!("the engine printed: {printed}"));
    }
    (verdict, record)
}

/// They wait more than they work; but the machine must not be so busy that engines miss deadlines.
const ENGINES_AT_ONCE: usize = 3;
/// Longest run. The page's steps have shorter limits of their own.
const LIMIT: Duration = Duration::from_secs(180);
const AFTERMATH: Duration = Duration::from_secs(3);
