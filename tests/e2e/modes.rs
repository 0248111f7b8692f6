//! The browser client behind every mode of the lab, judged by the oracle. `make lab` does more workloads.

use std::sync::Arc;
use std::time::Duration;

use anywire_tests::chromium::Browser;
use anywire_tests::oracle::{Mode, Scene, Workload, browser_client};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_between_exactly_the_accepted_messages_arrive() {
    let browser = Arc::new(Browser::launch().await.expect("Chromium starts"));
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    for mode in Mode::all() {
        let (room, browser) = (room.clone(), browser.clone());
        runs.spawn(async move {
            let _place = room.acquire().await.unwrap();
            let workload = Workload::Small;
            let scene = Scene::start(mode.between, workload).await.unwrap();
            let budget = mode.connect_timeout();
            let run = browser_client::run(&scene, &browser, workload, budget, WITHIN).await;
            let verdict = run.unwrap_or_else(|error| panic!("{mode}: {error}"));
            let trouble = mode.trouble(workload, &verdict)?;
            Some(format!(
                "{mode}: {trouble}\n    {}",
                verdict.trace.join("\n    ")
            ))
        });
    }
    let troubles: Vec<_> = runs.join_all().await.into_iter().flatten().collect();
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// How many modes are tried at once.
const AT_ONCE: usize = 3;

const WITHIN: Duration = Duration::from_secs(60);
