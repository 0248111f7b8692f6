//! The comparison without a browser: one Rust client per lane, for some seconds, and then the table.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire_compare::{Comparison, Kind, Reading, Tally, View, follow};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::arguments::Arguments;
use crate::table::Row;
use crate::{svg, table};

/// Runs it and prints.
pub async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let comparison = Comparison::start(View::News, arguments.settings, &[]).await?;
    let mut clients = JoinSet::new();
    let tallies: Vec<Arc<Mutex<Tally>>> = Kind::SESSIONS.iter().map(|_| Arc::default()).collect();
    for (lane, tally) in comparison.lanes().iter().zip(&tallies) {
        let tally = tally.clone();
        let got = move |event| lock(&tally, |tally| tally.take(event));
        clients.spawn(follow(lane.kind, lane.address, comparison.settings(), got));
    }
    // Connecting is not what is compared.
    progress("connecting", WARM_UP).await;
    for tally in &tallies {
        lock(tally, Tally::restart);
    }
    let before: Vec<Reading> = comparison
        .lanes()
        .iter()
        .map(|lane| lane.reading())
        .collect();
    let began = Instant::now();
    progress("measuring", arguments.duration).await;
    let elapsed = began.elapsed();
    let rows: Vec<Row> = comparison
        .lanes()
        .iter()
        .zip(&tallies)
        .zip(before)
        .map(|((lane, tally), before)| {
            let tally = lock(tally, |tally| tally.clone());
            let waiting = tally.waiting(comparison.published());
            Row::new(
                lane.kind,
                &tally,
                waiting,
                (before, lane.reading()),
                elapsed,
            )
        })
        .collect();
    print!("{}", table::print(&rows, &arguments.settings));
    if let Some(path) = arguments.csv {
        std::fs::write(path, table::csv(&rows))?;
    }
    if let Some(path) = arguments.svg {
        std::fs::write(path, svg::draw(&rows, &arguments.settings))?;
    }
    Ok(())
}

/// Lets the time pass, and shows on a terminal how much has.
async fn progress(what: &str, duration: Duration) {
    let mut screen = std::io::stderr();
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(100));
    while began.elapsed() < duration {
        ticks.tick().await;
        if screen.is_terminal() {
            let share = (began.elapsed().as_secs_f64() / duration.as_secs_f64()).min(1.0);
            let done = (share * BAR_WIDTH as f64) as usize;
            let (full, empty) = ("█".repeat(done), "░".repeat(BAR_WIDTH - done));
            let _ = write!(screen, "\r{what:<10} {full}{empty} {:3.0} %", share * 100.0);
        }
    }
    if screen.is_terminal() {
        // Whoever reads the screen next finds an empty line.
        let _ = write!(screen, "\r\x1b[K");
    }
}

fn lock<T>(tally: &Mutex<Tally>, act: impl FnOnce(&mut Tally) -> T) -> T {
    act(&mut tally.lock().unwrap_or_else(PoisonError::into_inner))
}

const WARM_UP: Duration = Duration::from_secs(3);
const BAR_WIDTH: usize = 40;
