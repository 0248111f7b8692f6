//! Several nodes: any request may come to any of them, and what is published at one is heard at all.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anywire::cluster::{Cluster, ClusterKey, Gap, MemoryStore};
use anywire::{CloseCode, CloseReason, Denied, Grant, Keep, Visitor};
use anywire_protocol::Packet;
use anywire_tests::certificate::Certificate;
use anywire_tests::cluster::{TestNode, TestStore, linked, test_key};
use anywire_tests::documents::{self, block};
use anywire_tests::http::poll;
use anywire_tests::redis::{RedisCluster, RedisServer, Sentinel};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::wire::{ALL, Got, Variant, Wire, every, exchange, new_key, packet};

/// Twice what the slowest of these may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a poll of this client's session is told at another node.
async fn told(wire: &Wire, addr: SocketAddr) -> (u16, u64) {
    let poll = [wire.attach_packet(Some(Duration::ZERO))];
    let answer = exchange(addr, Variant::PollText, &poll).await;
    match answer.status {
        200 => (200, 0),
        status => (status, answer.code()),
    }
}

#[tokio::test]
async fn each_connection_may_come_to_another_node() {
    for store in TestStore::all() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &every(), &store).await;
        for first in ALL {
            let mut wire = Wire::open(nodes[0].addr, first).await;
            for (turn, variant) in ALL.into_iter().enumerate() {
                wire.go_to(nodes[turn % 3].addr);
                wire.switch(variant).await;
                let text = format!("{first:?} then {variant:?}");
                wire.send(text.as_str()).await;
                assert_eq!(wire.recv_text().await, text);
            }
            let reason = CloseReason::from(CloseCode::NORMAL);
            wire.close(reason).await;
        }
        let opened: Vec<_> = nodes
            .iter()
            .map(|node| node.server.metrics().opened)
            .collect();
        assert_eq!(
            opened,
            [ALL.len() as u64, 0, 0],
            "the first node is the home of all"
        );
        let [home, edges @ ..] = &nodes[..] else {
            panic!("there are three")
        };
        let relayed: u64 = edges.iter().map(|edge| edge.node.metrics().relayed).sum();
        let metrics = home.node.metrics();
        assert!(relayed > 0 && metrics.relayed == 0);
        assert_eq!((metrics.brought, metrics.links), (relayed, 2));
        assert!(metrics.has_store && metrics.store_outages == 0 && metrics.other_stores == 0);
    }
}

#[tokio::test]
async fn legs_that_race_to_several_nodes_make_one_session() {
    for store in TestStore::all() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &every(), &store).await;
        let mut addrs: Vec<_> = nodes.iter().map(|node| node.addr).collect();
        for round in 0..50 {
            addrs.rotate_left(1);
            let key = new_key();
            let mut legs = JoinSet::new();
            for (turn, addr) in addrs.iter().enumerate() {
                let addr = *addr;
                // Legs of one generation: none is told that it comes too late.
                let variant = match (round + turn) % 3 {
                    0 => Variant::WebSocket,
                    1 => Variant::PollText,
                    _ => Variant::PollBinary,
                };
                legs.spawn(async move { Wire::open_with(addr, variant, key, 1, &[]).await });
            }
            let wires = legs.join_all().await;
            let opened = wires.iter().map(|wire| &wire.opened);
            for other in opened.clone() {
                assert_eq!(other.session, wires[0].opened.session);
                assert_eq!(other.secret, wires[0].opened.secret);
            }
        }
        let began: usize = nodes.iter().map(|node| node.seen.opened()).sum();
        assert_eq!(began, 50, "the app heard of each once");
        for node in &nodes {
            assert!(
                node.server.metrics().opened > 0,
                "whoever comes first is the home"
            );
        }
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_unknown_at_every_node() {
    for mut store in TestStore::all() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &every(), &store).await;
        let key = new_key();
        let mut wire = Wire::open_with(nodes[0].addr, Variant::PollText, key, 1, &[]).await;
        wire.close(CloseCode::NORMAL.into()).await;
        nodes[0].seen.wait_closed(1).await;
        let ended = async {
            for node in &nodes {
                while told(&wire, node.addr).await != (404, 4930) {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        timeout(DEADLINE, ended).await.expect("all say so");
        // Its opening key makes no other within the open window, wherever it comes, and whatever the store forgets.
        for _ in 0..2 {
            for node in &nodes {
                let open = packet(
                    'o',
                    &format!(r#"{{"version":1,"key":"{key}","generation":2}}"#),
                );
                let answer = poll(node.addr, "anywire", &open).await;
                assert_eq!((answer.status, answer.code()), (404, 4930));
            }
            store.forget();
        }
    }
}

#[tokio::test]
async fn the_sessions_of_a_dead_node_are_unknown_at_every_other() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let mut nodes = TestNode::start_all(3, &every(), &store).await;
        let wire = Wire::open(nodes[0].addr, Variant::PollText).await;
        assert_eq!(told(&wire, nodes[1].addr).await, (200, 0));
        drop(nodes.remove(0));
        let dead = Instant::now();
        for node in &nodes {
            let answered = async {
                loop {
                    match told(&wire, node.addr).await {
                        (404, code) => return code,
                        // Not yet known, never another verdict.
                        (503, _) => {}
                        other => panic!("{other:?}"),
                    }
                }
            };
            assert_eq!(timeout(DEADLINE, answered).await.unwrap(), 4930);
        }
        println!("told {:?} after the end", dead.elapsed());
        // The client opens another, at whichever node.
        let mut again = Wire::open(nodes[1].addr, Variant::WebSocket).await;
        again.go_to(nodes[0].addr);
        again.switch(Variant::PollText).await;
        again.send("hello").await;
        assert_eq!(again.recv_text().await, "hello");
    }
}

#[tokio::test]
async fn a_store_that_is_away_stops_no_session() {
    for store in TestStore::all() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &every(), &store).await;
        let mut wire = Wire::open(nodes[0].addr, Variant::WebSocket).await;
        let mut polling = Wire::open(nodes[1].addr, Variant::PollText).await;
        store.set_away(true);
        for (variant, node) in [
            (Variant::WebSocket, 0),
            (Variant::PollBinary, 1),
            (Variant::StreamText, 2),
            (Variant::Events, 0),
        ] {
            for wire in [&mut wire, &mut polling] {
                wire.go_to(nodes[node].addr);
                wire.switch(variant).await;
                wire.send("still here").await;
                assert_eq!(wire.recv_text().await, "still here");
            }
        }
        // Nobody can say that a session has ended, nor make one.
        let open = packet(
            'o',
            &format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key()),
        );
        let refused = poll(nodes[2].addr, "anywire", &open).await;
        assert_eq!((refused.status, refused.code()), (503, 4902));
        assert_eq!(refused.header("retry-after"), Some("1"));
        let metrics = nodes[2].node.metrics();
        assert_eq!(metrics.store_outages, 1, "{metrics:?}");
        store.set_away(false);
        let answer = poll(nodes[2].addr, "anywire", &open).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_store_that_has_forgotten_ends_no_session_and_makes_none_twice() {
    for mut store in TestStore::all() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &every(), &store).await;
        let mut wires = Vec::new();
        for node in &nodes {
            for _ in 0..20 {
                let key = new_key();
                let wire = Wire::open_with(node.addr, Variant::PollText, key, 1, &[]).await;
                wires.push((key, wire));
            }
        }
        for round in 0..3 {
            store.forget();
            for (at, (key, wire)) in wires.iter_mut().enumerate() {
                let addr = nodes[(at + round) % 3].addr;
                assert_eq!(told(wire, addr).await, (200, 0), "{at} in round {round}");
                // A late repeat of the open finds it too.
                let again = Wire::open_with(addr, Variant::PollText, *key, 1, &[]).await;
                assert_eq!(again.opened.session, wire.opened.session);
            }
        }
        let began: usize = nodes.iter().map(|node| node.seen.opened()).sum();
        assert_eq!(began, wires.len());
        let met = async {
            while nodes[0].node.metrics().other_stores == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, met).await.expect("another store is met");
    }
}

#[tokio::test]
async fn nodes_know_each_other_by_their_key() {
    let store = MemoryStore::new();
    let (old, new) = (test_key(), ClusterKey::new([9; 32]).unwrap());
    let join = async |cluster| TestNode::start(every(), cluster).await;
    let one = join(Cluster::in_process(&store, old.clone())).await;
    let stranger = join(Cluster::in_process(&store, new.clone())).await;
    let wire = Wire::open(one.addr, Variant::PollText).await;
    assert_eq!(
        told(&wire, stranger.addr).await,
        (404, 4930),
        "its secret is none here"
    );
    sleep(Duration::from_millis(1_500)).await;
    assert!(one.node.linked().is_empty() && stranger.node.linked().is_empty());
    drop((one, stranger));
    // While a key is rotated, both are believed.
    let store = MemoryStore::new();
    let first = Cluster::in_process(&store, old.clone()).previous_key(new.clone());
    let then = Cluster::in_process(&store, new).previous_key(old);
    let nodes = [join(first).await, join(then).await];
    linked(&nodes, 1).await;
    for (home, edge) in [(0, 1), (1, 0)] {
        let wire = Wire::open(nodes[home].addr, Variant::PollText).await;
        assert_eq!(told(&wire, nodes[edge].addr).await, (200, 0));
    }
}

#[tokio::test]
async fn what_is_published_is_heard_at_all_nodes_in_one_order() {
    for store in TestStore::all() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(3, &every(), &store).await;
        let mut wires = Vec::new();
        for (turn, variant) in ALL.into_iter().enumerate() {
            let mut wire = Wire::open(nodes[turn % 3].addr, variant).await;
            wire.send("topic:news").await;
            assert_eq!(wire.recv_text().await, "subscribed");
            wires.push(wire);
        }
        for number in 0..300 {
            nodes[number % 3]
                .server
                .publish("news", format!("n{number}"));
        }
        let mut orders = Vec::new();
        for wire in &mut wires {
            let mut order = Vec::new();
            while order.len() < 300 {
                order.push(wire.recv_text().await);
            }
            orders.push(order);
        }
        for order in &orders {
            assert_eq!(order, &orders[0], "one order for all");
            for node in 0..3 {
                let of_node = order.iter().filter_map(|text| {
                    let number: usize = text[1..].parse().unwrap();
                    (number % 3 == node).then_some(number)
                });
                assert!(
                    of_node.is_sorted(),
                    "each node's own in the order in which it published"
                );
            }
        }
        // A repeat with the same key is none.
        let first = nodes[0]
            .node
            .publish("news", "once", Some("k"))
            .await
            .unwrap();
        let again = nodes[1]
            .node
            .publish("news", "once", Some("k"))
            .await
            .unwrap();
        assert_eq!((first, first.number), (again, 301));
        nodes[2].node.publish("news", "last", None).await.unwrap();
        for wire in &mut wires {
            assert_eq!(wire.recv_text().await, "once");
            assert_eq!(wire.recv_text().await, "last");
        }
    }
}

#[tokio::test]
async fn what_a_feed_loses_comes_from_the_log_or_is_told() {
    let store = MemoryStore::new();
    let shared = TestStore::Memory(store.clone());
    let mut nodes = TestNode::start_all(2, &every(), &shared).await;
    let mut wire = Wire::open(nodes[0].addr, Variant::WebSocket).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    nodes[1].node.publish("news", "heard", None).await.unwrap();
    assert_eq!(wire.recv_text().await, "heard");
    store.set_deaf(true);
    for number in 0..1_200 {
        nodes[1]
            .node
            .publish("news", format!("m{number}"), None)
            .await
            .unwrap();
    }
    store.set_deaf(false);
    let gap = timeout(DEADLINE, nodes[0].node.gap())
        .await
        .expect("it is told");
    let expected = Gap {
        topic: "news".into(),
        missing: Some(200),
    };
    assert_eq!(gap, Some(expected));
    for number in 200..1_200 {
        assert_eq!(wire.recv_text().await, format!("m{number}"));
    }
    // A store that forgets begins to count anew, which is told too.
    store.forget();
    nodes[1].node.publish("news", "after", None).await.unwrap();
    let gap = timeout(DEADLINE, nodes[0].node.gap())
        .await
        .expect("it is told");
    assert_eq!(gap.unwrap().missing, None);
    assert_eq!(wire.recv_text().await, "after");
}

#[tokio::test]
async fn a_node_that_drains_has_others_take_new_sessions() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(2, &every(), &store).await;
        let mut wire = Wire::open(nodes[0].addr, Variant::PollText).await;
        let server = nodes[0].server.clone();
        let drained = tokio::spawn(async move { server.drain(Duration::from_secs(10)).await });
        // Wherever its client comes, it is told.
        wire.go_to(nodes[1].addr);
        let Got::Closed(reason) = wire.recv().await else {
            panic!("not closed")
        };
        assert_eq!(reason.code, CloseCode::RESTART);
        wire.close(reason).await;
        assert_eq!(drained.await.unwrap(), 0);
        for variant in ALL {
            let mut wire = Wire::open(nodes[0].addr, variant).await;
            wire.send("hello").await;
            assert_eq!(wire.recv_text().await, "hello");
        }
        assert_eq!(nodes[1].server.metrics().opened, ALL.len() as u64);
    }
}

#[tokio::test]
async fn what_is_kept_of_a_request_goes_with_it_from_a_node_that_drains() {
    let keep = Keep::nothing().path().peer();
    let config = every().keep(keep).authorize(|visitor: Visitor| async move {
        let said = visitor.credential.as_ref();
        let name = said.ok_or_else(|| Denied::unauthenticated("say who you are"))?;
        let grant = Grant::to(name.as_str());
        Ok(match name.as_str() {
            "valued" => grant.with(7_u8),
            _ => grant,
        })
    });
    for store in TestStore::each() {
        println!("{}", store.name());
        let nodes = TestNode::start_all(2, &config, &store).await;
        let server = nodes[0].server.clone();
        tokio::spawn(async move { server.drain(Duration::from_secs(30)).await });
        while !nodes[0].server.is_draining() {
            tokio::task::yield_now().await;
        }
        for variant in ALL {
            let wire = Wire::present(nodes[0].addr, variant, "ada").await.unwrap();
            let session = nodes[1].server.session(wire.opened.session).await.unwrap();
            assert!(session.is_here());
            let opening = session.opening().expect("the path is kept");
            let path = opening.path().unwrap();
            assert!(path.starts_with("/anywire/"), "{variant:?} {path}");
            assert!(opening.peer().unwrap().ip().is_loopback(), "{variant:?}");
            // Values do not go from node to node, and no app is to miss them.
            let refused = Wire::present(nodes[0].addr, variant, "valued").await.err();
            assert_eq!(refused.map(|(_, code)| code), Some(4_903), "{variant:?}");
            let wire = Wire::present(nodes[1].addr, variant, "valued")
                .await
                .unwrap();
            let session = nodes[1].server.session(wire.opened.session).await.unwrap();
            assert_eq!(session.grant().get::<u8>(), Some(&7), "{variant:?}");
        }
    }
}

#[tokio::test]
async fn a_rule_broken_below_the_packets_ends_the_session_at_its_home() {
    let nodes = TestNode::start_all(2, &every(), &TestStore::Memory(MemoryStore::new())).await;
    let mut wire = Wire::open(nodes[0].addr, Variant::PollText).await;
    wire.go_to(nodes[1].addr);
    wire.switch(Variant::WebSocket).await;
    wire.say_frame("\u{10}?".into()).await;
    while !matches!(wire.next_packet().await, Packet::Close(_)) {}
    let told = nodes[0].seen.wait_closed(1).await;
    assert_eq!(told[0].code, CloseCode::PROTOCOL_ERROR);
    assert_eq!(told[0].text(), "a rule below the packets was broken");
}

#[tokio::test]
async fn nodes_that_come_and_go_are_found_and_forgotten() {
    for store in TestStore::each() {
        println!("{}", store.name());
        let mut nodes = TestNode::start_all(2, &every(), &store).await;
        nodes.push(TestNode::start(every(), store.cluster(test_key())).await);
        linked(&nodes, 2).await;
        let gone = nodes.remove(0);
        let wire = Wire::open(nodes[0].addr, Variant::PollText).await;
        assert_eq!(told(&wire, gone.addr).await, (200, 0));
        gone.server.drain(Duration::from_secs(1)).await;
        drop(gone);
        linked(&nodes, 1).await;
    }
}

#[tokio::test]
async fn topics_survive_whatever_happens_to_redis() {
    let mut redis = RedisServer::start(&[]);
    let join = async |redis: &RedisServer| {
        let cluster = Cluster::redis(&redis.url(), test_key()).unwrap();
        TestNode::start(every(), cluster).await
    };
    let mut nodes = [join(&redis).await, join(&redis).await];
    linked(&nodes, 1).await;
    let mut wire = Wire::open(nodes[0].addr, Variant::WebSocket).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    // Its connection for topics is killed again and again: the log has what it did not hear.
    for number in 0..400 {
        if number % 50 == 0 {
            redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        let text = format!("n{number}");
        nodes[1].node.publish("news", text, None).await.unwrap();
    }
    for number in 0..400 {
        assert_eq!(wire.recv_text().await, format!("n{number}"));
    }
    // From outside, as the page says.
    let line = block(documents::CLUSTER, "Publish through Redis", "sh");
    let scripts = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/anywire-cluster/src/redis/scripts"
    );
    let line = line.replace(
        "redis-cli",
        &format!("redis-cli -p {}", redis.addr().port()),
    );
    let shell = Command::new("sh")
        .current_dir(scripts)
        .args(["-c", &line])
        .output();
    assert!(shell.unwrap().status.success());
    assert_eq!(wire.recv_text().await, "Hello from outside");
    redis.kill();
    let away = nodes[1]
        .node
        .publish("news", "lost", None)
        .await
        .unwrap_err();
    assert!(
        away.to_string().contains("may not have been published"),
        "{away}"
    );
    redis.start_again();
    // It counts anew, and the app is told.
    let published = async {
        while nodes[1].node.publish("news", "anew", None).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, published)
        .await
        .expect("it comes back by itself");
    let gap = timeout(DEADLINE, nodes[0].node.gap())
        .await
        .expect("it is told");
    assert_eq!(gap.unwrap().missing, None);
    assert_eq!(wire.recv_text().await, "anew");
    let (heard, published) = (nodes[0].node.metrics(), nodes[1].node.metrics());
    assert_eq!((heard.gaps, published.published), (1, 401));
    assert!(published.has_store, "{published:?}");
}

#[tokio::test]
async fn a_redis_that_cannot_be_used_is_named() {
    let redis = RedisServer::start(&["--requirepass", "secret", "--maxmemory", "100mb"]);
    let trouble = async |url: &str| {
        let node = TestNode::start(every(), Cluster::redis(url, test_key()).unwrap()).await;
        let told = async {
            loop {
                match node.node.trouble() {
                    Some(trouble) if !trouble.contains("not connected yet") => return trouble,
                    _ => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(DEADLINE, told).await.expect("it is told")
    };
    let wrong = trouble(&redis.url()).await;
    assert!(wrong.to_lowercase().contains("auth"), "{wrong}");
    let with_password = format!("redis://:secret@{}", redis.addr());
    redis.command(&[
        "-a",
        "secret",
        "CONFIG",
        "SET",
        "maxmemory-policy",
        "allkeys-lru",
    ]);
    let evicting = trouble(&with_password).await;
    assert!(
        evicting.contains("set maxmemory-policy to noeviction"),
        "{evicting}"
    );
    redis.command(&[
        "-a",
        "secret",
        "CONFIG",
        "SET",
        "maxmemory-policy",
        "noeviction",
    ]);
    let master = redis.addr().port().to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &master]);
    let told = trouble(&replica.url()).await;
    assert!(told.contains("the server is a replica"), "{told}");
    let cluster = Cluster::redis(&with_password, test_key()).unwrap();
    let node = TestNode::start(every(), cluster).await;
    let ready = async {
        while !node.node.is_ready() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, ready).await.expect("it is ready");
}

#[tokio::test]
async fn an_idle_session_takes_little_of_redis() {
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::redis(&redis.url(), test_key()).unwrap();
    let node = TestNode::start(every(), cluster).await;
    let used = || {
        let info = redis.command(&["INFO", "memory"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    let mut first = Wire::open(node.addr, Variant::WebSocket).await;
    first.send("hello").await;
    assert_eq!(first.recv_text().await, "hello");
    let before = used();
    let mut opens = JoinSet::new();
    for _ in 0..4 {
        let addr = node.addr;
        opens.spawn(async move {
            for _ in 0..500 {
                Wire::open(addr, Variant::PollText).await;
            }
        });
    }
    opens.join_all().await;
    let each = (used() - before) / 2_000;
    println!("{each} bytes of Redis an idle session");
    assert!(each <= 330, "{each} bytes an idle session");
}

#[tokio::test]
async fn a_replica_that_becomes_the_master_is_followed() {
    let mut master = RedisServer::start(&[]);
    let port = master.addr().port().to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let sentinel = Sentinel::start(&master);
    let found = async {
        while !sentinel
            .command(&["SENTINEL", "REPLICAS", "main"])
            .contains("ip")
        {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, found)
        .await
        .expect("the sentinel has found the replica");
    let join = async || {
        let cluster = Cluster::redis(&sentinel.url(), test_key()).unwrap();
        TestNode::start(every(), cluster).await
    };
    let nodes = [join().await, join().await];
    linked(&nodes, 1).await;
    let mut wire = Wire::open(nodes[0].addr, Variant::PollText).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    master.kill();
    let killed = Instant::now();
    // What lives goes on, at either node.
    for at in [1, 0, 1] {
        wire.go_to(nodes[at].addr);
        wire.send("still here").await;
        assert_eq!(wire.recv_text().await, "still here");
    }
    let back = async {
        loop {
            let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
            let answer = poll(nodes[1].addr, "anywire", &packet('o', &open)).await;
            if answer.status == 200 {
                return;
            }
            assert_eq!((answer.status, answer.code()), (503, 4902));
        }
    };
    timeout(DEADLINE * 2, back)
        .await
        .expect("sessions open again");
    println!(
        "sessions open again {:?} after the master was killed",
        killed.elapsed()
    );
    assert!(replica.command(&["ROLE"]).starts_with("master"));
    assert_eq!(told(&wire, nodes[1].addr).await, (200, 0));
    nodes[1]
        .node
        .publish("news", "from the new master", None)
        .await
        .unwrap();
    assert_eq!(wire.recv_text().await, "from the new master");
}

/// The numbers that a follower of the topic `news` has heard, until it hears `last`.
async fn heard_until(wire: &mut Wire, last: &str) -> Vec<u64> {
    let mut heard = Vec::new();
    loop {
        let text = wire.recv_text().await;
        if text == last {
            return heard;
        }
        heard.push(text.parse().unwrap());
    }
}

#[tokio::test]
async fn topics_and_sessions_go_on_while_their_slots_move() {
    let redis = RedisCluster::start(0);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let cluster = Cluster::redis(&redis.url(), test_key()).unwrap();
        nodes.push(TestNode::start(every(), cluster).await);
    }
    linked(&nodes, 1).await;
    let mut wire = Wire::open(nodes[0].addr, Variant::WebSocket).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    let slot = redis.slot("aw:t:{38}:news");
    let owner = usize::from(slot / 5_462);
    let publisher = nodes[1].node.publisher();
    let publishing = tokio::spawn(async move {
        for number in 0..600 {
            let published = publisher.publish("news", number.to_string(), None).await;
            published.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    });
    let heard = tokio::spawn(async move { heard_until(&mut wire, "last").await });
    let moving = spawn_blocking(move || {
        for turn in 0..6 {
            std::thread::sleep(Duration::from_millis(300));
            redis.move_slot(slot, (owner + turn) % 3, (owner + turn + 1) % 3);
        }
        redis
    });
    let redis = moving.await.unwrap();
    publishing.await.unwrap();
    nodes[1].node.publish("news", "last", None).await.unwrap();
    let heard = heard.await.unwrap();
    assert!(heard.iter().copied().eq(0..600), "{heard:?}");
    assert_eq!(nodes[0].node.trouble(), None);
    // A slot with a session in it: it is found where it is now.
    let slot = redis.slot(&format!("aw:{{nodes}}:{}", nodes[0].node.id()));
    redis.move_slot(
        slot,
        usize::from(slot / 5_462),
        usize::from(slot / 5_462 + 1) % 3,
    );
    // And one with what the node hears of a server besides topics: it goes on to hear the topics.
    let probe = redis.slot("aw:p:{0}:0");
    let owner = usize::from(probe / 5_462);
    redis.move_slot(probe, owner, (owner + 1) % 3);
    for variant in ALL {
        let mut wire = Wire::open(nodes[0].addr, variant).await;
        wire.go_to(nodes[1].addr);
        wire.switch(Variant::PollText).await;
        wire.send("hello").await;
        assert_eq!(wire.recv_text().await, "hello");
        for topic in 0..8 {
            let topic = format!("{variant:?}-{topic}");
            wire.send(format!("topic:{topic}").as_str()).await;
            assert_eq!(wire.recv_text().await, "subscribed");
            let heard = async {
                // Nobody knows yet that the home follows it.
                nodes[1].node.publish(&topic, "first", None).await.unwrap();
                while timeout(Duration::from_millis(200), wire.recv_text())
                    .await
                    .is_err()
                {
                    nodes[1].node.publish(&topic, "again", None).await.unwrap();
                }
            };
            timeout(DEADLINE, heard).await.expect("the topic is heard");
        }
    }
}

#[tokio::test]
async fn a_replica_takes_its_masters_slots() {
    let mut redis = RedisCluster::start(1);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let cluster = Cluster::redis(&redis.url(), test_key()).unwrap();
        nodes.push(TestNode::start(every(), cluster).await);
    }
    linked(&nodes, 1).await;
    let mut wires = Vec::new();
    for number in 0..12 {
        let mut wire = Wire::open(nodes[number % 2].addr, ALL[number % ALL.len()]).await;
        wire.send("topic:news").await;
        assert_eq!(wire.recv_text().await, "subscribed");
        wires.push(wire);
    }
    for number in 0..20 {
        let published = nodes[0].node.publish("news", number.to_string(), None);
        published.await.unwrap();
        for wire in &mut wires {
            assert_eq!(wire.recv_text().await, number.to_string());
        }
    }
    let slot = redis.slot("aw:t:{38}:news");
    redis.masters()[usize::from(slot / 5_462)].kill();
    let killed = Instant::now();
    let publisher = nodes[1].node.publisher();
    let published = async {
        while publisher.publish("news", "anew", None).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, published)
        .await
        .expect("a replica takes over");
    println!("published again after {:?}", killed.elapsed());
    for (number, wire) in wires.iter_mut().enumerate() {
        assert_eq!(wire.recv_text().await, "anew");
        wire.go_to(nodes[(number + 1) % 2].addr);
        wire.switch(Variant::PollText).await;
        wire.send("still here").await;
        assert_eq!(wire.recv_text().await, "still here");
    }
    let opened = async {
        for variant in ALL {
            let mut wire = Wire::open(nodes[0].addr, variant).await;
            wire.send("hello").await;
            assert_eq!(wire.recv_text().await, "hello");
        }
    };
    timeout(DEADLINE, opened)
        .await
        .expect("all slots have a server");
    let ready = async {
        while nodes.iter().any(|node| node.node.trouble().is_some()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, ready)
        .await
        .expect("nothing is wrong any more");
    let began: usize = nodes.iter().map(|node| node.seen.opened()).sum();
    assert_eq!(began, wires.len() + ALL.len());
}

/// Set where this program runs once more, so that it trusts another certificate.
const OVER_TLS: &str = "ANYWIRE_TEST_REDIS_URL";

#[tokio::test]
async fn a_redis_over_tls_serves_a_user_who_may_do_what_the_page_says() {
    if let Ok(url) = std::env::var(OVER_TLS) {
        return use_redis(&url).await;
    }
    let certificate = Certificate::of(&["127.0.0.1"]);
    let redis = RedisServer::start_over_tls(&certificate);
    let chain = certificate.chain();
    let port = redis.addr().port();
    let line = block(documents::CLUSTER, "What is in Redis", "sh").replace(
        "redis-cli",
        &format!("redis-cli -p {port} --tls --cacert {}", chain.display()),
    );
    let made = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(String::from_utf8(made.stdout).unwrap().trim(), "OK");
    let name = "cluster::a_redis_over_tls_serves_a_user_who_may_do_what_the_page_says";
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(
            OVER_TLS,
            format!("rediss://anywire:PASSWORD@127.0.0.1:{port}"),
        )
        .env("SSL_CERT_FILE", &chain)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&again.stderr)
    );
    assert!(said.contains("1 passed"), "{said}");
}

/// All that nodes do with a Redis.
async fn use_redis(url: &str) {
    let cluster = || Cluster::redis(url, test_key()).unwrap();
    let mut nodes = vec![TestNode::start(every(), cluster()).await];
    nodes.push(TestNode::start(every(), cluster()).await);
    linked(&nodes, 1).await;
    let mut wire = Wire::open(nodes[0].addr, Variant::WebSocket).await;
    wire.send("topic:news").await;
    assert_eq!(wire.recv_text().await, "subscribed");
    wire.go_to(nodes[1].addr);
    wire.switch(Variant::PollText).await;
    for key in [None, Some("k")] {
        nodes[1].node.publish("news", "hello", key).await.unwrap();
        assert_eq!(wire.recv_text().await, "hello");
    }
    wire.close(CloseCode::NORMAL.into()).await;
    nodes[0].seen.wait_closed(1).await;
    let ended = async {
        while told(&wire, nodes[1].addr).await != (404, 4930) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, ended).await.expect("the end is known");
    for node in nodes {
        assert_eq!(node.node.trouble(), None);
        assert!(node.node.is_ready());
    }
}
