//! A WebSocket whose proof comes late, though nothing is wrong with it, while polling is out of reach.

use std::io;
use std::time::Duration;

use anywire::{Config, Metrics, Server, Socket};
use anywire_client::{Client, Connector, OriginMemory, Transport};
use tokio::time::{Instant, sleep};

use super::in_virtual_time;
use super::net::Net;
use super::weather::Weather;

/// What came of it, long after.
#[derive(Clone, Debug)]
pub struct LateProof {
    /// What carries the session.
    pub transport: Option<Transport>,
    /// The client's attempts.
    pub trace: Vec<String>,
    /// The server's counters.
    pub metrics: Metrics,
}

/// Connects, and holds the answer to the question that proves the WebSocket back for 3 s, beyond its budget. Polling is
/// refused for as long, and a little longer; then it could attach.
///
/// # Panics
/// When the client cannot connect.
pub fn prove_late() -> LateProof {
    in_virtual_time(async {
        let latency = Duration::from_millis(10);
        // Dialling and the upgrade take two round trips, and the proof is on its way then.
        let partition = (latency * 4 + latency / 2, Duration::from_secs(3));
        let net = Net::new(
            0,
            Weather {
                partitions: vec![partition],
                ..Weather::still(latency)
            },
        );
        let server = Server::builder(Config::new())
            .expect("the defaults are sound")
            .on_socket(|mut socket: Socket| async move { while socket.recv().await.is_some() {} });
        tokio::spawn(anywire::serve(server.routes()).incoming(net.listen()).run());
        let began = Instant::now();
        let connector = Connector::new(move |uri| {
            let is_poll = !uri.path().ends_with("/websocket");
            let (net, is_refused) = (net.clone(), is_poll && began.elapsed() < POLLING_REFUSED);
            async move {
                if is_refused {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                net.dial().await
            }
        });
        let client = Client::builder("ws://server.example/anywire")
            .connector(connector)
            .memory(OriginMemory::default())
            .connect()
            .await
            .expect("the upgrade came through");
        sleep(Duration::from_secs(20)).await;
        LateProof {
            transport: client.transport(),
            trace: client.attempts().iter().map(ToString::to_string).collect(),
            metrics: server.metrics(),
        }
    })
}

const POLLING_REFUSED: Duration = Duration::from_millis(3_100);
