//! Anywire inside an existing warp service, next to its other routes, under plain `warp::serve`.
//!
//! Run `cargo run --example echo`, open the printed address, type a line and press Enter: it comes back, with the name
//! of the transport that carried it, as in `websocket: hello`.

use anywire::{Config, Server, Socket};
use warp::Filter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let echo =
        Server::builder(Config::new().mount("echo"))?.on_socket(|mut socket: Socket| async move {
            while let Some(message) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        });

    let page = warp::path::end().map(|| warp::reply::html(PAGE));
    let health = warp::path("health").map(|| "ok");
    println!("open http://127.0.0.1:3031");
    warp::serve(page.or(health).or(echo.routes()))
        .run(([127, 0, 0, 1], 3031))
        .await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Echo</title><script src="/echo/client.js"></script>
<input autofocus placeholder="type, then Enter"><pre></pre><script>
var socket = new Anywire('/echo'), out = document.querySelector('pre');
socket.onmessage = function (event) { out.textContent += socket.transport + ': ' + event.data + '\n'; };
document.querySelector('input').onchange = function () { socket.send(this.value); this.value = ''; };
</script>"#;
