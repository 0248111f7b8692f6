//! The Rust client over real sockets.

use std::time::Duration;

use anywire::Limits;
use anywire_client::{Client, OriginMemory, Transport};
use anywire_tests::oracle::{Between, OracleServer, Scene, Workload, rust_client};

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
async fn where_the_upgrade_fails_the_session_goes_over_polling() {
    for words in [
        "refuse-upgrade",
        "hang-upgrade",
        "silent",
        "kill-after=200ms",
    ] {
        let workload = Workload::Small;
        let between = Between::Faults(words);
        let scene = Scene::start(between, workload).await.unwrap();
        let verdict = rust_client::run(&scene, workload, WITHIN, WITHIN).await;
        assert_eq!(verdict.trouble(), None, "{words}: {verdict}");
        let first = verdict.first().unwrap();
        assert!(first < Duration::from_secs(2), "{words}: {verdict}");
    }
}
