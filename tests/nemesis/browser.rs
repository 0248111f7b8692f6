//! Pages in Chromium that visit for as long as the trial lasts. What they write down is fetched from them, and kept in a file.

use std::time::Duration;

use anywire_tests::chromium::{Browser, BrowserError, Page, PageOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::balancer::Homes;
use crate::record::Record;

#[derive(Deserialize)]
struct Taken {
    lines: Vec<String>,
    living: usize,
}

/// A page behind a balancer, with so many clients.
pub async fn visit(
    browser: &Browser,
    origin: String,
    names: Vec<String>,
    record: Record,
    homes: Homes,
    stop: watch::Receiver<bool>,
) -> Result<(), BrowserError> {
    let url = format!("{origin}/page");
    let page = browser
        .page_with(PageOptions {
            url,
            ..PageOptions::default()
        })
        .await?;
    page.evaluate::<Value>(include_str!("page.js")).await?;
    for name in &names {
        let begin = format!("trial.start({}, {})", json!("/anywire"), json!(name));
        page.evaluate::<Value>(&begin).await?;
    }
    let mut is_told = false;
    loop {
        sleep(Duration::from_millis(200)).await;
        let is_over = *stop.borrow();
        if is_over && !is_told {
            page.evaluate::<Value>("trial.stop()").await?;
            is_told = true;
        }
        let living = take(&page, &record, &homes).await?;
        if is_told && living == 0 {
            return page.close().await;
        }
    }
}

async fn take(page: &Page, record: &Record, homes: &Homes) -> Result<usize, BrowserError> {
    let taken = page.evaluate::<Taken>("trial.take()").await?;
    for line in &taken.lines {
        record.write_line(line);
        // `<time> got <name>.<life> home <place>.<start>`
        let words: Vec<_> = line.split(' ').collect();
        let name = |life: &str| life.rsplit_once('.').map(|(name, _)| name.to_owned());
        match words[1..] {
            ["got", life, "home", node] => {
                let place = node.split('.').next().and_then(|place| place.parse().ok());
                homes.set(&name(life).unwrap_or_default(), place);
            }
            ["opens", life] => homes.set(&name(life).unwrap_or_default(), None),
            _ => {}
        }
    }
    Ok(taken.living)
}
