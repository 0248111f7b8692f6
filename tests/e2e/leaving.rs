//! Pages that go: closed tabs, navigations and reloads end their sessions soon, over each transport; one that comes back
//! has the same session, and a browser that is killed says nothing.

use std::time::{Duration, Instant};

use anywire::{CloseCode, Config, Limits};
use anywire_tests::chromium::{Browser, Page, PageOptions};
use anywire_tests::server::TestServer;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const TRANSPORTS: [&str; 5] = ["websocket", "stream", "events", "poll", "jsonp"];

/// Shorter than the default, which is 10 s: what is measured is how soon the server hears of it.
const WINDOW: Duration = Duration::from_secs(2);
/// How much later than that a session may end: a leave comes within this.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(40);
/// Of each kind: 20 pages go over each transport, and as many reload.
const PAGES: usize = 10;
const RELOADS: usize = 20;

/// A page that the browser does not keep to go back to.
const NOT_KEPT: &str = "addEventListener('unload', function () {});";

/// One whose requests name no referrer: a beacon then hides its origin too.
const NO_REFERRER: &str = "addEventListener('DOMContentLoaded', function () {
    var meta = document.createElement('meta');
    meta.name = 'referrer';
    meta.content = 'no-referrer';
    document.head.appendChild(meta);
});";

async fn server(limits: Limits) -> TestServer {
    TestServer::start(Config::new().allow_jsonp().limits(limits)).await
}

/// A page with an open session, whose last message is still on its way.
async fn open(browser: &Browser, server: &TestServer, transport: &str, script: &str) -> Page {
    let options = PageOptions {
        url: format!("http://{}/", server.addr),
        before_load: Some(script.to_owned()),
        ..PageOptions::default()
    };
    let page = browser.page_with(options).await.expect("the page loads");
    begin(&page, transport).await;
    page
}

async fn begin(page: &Page, transport: &str) {
    let script = format!(
        "window.got = []; window.closes = [];
         window.socket = new Anywire('/anywire', [], {{ transports: ['{transport}'] }});
         socket.onmessage = function (event) {{ got.push(event.data); }};
         socket.onclose = function (event) {{ closes.push(event.code); }}; 0"
    );
    page.evaluate::<Value>(&script).await.unwrap();
    page.wait_for("socket.readyState === 1", DEADLINE)
        .await
        .unwrap();
    // What carries down has attached too.
    page.evaluate::<Value>("socket.send('hello'); 0")
        .await
        .unwrap();
    page.wait_for("got.length === 1", DEADLINE).await.unwrap();
}

/// Waits until so many sessions have ended in all, and says how long that took.
async fn all_have_left(server: &TestServer, count: usize, since: Instant, what: &str) {
    let closed = timeout(WINDOW + HEARD_WITHIN, server.seen.wait_closed(count)).await;
    let took = since.elapsed();
    let Ok(closed) = closed else {
        let (closed, left) = (server.seen.closed().len(), server.server.metrics().sessions);
        panic!("{what}: {closed} of {count} sessions ended within {took:?}, {left} go on");
    };
    println!("{what}: {count} of {count} sessions ended within {took:?}");
    for reason in closed {
        assert_eq!(reason.code, CloseCode::GOING_AWAY, "{what}: {reason:?}");
        assert_eq!(reason.text(), "the page left", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_tabs_and_navigations_end_their_sessions() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for transport in TRANSPORTS {
        for what in ["closed tabs", "navigations"] {
            let server = server(Limits::default().leave_window(WINDOW)).await;
            let mut pages = Vec::new();
            for _ in 0..PAGES {
                let script = format!("{NOT_KEPT}{NO_REFERRER}");
                pages.push(open(&browser, &server, transport, &script).await);
            }
            let began = Instant::now();
            let mut gone = Vec::new();
            for page in pages {
                // Its own listener comes after the client's.
                let script =
                    "addEventListener('pagehide', function () { socket.send('u parting'); });
                              socket.send('u last words'); 0";
                page.evaluate::<Value>(script).await.unwrap();
                if what == "closed tabs" {
                    page.close_tab().await.unwrap();
                } else {
                    page.navigate("about:blank").await.unwrap();
                    gone.push(page);
                }
            }
            let what = format!("{what}, {transport}");
            all_have_left(&server, PAGES, began, &what).await;
            let mut heard = server.seen.heard();
            heard.sort_unstable();
            let expected = [["u last words"; PAGES], ["u parting"; PAGES]].concat();
            assert_eq!(heard, expected, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_leave_one_session() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for transport in TRANSPORTS {
        let server = server(Limits::default().leave_window(WINDOW)).await;
        let page = open(&browser, &server, transport, "").await;
        for _ in 0..RELOADS {
            page.navigate(&format!("http://{}/", server.addr))
                .await
                .unwrap();
            begin(&page, transport).await;
        }
        let what = format!("reloads, {transport}");
        all_have_left(&server, RELOADS, Instant::now(), &what).await;
        assert_eq!(server.server.metrics().sessions, 1, "{what}");
    }
}

/// Goes to another page, and back after a while.
async fn go_and_come_back(page: &Page, away: Duration) {
    page.evaluate::<Value>("window.born = 'here'; 0")
        .await
        .unwrap();
    page.navigate("about:blank").await.unwrap();
    sleep(away).await;
    let history = page
        .send("Page.getNavigationHistory", json!({}))
        .await
        .unwrap();
    let index = usize::try_from(history["currentIndex"].as_u64().unwrap()).unwrap();
    let back = json!({ "entryId": history["entries"][index - 1]["id"] });
    page.send("Page.navigateToHistoryEntry", back)
        .await
        .unwrap();
    let shown = async {
        while !matches!(
            page.evaluate::<bool>("window.born === 'here'").await,
            Ok(true)
        ) {}
    };
    timeout(DEADLINE, shown)
        .await
        .expect("the browser has kept the page");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_back_has_its_session() {
    // The page says how long it may be kept; the leave window is over long before.
    let limits = Limits::default().leave_window(Duration::from_secs(1));
    let browser = Browser::launch().await.expect("Chromium starts");
    for away in [5, 30] {
        let server = server(limits.clone()).await;
        let mut pages = Vec::new();
        for transport in TRANSPORTS {
            pages.push(open(&browser, &server, transport, "").await);
        }
        let visits = pages.iter().map(|page| async move {
            go_and_come_back(page, Duration::from_secs(away)).await;
            page.evaluate::<Value>("socket.send('still here'); 0")
                .await
                .unwrap();
            page.wait_for("got.join() === 'hello,still here'", DEADLINE)
                .await
        });
        for (visit, transport) in futures_util::future::join_all(visits)
            .await
            .into_iter()
            .zip(TRANSPORTS)
        {
            visit.unwrap_or_else(|error| panic!("{transport}, after {away} s: {error}"));
        }
        assert_eq!(server.seen.closed(), [], "after {away} s");
        assert_eq!(server.seen.opened(), TRANSPORTS.len(), "after {away} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_back_too_late_is_told() {
    let browser = Browser::launch().await.expect("Chromium starts");
    let server = server(Limits::default().resume_window(Duration::from_secs(3))).await;
    let mut pages = Vec::new();
    for transport in TRANSPORTS {
        pages.push(open(&browser, &server, transport, "").await);
    }
    let visits = pages.iter().map(|page| async move {
        go_and_come_back(page, Duration::from_secs(5)).await;
        page.wait_for("closes.length === 1", DEADLINE)
            .await
            .unwrap();
        page.evaluate::<Value>("closes[0]").await.unwrap()
    });
    let codes = futures_util::future::join_all(visits).await;
    for (code, transport) in codes.into_iter().zip(TRANSPORTS) {
        assert_eq!(code, 4930, "{transport}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_browser_is_waited_for_as_any_lost_connection() {
    let window = Duration::from_secs(4);
    let limits = Limits::default()
        .leave_window(Duration::from_secs(1))
        .resume_window(window);
    let server = server(limits).await;
    let browser = Browser::launch().await.expect("Chromium starts");
    for transport in TRANSPORTS {
        open(&browser, &server, transport, "").await;
    }
    let began = Instant::now();
    browser.kill();
    let closed = server.seen.wait_closed(TRANSPORTS.len()).await;
    let took = began.elapsed();
    println!("a killed browser: all sessions ended within {took:?}");
    assert!(took >= window && took < window * 3, "{took:?}");
    // Chromium's process for the network outlives the others by so much that it closes a WebSocket as for a page that goes.
    let expired = closed
        .iter()
        .filter(|reason| reason.code == CloseCode::EXPIRED);
    assert!(expired.count() >= TRANSPORTS.len() - 1, "{closed:?}");
}
