//! The load on a server: many clients, and what the server spends on them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Client, Wire};
use crate::measure::Server;
use crate::peers::JOIN;

/// Opens clients one after the other.
pub async fn open_all(server: &Server, wire: Wire, count: usize) -> Vec<Client> {
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        clients.push(
            Client::open(server.addr, wire, number as u64 + 1)
                .await
                .expect("a client opens"),
        );
    }
    clients
}

/// Server CPU-µs per echoed message.
pub async fn echo(
    server: &Server,
    wire: Wire,
    connections: usize,
    in_flight: usize,
    round: Duration,
) -> f64 {
    let clients = open_all(server, wire, connections).await;
    echo_all(clients, in_flight, round, || server.cpu()).await
}

/// CPU-µs per echoed message, of whatever `cpu` counts.
pub async fn echo_all(
    clients: Vec<Client>,
    in_flight: usize,
    round: Duration,
    cpu: impl Fn() -> Duration,
) -> f64 {
    let (done, stop) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(false)));
    let local = LocalSet::new();
    for mut client in clients {
        let (done, stop) = (done.clone(), stop.clone());
        local.spawn_local(async move {
            let mut scratch = vec![0; 16_384];
            while !stop.get() {
                client
                    .echo(in_flight, &mut scratch)
                    .await
                    .expect("the server echoes");
                done.set(done.get() + in_flight as u64);
            }
        });
    }
    local
        .run_until(async {
            sleep(WARM_UP).await;
            let (before, count) = (cpu(), done.get());
            sleep(round).await;
            let figure = micros(cpu() - before) / (done.get() - count) as f64;
            stop.set(true);
            figure
        })
        .await
}

/// Server CPU-µs per delivery to each of `followers`.
pub async fn fanout(server: &Server, wire: Wire, followers: usize, round: Duration) -> f64 {
    let mut clients = open_all(server, wire, followers).await;
    for client in &mut clients {
        client.send(JOIN, 1).await.expect("a client joins");
    }
    let publisher_wire = if wire == Wire::Room {
        Wire::Room
    } else {
        Wire::WebSocket
    };
    let publisher = Client::open(server.addr, publisher_wire, u64::MAX).await;
    let mut publisher = publisher.expect("the publisher opens");
    sleep(WARM_UP).await;
    let (cpu, begin, mut deliveries) = (server.cpu(), Instant::now(), 0);
    let mut scratch = vec![0; 16_384];
    while begin.elapsed() < round {
        if wire == Wire::Poll {
            for client in &mut clients {
                client.begin_poll().await.expect("a poll begins");
            }
        }
        publisher
            .send("!123456789abcdef0123456789abcdef", 1)
            .await
            .expect("a message is published");
        for client in &mut clients {
            let before = client.received();
            while client.received() == before {
                let got = async {
                    if wire == Wire::Poll {
                        client.finish_poll().await
                    } else {
                        client.read_frames(&mut scratch).await
                    }
                };
                timeout(Duration::from_secs(10), got)
                    .await
                    .expect("in time")
                    .expect("a delivery");
            }
            if client.unacked() >= 64 {
                client.ack().await.expect("an ack goes out");
            }
        }
        deliveries += followers as u64;
    }
    micros(server.cpu() - cpu) / deliveries as f64
}

pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The load runs a little before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);
