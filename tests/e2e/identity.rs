//! Who is it, and for how long: pages whose grants are renewed or run out, that are put out or not let in, and whose server
//! is started again. With both builds, over each of their transports.

use std::time::{Duration, Instant};

use anywire::{Asks, Config, Credential, Denied, Grant, Server, Socket, SocketEvent, Visitor};
use anywire_tests::chromium::{Browser, Page};
use anywire_tests::node::Node;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A page with the build that its query names. A test opens a session by `begin`, and reads what it has `told`.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Who is it</title>
    <script>document.write('<script src=/live/' + location.search.slice(1) + '><\\/script>');</script>
    <script>
    function begin(options) {
        window.told = [];
        window.socket = new Anywire('/live', [], options);
        socket.onopen = () => told.push('open');
        socket.onmessage = (event) => told.push(event.data);
        socket.onreopen = (event) => told.push(['reopen', event.code, event.unacknowledged]);
        socket.onclose = (event) => told.push([event.code, event.reason]);
    }
    // Says what the tokens are for, and gives them one after the other.
    function giving(tokens) {
        return (why) => {
            told.push(why);
            return Promise.resolve(tokens.shift());
        };
    }
    </script>";

/// Builds, by the script's name, and the transports that each has.
const BUILDS: [(&str, &[&str]); 2] = [
    (
        "client.js",
        &["websocket", "stream", "events", "poll", "jsonp"],
    ),
    ("client-modern.js", &["websocket", "poll"]),
];

/// How long a short grant holds. The client is asked for another halfway.
const TERM: Duration = Duration::from_millis(2_000);
/// How long one may go on after that: a second, and the way.
const ENDED_WITHIN: Duration = Duration::from_millis(2_500);
/// How soon a page is told that it is not let in.
const DENIED_WITHIN: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(30);

/// A token is `secret-of-NAME for MS`, which is how long it holds. A login, in a cookie, holds for the short term where a
/// session opens, and for good when it is asked about again.
async fn authorize(visitor: Visitor) -> Result<Grant, Denied> {
    let said = visitor.credential.as_ref().map(Credential::as_str);
    match said.map(|said| said.split_once(" for ")) {
        Some(Some((who, ms))) => {
            let name = who.trim_start_matches("secret-of-");
            let ms = ms.parse().expect("a number");
            Ok(Grant::to(name).lasting(Duration::from_millis(ms)))
        }
        Some(None) if said == Some("banned") => Err(Denied::forbidden("not you")),
        Some(None) => Err(Denied::unauthenticated("sign in again")),
        None => match (visitor.cookie("login"), visitor.asks) {
            (Some(name), Asks::Open) => Ok(Grant::to(name).lasting(TERM)),
            (Some(name), _) => Ok(Grant::to(name)),
            (None, _) => Err(Denied::unauthenticated("sign in first")),
        },
    }
}

/// Greets, says when the grant was renewed, puts out who says `out`, and sends back all else.
async fn app(mut socket: Socket) {
    let name = socket
        .principal()
        .map_or("nobody", |who| who.name())
        .to_owned();
    let _ = socket.send(format!("hello {name}")).await;
    while let Some(event) = socket.next().await {
        match event {
            SocketEvent::Grant(_) => {
                let _ = socket.send("renewed").await;
            }
            SocketEvent::Message(message) if message.as_text() == Some("out") => {
                socket.revoke("out with you");
            }
            SocketEvent::Message(message) => {
                let _ = socket.send(message).await;
            }
            _ => {}
        }
    }
}

fn server() -> Server {
    let config = Config::new()
        .mount("live")
        .allow_jsonp()
        .authorize(authorize);
    Server::builder(config)
        .expect("the config is sound")
        .on_socket(app)
}

/// Runs `visit` in a new page for each transport of each build, on one server.
async fn everywhere(visit: impl AsyncFn(&Node, &Page, &str)) {
    let browser = Browser::launch().await.expect("Chromium starts");
    for (build, transports) in BUILDS {
        for transport in transports {
            println!("{build}, {transport}");
            let node = Node::start(PAGE, server).await;
            let page = open_page(&browser, &node, build).await;
            visit(&node, &page, transport).await;
            page.close().await.unwrap();
        }
    }
}

async fn open_page(browser: &Browser, node: &Node, build: &str) -> Page {
    let url = format!("http://{}/live/page?{build}", node.addr);
    browser.page(url).await.expect("the page loads")
}

async fn run(page: &Page, script: &str) {
    let run = page.evaluate::<Value>(&format!("{script}; 0")).await;
    run.unwrap_or_else(|error| panic!("{script}: {error}"));
}

/// Waits until a condition holds.
async fn until(page: &Page, condition: &str) {
    if let Err(error) = page.wait_for(condition, DEADLINE).await {
        let state = "JSON.stringify([told, socket.transport, socket.trace])";
        let state = page.evaluate::<String>(state).await;
        panic!("{error}\n{state:?}\n{:?}", page.console());
    }
}

/// Waits until so much was told, and takes it.
async fn told(page: &Page, count: usize) -> Value {
    until(page, &format!("told.length >= {count}")).await;
    page.evaluate("told.splice(0)").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_by_a_fresh_token_and_no_address_has_one() {
    everywhere(async |node, page, transport| {
        let tokens = [
            format!("secret-of-ada for {}", TERM.as_millis()),
            "secret-of-ada for 60000".to_owned(),
        ];
        let begun = Instant::now();
        let options = format!(
            "begin({{ transports: ['{transport}'], authorize: giving({}) }})",
            json!(tokens)
        );
        run(page, &options).await;
        let expected = json!(["open", "open", "hello ada", "expiring", "renewed"]);
        assert_eq!(told(page, 5).await, expected, "{transport}");
        tokio::time::sleep((TERM + ENDED_WITHIN).saturating_sub(begun.elapsed())).await;
        run(page, "socket.send('still here')").await;
        assert_eq!(told(page, 1).await, json!(["still here"]), "{transport}");
        let trace: String = page.evaluate("JSON.stringify(socket.trace)").await.unwrap();
        let addresses = node.addresses();
        let endpoint = match transport {
            // Each begins with an exchange.
            "stream" | "events" | "poll" => "/live/poll?",
            "jsonp" => "/live/form?",
            _ => "/live/websocket?",
        };
        let has_endpoint = addresses
            .iter()
            .any(|address| address.starts_with(endpoint));
        assert!(has_endpoint, "{transport}: {addresses:?}");
        let has_query = |address: &String| address.starts_with("/live/page?client");
        assert!(addresses.iter().any(has_query), "{addresses:?}");
        for address in addresses.iter().chain([&trace]) {
            assert!(!address.contains("secret"), "{transport}: {address}");
            for token in &tokens {
                let encoded = URL_SAFE_NO_PAD.encode(token);
                assert!(!address.contains(&encoded[..12]), "{transport}: {address}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_page_has_no_fresh_token_ends_with_its_grant() {
    everywhere(async |_, page, transport| {
        let begun = Instant::now();
        // It is asked, and does not answer.
        let options = format!(
            "begin({{
                transports: ['{transport}'],
                authorize: (why) => why === 'open' ? 'secret-of-ada for {}' : void told.push(why),
            }})",
            TERM.as_millis()
        );
        run(page, &options).await;
        assert_eq!(
            told(page, 3).await,
            json!(["open", "hello ada", "expiring"]),
            "{transport}"
        );
        let end = told(page, 1).await;
        let took = begun.elapsed();
        assert_eq!(end[0][0], 4935, "{transport}: {end}");
        assert!(
            took >= TERM && took < TERM + ENDED_WITHIN,
            "{transport}: {took:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_grant_has_run_out_goes_on_in_a_new_session_by_a_fresh_token() {
    everywhere(async |_, page, transport| {
        let options = format!(
            "begin({{
                transports: ['{transport}'],
                authorize: (why) => {{
                    told.push(why);
                    return {{ open: 'secret-of-ada for {}', expired: 'secret-of-eve for 60000' }}[why];
                }},
                reopen: Anywire.reopen({{ maxMs: 200 }}),
            }})",
            TERM.as_millis()
        );
        run(page, &options).await;
        let expected = json!([
            "open", "open", "hello ada", "expiring",
            "expired", ["reopen", 4935, []], "hello eve"
        ]);
        assert_eq!(told(page, 7).await, expected, "{transport}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_shown_again_beside_the_websocket_that_it_opened() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for (build, _) in BUILDS {
        for is_signed_in in [true, false] {
            let node = Node::start(PAGE, server).await;
            let page = open_page(&browser, &node, build).await;
            let begun = Instant::now();
            run(
                &page,
                "document.cookie = 'login=ada'; begin({ tabs: false })",
            )
            .await;
            assert_eq!(
                told(&page, 2).await,
                json!(["open", "hello ada"]),
                "{build}"
            );
            until(&page, "socket.transport === 'websocket'").await;
            if is_signed_in {
                assert_eq!(told(&page, 1).await, json!(["renewed"]), "{build}");
                tokio::time::sleep((TERM + ENDED_WITHIN).saturating_sub(begun.elapsed())).await;
                run(&page, "socket.send('still here')").await;
                assert_eq!(told(&page, 1).await, json!(["still here"]), "{build}");
            } else {
                run(&page, "document.cookie = 'login=; max-age=0'").await;
                assert_eq!(
                    told(&page, 1).await,
                    json!([[4966, "sign in first"]]),
                    "{build}"
                );
            }
            page.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_put_out_is_told_and_stays_out() {
    everywhere(async |node, page, transport| {
        let options = format!(
            "begin({{
                transports: ['{transport}'], authorize: giving(['secret-of-ada for 60000']),
                reopen: Anywire.reopen({{ maxMs: 200 }}),
            }})"
        );
        run(page, &options).await;
        assert_eq!(
            told(page, 3).await,
            json!(["open", "open", "hello ada"]),
            "{transport}"
        );
        run(page, "socket.send('out')").await;
        assert_eq!(
            told(page, 1).await,
            json!([[4970, "out with you"]]),
            "{transport}"
        );
        assert_eq!(node.server.metrics().opened, 1, "{transport}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_let_in_is_told_why_at_once() {
    everywhere(async |node, page, transport| {
        for (token, code, why) in [
            ("guess", 4966, "sign in again"),
            ("banned", 4969, "not you"),
        ] {
            let begun = Instant::now();
            let options = format!("begin({{ transports: ['{transport}'], authorize: '{token}' }})");
            run(page, &options).await;
            assert_eq!(told(page, 1).await, json!([[code, why]]), "{transport}");
            let took = begun.elapsed();
            println!("{code} after {took:?}");
            assert!(took < DENIED_WITHIN, "{transport}, {code}: {took:?}");
        }
        assert_eq!(node.server.metrics().opened, 0, "{transport}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_follows_a_server_that_is_started_again() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for (build, transports) in BUILDS {
        for transport in transports {
            println!("{build}, {transport}");
            let node = Node::start(PAGE, server).await;
            let page = open_page(&browser, &node, build).await;
            let options = format!(
                "begin({{
                    transports: ['{transport}'],
                    authorize: giving(['secret-of-ada for 60000', 'secret-of-eve for 60000']),
                    reopen: Anywire.reopen({{ maxMs: 500 }}),
                }})"
            );
            run(&page, &options).await;
            assert_eq!(told(&page, 3).await, json!(["open", "open", "hello ada"]));
            until(&page, &format!("socket.transport === '{transport}'")).await;
            run(&page, "socket.send('known')").await;
            assert_eq!(told(&page, 1).await, json!(["known"]));
            until(&page, "socket.bufferedAmount === 0").await;
            let addr = node.kill().await;
            run(&page, "socket.send('one'); socket.send('two')").await;
            let node = Node::start_at(addr, PAGE, server).await;
            let expected = json!(["reopen", ["reopen", 4930, ["one", "two"]], "hello eve"]);
            assert_eq!(told(&page, 3).await, expected);
            run(&page, "socket.send('two')").await;
            assert_eq!(told(&page, 1).await, json!(["two"]));
            until(&page, &format!("socket.transport === '{transport}'")).await;
            assert_eq!(node.server.metrics().opened, 1);
            page.close().await.unwrap();
        }
    }
}
