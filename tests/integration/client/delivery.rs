//! The Rust client over real sockets.

use std::time::Duration;

use anywire::Limits;
use anywire_client::{Client, OriginMemory, Transport};
use anywire_tests::oracle::{OracleServer, Workload, rust_client, tour};

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn exactly_the_accepted_messages_arrive_over_each_transport() {
    for transport in [Transport::WebSocket, Transport::Poll] {
        for workload in Workload::ALL {
            let server = OracleServer::start(workload, Limits::default()).await;
            let url = format!("ws://{}/anywire", server.addr);
            let builder = Client::builder(&url)
                .memory(OriginMemory::default())
                .only(transport);
            let verdict = rust_client::run_with(&server, workload, builder, WITHIN).await;
            assert_eq!(verdict.trouble(), None, "{transport} {workload}: {verdict}");
            assert_eq!(verdict.transport, transport.name());
        }
    }
}

#[tokio::test]
async fn whatever_is_between_exactly_the_accepted_messages_arrive() {
    let troubles = tour(AT_ONCE, |scene, workload, budget| async move {
        rust_client::run(&scene, workload, budget, WITHIN).await
    })
    .await;
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// How many modes are tried at once.
const AT_ONCE: usize = 6;
