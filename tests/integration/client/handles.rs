//! What an app holds: sending, receiving, closing, and what it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anywire::{Config, Denied, Limits, Principal};
use anywire_client::{
    Client, CloseCode, CloseReason, ConnectError, Message, OriginMemory, SendError, Transport,
    TrySendError,
};
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_protocol::{Encoding, Offset, Packet, PayloadWriter, decode_frame, decode_payload};
use anywire_tests::server::TestServer;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

const DEADLINE: Duration = Duration::from_secs(20);
const ALL: [Transport; 2] = [Transport::WebSocket, Transport::Poll];

fn builder(url: &str) -> anywire_client::ClientBuilder {
    Client::builder(url).memory(OriginMemory::default())
}

async fn open(server: &TestServer, transport: Transport) -> Client {
    let builder = builder(&format!("ws://{}/anywire", server.addr)).only(transport);
    builder.connect().await.unwrap()
}

async fn recv(client: &mut Client) -> Message {
    let received = timeout(DEADLINE, client.recv()).await;
    received.expect("a message in time").expect("no end")
}

#[tokio::test]
async fn a_client_is_a_stream_and_a_sink() {
    for transport in ALL {
        let server = TestServer::start(Config::new()).await;
        let mut client = open(&server, transport).await;
        SinkExt::send(&mut client, Message::text("one"))
            .await
            .unwrap();
        client.feed(Message::text("two")).await.unwrap();
        SinkExt::flush(&mut client).await.unwrap();
        for expected in ["one", "two"] {
            let message = timeout(DEADLINE, client.next()).await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some(expected), "{transport}");
        }
        SinkExt::close(&mut client).await.unwrap();
        assert_eq!(timeout(DEADLINE, client.next()).await.unwrap(), None);
        assert_eq!(client.close_reason().unwrap().code, CloseCode::NORMAL);
    }
}

#[tokio::test]
async fn a_dropped_client_closes_its_session_after_what_it_sent() {
    for transport in ALL {
        let server = TestServer::start(Config::new()).await;
        let client = open(&server, transport).await;
        client.send("u last").await.unwrap();
        drop(client);
        assert_eq!(server.seen.wait_closed(1).await[0].code, CloseCode::NORMAL);
        assert_eq!(server.seen.heard(), ["u last"], "{transport}");
    }
}

#[tokio::test]
async fn both_sides_say_why_they_close() {
    for transport in ALL {
        let server = TestServer::start(Config::new()).await;
        let client = open(&server, transport).await;
        let code = CloseCode::application(4_001).unwrap();
        let reason = client.close(CloseReason::new(code, "enough")).await;
        assert_eq!((reason.code, reason.text()), (code, "enough"));
        assert_eq!(server.seen.wait_closed(1).await[0].code, code);

        let mut client = open(&server, transport).await;
        client.send("close:4002").await.unwrap();
        assert_eq!(timeout(DEADLINE, client.recv()).await.unwrap(), None);
        let reason = client.close_reason().unwrap();
        assert_eq!(
            (reason.code.as_u16(), reason.text()),
            (4_002, "as you wish")
        );
        let Err(SendError::Closed(message)) = client.send("too late").await else {
            panic!("a message was accepted after the end");
        };
        assert_eq!(message.as_text(), Some("too late"));
    }
}

#[tokio::test]
async fn a_receive_that_is_dropped_loses_nothing() {
    let server = TestServer::start(Config::new()).await;
    let mut client = open(&server, Transport::WebSocket).await;
    client.send("send:200").await.unwrap();
    let mut got = Vec::new();
    while got.len() < 200 {
        // Most of these are dropped before a message has come.
        if let Ok(message) = timeout(Duration::from_micros(300), client.recv()).await {
            got.push(message.unwrap().as_text().unwrap().to_owned());
        }
    }
    let expected: Vec<_> = (0..200).map(|index| format!("d{index}")).collect();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_full_outbox_makes_senders_wait_and_gives_messages_back() {
    let server = TestServer::start(Config::new()).await;
    let proxy = FaultProxy::start(server.addr);
    let limits = Limits::default().max_outbox_messages(8);
    let client = builder(&proxy.url("/anywire")).limits(limits);
    let client = client.connect().await.unwrap();
    proxy.set(Faults::of("refuse-connections"));
    proxy.kill_connections();
    let mut accepted = 0;
    let back = loop {
        match client.try_send(format!("u{accepted}")) {
            Ok(()) => accepted += 1,
            Err(TrySendError::Full(message)) => break message,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(back.as_text(), Some(format!("u{accepted}").as_str()));
    let waiting = client.send(back);
    proxy.set(Faults::default());
    timeout(DEADLINE, waiting).await.unwrap().unwrap();
    let heard = server.seen.wait_heard(accepted + 1).await;
    let expected: Vec<_> = (0..=accepted).map(|index| format!("u{index}")).collect();
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_killed_websocket_is_carried_on_by_polling_and_comes_back() {
    let server = TestServer::start(Config::new()).await;
    let proxy = FaultProxy::start(server.addr);
    let mut client = builder(&proxy.url("/anywire")).connect().await.unwrap();
    let mut changes = client.transport_changes();
    client.send("one").await.unwrap();
    assert_eq!(recv(&mut client).await.as_text(), Some("one"));
    proxy.set(Faults::of("refuse-upgrade"));
    proxy.kill_websockets();
    client.send("two").await.unwrap();
    assert_eq!(recv(&mut client).await.as_text(), Some("two"));
    assert_eq!(client.transport(), Some(Transport::Poll));
    proxy.set(Faults::default());
    let back =
        async { while changes.next().await.expect("no end") != Some(Transport::WebSocket) {} };
    timeout(DEADLINE, back).await.unwrap();
    client.send("three").await.unwrap();
    assert_eq!(recv(&mut client).await.as_text(), Some("three"));
    assert_eq!(server.seen.opened(), 1);
    let attempts = server.server.metrics().attempts;
    assert!(
        attempts.by_transport[Transport::WebSocket].closed >= 1,
        "{attempts:?}"
    );
}

#[tokio::test]
async fn a_refusal_and_an_unreachable_server_are_told_apart() {
    let config = Config::new()
        .authorize(|_| async { Err::<Principal, _>(Denied::unauthenticated("say who you are")) });
    let server = TestServer::start(config).await;
    let refused = builder(&format!("ws://{}/anywire", server.addr)).connect();
    match timeout(DEADLINE, refused).await.unwrap() {
        Err(ConnectError::Refused(reason)) => assert_eq!(reason.code, CloseCode::UNAUTHORIZED),
        other => panic!("{other:?}"),
    }
    let budget = Duration::from_secs(2);
    let began = Instant::now();
    // Port 9 of loopback: nobody listens.
    let nobody = builder("ws://127.0.0.1:9/anywire").connect_timeout(budget);
    match timeout(DEADLINE, nobody.connect()).await.unwrap() {
        Err(error @ ConnectError::Unreachable { .. }) => {
            assert!(error.to_string().contains("refused"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() < budget + Duration::from_secs(1));
    for url in ["nonsense", "ftp://host/", "ws://user:word@host/"] {
        let error = builder(url).connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::Address { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_transport_that_the_client_does_not_have_is_refused() {
    let stream = builder("ws://localhost/anywire").only(Transport::Stream);
    let error = stream.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Setting(_)));
    assert!(error.to_string().contains("`stream`"), "{error}");
}

#[tokio::test]
async fn a_token_is_asked_for_at_each_attach() {
    let config = Config::new().authorize(|visitor| async move {
        let header = visitor.headers.get("authorization");
        let token = header.and_then(|value| value.to_str().ok());
        match token {
            Some(token) if token.starts_with("Bearer token-") => Ok(Principal::new("ada")),
            _ => Err(Denied::unauthenticated("say who you are")),
        }
    });
    let server = TestServer::start(config).await;
    let proxy = FaultProxy::start(server.addr);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let builder = builder(&proxy.url("/anywire")).authorize(move || {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("token-{number}")) }
    });
    let mut client = builder.connect().await.unwrap();
    client.send("one").await.unwrap();
    assert_eq!(recv(&mut client).await.as_text(), Some("one"));
    let before = asked.load(Ordering::SeqCst);
    proxy.kill_websockets();
    client.send("two").await.unwrap();
    assert_eq!(recv(&mut client).await.as_text(), Some("two"));
    assert!(asked.load(Ordering::SeqCst) > before);
    assert_eq!(server.seen.opened(), 1);
}

/// Chooses the protocol, as a server does.
#[expect(clippy::result_large_err, reason = "the library's own type")]
fn choose(
    _: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    let chosen = "anywire.v1".parse().unwrap();
    response
        .headers_mut()
        .insert("sec-websocket-protocol", chosen);
    Ok(response)
}

/// What *opened* says, apart from its counts.
fn opened(generation: &str, received: u64, first: u64) -> WsMessage {
    WsMessage::text(format!(
        "\u{10}O{{\"version\":1,\"session\":\"{}\",\"secret\":\"{}\",\"generation\":{generation},\
         \"received\":{received},\"first\":{first},\"protocol\":\"\",\"limits\":{{}}}}",
        "1".repeat(32),
        "2".repeat(32)
    ))
}

/// A server that loses what it has acknowledged, whenever the connection does; and the closes that it hears.
async fn forgetful_server() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (told, closes) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = 0;
        while let Ok((stream, _)) = listener.accept().await {
            connections += 1;
            tokio::spawn(forget(stream, connections == 1, told.clone()));
        }
    });
    (addr, closes)
}

async fn forget(
    stream: tokio::net::TcpStream,
    is_first: bool,
    closes: mpsc::UnboundedSender<String>,
) {
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, choose).await else {
        return;
    };
    if is_first {
        crate::wire::write(&mut socket, opened("2", 0, 0)).await;
    }
    while let Some(WsMessage::Text(text)) = crate::wire::read_frame(&mut socket).await {
        match text.strip_prefix('\u{10}') {
            // The only message: it is acknowledged, and the connection is lost.
            None => {
                crate::wire::write(&mut socket, WsMessage::text("\u{10}a1")).await;
                return;
            }
            Some(packet) if packet.starts_with('p') => {
                let pong = format!("\u{10}q{}", &packet[1..]);
                crate::wire::write(&mut socket, WsMessage::text(pong)).await;
            }
            Some(packet) if packet.starts_with('x') => {
                let generation = packet.split(' ').nth(2).unwrap();
                crate::wire::write(&mut socket, opened(generation, 0, 0)).await;
            }
            Some(packet) => {
                if let Some(close) = packet.strip_prefix('c') {
                    let _ = closes.send(close.to_owned());
                }
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_has_lost_what_it_acknowledged_ends_the_session() {
    let (addr, mut closes) = forgetful_server().await;
    let mut client = Client::builder(&format!("ws://{addr}/anywire"))
        .only(Transport::WebSocket)
        .memory(OriginMemory::default())
        .connect()
        .await
        .unwrap();
    client.send("once").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), client.recv()).await;
    assert_eq!(ended.expect("it ends"), None);
    assert_eq!(client.close_reason().unwrap().code.as_u16(), 4934);
    let told = tokio::time::timeout(Duration::from_secs(20), closes.recv()).await;
    let told = told.expect("the server is told").unwrap();
    assert!(told.starts_with("4934 "), "{told}");
}

#[tokio::test]
async fn a_session_that_begins_with_a_lie_is_never_open() {
    for (received, first, code) in [(5, 0, 4963), (0, 5, 4961)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let accepted = tokio_tungstenite::accept_hdr_async(stream, choose).await;
            let mut socket = accepted.unwrap();
            crate::wire::write(&mut socket, opened("2", received, first)).await;
            while crate::wire::read_frame(&mut socket).await.is_some() {}
        });
        let builder = builder(&format!("ws://{addr}/anywire")).only(Transport::WebSocket);
        let error = timeout(DEADLINE, builder.connect())
            .await
            .unwrap()
            .unwrap_err();
        let ConnectError::Refused(reason) = &error else {
            panic!("{error}")
        };
        assert_eq!(reason.code.as_u16(), code);
    }
}

/// Answers polls by hand: takes no message and holds what polls. It refuses each exchange that brings a close, with the
/// refusals in turn.
async fn answer_polls(body: Bytes, refusals: Arc<Mutex<Vec<(u16, &'static str)>>>) -> Answer {
    let packets = decode_payload(Encoding::Binary, body).unwrap();
    let has = |is: fn(&Packet) -> bool| packets.iter().any(is);
    let mut writer = PayloadWriter::new(Encoding::Binary);
    if has(|packet| matches!(packet, Packet::Close(_))) {
        let (status, refusal) = refusals.lock().unwrap().remove(0);
        let response = warp::http::Response::builder().status(status);
        return response
            .body(Bytes::from_static(refusal.as_bytes()))
            .unwrap();
    }
    if has(|packet| matches!(packet, Packet::Open(_))) {
        let opened = format!(
            r#"{{"version":1,"session":"{}","secret":"{}","generation":1,"received":0,"first":0,"protocol":"","limits":{{}}}}"#,
            "1".repeat(32),
            "2".repeat(32)
        );
        writer.push(&decode_frame(Message::text(format!("\u{10}O{opened}"))).unwrap());
    } else if has(|packet| matches!(packet, Packet::Attach(attach) if attach.hold.is_some())) {
        std::future::pending::<()>().await;
    }
    writer.push(&Packet::Ack(Offset::default().into()));
    warp::http::Response::new(writer.finish())
}

type Answer = warp::http::Response<Bytes>;

const UNKNOWN_SESSION: (u16, &str) = (
    404,
    r#"{"code":4930,"error":"unknown-session","message":""}"#,
);

/// What a client is told that sends a message and closes, where the closes are refused so.
async fn told_after(refusals: &[(u16, &'static str)]) -> CloseCode {
    use warp::Filter;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let refusals = Arc::new(Mutex::new(refusals.to_vec()));
    let polls = warp::body::bytes().then(move |body| answer_polls(body, refusals.clone()));
    tokio::spawn(warp::serve(polls).incoming(listener).run());
    let builder = builder(&format!("ws://{addr}/anywire"))
        .only(Transport::Poll)
        .authorize(|| async { Ok("token".to_owned()) });
    let client = builder.connect().await.unwrap();
    client.send("lost").await.unwrap();
    let mine = CloseReason::new(CloseCode::NORMAL, "mine");
    let told = timeout(Duration::from_secs(20), client.close(mine)).await;
    told.expect("it ends").code
}

#[tokio::test]
async fn a_close_that_a_forgetful_server_never_took_is_not_told_as_taken() {
    assert_eq!(
        told_after(&[UNKNOWN_SESSION]).await,
        CloseCode::UNKNOWN_SESSION
    );
}

#[tokio::test]
async fn a_close_that_the_server_refused_is_not_told_as_taken_when_it_forgets_the_session() {
    for refusal in [
        (409, r#"{"code":4900,"error":"superseded","message":""}"#),
        (408, r#"{"code":4901,"error":"stalled","message":""}"#),
        (503, r#"{"code":4902,"error":"overloaded","message":""}"#),
        (503, r#"{"code":4903,"error":"draining","message":""}"#),
        (401, r#"{"code":4966,"error":"unauthorized","message":""}"#),
    ] {
        let told = told_after(&[refusal, UNKNOWN_SESSION]).await;
        assert_eq!(told, CloseCode::UNKNOWN_SESSION, "after {refusal:?}");
    }
}

#[tokio::test]
async fn a_close_whose_answer_something_in_between_wrote_may_have_been_taken() {
    let page = (502, r#"{"code":502,"message":"bad gateway"}"#);
    assert_eq!(
        told_after(&[page, UNKNOWN_SESSION]).await,
        CloseCode::NORMAL
    );
}
