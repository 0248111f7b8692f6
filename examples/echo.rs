//! Anywire inside an existing warp service, next to its other routes, under plain `warp::serve`.
//!
//! Run `cargo run --example echo`, open the printed address, type a line and press Enter: it comes back, with the name
//! of the transport that carried it, as in `websocket: hello`. With `TLS_CERT` and `TLS_KEY`, the files of a certificate, it
//! speaks TLS, under `anywire::serve`, since `warp::serve` does not.

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
    let routes = page.or(health).or(echo.routes());
    let addr = ([127, 0, 0, 1], 3031);
    let set = |name| std::env::var(name).ok();
    if let Some((certificate, key)) = set("TLS_CERT").zip(set("TLS_KEY")) {
        println!("open https://127.0.0.1:3031");
        return Ok(anywire::serve(routes)
            .tls(certificate, key)?
            .run(addr)
            .await?);
    }
    println!("open http://127.0.0.1:3031");
    warp::serve(routes).run(addr).await;
    Ok(())
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Echo</title><script src="/echo/client.js"></script>
<input autofocus placeholder="type, then Enter"><pre></pre><script>
var socket = new Anywire('/echo'), out = document.querySelector('pre');
socket.onmessage = function (event) { out.textContent += socket.transport + ': ' + event.data + '\n'; };
document.querySelector('input').onchange = function () { socket.send(this.value); this.value = ''; };
</script>"#;
