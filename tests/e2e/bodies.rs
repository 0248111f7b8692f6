//! The browser client where something between refuses long bodies (PROTOCOL §6.7), over each way of HTTP.

use std::time::Duration;

use anywire::Config;

use crate::stage::Stage;

/// 300 messages of 1 KB are behind a limit of 100 KB in so much.
const WANTED: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_refuses_as_too_long_goes_in_shorter_bodies_at_once() {
    for transport in ["stream", "events", "poll"] {
        let stage = Stage::start(Config::new(), "limit-body=100k,refuse-upgrade", None).await;
        stage
            .evaluate(&format!(
                "window.got = []; window.moved = 0;
                 window.socket = new Anywire('/anywire', [], {{ transports: ['{transport}'] }});
                 socket.onmessage = function (event) {{ got.push(event.data); }};
                 socket.ontransport = function () {{ if (socket.transport === 'reconnecting') moved++; }}; 0"
            ))
            .await;
        let page = &stage.page;
        let deadline = Duration::from_secs(20);
        page.wait_for(&format!("socket.transport === '{transport}'"), deadline)
            .await
            .unwrap();
        stage
            .evaluate(
                "window.sent = []; window.began = performance.now();
                 for (let i = 0; i < 300; i++) sent.push(i + ' ' + 'x'.repeat(1000));
                 sent.forEach((text) => socket.send(text)); 0",
            )
            .await;
        page.wait_for(
            "got.length === 300 && (window.took = performance.now() - began)",
            deadline,
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
        page.wait_for("got.length === 300", deadline).await.unwrap();
        assert_eq!(stage.proxy.counts().refusals, refusals, "{transport}");
    }
}

/// What something between refuses for its length, or for what it says: also behind escapes, and in base64.
const REFUSED: [(&str, &str); 2] = [
    ("limit-body=20k", "'x'.repeat(40000)"),
    ("refuse-text=<script", "'a <script> b'"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_no_body_bears_ends_the_session_with_a_reason() {
    for transport in ["stream", "events", "poll"] {
        for (fault, message) in REFUSED {
            let faults = format!("{fault},refuse-upgrade");
            let stage = Stage::start(Config::new(), &faults, None).await;
            stage
                .evaluate(&format!(
                    "window.got = []; window.closes = [];
                     window.socket = new Anywire('/anywire', [], {{ transports: ['{transport}'] }});
                     socket.onmessage = function (event) {{ got.push(event.data); }};
                     socket.onclose = function (event) {{ closes.push(event.code + ' ' + event.reason); }}; 0"
                ))
                .await;
            let deadline = Duration::from_secs(20);
            let shown = format!("socket.transport === '{transport}'");
            stage.page.wait_for(&shown, deadline).await.unwrap();
            // The server says something a second from now.
            let script = format!(
                "socket.send('send:1000'); window.began = performance.now(); socket.send({message}); 0"
            );
            stage.evaluate(&script).await;
            let ended = "closes.length === 1 && (window.took = performance.now() - began)";
            stage.page.wait_for(ended, deadline).await.unwrap();
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
