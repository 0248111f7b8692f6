//! The page on who a client is.

use anywire::cluster::MemoryStore;
use anywire::{Config, Grant, Server};
use anywire_client::{Client, ConnectError, Transport};
use anywire_protocol::Packet;
use anywire_tests::cluster::{TestNode, TestStore, linked};
use anywire_tests::http::{Answer, poll, request};
use anywire_tests::recipes::{Rights, put_out, with_identity};
use anywire_tests::server::TestServer;

use super::{ALL as CLIENTS, anonymous, user};
use crate::wire::{ALL, Variant, Wire, argument, escape, every, new_key};

async fn serve() -> TestServer {
    TestServer::start(with_identity(every())).await
}

/// The grant of the only session.
fn grant(server: &TestServer) -> Grant {
    let session = server.server.sessions().next();
    session.expect("it is open").grant()
}

#[tokio::test]
async fn a_cookie_names_a_user_over_each_transport() {
    for transport in CLIENTS {
        let server = serve().await;
        let client = user(server.addr, "anywire", "ada", transport);
        let _client: Client = client.connect().await.unwrap();
        let grant = grant(&server);
        assert_eq!(grant.principal().unwrap().name(), "ada", "{transport}");
        assert!(grant.get::<Rights>().unwrap().may_write);
        assert!(grant.expires_in().unwrap().as_secs() > 590);
    }
}

#[tokio::test]
async fn a_token_names_a_user_over_each_transport() {
    for variant in ALL {
        let server = serve().await;
        let opened = Wire::present(server.addr, variant, "secret-of-eve").await;
        let mut wire = opened.unwrap();
        wire.send("hello").await;
        assert_eq!(wire.recv_text().await, "hello", "{variant:?}");
        let grant = grant(&server);
        assert_eq!(grant.principal().unwrap().name(), "eve", "{variant:?}");
        assert!(!grant.get::<Rights>().unwrap().may_write);
    }
}

#[tokio::test]
async fn others_are_refused_and_told_why() {
    let server = serve().await;
    for (token, code) in [("guess", 4966), ("secret-of-mallory", 4969), ("away", 4902)] {
        for variant in ALL {
            let refused = Wire::present(server.addr, variant, token).await.err();
            let refused = refused.expect("it is refused");
            assert_eq!(refused.1, code, "{variant:?} {token}");
        }
    }
    for transport in CLIENTS {
        // What stands in an address is no credential.
        for query in ["", "?token=secret-of-ada", "?login=secret-of-ada"] {
            let client = anonymous(server.addr, "anywire", query, transport);
            let refused = client.connect().await;
            let Err(ConnectError::Refused(reason)) = refused else {
                panic!("{transport} {query}: {refused:?}");
            };
            assert_eq!(reason.code.as_u16(), 4966, "{transport} {query}");
            assert_eq!(reason.text(), "sign in first", "{transport} {query}");
        }
    }
    let answer = poll(server.addr, "anywire", &open()).await;
    assert_eq!((answer.status, answer.code()), (401, 4966));
    assert_eq!(server.server.metrics().opened, 0);
}

#[tokio::test]
async fn a_cookie_of_no_known_page_is_refused() {
    let server = serve().await;
    let client = anonymous(server.addr, "anywire", "", Transport::Poll);
    let client = client.header("cookie", "login=secret-of-ada");
    let refused = client.connect().await;
    assert!(
        matches!(&refused, Err(ConnectError::Refused(reason)) if reason.code.as_u16() == 4965),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_script_tag_needs_the_token() {
    let server = serve().await;
    let referer = format!("Referer: http://{}/", server.addr);
    let headers = ["Cookie: login=secret-of-ada", &referer];
    let code = |answer: &Answer| argument(answer, 1)["code"].clone();
    let open = escape(open().as_bytes());
    let by_cookie = format!("/anywire/jsonp?anywire.c=1&anywire.{open}");
    let by_cookie = request(server.addr, "GET", &by_cookie, &headers, b"").await;
    assert_eq!(code(&by_cookie), 4966);
    let by_token = Wire::present(server.addr, Variant::Jsonp, "secret-of-ada").await;
    assert!(by_token.is_ok());
    assert_eq!(server.server.metrics().opened, 1);
}

#[tokio::test]
async fn another_user_cannot_attach_to_a_session() {
    let server = serve().await;
    let wire = Wire::present(server.addr, Variant::PollText, "secret-of-ada");
    let by_grant = wire.await.unwrap();
    // By its grant: no further request is asked who it is.
    let answer = by_grant.exchange(&[by_grant.attach_packet(None)]).await;
    assert_eq!(answer.status, 200);

    // By its cookie: each request is.
    let origin = format!("Origin: http://{}", server.addr);
    let send = async |name: &str, body: String| {
        let cookie = format!("Cookie: login=secret-of-{name}");
        let headers = [&cookie[..], &origin];
        let body = body.as_bytes();
        request(server.addr, "POST", "/anywire/poll", &headers, body).await
    };
    let answer = send("ada", open()).await;
    let packets =
        anywire_protocol::decode_payload(anywire_protocol::Encoding::Text, answer.body.into());
    let Some(Packet::Opened(opened)) = packets.unwrap().into_iter().next() else {
        panic!("not opened")
    };
    let attach = format!("{} {} 2 0 0", opened.session, opened.secret);
    let attach = format!("{}:x{attach}", attach.len());
    let bob = send("bob", attach.clone()).await;
    assert_eq!((bob.status, bob.code()), (404, 4930));
    assert_eq!(send("ada", attach).await.status, 200);
}

#[tokio::test]
async fn all_sessions_of_a_login_end_with_it() {
    let server = serve().await;
    let mut clients = Vec::new();
    for transport in CLIENTS {
        let client = user(server.addr, "anywire", "ada", transport);
        clients.push(client.connect().await.unwrap());
    }
    let bob = user(server.addr, "anywire", "bob", Transport::WebSocket);
    let _bob = bob.connect().await.unwrap();
    assert_eq!(put_out(&server.server, "ada").await, 2);
    for mut client in clients {
        while client.recv().await.is_some() {}
        let reason = client.close_reason().unwrap();
        assert_eq!(reason.code.as_u16(), 4970);
        assert_eq!(reason.text(), "you have signed out");
    }
    let left: Vec<_> = server.server.sessions().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].principal().unwrap().name(), "bob");
}

#[tokio::test]
async fn a_session_keeps_of_its_request_what_the_config_names() {
    let keep = anywire::Keep::nothing().headers(["user-agent"]).query();
    let config: Config = with_identity(every()).keep(keep);
    let server = TestServer::start(config).await;
    let client = user(server.addr, "anywire", "ada", Transport::WebSocket);
    let client = client.header("user-agent", "a test");
    let _client = client.connect().await.unwrap();
    let session = server.server.sessions().next().unwrap();
    let opening = session.opening().unwrap();
    let headers: Vec<_> = opening.headers().collect();
    assert_eq!(headers, [("user-agent", "a test")]);
    assert_eq!(opening.path(), None);
}

#[tokio::test]
async fn what_a_grant_remembers_stays_at_the_server_that_was_asked() {
    let store = TestStore::Memory(MemoryStore::new());
    let config = with_identity(every());
    let nodes = TestNode::start_all(2, &config, &store).await;
    linked(&nodes, 1).await;
    let send = async |node: &TestNode, body: &str| {
        let origin = format!("Origin: http://{}", node.addr);
        let headers = ["Cookie: login=secret-of-ada", &origin];
        let body = body.as_bytes();
        request(node.addr, "POST", "/anywire/poll", &headers, body).await
    };
    let answer = send(&nodes[0], &open()).await;
    let packets =
        anywire_protocol::decode_payload(anywire_protocol::Encoding::Text, answer.body.into());
    let Some(Packet::Opened(opened)) = packets.unwrap().into_iter().next() else {
        panic!("not opened")
    };
    let session = nodes[0].server.session(opened.session).await.unwrap();
    assert!(session.grant().get::<Rights>().is_some());
    let attach = format!("{} {} 2 0 0", opened.session, opened.secret);
    let attach = format!("{}:x{attach}", attach.len());
    assert_eq!(send(&nodes[1], &attach).await.status, 200);
    let grant = session.grant();
    assert_eq!(grant.principal().unwrap().name(), "ada");
    assert!(grant.expires_in().is_some());
    assert!(grant.get::<Rights>().is_some(), "kept where it was given");
    // A handle elsewhere knows the name alone.
    let handle = nodes[1].server.session(opened.session).await.unwrap();
    assert_eq!(handle.grant().principal().unwrap().name(), "ada");
    assert!(handle.grant().expires_in().is_none());
}

#[tokio::test]
async fn a_filter_that_rejects_tells_the_client_no_code() {
    let server = Server::builder(Config::new().mount("live")).unwrap();
    let server = server.on_socket(|_socket| async {});
    let user = warp::header::<String>("x-user");
    let bound = anywire::serve(server.routes_with(user)).bind(([127, 0, 0, 1], 0));
    let bound = bound.await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.run());
    for transport in CLIENTS {
        let client = anonymous(addr, "live", "", transport);
        let client = client.connect_timeout(std::time::Duration::from_secs(2));
        let refused = client.connect().await;
        println!("{transport}: {refused:?}");
        assert!(
            !matches!(&refused, Err(ConnectError::Refused(reason)) if reason.code.as_u16() == 4966)
        );
        assert!(refused.is_err());
    }
}

/// An open that nobody has sent.
fn open() -> String {
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    format!("{}:o{open}", open.len())
}
