//! Real pages: they await events, put frameworks of old around the client, open a session and close it at once. Over each
//! transport and with both builds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anywire::{CloseCode, CloseReason, Config, Limits, Server, Socket};
use anywire_tests::chromium::{Browser, Page};
use serde_json::Value;
use tokio::net::TcpListener;
use warp::Filter;

/// What changes the language before the client is loaded, or after it.
const FRAMEWORK: &str = include_str!("pages/framework.js");
const WRECK: &str = include_str!("pages/wreck.js");
/// What a page that awaits does with a session.
const AWAITING: &str = include_str!("pages/awaiting.js");

/// Loads the script that its query names: by a tag with its digest, or as a module.
const ISOLATED: &str = r"<!doctype html><script type=module>
    const [load, url] = location.search.slice(1).split('&');
    if (load === 'import') {
        await import(url);
    } else {
        const bytes = await (await fetch(url)).arrayBuffer();
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
        const script = document.createElement('script');
        script.crossOrigin = 'anonymous';
        script.integrity = 'sha256-' + btoa(String.fromCharCode(...digest));
        script.src = url;
        document.head.append(script);
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

/// Longest that a page may take here.
const DEADLINE: Duration = Duration::from_secs(120);

/// Greets; `N` brings N numbered messages, `bye` a last one and the close 3001, all else comes back.
async fn app(mut socket: Socket) {
    let _ = socket.send("hello").await;
    while let Some(message) = socket.recv().await {
        let text = message.as_text().unwrap_or_default();
        if let Ok(count) = text.parse::<usize>() {
            for index in 0..count {
                let _ = socket.send(index.to_string()).await;
            }
        } else if text == "bye" {
            let _ = socket.send("last").await;
            let code = CloseCode::application(3001).expect("an app's");
            socket.close(CloseReason::new(code, "as you wish"));
        } else {
            let _ = socket.send(message).await;
        }
    }
}

/// A server with a page for each build and each pair of scripts around it.
async fn serve() -> (Server, SocketAddr) {
    let limits = Limits::default().max_outbox_messages(8_192);
    let config = Config::new().allow_jsonp().limits(limits);
    let server = Server::builder(config).expect("the config is sound");
    let server = server.on_socket(app);
    let page = warp::path!("page" / String / String).map(|build: String, around: String| {
        let [before, after] = match around.as_str() {
            "before" => [FRAMEWORK, ""],
            "after" => ["", FRAMEWORK],
            "wreck" => ["", WRECK],
            "at-once" => [ "var loaded = false; onload = function () { loaded = true; };", "awaiting.stay()"],
            _ => ["", ""],
        };
        warp::reply::html(format!(
            "<!doctype html><meta charset=utf-8><title>Page</title><script>{before}</script>
             <script src=/anywire/{build}></script><script>{AWAITING}</script><script>{after}</script>"
        ))
    });
    // It may make no script of a text.
    let guarded = warp::path("guarded").map(|| {
        let page = warp::reply::html("<!doctype html><script src=/anywire/client.js></script>");
        let guard = "require-trusted-types-for 'script'";
        warp::reply::with_header(page, "content-security-policy", guard)
    });
    // It takes nothing from elsewhere that does not say that it may.
    let isolated = warp::path("isolated").map(|| {
        let page = warp::reply::html(ISOLATED);
        let page = warp::reply::with_header(page, "cross-origin-embedder-policy", "require-corp");
        warp::reply::with_header(page, "cross-origin-opener-policy", "same-origin")
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let routes = server.routes().or(page).or(guarded).or(isolated);
    tokio::spawn(anywire::serve(routes).incoming(listener).run());
    (server, addr)
}

/// The page with a build, and with what is around it.
async fn visit(browser: &Browser, addr: SocketAddr, build: &str, around: &str) -> Page {
    let url = format!("http://{addr}/page/{build}/{around}");
    browser.page(url).await.unwrap()
}

/// Begins `what` in the page, and returns what it came to.
async fn run(page: &Page, what: &str) -> Value {
    let begin = format!("awaiting.outcome = null; {what}; 0");
    page.evaluate::<Value>(&begin).await.unwrap();
    if let Err(error) = page.wait_for("awaiting.outcome !== null", DEADLINE).await {
        panic!("{what}: {error} {:?}", page.console());
    }
    page.evaluate("awaiting.outcome").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_awaits_events_hears_them_all() {
    let (_server, addr) = serve().await;
    let browser = Browser::launch().await.unwrap();
    for (build, transports) in BUILDS {
        let page = visit(&browser, addr, build, "plain").await;
        for transport in transports {
            let missed = run(&page, &format!("awaiting.cases('{transport}', 100)")).await;
            assert_eq!(missed, Value::Array(Vec::new()), "{build} {transport}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_whose_frameworks_change_the_language_carry_a_session() {
    let (_server, addr) = serve().await;
    let browser = Browser::launch().await.unwrap();
    for (build, transports) in BUILDS {
        for around in ["before", "after", "wreck"] {
            let page = visit(&browser, addr, build, around).await;
            for transport in transports {
                // Nothing of the page's language may be used by the test, which it has changed.
                let begin = format!("awaiting.outcome = null; awaiting.echo('{transport}'); 0");
                page.evaluate::<Value>(&begin).await.unwrap();
                let begun = Instant::now();
                let outcome = loop {
                    let outcome: Value = page.evaluate("awaiting.outcome").await.unwrap();
                    if !outcome.is_null() || begun.elapsed() > DEADLINE {
                        break outcome;
                    }
                };
                assert_eq!(
                    outcome,
                    "open,hello,a,b,last,close 3001",
                    "{build} {around} {transport} {:?}",
                    page.console()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn script_tags_do_not_keep_a_page_from_having_loaded() {
    let (_server, addr) = serve().await;
    let browser = Browser::launch().await.unwrap();
    let page = visit(&browser, addr, "client.js", "at-once").await;
    page.wait_for("loaded && awaiting.outcome === 'hello'", DEADLINE)
        .await
        .unwrap_or_else(|error| panic!("{error} {:?}", page.console()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_forbids_made_scripts_falls_through() {
    let (_server, addr) = serve().await;
    let browser = Browser::launch().await.unwrap();
    let url = format!("http://{addr}/guarded");
    let page = browser.page(url).await.unwrap();
    for (transports, outcome) in [
        ("'jsonp'", "trace[0].result.startsWith('failed')"),
        ("'jsonp', 'poll'", "transport === 'poll'"),
    ] {
        let open = format!(
            "window.socket = new Anywire('/anywire', [], {{ transports: [{transports}] }}); 0"
        );
        page.evaluate::<Value>(&open).await.unwrap();
        page.wait_for(&format!("socket.{outcome}"), DEADLINE)
            .await
            .unwrap_or_else(|error| panic!("{transports}: {error} {:?}", page.console()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_another_origin_load_the_scripts() {
    let (_server, addr) = serve().await;
    let (_, elsewhere) = serve().await;
    let browser = Browser::launch().await.unwrap();
    for build in ["client.js", "client-modern.js"] {
        for load in ["tag", "import"] {
            let url = format!("http://{elsewhere}/isolated?{load}&http://{addr}/anywire/{build}");
            let page = browser.page(url).await.unwrap();
            page.wait_for(
                "typeof Anywire === 'function' && crossOriginIsolated",
                DEADLINE,
            )
            .await
            .unwrap_or_else(|error| panic!("{build} {load}: {error} {:?}", page.console()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_closed_while_it_connects_leaves_nothing() {
    let (server, addr) = serve().await;
    let browser = Browser::launch().await.unwrap();
    for (build, transports) in BUILDS {
        let page = visit(&browser, addr, build, "plain").await;
        for transport in transports {
            for ms in [0, 5, 20, 100] {
                run(
                    &page,
                    &format!("awaiting.abandon('{transport}', 100, {ms})"),
                )
                .await;
                let begun = Instant::now();
                while server.metrics().sessions > 0 && begun.elapsed() < Duration::from_secs(10) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let left = server.metrics().sessions;
                println!(
                    "{build} {transport} {ms} ms: gone after {:?}",
                    begun.elapsed()
                );
                assert_eq!(left, 0, "{build} {transport} after {ms} ms");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_heard_soon_also_in_a_hidden_page() {
    let (_server, addr) = serve().await;
    let browser = Browser::launch().await.unwrap();
    for (build, transports) in BUILDS {
        let url = format!("http://{addr}/page/{build}/plain");
        let page = browser.page(&url).await.unwrap();
        for is_hidden in [false, true] {
            // A tab in front of it hides it.
            let other = match is_hidden {
                true => Some(browser.tab_beside(&page, &url).await.unwrap()),
                false => None,
            };
            for transport in transports {
                let ms = run(&page, &format!("awaiting.burst('{transport}', 5000)")).await;
                println!("{build} {transport}, hidden: {is_hidden}: 5,000 messages in {ms} ms");
                assert!(
                    ms.as_f64().unwrap() < 4_000.0,
                    "{build} {transport}: {ms} ms"
                );
            }
            drop(other);
        }
    }
}
