//! The browser client where something between refuses bodies: long ones (PROTOCOL §6.7), or for what they say (PROTOCOL
//! §6.8), over each way of HTTP.

use std::time::Duration;

use anywire::{Config, Limits};
use anywire_tests::middlebox::{Middlebox, Product};
use anywire_tests::server::TestServer;

use crate::stage::Stage;

/// 300 messages of 1 KB are behind a limit of 100 KB in so much.
const WANTED: Duration = Duration::from_millis(1_500);

const TRANSPORTS: [&str; 3] = ["stream", "events", "poll"];

const DEADLINE: Duration = Duration::from_secs(20);

/// Opens a session that this transport carries.
async fn connect(stage: &Stage, transport: &str) {
    stage
        .evaluate(&format!(
            "window.got = []; window.closes = []; window.moved = 0;
             window.socket = new Anywire('/anywire', [], {{ transports: ['{transport}'] }});
             socket.onmessage = function (event) {{ got.push(event.data); }};
             socket.onclose = function (event) {{ closes.push(event.code + ' ' + event.reason); }};
             socket.ontransport = function () {{ if (socket.transport === 'reconnecting') moved++; }}; 0"
        ))
        .await;
    let shown = format!("socket.transport === '{transport}'");
    stage.page.wait_for(&shown, DEADLINE).await.unwrap();
}

fn config() -> Config {
    Config::new().limits(Limits::default().max_message_bytes(8_388_608))
}

/// nginx that passes no upgrade, and bodies up to this limit.
async fn nginx(server: &TestServer, limit: &str) -> Middlebox {
    let upstream = server.addr;
    let site = |listen| {
        format!(
            "server {{ listen {listen}; {limit} location / {{
                proxy_pass http://{upstream}; proxy_set_header Host $http_host; proxy_buffering off;
            }} }}"
        )
    };
    let nginx = Middlebox::start_with(Product::NginxWithoutUpgrade, DEADLINE, site).await;
    nginx.expect("nginx starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_refuses_as_too_long_goes_in_shorter_bodies_at_once() {
    for transport in TRANSPORTS {
        let stage = Stage::start(Config::new(), "limit-body=100k,refuse-upgrade", None).await;
        connect(&stage, transport).await;
        let page = &stage.page;
        stage
            .evaluate(
                "window.sent = []; window.began = performance.now();
                 for (let i = 0; i < 300; i++) sent.push(i + ' ' + 'x'.repeat(1000));
                 sent.forEach((text) => socket.send(text)); 0",
            )
            .await;
        page.wait_for(
            "got.length === 300 && (window.took = performance.now() - began)",
            DEADLINE,
        )
        .await
        .unwrap();
        let took = stage.evaluate("took").await.as_f64().unwrap();
        println!("300 messages of 1 KB behind a limit of 100 KB, {transport}: {took:.0} ms");
        assert!(
            took < WANTED.as_secs_f64() * 2_000.0,
            "{transport}: {took} ms"
        );
        assert_eq!(
            stage.evaluate("got.join() === sent.join()").await,
            true,
            "{transport}"
        );
        assert_eq!(
            stage.evaluate("moved").await,
            0,
            "{transport}: the session stayed where it was"
        );
        assert!(
            stage.proxy.counts().refusals > 1,
            "{transport}: the limit was met"
        );
        // It has learnt what the path bears, for other sessions of the origin too.
        let refusals = stage.proxy.counts().refusals;
        stage
            .evaluate("got = []; sent.forEach((text) => socket.send(text)); 0")
            .await;
        page.wait_for("got.length === 300", DEADLINE).await.unwrap();
        assert_eq!(stage.proxy.counts().refusals, refusals, "{transport}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_longer_than_any_body_goes_in_parts_both_ways() {
    // The default of nginx, and a tenth of it.
    for limit in ["", "client_max_body_size 100k;"] {
        for transport in TRANSPORTS {
            let server = TestServer::start(config()).await;
            let nginx = nginx(&server, limit).await;
            let stage = Stage::behind(server, &nginx, "none").await;
            connect(&stage, transport).await;
            stage
                .evaluate(
                    "window.text = 'words é🦀 and more '.repeat(4194304 / 21 | 0);
                     window.began = performance.now(); socket.send(text); 0",
                )
                .await;
            let back = "got.length === 1 && (window.took = performance.now() - began)";
            stage.page.wait_for(back, DEADLINE).await.unwrap();
            let took = stage.evaluate("took").await.as_f64().unwrap();
            println!("4 MiB there and back, nginx {limit:?}, {transport}: {took:.0} ms");
            assert_eq!(stage.evaluate("got[0] === text").await, true, "{transport}");
            assert_eq!(
                stage.evaluate("moved + closes.length").await,
                0,
                "{transport}"
            );
            assert_eq!(stage.evaluate("socket.transport").await, transport);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_what_it_says_goes_veiled() {
    for transport in TRANSPORTS {
        let server = TestServer::start(config()).await;
        let filter = Middlebox::start(Product::ModSecurity, server.addr, DEADLINE).await;
        let filter = filter.expect("nginx with ModSecurity starts");
        let stage = Stage::behind(server, &filter, "refuse-upgrade").await;
        connect(&stage, transport).await;
        stage
            .evaluate(
                "window.sent = ['before', 'a <script>alert(1)</script> b', \"' OR 1=1 --\", '../../etc/passwd',
                     'words and more of them, '.repeat(20000) + '<script>alert(1)</script>', 'after'];
                 window.began = performance.now(); sent.forEach((text) => socket.send(text)); 0",
            )
            .await;
        let back = "got.length === 6 && (window.took = performance.now() - began)";
        stage.page.wait_for(back, DEADLINE).await.unwrap();
        let took = stage.evaluate("took").await.as_f64().unwrap();
        println!("six messages behind ModSecurity, {transport}: {took:.0} ms");
        assert_eq!(
            stage.evaluate("got.join() === sent.join()").await,
            true,
            "{transport}"
        );
        assert_eq!(stage.evaluate("closes.length").await, 0, "{transport}");
    }
}

/// What something between refuses for its length, or for what it says; also the mark of what is veiled.
const REFUSED: [(&str, &str); 2] = [
    ("limit-body=4k", "'x'.repeat(40000)"),
    ("refuse-text=v=", "'a v=1 b'"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_no_body_bears_ends_the_session_with_a_reason() {
    for transport in TRANSPORTS {
        for (fault, message) in REFUSED {
            let faults = format!("{fault},refuse-upgrade");
            let stage = Stage::start(Config::new(), &faults, None).await;
            connect(&stage, transport).await;
            let script = format!(
                "socket.send('send:1000'); window.began = performance.now(); socket.send({message}); 0"
            );
            stage.evaluate(&script).await;
            let ended = "closes.length === 1 && (window.took = performance.now() - began)";
            stage.page.wait_for(ended, DEADLINE).await.unwrap();
            let took = stage.evaluate("took").await.as_f64().unwrap();
            let close = stage.evaluate("closes[0]").await;
            println!("{fault}, {transport}: {close} after {took:.0} ms");
            assert!(
                close.as_str().unwrap().starts_with("4971 refused: http 4"),
                "{close}"
            );
            assert!(took < 20_000.0, "within twice ten seconds");
            let closed = stage.server.seen.wait_closed(1).await;
            assert_eq!(
                closed[0].code.as_u16(),
                4971,
                "{fault}, {transport}: the server is told"
            );
        }
    }
}
