//! The scripts of docs/recipes.md, docs/identity.md and docs/reopen.md, as a page runs them.

use std::time::Duration;

use anywire::{CloseCode, Config, Principal, Server, Socket};
use anywire_tests::chromium::{Browser, Page};
use anywire_tests::documents::{IDENTITY, RECIPES, REOPEN, block};
use anywire_tests::middlebox::Product;
use anywire_tests::node::Node;
use anywire_tests::recipes::with_identity;
use anywire_tests::site::{Keeps, Site};
use serde_json::{Value, json};

/// What a script of a page says is done with these options too. Its server gives this token, or says no.
const PAGE: &str =
    "<!doctype html><meta charset=utf-8><title>Live</title><script src=/live/client.js></script>
    <script>
    var options = {}, told = [], answers = [], Plain = Anywire, plainFetch = fetch;
    Anywire = function (url, protocols, given) {
        return new Plain(url, protocols || [], Object.assign({}, given, options));
    };
    function signIn(why) { told.push(why); }
    function show(text) { told.push(text); }
    fetch = function (url, request) {
        if (url !== '/token') return plainFetch(url, request);
        var answer = answers.length > 1 ? answers.shift() : answers[0];
        return Promise.resolve(new Response(answer[1], { status: answer[0] }));
    };
    </script>";

const DEADLINE: Duration = Duration::from_secs(30);
const TRANSPORTS: [&str; 5] = ["websocket", "stream", "events", "poll", "jsonp"];

/// Greets, and sends back what comes.
async fn app(mut socket: Socket) {
    let name = socket.principal().map_or("nobody", Principal::name);
    let greeting = format!("hello {name}");
    let _ = socket.send(greeting).await;
    while let Some(message) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

async fn serve(config: Config) -> Node {
    Node::start(PAGE, || {
        let config = with_identity(config.mount("live").allow_jsonp());
        let server = Server::builder(config).expect("the config is sound");
        server.on_socket(app)
    })
    .await
}

/// Runs a script in which messages, and the end, are told.
async fn run(page: &Page, script: &str) {
    let script = format!(
        "{script}
        socket.onmessage = (event) => told.push(event.data);
        socket.addEventListener('close', (event) => told.push(event.code)); 0"
    );
    page.evaluate::<Value>(&script)
        .await
        .unwrap_or_else(|error| panic!("{script}: {error}"));
}

/// Waits until so much was told, and takes it.
async fn told(page: &Page, count: usize) -> Value {
    let condition = format!("told.length >= {count}");
    if let Err(error) = page.wait_for(&condition, DEADLINE).await {
        let state = "JSON.stringify([told, socket.trace])";
        let state = page.evaluate::<String>(state).await;
        panic!("{error}\n{state:?}\n{:?}", page.console());
    }
    page.evaluate("told.splice(0)").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_says_who_it_is_by_a_token() {
    let elsewhere = serve(Config::new()).await;
    let origin = format!("http://{}", elsewhere.addr);
    let node = serve(Config::new().allow_origin(&origin)).await;
    let script = block(IDENTITY, "A token from a page", "js");
    let script = script.replace("https://live.example", &format!("http://{}", node.addr));
    assert!(script.contains("http://"), "{script}");
    let browser = Browser::launch().await.unwrap();
    let page = browser.page(format!("{origin}/live/page")).await.unwrap();
    for transports in TRANSPORTS.map(Some).into_iter().chain([None]) {
        let options = match transports {
            Some(name) => json!({ "transports": [name], "connectTimeoutMs": 5_000 }),
            None => json!({}),
        };
        let told = async |answers: Value| {
            let begin = format!("options = {options}; answers = {answers}; {script}");
            run(&page, &begin).await;
            told(&page, 1).await
        };
        // A service that is away is asked again.
        let named = told(json!([[503, ""], [200, "secret-of-ada"]])).await;
        assert_eq!(named, json!(["hello ada"]), "{transports:?}");
        let guessed = told(json!([[200, "guess"]])).await;
        assert_eq!(guessed, json!(["sign in first", 4966]), "{transports:?}");
        let nobody = told(json!([[401, ""]])).await;
        assert_eq!(nobody[1], 4966, "{transports:?}: {nobody}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_is_noticed_at_the_next_request() {
    let node = serve(Config::new()).await;
    let browser = Browser::launch().await.unwrap();
    let url = format!("http://{}/live/page", node.addr);
    let page = browser.page(url).await.unwrap();
    let script = block(IDENTITY, "A login by cookie", "js");
    for transport in TRANSPORTS.into_iter().take(4) {
        let begin = format!(
            "document.cookie = 'login=secret-of-ada';
            options = {{ transports: ['{transport}'] }}; {script}"
        );
        run(&page, &begin).await;
        assert_eq!(told(&page, 1).await, json!(["hello ada"]), "{transport}");
        let leave = "document.cookie = 'login=; max-age=0'; socket.send('still here'); 0";
        page.evaluate::<Value>(leave).await.unwrap();
        let expected = match transport {
            // It was asked when it connected.
            "websocket" => json!(["still here"]),
            _ => json!(["sign in first", 4966]),
        };
        assert_eq!(told(&page, 1).await, expected, "{transport}");
    }
    // The browser hides the answer to a WebSocket's request.
    let alone = "options = { transports: ['websocket'], connectTimeoutMs: 2000 };";
    run(&page, &format!("{alone} {script}")).await;
    assert_eq!(told(&page, 1).await, json!([1006]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_follows_one_whose_server_was_killed() {
    let serve = async |addr| {
        let build = || {
            Server::builder(Config::new().mount("live"))
                .unwrap()
                .on_socket(echo)
        };
        match addr {
            None => Node::start(PAGE, build).await,
            Some(addr) => Node::start_at(addr, PAGE, build).await,
        }
    };
    let browser = Browser::launch().await.unwrap();
    let script = block(REOPEN, "In the browser", "js");
    for transports in [
        json!(["websocket"]),
        json!(["poll"]),
        json!(["websocket", "poll"]),
    ] {
        let node = serve(None).await;
        let url = format!("http://{}/live/page", node.addr);
        let page = browser.page(url).await.unwrap();
        let begin = format!(
            "options = {{ transports: {transports} }}; {script}
            var reopened = [];
            socket.addEventListener('reopen', (event) => reopened.push(event.code));
            socket.addEventListener('close', (event) => told.push(event.code)); 0"
        );
        page.evaluate::<Value>(&begin).await.unwrap();
        assert_eq!(told(&page, 1).await, json!(["follow news"]));
        // Or the page would be given the first message too.
        let acknowledged = page.wait_for("socket.bufferedAmount === 0", DEADLINE);
        acknowledged.await.expect("the server has it");
        let addr = node.kill().await;
        page.evaluate::<Value>("socket.send('meanwhile'); 0")
            .await
            .unwrap();
        let _node = serve(Some(addr)).await;
        assert_eq!(told(&page, 2).await, json!(["follow news", "meanwhile"]));
        let reopened = page.evaluate::<Value>("reopened").await.unwrap();
        assert_eq!(reopened, json!([4930]), "{transports}");
    }
}

/// Sends back what comes.
async fn echo(mut socket: Socket) {
    while let Some(message) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_at_their_process_over_each_transport() {
    let script = block(RECIPES, "Several processes behind one address", "js");
    for product in [Product::Nginx, Product::Haproxy] {
        let site = Site::start(product, Keeps::Yes, PAGE).await;
        let browser = Browser::launch().await.unwrap();
        let url = format!("http://{}/live/page", site.addr());
        let page = browser.page(url).await.unwrap();
        for transport in TRANSPORTS {
            // One after the other: a browser has six connections for all.
            let run = format!(
                "options = {{ transports: ['{transport}'] }};
                new Promise((resolve, reject) => {{
                    let left = 8;
                    const next = () => {{
                        if (!left--) return resolve(0);
                        {script}
                        socket.onopen = () => socket.send('hello');
                        socket.onmessage = () => socket.close(3000);
                        socket.onclose = ({{ code, reason }}) => {{
                            if (code === 3000) next();
                            else reject(Error(code + ' ' + reason));
                        }};
                    }};
                    next();
                }})"
            );
            let ran = page.evaluate::<Value>(&run).await;
            ran.unwrap_or_else(|error| panic!("{product:?} {transport}: {error}"));
        }
        let mut opened = Vec::new();
        for node in &site.nodes {
            let metrics = node.server.metrics();
            // A close that went to the other process would have ended nothing.
            let closes: Vec<_> = metrics.closes.into_iter().collect();
            let closed = CloseCode::application(3000).expect("an app's");
            assert_eq!(closes, [(closed, metrics.opened)], "{product:?}");
            opened.push(metrics.opened);
        }
        println!("{product:?}: {opened:?} sessions");
        assert!(opened.iter().all(|count| *count > 0), "{opened:?}");
        assert_eq!(opened.iter().sum::<u64>(), 8 * TRANSPORTS.len() as u64);
    }
}
