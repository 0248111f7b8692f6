//! Anywire inside an axum app, behind one of its layers: the layer says who the visitor is, and the server binds the
//! session to that name.
//!
//! Run `cargo run --example axum`, open the printed address, type a line and press Enter: it comes back with your name.

use anywire::{Config, Denied, Principal, Server, Socket};
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{Html, Response};
use axum::{Router, routing};

/// What the layer finds out about a visitor.
#[derive(Clone)]
struct User(&'static str);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::new().mount("echo").authorize(|visitor| async move {
        let user = visitor.extensions.get::<User>();
        let User(name) = user.ok_or_else(|| Denied::unauthenticated("log in first"))?;
        Ok(Principal::new(name))
    });
    let echo = Server::builder(config)?.on_socket(|mut socket: Socket| async move {
        let name = socket
            .principal()
            .map_or("nobody", Principal::name)
            .to_owned();
        while let Some(message) = socket.recv().await {
            let text = message.as_text().unwrap_or("bytes");
            if socket.send(format!("{name} says {text}")).await.is_err() {
                break;
            }
        }
    });

    let app = Router::new()
        .route("/", routing::get(|| async { Html(PAGE) }))
        .nest_service("/echo", echo.service())
        .layer(middleware::from_fn(log_in));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3032").await?;
    println!("open http://127.0.0.1:3032");
    axum::serve(listener, app).await?;
    Ok(())
}

/// A real app would look at a cookie or a token here.
async fn log_in(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(User("Ada"));
    next.run(request).await
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Echo</title><script src="/echo/client.js"></script>
<input autofocus placeholder="type, then Enter"><pre></pre><script>
var socket = new Anywire('/echo'), out = document.querySelector('pre');
socket.onmessage = function (event) { out.textContent += socket.transport + ': ' + event.data + '\n'; };
document.querySelector('input').onchange = function () { socket.send(this.value); this.value = ''; };
</script>"#;
