//! The browser client behind every mode of the stage, judged by the oracle. `make stage` does more workloads.

use std::sync::Arc;
use std::time::Duration;

use anywire_tests::chromium::Browser;
use anywire_tests::oracle::{browser_client, tour};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_between_exactly_the_accepted_messages_arrive() {
    let browser = Arc::new(Browser::launch().await.expect("Chromium starts"));
    let run = move |scene, workload, budget| {
        let browser = browser.clone();
        async move {
            let run = browser_client::run(&scene, &browser, workload, budget, WITHIN).await;
            run.expect("the browser itself goes on")
        }
    };
    let troubles = tour(AT_ONCE, run).await;
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// How many modes are tried at once.
const AT_ONCE: usize = 3;

const WITHIN: Duration = Duration::from_secs(60);
