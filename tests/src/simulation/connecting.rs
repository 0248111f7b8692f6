//! How many round trips connecting takes, on a line whose delay is exact.

use std::time::Duration;

use anywire::{Config, Metrics, Server, Socket};
use anywire_client::{Client, OriginMemory, Transport};
use tokio::time::{Instant, sleep};

use super::in_virtual_time;
use super::net::Net;
use super::weather::Weather;

/// What connecting has cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// From the start until the echo of the first message, TCP included.
    pub to_first_echo: Duration,
    /// TCP connections made, long after.
    pub dials: usize,
    /// The server's counters, long after.
    pub metrics: Metrics,
}

/// A cold start to the first echo over a line with this round trip; `only` forces a transport.
///
/// # Panics
/// When no echo comes.
pub fn connect(round_trip: Duration, only: Option<Transport>) -> Cost {
    in_virtual_time(async {
        let net = Net::new(0, Weather::still(round_trip / 2));
        let server = Server::builder(Config::new())
            .expect("the defaults are sound")
            .on_socket(echo);
        tokio::spawn(anywire::serve(server.routes()).incoming(net.listen()).run());
        let began = Instant::now();
        let mut builder = Client::builder("ws://server.example/anywire")
            .connector(net.connector())
            .memory(OriginMemory::default())
            .first("hello");
        if let Some(transport) = only {
            builder = builder.only(transport);
        }
        let mut client = builder.connect().await.expect("a still line carries");
        let echoed = client.recv().await.expect("no end");
        assert_eq!(echoed.as_text(), Some("hello"));
        let to_first_echo = began.elapsed();
        // Whatever racing costs has shown itself by then, and any deadline of an idle connection has passed.
        sleep(Duration::from_secs(200)).await;
        Cost {
            to_first_echo,
            dials: net.dials(),
            metrics: server.metrics(),
        }
    })
}

async fn echo(mut socket: Socket) {
    while let Some(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}
