//! The Rust client over real sockets.

use std::sync::Arc;
use std::time::Duration;

use anywire::Limits;
use anywire_client::{Client, OriginMemory, Transport};
use anywire_tests::oracle::{Mode, OracleServer, Scene, Workload, rust_client};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

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
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    for mode in Mode::all() {
        let room = room.clone();
        runs.spawn(async move {
            let _place = room.acquire().await.unwrap();
            let scene = Scene::start(mode.between, Workload::Small).await.unwrap();
            let budget = mode.connect_timeout();
            let verdict = rust_client::run(&scene, Workload::Small, budget, WITHIN).await;
            let trouble = mode.trouble(Workload::Small, &verdict)?;
            Some(format!(
                "{mode}: {trouble}\n    {}",
                verdict.trace.join("\n    ")
            ))
        });
    }
    let troubles: Vec<_> = runs.join_all().await.into_iter().flatten().collect();
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// How many modes are tried at once.
const AT_ONCE: usize = 6;
