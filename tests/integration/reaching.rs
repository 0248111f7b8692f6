//! Reaching sessions by their id, by their principal, and as an audience: on one server, and on three nodes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anywire::{CloseCode, CloseReason, Config, Denied, Grant, Server, Visitor};
use anywire_tests::cluster::{TestNode, TestStore, linked};
use anywire_tests::server::TestServer;
use tokio::sync::Semaphore;

use crate::wire::{ALL, Got, Variant, Wire, every};

/// The credential is the name.
fn config() -> Config {
    every().authorize(|visitor: Visitor| async move {
        match visitor.credential {
            Some(credential) => Ok(Grant::to(credential.as_str())),
            None => Err(Denied::unauthenticated("say who you are")),
        }
    })
}

async fn open(addr: std::net::SocketAddr, variant: Variant, name: &str) -> Wire {
    let mut wire = Wire::present(addr, variant, name).await.unwrap();
    wire.send("hello").await;
    assert_eq!(wire.recv_text().await, "hello");
    wire
}

/// The sessions of three nodes: one of Ada and one of Bob at each, over transports that take turns.
async fn crowd(addrs: &[std::net::SocketAddr]) -> Vec<(Wire, &'static str)> {
    let mut wires = Vec::new();
    for (turn, variant) in ALL.into_iter().enumerate() {
        let name = ["ada", "bob"][turn % 2];
        let addr = addrs[turn % addrs.len()];
        wires.push((open(addr, variant, name).await, name));
    }
    wires
}

async fn all_of(server: &Server, addrs: &[std::net::SocketAddr]) {
    let mut wires = crowd(addrs).await;
    let count = |name: &str| wires.iter().filter(|(_, owner)| *owner == name).count();
    let (adas, bobs) = (count("ada"), count("bob"));

    let reach = server.principal("ada").send("to ada").await;
    assert_eq!((reach.sessions, reach.silent_nodes), (adas, 0));
    for (wire, _) in wires.iter_mut().filter(|(_, owner)| *owner == "ada") {
        assert_eq!(wire.recv_text().await, "to ada");
    }
    assert_eq!(server.principal("nobody").send("x").await.sessions, 0);

    let told = server.principal("bob").sessions().await;
    let ids: HashSet<_> = told.iter().map(|info| info.id).collect();
    assert_eq!(ids.len(), bobs);
    for info in &told {
        assert_eq!(info.principal.as_ref().unwrap().name(), "bob");
    }

    // One by its id, wherever it lives.
    for (wire, owner) in &mut wires {
        let session = server.session(wire.opened.session).await.expect("it lives");
        assert_eq!(session.id(), wire.opened.session);
        assert_eq!(session.principal().unwrap().name(), *owner);
        assert!(session.attachment().is_attached());
        session.send("first").await.unwrap();
        session.try_send("second").unwrap();
        session.send("third").await.unwrap();
        for text in ["first", "second", "third"] {
            assert_eq!(wire.recv_text().await, text);
        }
        session.subscribe("everywhere");
        // Behind it, so that it stands.
        session.send("followed").await.unwrap();
        assert_eq!(wire.recv_text().await, "followed");
    }
    let unknown = anywire::SessionId::from_bytes([9; 16]);
    assert!(server.session(unknown).await.is_none());

    // Each once, though some follow two topics; without one session, and without Bob.
    for (wire, _) in wires.iter().take(3) {
        let session = server.session(wire.opened.session).await.unwrap();
        session.subscribe("also");
        session.send("so").await.unwrap();
    }
    for (wire, _) in wires.iter_mut().take(3) {
        assert_eq!(wire.recv_text().await, "so");
    }
    let left_out = wires[2].0.opened.session;
    assert_eq!(wires[2].1, "ada");
    let audience = server.audience().topic("everywhere").topic("also");
    let audience = audience.except(left_out).except_principal("bob");
    let reach = audience.publish("to some").await;
    assert_eq!((reach.sessions, reach.silent_nodes), (adas - 1, 0));
    let reach = server
        .audience()
        .topic("everywhere")
        .publish("to all")
        .await;
    assert_eq!(reach.sessions, wires.len());
    for (wire, owner) in &mut wires {
        if *owner == "ada" && wire.opened.session != left_out {
            assert_eq!(wire.recv_text().await, "to some");
        }
        assert_eq!(wire.recv_text().await, "to all");
    }

    let long = "long ".repeat(30_000);
    let reach = server.principal("ada").send(long.as_str()).await;
    assert_eq!(reach.sessions, adas);
    for (wire, _) in wires.iter_mut().filter(|(_, owner)| *owner == "ada") {
        assert_eq!(wire.recv_text().await, long);
    }

    let closed = server
        .principal("ada")
        .close(CloseReason::new(
            CloseCode::application(3_003).unwrap(),
            "bye",
        ))
        .await;
    assert_eq!(closed.sessions, adas);
    let revoked = server.principal("bob").revoke("out").await;
    assert_eq!(revoked.sessions, bobs);
    for (mut wire, owner) in wires {
        let Got::Closed(reason) = wire.recv().await else {
            panic!("a message behind the end")
        };
        let expected = if owner == "ada" { 3_003 } else { 4_970 };
        assert_eq!(reason.code.as_u16(), expected);
    }
}

#[tokio::test]
async fn one_server_reaches_its_sessions() {
    let server = TestServer::start(config()).await;
    if server.takes_raw() {
        all_of(&server.server, &[server.addr]).await;
        assert!(server.server.sessions().next().is_none() || server.server.metrics().sessions > 0);
    }
}

#[tokio::test]
async fn a_node_reaches_the_sessions_of_all() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &config(), &store).await;
        linked(&nodes, 2).await;
        let addrs: Vec<_> = nodes.iter().map(|node| node.addr).collect();
        for node in &nodes {
            all_of(&node.server, &addrs).await;
        }
    }
}

#[tokio::test]
async fn a_snapshot_of_the_sessions_holds_no_lock() {
    let server = TestServer::start(config()).await;
    let mut wires = crowd(&[server.addr]).await;
    let mut here = server.server.sessions();
    let first = here.next().expect("there are eight");
    // While it is walked through, sessions end and begin.
    let ended = wires
        .iter()
        .position(|(wire, _)| wire.opened.session == first.id());
    let (mut wire, _) = wires.remove(ended.expect("it is one of them"));
    wire.close(CloseCode::NORMAL.into()).await;
    let more = open(server.addr, Variant::PollText, "carl").await;
    assert_eq!(here.count(), 7);
    let now: HashSet<_> = server
        .server
        .sessions()
        .map(|session| session.id())
        .collect();
    assert!(now.contains(&more.opened.session));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// An app that says who a client is, but not before it is let.
struct Slow {
    config: Config,
    asked: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Self {
        let (asked, may_answer) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (ask, answer) = (asked.clone(), may_answer.clone());
        let config = every().authorize(move |visitor: Visitor| {
            let (ask, answer) = (ask.clone(), answer.clone());
            async move {
                let Some(credential) = visitor.credential else {
                    return Err(Denied::unauthenticated("say who you are"));
                };
                ask.add_permits(1);
                answer.acquire().await.unwrap().forget();
                Ok(Grant::to(credential.as_str()))
            }
        });
        Self {
            config,
            asked,
            may_answer,
        }
    }

    /// Ada and Bob want to come to a server; while the app thinks about them, another one puts Ada out.
    async fn put_ada_out(&self, variant: Variant, addr: std::net::SocketAddr, by: &Server) -> u64 {
        let ada = tokio::spawn(Wire::present(addr, variant, "ada"));
        let bob = tokio::spawn(Wire::present(addr, variant, "bob"));
        self.asked.acquire_many(2).await.unwrap().forget();
        let reach = by.principal("ada").revoke("out").await;
        assert_eq!((reach.sessions, reach.silent_nodes), (0, 0), "{variant:?}");
        self.may_answer.add_permits(2);
        assert!(bob.await.unwrap().is_ok(), "{variant:?}");
        let (_, code) = ada.await.unwrap().err().expect("Ada is put out");
        code
    }
}

#[tokio::test]
async fn a_client_that_was_let_in_before_it_was_put_out_does_not_open() {
    let slow = Slow::new();
    let server = TestServer::start(slow.config.clone()).await;
    for variant in ALL {
        let code = slow.put_ada_out(variant, server.addr, &server.server).await;
        assert_eq!(code, 4_970, "{variant:?}");
        // The app is asked about her after that, and says yes.
        slow.may_answer.add_permits(1);
        let mut again = open(server.addr, variant, "ada").await;
        slow.asked.acquire().await.unwrap().forget();
        again.close(CloseCode::NORMAL.into()).await;
    }
}

#[tokio::test]
async fn a_client_is_put_out_at_all_nodes_before_it_opens() {
    for store in TestStore::each() {
        let slow = Slow::new();
        let nodes = TestNode::start_all(3, &slow.config, &store).await;
        let by = &nodes[0].server;
        for variant in ALL {
            let code = slow.put_ada_out(variant, nodes[1].addr, by).await;
            assert_eq!(code, 4_970, "{variant:?}");
        }
        // From a node that drains it goes to another one, which may not know what came first: then the client comes again.
        let drained = nodes[1].server.clone();
        tokio::spawn(async move { drained.drain(Duration::from_secs(30)).await });
        while !nodes[1].server.is_draining() {
            tokio::task::yield_now().await;
        }
        for variant in ALL {
            let code = slow.put_ada_out(variant, nodes[1].addr, by).await;
            assert!(matches!(code, 4_970 | 4_902), "{variant:?} {code}");
        }
    }
}

#[tokio::test]
async fn a_session_that_goes_on_by_its_grant_does_so_at_every_node() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let config = every().authorize(move |visitor: Visitor| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            match visitor.credential {
                Some(credential) => Ok(Grant::to(credential.as_str())),
                None => Err(Denied::unauthenticated("say who you are")),
            }
        }
    });
    for store in TestStore::each() {
        let nodes = TestNode::start_all(2, &config, &store).await;
        for variant in ALL {
            // JSONP opens twice, the second time without the credential.
            if variant == Variant::Jsonp {
                continue;
            }
            asked.store(0, Ordering::Relaxed);
            let mut wire = open(nodes[0].addr, variant, "ada").await;
            for (turn, other) in ALL.into_iter().enumerate() {
                wire.go_to(nodes[(turn + 1) % 2].addr);
                wire.switch(other).await;
                wire.send("on").await;
                assert_eq!(wire.recv_text().await, "on", "{variant:?} then {other:?}");
            }
            assert_eq!(asked.load(Ordering::Relaxed), 1, "{variant:?}");
        }
    }
}
