//! The Rust client in a run of the oracle.

use std::time::Duration;

use anywire_client::{Client, ClientBuilder, CloseCode, ConnectError};
use tokio::time::{Instant, timeout};

use super::{Ledger, OracleServer, Scene, Verdict, Way, Workload};

/// Runs a workload both ways between the scene's server and a Rust client behind what the scene has between.
pub async fn run(
    scene: &Scene,
    workload: Workload,
    connect_timeout: Duration,
    within: Duration,
) -> Verdict {
    scene.begin();
    let builder = scene.client(connect_timeout);
    run_with(&scene.server, workload, builder, within).await
}

/// The same with a client that the caller chose.
pub async fn run_with(
    server: &OracleServer,
    workload: Workload,
    builder: ClientBuilder,
    within: Duration,
) -> Verdict {
    let down = Ledger::new(workload, Way::Down);
    let began = Instant::now();
    let mut verdict = Verdict {
        up: server.up.read(),
        down: down.read(),
        transport: "none".to_owned(),
        error: None,
        took: Duration::ZERO,
        trace: Vec::new(),
    };
    match builder.connect().await {
        Ok(mut client) => {
            let sender = client.sender();
            let exchanged = exchange(&mut client, workload, &server.up, &down);
            if timeout(within, exchanged).await.is_err() {
                verdict.error = Some(format!("not done after {within:?}"));
            }
            let carrier = sender.transport();
            verdict.transport = carrier.map_or("none", |carrier| carrier.name()).to_owned();
            verdict.trace = sender.attempts().iter().map(ToString::to_string).collect();
            if verdict.error.is_none() {
                close(client, &down).await;
            }
        }
        Err(error) => {
            if let ConnectError::Unreachable { attempts } = &error {
                verdict.trace = attempts.iter().map(ToString::to_string).collect();
            }
            verdict.error = Some(error.to_string());
        }
    }
    verdict.took = began.elapsed();
    verdict.up = server.up.read();
    verdict.down = down.read();
    verdict
}

/// Sends and receives all.
async fn exchange(client: &mut Client, workload: Workload, up: &Ledger, down: &Ledger) {
    let sender = client.sender();
    let sending = async {
        for index in 0..workload.count() {
            if sender.send(workload.message(Way::Up, index)).await.is_err() {
                return;
            }
            workload.pace(index).await;
        }
        up.settled().await;
    };
    let receiving = async {
        while down.read().count < workload.count() {
            match client.recv().await {
                Some(message) => down.hear(&message),
                None => return down.end(client.close_reason().cloned()),
            }
        }
    };
    tokio::join!(sending, receiving);
}

/// A repeat would come after the last message and before the close.
async fn close(mut client: Client, down: &Ledger) {
    client.sender().close(CloseCode::NORMAL);
    while let Some(message) = client.recv().await {
        down.hear(&message);
    }
    down.end(client.close_reason().cloned());
}
