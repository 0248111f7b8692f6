//! The scripts of docs/comparison.md, as a page runs them: those for who comes from another library, and the one for a
//! session that has ended, whose server ends and comes back.

use std::time::{Duration, Instant};

use anywire::{Config, Server, Socket};
use anywire_tests::chromium::{Browser, Page, PageOptions};
use anywire_tests::documents::{COMPARISON, block};
use anywire_tests::node::Node;
use serde_json::{Value, json};

const PAGE: &str =
    "<!doctype html><meta charset=utf-8><title>Live</title><script src=/live/client.js></script>
    <script>
    var shown = [], sockets = [], ends = [];
    function show(value) { shown.push(value); }
    // The same client, which the test can ask.
    var Plain = Anywire;
    Anywire = function (url, protocols, options) {
        var socket = new Plain(url, protocols || [], options || {});
        socket.addEventListener('reopen', function (event) { ends.push(event.code); });
        sockets.push(socket);
        return socket;
    };
    </script>";

const DEADLINE: Duration = Duration::from_secs(30);

/// Answers in the form that a message has: an event's name before its value, a method beside its arguments, or a text.
async fn app(mut socket: Socket) {
    while let Some(message) = socket.recv().await {
        let text = message.as_text().unwrap_or_default().to_owned();
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let answer = match &said {
            Value::Array(said) if said[0] == "say" => json!(["said", said[1]]).to_string(),
            Value::Object(said) if said["target"] == "Say" => {
                json!({ "target": "Said", "args": said["args"] }).to_string()
            }
            _ => text,
        };
        let _ = socket.send(answer).await;
    }
}

fn serve() -> Server {
    let config = Config::new().mount("live");
    let server = Server::builder(config).expect("the config is sound");
    server.on_socket(app)
}

/// Runs the script below a heading of the page on moving.
async fn run(page: &Page, heading: &str) {
    let script = format!("{}\n0", block(COMPARISON, heading, "js"));
    page.evaluate::<Value>(&script)
        .await
        .unwrap_or_else(|error| panic!("{heading}: {error}"));
}

async fn until(page: &Page, condition: &str) {
    if let Err(error) = page.wait_for(condition, DEADLINE).await {
        let state = "JSON.stringify([shown, ends, sockets.map((socket) => socket.trace)])";
        let state = page.evaluate::<String>(state).await;
        panic!("{condition}: {error}\n{state:?}\n{:?}", page.console());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_another_library_shows_what_the_server_says() {
    let node = Node::start(PAGE, serve).await;
    let browser = Browser::launch().await.unwrap();
    let url = format!("http://{}/live/page", node.addr);
    for library in ["Socket.IO", "SignalR", "SockJS"] {
        let page = browser.page(&url).await.unwrap();
        run(&page, &format!("Coming from {library}")).await;
        until(&page, "shown.length === 1").await;
        let shown: Value = page.evaluate("shown").await.unwrap();
        assert_eq!(shown, json!(["hello"]), "{library}");
        if library == "SockJS" {
            // It shows why it ended, too.
            node.server.drain(Duration::ZERO).await;
            until(&page, "shown.length === 2").await;
            let shown: String = page.evaluate("shown[1]").await.unwrap();
            println!("{library}: {shown}");
            assert!(!shown.is_empty());
        }
    }
    assert_eq!(node.server.metrics().opened, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_server_ends_and_comes_back_opens_another_session() {
    let browser = Browser::launch().await.unwrap();
    for before_load in [None, Some("delete window.WebSocket")] {
        let mut node = Node::start(PAGE, serve).await;
        let options = PageOptions {
            url: format!("http://{}/live/page", node.addr),
            before_load: before_load.map(str::to_owned),
            ..PageOptions::default()
        };
        let page = browser.page_with(options).await.unwrap();
        run(&page, "When a session has ended").await;
        until(&page, "sockets[0].readyState === 1").await;
        for (round, drains) in [(1, false), (2, true)] {
            if drains {
                assert_eq!(node.server.drain(DEADLINE).await, 0, "the client knows");
            }
            node = Node::start_at(node.kill().await, PAGE, serve).await;
            let begun = Instant::now();
            until(&page, &format!("ends.length === {round}")).await;
            let took = begun.elapsed();
            let code: u64 = page.evaluate("ends[ends.length - 1]").await.unwrap();
            println!("{before_load:?}, {code}: open again after {took:?}");
            assert_eq!(code, if drains { 1012 } else { 4930 });
            assert!(took < Duration::from_secs(10), "{took:?}");
            // The page has begun this session as the first one.
            node.server
                .sessions()
                .next()
                .expect("the page is there")
                .try_send(format!("{round}"))
                .expect("it has room");
            // The echo of what the page begins with may come before it or behind it.
            until(&page, &format!("shown.indexOf('{round}') >= 0")).await;
        }
        let state: Value = page
            .evaluate("[sockets.length, ends, sockets[0].readyState]")
            .await
            .unwrap();
        assert_eq!(state, json!([1, [4930, 1012], 1]), "{before_load:?}");
    }
}
