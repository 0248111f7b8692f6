//! The example of three servers as one, run as people run it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anywire_tests::chromium::{Browser, Page, PageOptions};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(30);

/// The running example; stopped when dropped, by its own pid.
struct Cluster {
    child: Child,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        let test = std::env::current_exe().unwrap();
        let target = test.parent().unwrap().parent().unwrap();
        let mut child = Command::new(target.join("examples/cluster"))
            .env("PORT", "0")
            .env_remove("REDIS_URL")
            .env_remove("ANYWIRE_REDIS_URL")
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo build --examples` has built it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let store = lines.next().unwrap().unwrap();
        assert_eq!(store, "three nodes share a Redis of their own");
        let line = lines.next().unwrap().unwrap();
        let url = line.trim().strip_prefix("open ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // As by the keyboard, so that it ends its nodes and its Redis.
        let interrupt = ["-INT", &self.child.id().to_string()].map(str::to_owned);
        let _ = Command::new("kill").args(interrupt).status();
        let _ = self.child.wait();
    }
}

async fn wait(page: &Page, condition: &str) {
    if let Err(error) = page.wait_for(condition, DEADLINE).await {
        panic!("{condition}: {error}\n{:?}", page.console());
    }
}

async fn say(page: &Page, text: &str) {
    let script = format!(
        "document.getElementById('text').value = {text:?};
         document.getElementById('form').onsubmit(new Event('submit', {{ cancelable: true }})); 0"
    );
    page.evaluate::<Value>(&script).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_everybody_and_a_killed_node_is_told() {
    let cluster = Cluster::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let open = async || {
        let url = cluster.url.clone();
        let page = browser.page_with(PageOptions {
            url,
            ..PageOptions::default()
        });
        let page = page.await.unwrap();
        wait(&page, "home && socket.readyState === 1").await;
        page
    };
    let (one, other) = (open().await, open().await);
    wait(&one, "document.querySelectorAll('.node.home').length === 1").await;
    let heard =
        |text: &str| format!("document.getElementById('log').textContent.indexOf('{text}') > 0");
    say(&one, "hello, all").await;
    wait(&one, &heard("hello, all")).await;
    wait(&other, &heard("hello, all")).await;
    // Its home is killed: it is told at once, and opens another.
    let kill = "window.before = home; document.querySelector('.node.home button').click(); 0";
    one.evaluate::<Value>(kill).await.unwrap();
    let killed = Instant::now();
    wait(&one, &heard("The session ended (4930)")).await;
    println!("told {:?} after the kill", killed.elapsed());
    wait(&one, "home && home !== before && socket.readyState === 1").await;
    wait(&other, "home && socket.readyState === 1").await;
    say(&other, "still here").await;
    wait(&one, &heard("still here")).await;
    // The killed node is started again, as another one.
    wait(
        &one,
        "document.querySelectorAll('.node:not(.gone)').length === 3",
    )
    .await;
}
