//! The chat example, built and run as people run it, with two people in it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anywire_tests::chromium::{Browser, Page, PageOptions};

const DEADLINE: Duration = Duration::from_secs(20);

/// The running example; stopped when dropped, by its own pid.
struct Chat {
    child: Child,
    url: String,
}

impl Chat {
    fn start() -> Self {
        Self::start_at("0")
    }

    fn start_at(port: &str) -> Self {
        let test = std::env::current_exe().unwrap();
        let binary: PathBuf = test
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("examples/chat");
        let mut child = Command::new(&binary)
            .env("PORT", port)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; run `cargo build --examples`",
                    binary.display()
                )
            });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("open ")
            .expect("it prints its address")
            .to_owned();
        Self { child, url }
    }

    async fn visit(&self, browser: &Browser, window: (u32, u32), dark: bool, name: &str) -> Page {
        let options = PageOptions {
            url: self.url.clone(),
            window,
            dark,
            ..PageOptions::default()
        };
        let page = browser.page_with(options).await.unwrap();
        wait(
            &page,
            "document.querySelector('#badge').dataset.transport === 'websocket'",
        )
        .await;
        wait(
            &page,
            "document.querySelectorAll('#messages li[data-seq]').length > 0",
        )
        .await;
        let rename = format!(
            "var field = document.querySelector('#name'); field.focus(); field.value = '{name}';
             field.dispatchEvent(new Event('input', {{ bubbles: true }}));
             field.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', keyCode: 13, bubbles: true }}));
             field.dispatchEvent(new Event('change', {{ bubbles: true }})); field.blur(); 0"
        );
        page.evaluate::<serde_json::Value>(&rename).await.unwrap();
        wait(
            &page,
            &format!("document.querySelector('#people').textContent.indexOf('{name}') >= 0"),
        )
        .await;
        page
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
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
        "document.querySelector('#text').value = {text:?};
         document.querySelector('#text').dispatchEvent(new Event('input', {{ bubbles: true }}));
         document.querySelector('#send').click(); 0"
    );
    page.evaluate::<serde_json::Value>(&script).await.unwrap();
}

async fn sees(page: &Page, text: &str) {
    wait(
        page,
        &format!("document.querySelector('#messages').textContent.indexOf({text:?}) >= 0"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_chat_while_websocket_is_taken_away_from_one() {
    let chat = Chat::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let ada = chat.visit(&browser, (1200, 800), false, "Ada").await;
    let bob = chat.visit(&browser, (390, 844), true, "Bob").await;
    say(&ada, "Hello, is anybody here?").await;
    sees(&bob, "Hello, is anybody here?").await;
    say(&bob, "I am. On my phone, behind a terrible proxy.").await;
    sees(&ada, "behind a terrible proxy").await;
    shoot(&ada, "chat-websocket").await;

    ada.evaluate::<serde_json::Value>("document.querySelector('#block').click(); 0")
        .await
        .unwrap();
    wait(
        &ada,
        "document.querySelector('#badge').dataset.transport === 'stream'",
    )
    .await;
    say(&ada, "Now I am polling, and you did not notice.").await;
    sees(&bob, "you did not notice").await;
    say(&bob, "Not a single message missing.").await;
    sees(&ada, "Not a single message missing.").await;
    shoot(&ada, "chat-poll").await;
    shoot(&bob, "chat-phone-dark").await;

    ada.evaluate::<serde_json::Value>("document.querySelector('#block').click(); 0")
        .await
        .unwrap();
    wait(
        &ada,
        "document.querySelector('#badge').dataset.transport === 'websocket'",
    )
    .await;
    for page in [&ada, &bob] {
        for id in ["#lost", "#repeated"] {
            let script =
                format!("document.querySelector('{id}').textContent.replace(/[^0-9]/g, '')");
            assert_eq!(page.evaluate::<String>(&script).await.unwrap(), "0", "{id}");
        }
    }
    bob.close().await.unwrap();
    sees(&ada, "Bob left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_started_again_is_joined_again() {
    let chat = Chat::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let ada = chat.visit(&browser, (1200, 800), false, "Ada").await;
    let bob = chat.visit(&browser, (390, 844), false, "Bob").await;
    say(&ada, "Before the end.").await;
    sees(&bob, "Before the end.").await;
    let port = chat.url.trim_end_matches('/').rsplit(':').next().unwrap();
    let port = port.to_owned();
    drop(chat);
    for page in [&ada, &bob] {
        let lost = "document.querySelector('#badge').dataset.transport === 'reconnecting'";
        wait(page, lost).await;
    }
    say(&ada, "Said between the two.").await;
    let _chat = Chat::start_at(&port);
    sees(&ada, "Joined again").await;
    sees(&bob, "Joined again").await;
    say(&bob, "Here again.").await;
    sees(&ada, "Here again.").await;
    sees(&bob, "Said between the two.").await;
    let count = "document.querySelector('#people').children.length === 2";
    wait(&ada, count).await;
    wait(&bob, count).await;
}

/// Takes a picture for people to look at.
async fn shoot(page: &Page, name: &str) {
    let folder = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .join("../../screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    // Let the badge's pulse and the scroll come to rest.
    page.evaluate::<serde_json::Value>("new Promise(function (done) { setTimeout(done, 700); })")
        .await
        .unwrap();
    page.screenshot(folder.join(format!("{name}.png")))
        .await
        .unwrap();
}
