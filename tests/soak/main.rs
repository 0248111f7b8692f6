//! `anywire-soak`: both clients for minutes on a network that changes its mood every few seconds, and are suspended; at
//! the end both sides must have exactly what the other accepted, and memory must be flat. Run by `make soak`.
//!
//! The Rust client runs in a process of its own, `client.rs`, so that it can be stopped by a signal; the browser client
//! in a page, `page.rs`. What goes wrong when is `nemesis.rs`.

mod client;
mod flow;
mod memory;
mod nemesis;
mod page;

use std::process::ExitCode;
use std::time::Duration;

use anywire_tests::chromium::Browser;

use crate::flow::Flow;
use crate::memory::Memory;
use crate::nemesis::Nemesis;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["client", url] => return client::run(url).await,
        [] => soak(Duration::from_secs(600), fastrand::u64(..)).await,
        [minutes] | [minutes, _] if minutes.parse::<u64>().is_ok() => {
            let minutes = minutes.parse().unwrap_or(10);
            let seed = words.get(1).and_then(|seed| seed.parse().ok());
            let seed = seed.unwrap_or_else(|| fastrand::u64(..));
            soak(Duration::from_secs(60 * minutes), seed).await
        }
        _ => Err("write: anywire-soak [MINUTES [SEED]]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("anywire-soak: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(duration: Duration, seed: u64) -> Result<(), String> {
    println!("seed {seed}, {} minutes", duration.as_secs() / 60);
    let browser = Browser::launch().await.map_err(|error| error.to_string())?;
    let (rust, paged) = (Flow::start().await, Flow::start().await);
    let child = client::Child::start(&rust)?;
    let page = page::Page::start(&paged, &browser)
        .await
        .map_err(|error| error.to_string())?;
    let mut memory = Memory::of(child.id());
    let troubles = async {
        tokio::join!(
            Nemesis::new(seed, "rust").run(&rust, &child, duration),
            Nemesis::new(!seed, "browser").run(&paged, &page, duration),
        )
    };
    let watching = memory.watch(duration);
    tokio::join!(troubles, watching);

    println!("the network is well again; both sides stop sending");
    for flow in [&rust, &paged] {
        flow.calm();
    }
    let (of_rust, of_page) = tokio::join!(rust.compare(&child), paged.compare(&page));
    println!("rust: {}\nbrowser: {}", say(&of_rust), say(&of_page));
    let flat = memory.is_flat();
    println!("memory: {}", say(&flat));
    let failed = [&of_rust, &of_page, &flat]
        .iter()
        .filter(|outcome| outcome.is_err())
        .count();
    println!("{} passed, {failed} failed", 3 - failed);
    if failed > 0 {
        return Err(format!("repeat with seed {seed}"));
    }
    Ok(())
}

fn say(outcome: &Result<String, String>) -> &str {
    match outcome {
        Ok(text) | Err(text) => text,
    }
}
