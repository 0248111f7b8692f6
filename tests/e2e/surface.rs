//! The client's object, as a page sees it.

use std::time::Duration;

use anywire::{Config, Limits};

use crate::stage::Stage;

const TRANSPORTS: [Option<&str>; 2] = [None, Some("delete window.WebSocket")];

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_message_comes_back() {
    for before_load in TRANSPORTS {
        for encoding in ["text", "binary"] {
            let stage = Stage::start(Config::new(), "none", before_load).await;
            stage
                .evaluate(&format!("harness.start({{ encoding: '{encoding}' }})"))
                .await;
            stage.until("run.opens === 1").await;
            stage.evaluate(
                "var all = ''; for (var i = 1; i < 0xd800; i += 7) all += String.fromCharCode(i);
                 var bytes = new Uint8Array(300); for (i = 0; i < 300; i += 1) bytes[i] = i;
                 window.sent = ['hello', '', '\\u0010x', '\\u0010\\u0010', 'é🦀\\u0000\\r\\n', all,
                   new Array(1048577).join('x'), bytes.buffer, new Uint8Array(1048576).buffer, new ArrayBuffer(0)];
                 sent.forEach(function (message) { run.socket.send(message); }); 0",
            )
            .await;
            stage.until("run.got.length === sent.length").await;
            let is_same = "sent.every(function (message, index) {
                var got = run.got[index];
                if (typeof message === 'string') return message === got;
                var one = new Uint8Array(message), other = new Uint8Array(got);
                return one.length === other.length && one.every(function (b, i) { return b === other[i]; });
            })";
            assert_eq!(
                stage.evaluate(is_same).await,
                true,
                "{before_load:?} {encoding}"
            );
            stage
                .evaluate("run.socket.binaryType = 'blob'; run.socket.send(new Blob(['blob'])); 0")
                .await;
            stage.until("run.got.length === sent.length + 1").await;
            assert_eq!(stage.evaluate("run.got[sent.length].text()").await, "blob");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_close_with_their_code_and_reason_once() {
    for before_load in TRANSPORTS {
        let stage = Stage::start(Config::new(), "none", before_load).await;
        stage.open().await;
        stage
            .evaluate("run.socket.send('last words'); run.socket.send('close:4321'); 0")
            .await;
        stage.until("run.closes.length === 1").await;
        let close = stage.evaluate("run.closes[0]").await;
        assert_eq!(
            close,
            serde_json::json!({ "code": 4321, "reason": "as you wish", "wasClean": true })
        );
        assert_eq!(
            stage.evaluate("run.got").await,
            serde_json::json!(["last words"])
        );
        assert_eq!(stage.evaluate("run.socket.readyState").await, 3);

        stage.open().await;
        stage
            .evaluate("run.socket.send('u0'); run.socket.close(3210, 'enough'); 0")
            .await;
        stage.until("run.closes.length === 1").await;
        let close = stage.evaluate("run.closes[0]").await;
        assert_eq!(
            close,
            serde_json::json!({ "code": 3210, "reason": "enough", "wasClean": true })
        );
        let closed = stage.server.seen.wait_closed(2).await;
        assert_eq!(
            (closed[1].code.as_u16(), closed[1].text()),
            (3210, "enough")
        );
        assert_eq!(stage.server.seen.heard(), ["u0"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_server_has_forgotten_closes_and_says_to_start_anew() {
    let limits = Limits::default().resume_window(Duration::from_millis(300));
    let stage = Stage::start(Config::new().limits(limits), "none", None).await;
    stage.open().await;
    stage
        .evaluate("run.socket.block('websocket'); run.socket.block('poll')")
        .await;
    assert_eq!(
        stage.server.seen.wait_closed(1).await[0].code.as_u16(),
        4931
    );
    stage.evaluate("run.socket.unblock('poll')").await;
    stage.until("run.closes.length === 1").await;
    let code = stage.evaluate("run.closes[0].code").await.as_u64().unwrap();
    assert!((4930..4960).contains(&code), "{code}");
    assert_eq!(stage.evaluate("run.closes[0].wasClean").await, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_why_the_server_ends_its_session() {
    for before_load in TRANSPORTS {
        let stage = Stage::start(Config::new(), "none", before_load).await;
        stage.open().await;
        // Nothing is waited for: the close overtakes what the page has not answered yet.
        stage.server.server.drain(Duration::ZERO).await;
        stage.until("run.closes.length === 1").await;
        assert_eq!(
            stage.evaluate("run.closes[0].code").await,
            1012,
            "{before_load:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_beyond_all_queues_comes_back() {
    for before_load in TRANSPORTS {
        let stage = Stage::start(Config::new(), "none", before_load).await;
        stage.open().await;
        stage
            .evaluate("for (var i = 0; i < 5000; i += 1) run.socket.send('m' + i); 0")
            .await;
        stage.until("run.got.length === 5000").await;
        let in_order = "run.got.every(function (got, i) { return got === 'm' + i; })";
        assert_eq!(stage.evaluate(in_order).await, true, "{before_load:?}");
    }
}
