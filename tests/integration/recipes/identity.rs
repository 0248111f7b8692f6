//! The recipe that says who a visitor is.

use std::net::SocketAddr;

use anywire::{Config, Principal, Server};
use anywire_client::{ConnectError, Transport};
use anywire_protocol::{Encoding, Packet, decode_payload};
use anywire_tests::http::{Answer, poll, request};
use anywire_tests::recipes::with_identity;

use super::{ALL, client, recv};
use crate::wire::{argument, escape, new_key, read_frame, upgrade};

#[tokio::test]
async fn a_cookie_or_a_token_names_a_principal() {
    let (server, addr) = serve().await;
    let own = format!("http://{addr}");
    for transport in ALL {
        let mut by_cookie = client(addr, "", transport)
            .header("cookie", "theme=dark; login=secret-of-ada")
            // The gate refuses a cookie of which it does not know the page.
            .header("origin", &own)
            .connect()
            .await
            .unwrap();
        assert_eq!(
            recv(&mut by_cookie).await.as_deref(),
            Some("hello ada"),
            "{transport}"
        );
        let url = "?room=1&token=secret-of-bob";
        let mut by_token = client(addr, url, transport).connect().await.unwrap();
        assert_eq!(
            recv(&mut by_token).await.as_deref(),
            Some("hello bob"),
            "{transport}"
        );
    }
    let poll = client(addr, "", Transport::Poll).header("cookie", "login=secret-of-ada");
    let refused = poll.connect().await;
    assert!(
        matches!(&refused, Err(ConnectError::Refused(reason)) if reason.code.as_u16() == 4965),
        "a cookie of no known page: {refused:?}"
    );
    // The token is what the page says on purpose.
    let poll = client(addr, "?token=secret-of-bob", Transport::Poll);
    let poll = poll.header("cookie", "login=secret-of-ada");
    let mut both = poll.header("origin", &own).connect().await.unwrap();
    assert_eq!(recv(&mut both).await.as_deref(), Some("hello bob"));
    assert_eq!(server.metrics().opened, 5);
}

#[tokio::test]
async fn others_are_refused_and_told_why() {
    let (server, addr) = serve().await;
    for transport in ALL {
        for query in ["", "?token=guess", "?login=secret-of-ada"] {
            let refused = client(addr, query, transport).connect().await;
            let Err(ConnectError::Refused(reason)) = refused else {
                panic!("{transport} {query}: {refused:?}");
            };
            assert_eq!(reason.code.as_u16(), 4966, "{transport} {query}");
            assert_eq!(reason.text(), "sign in first", "{transport} {query}");
        }
    }
    let answer = poll(addr, "live", &open()).await;
    assert_eq!((answer.status, answer.code()), (401, 4966));
    assert_eq!(server.metrics().opened, 0);
}

#[tokio::test]
async fn a_script_tag_needs_the_token() {
    let (server, addr) = serve().await;
    let referer = format!("Referer: http://{addr}/");
    let headers = ["Cookie: login=secret-of-ada", &referer];
    let code = |answer: &Answer| argument(answer, 1)["code"].clone();
    let open = escape(open().as_bytes());
    let by_cookie = format!("/live/jsonp?anywire.c=1&anywire.{open}");
    let by_cookie = request(addr, "GET", &by_cookie, &headers, b"").await;
    assert_eq!(code(&by_cookie), 4966);
    let by_token = format!("/live/jsonp?anywire.c=1&token=secret-of-ada&anywire.{open}");
    let by_token = request(addr, "GET", &by_token, &headers, b"").await;
    assert!(argument(&by_token, 1).is_string(), "{by_token:?}");
    assert_eq!(server.metrics().opened, 1);
}

#[tokio::test]
async fn another_principal_cannot_attach_to_a_session() {
    let (server, addr) = serve().await;
    let send = |user: &'static str, body: String| async move {
        let path = format!("/live/poll?token=secret-of-{user}");
        let text = ["Content-Type: text/plain"];
        request(addr, "POST", &path, &text, body.as_bytes()).await
    };
    let answer = send("ada", open()).await;
    let packets = decode_payload(Encoding::Text, answer.body.into()).unwrap();
    let Some(Packet::Opened(opened)) = packets.into_iter().next() else {
        panic!("not opened")
    };
    let (id, secret) = (opened.session, opened.secret);
    let attach = format!("{id} {secret} 2 0 0");
    let attach = format!("{}:x{attach}", attach.len());
    let bob = send("bob", attach.clone()).await;
    assert_eq!((bob.status, bob.code()), (404, 4930));
    assert_eq!(send("ada", attach).await.status, 200);

    let offer = format!("anywire.v1, anywire.attach.{id}.{secret}.3.0");
    for (user, expected) in [("bob", "c4930"), ("ada", "O{")] {
        let path = format!("/live/websocket?token=secret-of-{user}");
        let mut socket = upgrade(addr, &path, &offer).await.unwrap();
        let first = read_frame(&mut socket).await.unwrap();
        let first = first.into_text().unwrap();
        assert!(first[1..].starts_with(expected), "{user}: {first}");
    }
    assert_eq!(server.metrics().opened, 1);
}

/// A server that greets each principal.
async fn serve() -> (Server, SocketAddr) {
    let config = Config::new().mount("live").allow_jsonp();
    let server = Server::builder(with_identity(config)).unwrap();
    let server = server.on_socket(|mut socket| async move {
        let name = socket.principal().map_or("nobody", Principal::name);
        let greeting = format!("hello {name}");
        let _ = socket.send(greeting).await;
        while socket.recv().await.is_some() {}
    });
    let bound = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
    let bound = bound.await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.run());
    (server, addr)
}

/// An open that nobody has sent.
fn open() -> String {
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    format!("{}:o{open}", open.len())
}
