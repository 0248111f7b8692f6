//! Anywire on bare hyper, without warp: any server that speaks `http` and allows upgrades can host it.
//!
//! Run `cargo run --example hyper`, open the printed address, type a line and press Enter: it comes back.

use std::convert::Infallible;

use anywire::{Body, Config, Server, Socket};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let echo = Server::builder(Config::new())?.on_socket(|mut socket: Socket| async move {
        while let Some(message) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    });
    let anywire = TowerToHyperService::new(echo.service());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3033").await?;
    println!("open http://127.0.0.1:3033");
    loop {
        let (stream, _) = listener.accept().await?;
        // Small messages must not wait for each other's acks.
        stream.set_nodelay(true)?;
        let anywire = anywire.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let anywire = anywire.clone();
            async move {
                if request.uri().path() == "/" {
                    return Ok::<_, Infallible>(Response::new(Body::Whole(PAGE.into())));
                }
                anywire.call(request).await
            }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Echo</title><script src="/anywire/client.js"></script>
<input autofocus placeholder="type, then Enter"><pre></pre><script>
var socket = new Anywire('/anywire'), out = document.querySelector('pre');
socket.onmessage = function (event) { out.textContent += socket.transport + ': ' + event.data + '\n'; };
document.querySelector('input').onchange = function () { socket.send(this.value); this.value = ''; };
</script>"#;
