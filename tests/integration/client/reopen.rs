//! A new session follows one that has ended, if the app asks for that.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anywire::{Config, Denied, Grant, Server, Socket};
use anywire_client::{
    Client, ClientBuilder, ClientEvent, CloseCode, CloseReason, Decision, Message, OriginMemory,
    Reopen, Reopened, SendError, Transport, TrySendError, Why,
};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const DEADLINE: Duration = Duration::from_secs(30);
const ALL: [Transport; 2] = [Transport::WebSocket, Transport::Poll];

/// A ceiling for tests that do not ask when.
const SOON: Duration = Duration::from_millis(400);

/// A server at a fixed address, which echoes and tells what it hears. It lives in a runtime of its own: when that ends, the server
/// is gone without a word, with its connections and its sessions.
struct Node {
    addr: SocketAddr,
    server: Server,
    heard: mpsc::UnboundedReceiver<String>,
    runtime: Option<Runtime>,
}

impl Node {
    async fn start(config: Config) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), config).await
    }

    async fn start_at(addr: SocketAddr, config: Config) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let begun = runtime.spawn(async move {
            let server = Server::builder(config)
                .unwrap()
                .on_socket(move |socket| app(socket, tell.clone()));
            // Until the one before it has let go of the address.
            let listener = loop {
                match TcpListener::bind(addr).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let addr = listener.local_addr().unwrap();
            tokio::spawn(anywire::serve(server.routes()).incoming(listener).run());
            (server, addr)
        });
        let (server, addr) = timeout(DEADLINE, begun).await.unwrap().unwrap();
        Self {
            addr,
            server,
            heard,
            runtime: Some(runtime),
        }
    }

    /// Is gone, and another is there in its place, which knows nothing of it.
    async fn replaced(mut self, config: Config) -> Self {
        self.stop();
        Self::start_at(self.addr, config).await
    }

    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    async fn drain(&self) {
        let server = self.server.clone();
        let drained = self.runtime.as_ref().map(|runtime| {
            runtime.spawn(async move { server.drain(Duration::from_secs(5)).await })
        });
        drained.unwrap().await.unwrap();
    }

    fn builder(&self) -> ClientBuilder {
        let url = format!("ws://{}/anywire", self.addr);
        Client::builder(&url).memory(OriginMemory::default())
    }

    async fn hears(&mut self, expected: &[&str]) {
        for text in expected {
            let heard = timeout(DEADLINE, self.heard.recv()).await.unwrap();
            assert_eq!(heard.as_deref(), Some(*text));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn app(mut socket: Socket, tell: mpsc::UnboundedSender<String>) {
    while let Some(message) = socket.recv().await {
        let text = message.as_text().unwrap_or_default().to_owned();
        let _ = tell.send(text);
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

fn reopen(decision: Decision) -> Reopen {
    Reopen::new(move |_| decision).ceiling(SOON)
}

async fn reopened(client: &mut Client) -> Reopened {
    loop {
        let event = timeout(DEADLINE, client.next_event()).await;
        match event.expect("in time").expect("no end") {
            ClientEvent::Reopened(reopened) => return reopened,
            ClientEvent::Message(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn echoes(client: &mut Client, text: &str) {
    client.send(text).await.unwrap();
    let echo = timeout(DEADLINE, client.recv()).await.unwrap();
    assert_eq!(echo.expect("no end").as_text(), Some(text));
}

async fn end(client: &mut Client) -> CloseReason {
    let ended = timeout(DEADLINE, async { while client.recv().await.is_some() {} }).await;
    ended.expect("an end in time");
    client.close_reason().unwrap().clone()
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::as_text).collect()
}

#[tokio::test]
async fn a_session_follows_one_whose_server_restarts() {
    for transport in ALL {
        let node = Node::start(Config::new()).await;
        let builder = node.builder().only(transport);
        let builder = builder.reopen(reopen(Decision::Drop));
        let mut client = builder.connect().await.unwrap();
        echoes(&mut client, "old").await;
        let old = client.id();
        node.drain().await;
        let mut node = node.replaced(Config::new()).await;
        let reopened = reopened(&mut client).await;
        assert_eq!(reopened.reason.code, CloseCode::RESTART, "{transport}");
        assert_eq!(reopened.previous, old);
        assert!(reopened.unacknowledged.is_empty());
        assert_ne!(client.id(), old);
        echoes(&mut client, "new").await;
        assert_eq!(client.transport(), Some(transport));
        node.hears(&["new"]).await;
        assert_eq!(
            client.close(CloseCode::NORMAL).await.code,
            CloseCode::NORMAL
        );
    }
}

#[tokio::test]
async fn a_session_follows_one_that_a_new_server_does_not_know() {
    for transport in ALL {
        let node = Node::start(Config::new()).await;
        let builder = node.builder().only(transport);
        let builder = builder.reopen(reopen(Decision::Drop));
        let mut client = builder.connect().await.unwrap();
        echoes(&mut client, "old").await;
        let _node = node.replaced(Config::new()).await;
        let reopened = reopened(&mut client).await;
        assert_eq!(
            reopened.reason.code,
            CloseCode::UNKNOWN_SESSION,
            "{transport}"
        );
        echoes(&mut client, "new").await;
    }
}

#[tokio::test]
async fn with_both_transports_a_client_is_back_in_time() {
    let mut node = Node::start(Config::new()).await;
    let builder = node.builder().reopen(Reopen::new(|_| Decision::Drop));
    let mut client = builder.connect().await.unwrap();
    for round in ["one", "two"] {
        echoes(&mut client, round).await;
        node = node.replaced(Config::new()).await;
        let began = Instant::now();
        reopened(&mut client).await;
        let after = began.elapsed();
        assert!(after < Duration::from_millis(6_500), "{after:?}");
    }
    echoes(&mut client, "three").await;
}

/// A client that has sent three messages that its server, which is gone, has not acknowledged; and the server's successor.
async fn cut_off(transport: Transport, decision: Decision) -> (Client, Node) {
    let mut node = Node::start(Config::new()).await;
    let builder = node.builder().only(transport);
    let client = builder.reopen(reopen(decision)).connect().await.unwrap();
    node.stop();
    let mut changes = client.transport_changes();
    while client.transport().is_some() {
        timeout(DEADLINE, changes.next()).await.unwrap();
    }
    for text in ["one", "two", "three"] {
        client.try_send(text).unwrap();
    }
    let node = Node::start_at(node.addr, Config::new()).await;
    (client, node)
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_before_all_else() {
    for transport in ALL {
        let (mut client, mut node) = cut_off(transport, Decision::Resend).await;
        let sender = client.sender();
        // It is sent while the old session is detached, or has ended, or behind that.
        let sent = tokio::spawn(async move {
            for index in 0..200 {
                sender.send(index.to_string()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let reopened = reopened(&mut client).await;
        assert!(reopened.unacknowledged.is_empty());
        sent.await.unwrap();
        node.hears(&["one", "two", "three"]).await;
        for index in 0..200 {
            node.hears(&[&index.to_string()]).await;
        }
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_is_given_back_or_forgotten() {
    for transport in ALL {
        for (decision, expected) in [
            (Decision::Keep, &["one", "two", "three"][..]),
            (Decision::Drop, &[][..]),
        ] {
            let (mut client, mut node) = cut_off(transport, decision).await;
            let reopened = reopened(&mut client).await;
            assert_eq!(texts(&reopened.unacknowledged), expected, "{transport}");
            client.send("new").await.unwrap();
            node.hears(&["new"]).await;
        }
    }
}

#[tokio::test]
async fn the_app_decides_by_what_has_ended() {
    let node = Node::start(Config::new()).await;
    let (asked, mut asks) = mpsc::unbounded_channel();
    let reopen = Reopen::new(move |ended| {
        asked.send(ended.clone()).unwrap();
        Decision::Drop
    });
    let builder = node.builder().reopen(reopen.ceiling(SOON));
    let mut client = builder.connect().await.unwrap();
    echoes(&mut client, "old").await;
    let old = client.id();
    let _node = node.replaced(Config::new()).await;
    reopened(&mut client).await;
    let ended = asks.recv().await.unwrap();
    assert_eq!(ended.session, old);
    assert_eq!(ended.reason.code, CloseCode::UNKNOWN_SESSION);
    assert!(asks.try_recv().is_err());
}

#[tokio::test]
async fn between_two_sessions_a_message_waits_and_a_close_is_final() {
    for transport in ALL {
        let mut node = Node::start(Config::new()).await;
        let builder = node.builder().only(transport);
        let builder = builder.reopen(reopen(Decision::Resend));
        let mut client = builder.connect().await.unwrap();
        echoes(&mut client, "old").await;
        node.drain().await;
        node.stop();
        let sender = client.sender();
        let full = timeout(DEADLINE, async {
            loop {
                match sender.try_send("new") {
                    Err(TrySendError::Full(_)) => break,
                    Err(other) => panic!("{other}"),
                    Ok(()) => tokio::task::yield_now().await,
                }
            }
        });
        full.await.expect("the end is seen");
        let waiting = tokio::spawn(async move { sender.send("new").await });
        // At least one open fails.
        let short = timeout(2 * SOON, client.next_event()).await;
        assert!(short.is_err(), "{transport}: {short:?}");
        let began = Instant::now();
        let own = CloseReason::new(CloseCode::application(3_001).unwrap(), "enough");
        let told = timeout(DEADLINE, client.close(own.clone())).await.unwrap();
        assert_eq!(told, own, "{transport}");
        assert!(began.elapsed() < Duration::from_secs(1));
        let refused = waiting.await.unwrap();
        assert!(matches!(refused, Err(SendError::Closed(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn what_the_app_has_put_an_end_to_stays_ended() {
    let application = CloseCode::application(3_000).unwrap();
    for transport in ALL {
        for code in [CloseCode::NORMAL, application, CloseCode::REVOKED] {
            let node = Node::start(Config::new()).await;
            let builder = node.builder().only(transport);
            let builder = builder.reopen(reopen(Decision::Resend));
            let mut client = builder.connect().await.unwrap();
            let sender = node.server.session(client.id()).await.unwrap();
            match code {
                CloseCode::REVOKED => sender.revoke("out"),
                code => sender.close(code),
            }
            assert_eq!(end(&mut client).await.code, code, "{transport}");
            assert!(client.next_event().await.is_none());
            assert!(client.try_send("late").is_err());
        }
    }
}

#[tokio::test]
async fn recv_goes_on_with_the_next_session() {
    let node = Node::start(Config::new()).await;
    let builder = node.builder().reopen(reopen(Decision::Resend));
    let mut client = builder.connect().await.unwrap();
    echoes(&mut client, "old").await;
    let sender = client.sender();
    let _node = node.replaced(Config::new()).await;
    let sending = tokio::spawn(async move {
        let mut has_ended = false;
        while !has_ended {
            has_ended = sender.try_send("late").is_err();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        sender.send("new").await
    });
    let heard = timeout(DEADLINE, async {
        loop {
            let message = client.recv().await.expect("no end");
            if message.as_text() == Some("new") {
                break;
            }
        }
    });
    heard.await.expect("in time");
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_server_the_tries_end() {
    let mut node = Node::start(Config::new()).await;
    let builder = node.builder().reopen(reopen(Decision::Keep).tries(2));
    let mut client = builder.connect().await.unwrap();
    node.drain().await;
    node.stop();
    assert_eq!(end(&mut client).await.code, CloseCode::ABNORMAL);
}

#[tokio::test]
async fn a_decision_that_panics_makes_the_end_final() {
    let node = Node::start(Config::new()).await;
    let reopen = Reopen::new(|ended| panic!("no answer to {}", ended.reason));
    let mut client = node.builder().reopen(reopen).connect().await.unwrap();
    node.drain().await;
    assert_eq!(end(&mut client).await.code, CloseCode::RESTART);
}

/// A server that lets in for a short time who has the newest token, and for good who has a good one.
fn by_token(newest: Arc<Mutex<String>>) -> Config {
    Config::new().authorize(move |visitor| {
        let token = visitor.credential.map(|said| said.as_str().to_owned());
        let is_known = token.as_ref() == Some(&*newest.lock().unwrap());
        let granted = match token.as_deref() {
            Some("good") => Ok(Grant::to("ada")),
            Some(_) if is_known => {
                let until = SystemTime::now() + Duration::from_millis(600);
                Ok(Grant::to("ada").until(until))
            }
            _ => Err(Denied::unauthenticated("an unknown token")),
        };
        async move { granted }
    })
}

#[tokio::test]
async fn after_a_credential_ran_out_another_is_asked_for() {
    for transport in ALL {
        let node = Node::start(by_token(Arc::new(Mutex::new("short".to_owned())))).await;
        let builder = node.builder().only(transport);
        let builder = builder.credential(async |why| match why {
            Why::Open => Ok("short".to_owned()),
            Why::Expired => Ok("good".to_owned()),
            _ => Err("away".into()),
        });
        let builder = builder.reopen(reopen(Decision::Resend));
        let mut client = builder.connect().await.unwrap();
        let reopened = reopened(&mut client).await;
        assert_eq!(reopened.reason.code, CloseCode::CREDENTIAL_EXPIRED);
        echoes(&mut client, "new").await;
    }
}

#[tokio::test]
async fn after_a_credential_was_refused_another_is_asked_for_once() {
    for transport in ALL {
        let node = Node::start(by_token(Arc::new(Mutex::new("short".to_owned())))).await;
        let (asked, mut asks) = mpsc::unbounded_channel();
        let builder = node.builder().only(transport);
        let builder = builder.credential(move |why| {
            asked.send(why).unwrap();
            let token = if why == Why::Open { "short" } else { "wrong" };
            async move { Ok(token.to_owned()) }
        });
        let builder = builder.reopen(reopen(Decision::Resend));
        let mut client = builder.connect().await.unwrap();
        assert_eq!(end(&mut client).await.code, CloseCode::UNAUTHORIZED);
        for why in [Why::Open, Why::Expiring, Why::Expired] {
            assert_eq!(asks.recv().await, Some(why), "{transport}");
        }
        assert!(asks.try_recv().is_err(), "{transport}");
    }
}
