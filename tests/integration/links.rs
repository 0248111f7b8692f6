//! Links between nodes that break, or go dead without a word.

use std::time::{Duration, Instant};

use anywire::cluster::{Cluster, MemoryStore};
use anywire_tests::address;
use anywire_tests::cluster::{TestNode, linked, test_key};
use anywire_tests::line::{Line, Wire as LinkWire};
use tokio::time::{sleep, timeout};

use crate::wire::{ALL, Variant, Wire, every};

const DEADLINE: Duration = Duration::from_secs(20);

/// Two nodes, of which the second reaches the first over a line.
async fn over_a_line() -> ([TestNode; 2], LinkWire) {
    let store = MemoryStore::new();
    let listening = address::free();
    let line = LinkWire::to(listening).await.unwrap();
    let far = Cluster::in_process(&store, test_key())
        .listen(listening)
        .advertise(line.addr);
    let near = Cluster::in_process(&store, test_key());
    let nodes = [
        TestNode::start(every(), far).await,
        TestNode::start(every(), near).await,
    ];
    linked(&nodes, 1).await;
    (nodes, line)
}

async fn until_linked(node: &TestNode, count: usize) -> Duration {
    let begun = Instant::now();
    let changed = async {
        while node.node.linked().len() != count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, changed).await.expect("it is seen");
    begun.elapsed()
}

#[tokio::test]
async fn a_link_that_goes_dead_without_a_word_is_found_in_five_seconds() {
    let (nodes, line) = over_a_line().await;
    let mut wires = Vec::new();
    for variant in ALL {
        let mut wire = Wire::open(nodes[0].addr, variant).await;
        wire.go_to(nodes[1].addr);
        wire.switch(variant).await;
        wire.send("before").await;
        assert_eq!(wire.recv_text().await, "before");
        wires.push(wire);
    }
    line.set(Line::Dead);
    let found = until_linked(&nodes[1], 0).await;
    println!("found after {found:?}");
    // Due are 5 s.
    assert!(found < Duration::from_secs(10));
    line.set(Line::Whole);
    until_linked(&nodes[1], 1).await;
    // Nothing is lost, and nobody is told an end: the legs are gone, the sessions are not.
    for (wire, variant) in wires.iter_mut().zip(ALL) {
        wire.switch(variant).await;
        wire.send("after").await;
        assert_eq!(wire.recv_text().await, "after");
    }
    assert_eq!(nodes[1].node.metrics().links_lost, 1);
    assert_eq!(nodes[0].seen.closed(), []);
}

#[tokio::test]
async fn a_link_that_is_cut_ends_the_legs_over_it_and_no_session() {
    let (nodes, line) = over_a_line().await;
    for round in 0..3 {
        for variant in ALL {
            let mut wire = Wire::open(nodes[0].addr, Variant::PollText).await;
            wire.go_to(nodes[1].addr);
            wire.switch(variant).await;
            wire.send("send:200").await;
            assert_eq!(wire.recv_text().await, "d0");
            line.set(Line::Cut);
            until_linked(&nodes[1], 0).await;
            line.set(Line::Whole);
            until_linked(&nodes[1], 1).await;
            // What was on its way comes again, whole and in order.
            wire.switch(variant).await;
            for number in 1..200 {
                assert_eq!(
                    wire.recv_text().await,
                    format!("d{number}"),
                    "round {round}"
                );
            }
        }
    }
    assert_eq!(nodes[0].seen.closed(), []);
}
