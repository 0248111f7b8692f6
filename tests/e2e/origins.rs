//! A foreign page that puts its visitor into a sandboxed frame: the frame's origin is opaque, and what it may do it may do
//! without the visitor's cookies only.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anywire::{Config, Denied, Principal, Server};
use anywire_tests::chromium::Browser;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Reply};

/// What a sandboxed frame of another site tries.
const FRAME: &str = r#"<script src="SERVER/anywire/client.js"></script><script>
  var tell = function (what) { parent.postMessage(what, '*'); };
  var socket = new Anywire('SERVER/anywire', [], OPTIONS);
  socket.onopen = function () { socket.send('who am I?'); };
  socket.onmessage = function (event) { tell('heard ' + event.data); };
  socket.onclose = function (event) { tell('closed ' + event.code + ' ' + event.reason); };
</script>"#;

const PAGE: &str = r#"<!doctype html><title>Elsewhere</title><script>
  var told = [];
  onmessage = function (event) { told.push(event.origin + ' ' + event.data); };
</script><iframe sandbox="allow-scripts" srcdoc='FRAME'></iframe>"#;

/// A frame that sends a request with whatever the browser adds.
const FETCHING: &str = r#"<script>
  fetch('SERVER/x', { method: 'POST', credentials: 'include', body: 'x' }).catch(function () {
    parent.postMessage('done', '*');
  });
</script>"#;

/// The victim signs in at a server with these routes, and then visits a page of another site with this frame. Returns what
/// the frame tells.
async fn lure(routes: BoxedFilter<(Response,)>, frame: &str) -> Vec<String> {
    let login = warp::path("login").map(|| {
        let cookie = "who=victim; SameSite=None; Secure; Path=/";
        let page = warp::reply::html("<title>In</title>");
        warp::reply::with_header(page, "set-cookie", cookie).into_response()
    });
    let port = serve(login.or(routes).unify().boxed()).await;
    // Another site, although on the same machine: `127.0.0.1` is not `localhost`.
    let home = format!("http://localhost:{port}");
    let frame = frame.replace("SERVER", &home).replace('\'', "&#39;");
    let page = PAGE.replace("FRAME", &frame);
    let elsewhere = warp::any().map(move || warp::reply::html(page.clone()).into_response());
    let elsewhere = serve(elsewhere.boxed()).await;

    let browser = Browser::launch().await.expect("Chromium starts");
    let page = browser.page(format!("{home}/login")).await.unwrap();
    page.navigate(&format!("http://127.0.0.1:{elsewhere}/"))
        .await
        .unwrap();
    page.wait_for("told.length > 0", Duration::from_secs(20))
        .await
        .unwrap_or_else(|error| panic!("{frame}: {error} {:?}", page.console()));
    page.evaluate("told").await.unwrap()
}

async fn serve(routes: BoxedFilter<(Response,)>) -> u16 {
    let serving = anywire::serve(routes)
        .bind(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let port = serving.local_addr().port();
    tokio::spawn(serving.run());
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandboxed_frame_of_a_foreign_page_gets_nothing_by_the_victims_cookie() {
    for (allows, options, expected) in [
        // With the victim's cookie the request is refused, and the browser hides the answer besides.
        (
            true,
            "{ transports: ['poll'], connectTimeoutMs: 3000 }",
            "null closed 1006",
        ),
        // Without it the frame is let in, as anybody is.
        (
            true,
            "{ transports: ['poll'], withCredentials: false }",
            "null heard nobody",
        ),
        // Chromium sends no cookie that is `Secure` over `ws:`, so a WebSocket is let in too.
        (true, "{}", "null heard nobody"),
        (
            false,
            "{ withCredentials: false, connectTimeoutMs: 3000 }",
            "null closed",
        ),
    ] {
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let asked = seen.clone();
        let config = Config::new().authorize(move |visitor| {
            let cookie = visitor.headers.get("cookie");
            let who = cookie.map_or("nobody", |_| "the victim").to_owned();
            asked.lock().unwrap().push(who.clone());
            async move { Ok(Principal::new(who)) }
        });
        let config = if allows {
            config.allow_opaque_origins()
        } else {
            config
        };
        let server = Server::builder(config)
            .unwrap()
            .on_socket(|mut socket| async move {
                while socket.recv().await.is_some() {
                    let who = socket.principal().map_or("", Principal::name).to_owned();
                    let _ = socket.send(who).await;
                }
            });
        let frame = FRAME.replace("OPTIONS", options);
        let told = lure(server.routes(), &frame).await;
        assert!(told[0].starts_with(expected), "{options}: {told:?}");
        let seen = seen.lock().unwrap().clone();
        assert!(
            !seen.contains(&"the victim".to_owned()),
            "{options}: {seen:?}"
        );
        assert_eq!(
            seen.is_empty(),
            !expected.contains("heard"),
            "{options}: {seen:?}"
        );
        let refused = server.metrics();
        assert_eq!(
            refused.opened,
            u64::from(expected.contains("heard")),
            "{options}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandboxed_frame_says_who_it_is_by_a_token() {
    for transports in ["websocket", "stream", "events", "poll"] {
        let config = Config::new().allow_opaque_origins();
        let config = config.authorize(|visitor| async move {
            let token = visitor
                .credential
                .ok_or_else(|| Denied::unauthenticated("a token"))?;
            Ok(Principal::new(token.as_str()))
        });
        let server = Server::builder(config).unwrap();
        let server = server.on_socket(|mut socket| async move {
            while socket.recv().await.is_some() {
                let who = socket.principal().map_or("", Principal::name).to_owned();
                let _ = socket.send(who).await;
            }
        });
        let options = "{ transports: ['NAME'], withCredentials: false, authorize: 'secret' }";
        let frame = FRAME.replace("OPTIONS", &options.replace("NAME", transports));
        let told = lure(server.routes(), &frame).await;
        assert_eq!(told, ["null heard secret"], "{transports}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_victims_cookie_does_come_with_a_sandboxed_frame() {
    // Or the test above would show nothing: the same frame, and an endpoint that takes what comes.
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let asked = seen.clone();
    let any = warp::header::optional::<String>("cookie").map(move |cookie: Option<String>| {
        asked.lock().unwrap().extend(cookie);
        warp::reply::html("")
    });
    lure(any.map(Reply::into_response).boxed(), FETCHING).await;
    assert_eq!(*seen.lock().unwrap(), ["who=victim"]);
}
