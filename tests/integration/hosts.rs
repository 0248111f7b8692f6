//! What hosts and their layers put into a request reaches the app's authorisation, over every transport.

use std::future::IntoFuture;
use std::net::SocketAddr;

use anywire::{Config, Denied, Principal, Server, Socket};
use anywire_protocol::Packet;
use anywire_tests::http::{Answer, poll, request};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use warp::Filter;

use crate::wire::{new_key, read, upgrade, write};

/// What an authentication layer found out.
#[derive(Clone)]
struct User(String);

/// A server that asks for a user, and says who it is to each message.
fn server() -> Server {
    let config = Config::new()
        .mount("api/live")
        .authorize(|visitor| async move {
            let user = visitor.extensions.get::<User>();
            let User(name) = user.ok_or_else(|| Denied::unauthenticated("no layer before"))?;
            Ok(Principal::new(name))
        });
    let builder = Server::builder(config).expect("the config is sound");
    builder.on_socket(|mut socket: Socket| async move {
        while socket.recv().await.is_some() {
            let name = socket.principal().map_or("nobody", Principal::name);
            if socket.send(name.to_owned()).await.is_err() {
                return;
            }
        }
    })
}

async fn opens(addr: SocketAddr, user: &str) -> Answer {
    let body = format!(
        r#"{{"version":1,"key":"{}","generation":1,"holdMs":1000}}"#,
        new_key()
    );
    let body = format!("{}:o{body}1:n02:thi", body.len());
    let header = format!("X-User: {user}");
    let headers = ["Content-Type: text/plain", &header];
    request(addr, "POST", "/api/live/poll", &headers, body.as_bytes()).await
}

/// Over a poll and over a WebSocket; a request that the layer stops never comes to the server.
async fn is_named_by_the_layer(addr: std::net::SocketAddr) {
    let answer = opens(addr, "ada").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("3:tada"), "{}", answer.text());
    assert_eq!(opens(addr, "mallory").await.status, 403);
    let offer = format!("anywire.v1, anywire.open.{}.1", new_key());
    // The helper sends no such header, so the layer's default counts.
    let mut socket = upgrade(addr, "/api/live/websocket", &offer).await.unwrap();
    assert!(matches!(read(&mut socket).await, Packet::Opened(_)));
    write(&mut socket, WsMessage::text("who?")).await;
    assert_eq!(read(&mut socket).await, Packet::Message("guest".into()));
    let elsewhere = request(addr, "GET", "/api/live/pigeon", &[], b"").await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn an_axum_layer_names_the_principal() {
    async fn log_in(mut request: Request, next: Next) -> Response {
        let user = request.headers().get("x-user");
        let user = user
            .map_or("guest", |user| user.to_str().unwrap())
            .to_owned();
        if user == "mallory" {
            return http_forbidden().into_response();
        }
        request.extensions_mut().insert(User(user));
        next.run(request).await
    }
    fn http_forbidden() -> (axum::http::StatusCode, &'static str) {
        (axum::http::StatusCode::FORBIDDEN, "not you")
    }

    let service = server().service();
    for app in [
        // With the mount path, and with the path taken off by the router.
        Router::new().fallback_service(service.clone()),
        Router::new().nest_service("/api/live", service),
    ] {
        let app = app.layer(middleware::from_fn(log_in));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, app).into_future());
        is_named_by_the_layer(addr).await;
    }
}

#[tokio::test]
async fn a_warp_filter_names_the_principal() {
    #[derive(Debug)]
    struct NotYou;
    impl warp::reject::Reject for NotYou {}

    let log_in =
        warp::header::optional::<String>("x-user").and_then(|user: Option<String>| async {
            match user.unwrap_or_else(|| "guest".into()) {
                mallory if mallory == "mallory" => Err(warp::reject::custom(NotYou)),
                user => Ok(User(user)),
            }
        });
    let routes = server()
        .routes_with(log_in)
        .recover(|rejected: warp::Rejection| async move {
            match rejected.find::<NotYou>() {
                Some(NotYou) => Ok(warp::reply::with_status(
                    "not you",
                    warp::http::StatusCode::FORBIDDEN,
                )),
                None => Err(rejected),
            }
        });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    is_named_by_the_layer(addr).await;
}

#[tokio::test]
async fn without_a_layer_nobody_comes_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(anywire::serve(server().routes()).incoming(listener).run());
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let open = format!("{}:o{open}", open.len());
    let refused = poll(addr, "api/live", &open).await;
    assert_eq!((refused.status, refused.code()), (401, 4966));
}

/// Opens over HTTP/2 as a page of `origin` does; the status of the answer.
async fn opens_over_http2(addr: SocketAddr, origin: String) -> StatusCode {
    let stream = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let body = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let request = hyper::Request::post(format!("http://{addr}/api/live/poll"))
        .header("Origin", origin)
        .header("Content-Type", "text/plain")
        .body(format!("{}:o{body}", body.len()))
        .unwrap();
    assert!(!request.headers().contains_key("Host"));
    sender.send_request(request).await.unwrap().status()
}

#[tokio::test]
async fn over_http2_a_page_of_the_servers_own_origin_is_let_in_and_no_other() {
    let config = Config::new().mount("api/live");
    let server = Server::builder(config).unwrap().on_socket(|_| async {});
    for is_warp in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        if is_warp {
            tokio::spawn(warp::serve(server.routes()).incoming(listener).run());
        } else {
            let app = Router::new().fallback_service(server.service());
            tokio::spawn(axum::serve(listener, app).into_future());
        }
        let own = opens_over_http2(addr, format!("http://{addr}")).await;
        assert_eq!(own, StatusCode::OK, "warp: {is_warp}");
        let foreign = opens_over_http2(addr, "http://evil.example".into()).await;
        assert_eq!(foreign, StatusCode::FORBIDDEN, "warp: {is_warp}");
    }
}
