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
