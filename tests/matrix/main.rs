//! `anywire-matrix`: every mode of the lab × both clients × every workload, each judged by the oracle, as a table.
//!
//! It ends with an error if a row is not as it should be. Run by `make matrix`.

mod arguments;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anywire_tests::chromium::{Browser, BrowserError};
use anywire_tests::oracle::{Mode, Scene, Verdict, Workload, browser_client, rust_client};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::table::{Row, Table};

/// Whose client takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `anywire-client`.
    Rust,
    /// The one in `anywire-browser`.
    Browser,
}

#[tokio::main]
async fn main() -> ExitCode {
    let told = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(told)) => told,
        Ok(None) => {
            print!("{}", arguments::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error),
    };
    let browser = if told.sides.contains(&Side::Browser) {
        match Browser::launch().await {
            Ok(browser) => Some(Arc::new(browser)),
            Err(error) => return fail(&error.to_string()),
        }
    } else {
        None
    };
    match run_all(&told, browser).await {
        Ok(table) => {
            println!("\n{table}");
            ExitCode::from(u8::from(table.has_trouble()))
        }
        Err(error) => fail(&error),
    }
}

/// Runs all that was asked for, a few at once, and tells of each when it is done.
async fn run_all(told: &Arguments, browser: Option<Arc<Browser>>) -> Result<Table, String> {
    let room = Arc::new(Semaphore::new(told.at_once as usize));
    let mut runs = JoinSet::new();
    for mode in Mode::all().filter(|mode| told.wants(&mode.to_string())) {
        for side in told.sides.iter().copied() {
            for workload in mode.workloads().iter().copied() {
                let (room, browser) = (room.clone(), browser.clone());
                let places = if mode.is_alone() { told.at_once } else { 1 };
                runs.spawn(async move {
                    let place = room.acquire_many(places).await;
                    let _place = place.expect("the semaphore stays open");
                    let verdict = run(mode, side, workload, browser.as_deref()).await?;
                    Ok::<_, String>(Row {
                        mode,
                        side,
                        workload,
                        verdict,
                    })
                });
            }
        }
    }
    let mut table = Table::new(runs.len());
    while let Some(row) = runs.join_next().await {
        let row = row.map_err(|error| error.to_string())??;
        table.push(row);
        println!("{}", table.last_words());
    }
    Ok(table)
}

async fn run(
    mode: Mode,
    side: Side,
    workload: Workload,
    browser: Option<&Browser>,
) -> Result<Verdict, String> {
    let scene = Scene::start(mode.between, workload)
        .await
        .map_err(|error| error.to_string())?;
    let budget = mode.connect_timeout();
    match (side, browser) {
        (Side::Browser, Some(browser)) => {
            browser_client::run(&scene, browser, workload, budget, WITHIN)
                .await
                .map_err(|error: BrowserError| format!("{mode}, {workload}: {error}"))
        }
        (Side::Rust, _) | (Side::Browser, None) => {
            Ok(rust_client::run(&scene, workload, budget, WITHIN).await)
        }
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("anywire-matrix: {why}");
    ExitCode::FAILURE
}

/// How long a run may take.
const WITHIN: Duration = Duration::from_secs(240);
