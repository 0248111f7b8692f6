//! A page of `https`, served by our own loop: every transport over TLS.

use std::time::Duration;

use anywire::{Config, Tls};
use anywire_tests::certificate::Certificate;
use anywire_tests::chromium::Browser;
use anywire_tests::server::TestServer;

const DEADLINE: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn each_transport_carries_over_tls() {
    let certificate = Certificate::of(&["localhost"]);
    let tls = Tls::new(certificate.chain(), certificate.key()).unwrap();
    let config = Config::new().allow_jsonp();
    let server = TestServer::start_tuned(config, |serve| serve.tls_with(tls)).await;
    let browser = Browser::launch().await.expect("Chromium starts");
    let url = format!("https://localhost:{}/", server.addr.port());
    let page = browser.page(url).await.expect("the page loads");
    for transport in ["websocket", "stream", "events", "poll", "jsonp"] {
        let script = format!(
            "window.got = []; window.socket = new Anywire('/anywire', [], {{ transports: ['{transport}'] }}); \
             socket.onmessage = function (event) {{ got.push(event.data); }}; \
             socket.onopen = function () {{ for (var i = 0; i < 200; i += 1) socket.send('m' + i); }}; 0"
        );
        page.evaluate::<u32>(&script)
            .await
            .expect("the script runs");
        // A poll goes first where a stream is to follow.
        let came = format!(
            "socket.transport === '{transport}' && got.length === 200 \
             && got.every(function (text, i) {{ return text === 'm' + i; }})"
        );
        let waited = page.wait_for(&came, DEADLINE).await;
        waited.unwrap_or_else(|error| panic!("{transport}: {error}"));
        page.evaluate::<u32>("socket.close(), 0").await.unwrap();
    }
}
