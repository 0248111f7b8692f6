//! What a second node costs: an echo over it beside one at the session's home, and a topic's messages beside a bare subscriber.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anywire_tests::redis::RedisServer;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Client, Wire};
use crate::load::{echo_all, micros, open_all};
use crate::measure::Server;
use crate::peers::{CHANNEL, JOIN, Peer, REDIS, TOPIC, TOPIC_CHANNEL, cluster};
use crate::report::{Report, median, progress};
use crate::{CONNECTIONS, ROUND};

/// Two nodes of one cluster, and the Redis that they share.
struct Pair {
    home: Server,
    edge: Server,
    _redis: RedisServer,
}

impl Pair {
    async fn start() -> Self {
        let redis = RedisServer::start(&[]);
        let url = redis.url();
        let environment = [(REDIS, url.as_str())];
        let home = Server::start_with(Peer::Node, &environment).await;
        let edge = Server::start_with(Peer::Node, &environment).await;
        // They find each other with the next beat.
        sleep(Duration::from_millis(2_500)).await;
        Self {
            home,
            edge,
            _redis: redis,
        }
    }

    fn cpu(&self) -> Duration {
        self.home.cpu() + self.edge.cpu()
    }

    /// Clients whose sessions live at the home, and that come to it, or to the other.
    async fn clients(&self, wire: Wire, is_relayed: bool, count: usize) -> Vec<Client> {
        let mut clients = open_all(&self.home, wire, count).await;
        if is_relayed {
            for client in &mut clients {
                let gone = client.go_to(self.edge.addr).await;
                gone.expect("the other node lets it in");
            }
        }
        clients
    }
}

/// CPU per echo, of both nodes together, and how long one takes.
pub async fn relay(report: &mut Report, rounds: usize) {
    let contenders = [
        ("websocket, at home", Wire::WebSocket, false),
        ("websocket, relayed", Wire::WebSocket, true),
        ("poll, at home", Wire::Poll, false),
        ("poll, relayed", Wire::Poll, true),
    ];
    let titles = [
        format!(
            "relay, {CONNECTIONS} connections, 32 B, 1 in flight: µs of both nodes per message"
        ),
        format!(
            "relay, {CONNECTIONS} connections, 32 B, 16 in flight: µs of both nodes per message"
        ),
        "relay, one connection, 32 B: µs until the echo is back, median of 2,000".to_owned(),
    ];
    for (what, title) in titles.into_iter().enumerate() {
        let mut figures = vec![Vec::new(); contenders.len()];
        for round in 1..=rounds {
            for ((name, wire, is_relayed), figures) in contenders.iter().zip(&mut figures) {
                progress(&format!("{title}, round {round}: {name}"));
                let pair = Pair::start().await;
                let figure = match what {
                    0 | 1 => {
                        let clients = pair.clients(*wire, *is_relayed, CONNECTIONS).await;
                        let in_flight = [1, 16][what];
                        echo_all(clients, in_flight, ROUND, || pair.cpu()).await
                    }
                    _ => {
                        let mut clients = pair.clients(*wire, *is_relayed, 1).await;
                        latency(&mut clients[0]).await
                    }
                };
                figures.push(figure);
            }
        }
        let rows = contenders.iter().zip(figures);
        let rows = rows.map(|((name, ..), figures)| (*name, median(figures)));
        report.table(title, rows.collect());
    }
}

/// Microseconds until an echo is back, of 2,000 the median.
async fn latency(client: &mut Client) -> f64 {
    let mut scratch = vec![0; 16_384];
    let mut took = Vec::new();
    for number in 0..2_200 {
        let begun = Instant::now();
        let echoed = client.echo(1, &mut scratch).await;
        echoed.expect("the server echoes");
        // The first ones warm up.
        if number >= 200 {
            took.push(micros(begun.elapsed()));
        }
    }
    median(took)
}

/// A topic's messages, published as fast as Redis takes them, at one node with one follower and at a bare subscriber.
pub async fn topic(report: &mut Report, rounds: usize) {
    let mut times = [Vec::new(), Vec::new()];
    let mut costs = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        for (place, peer) in [Peer::Subscriber, Peer::Node].into_iter().enumerate() {
            progress(&format!("topic, round {round}: {}", peer.name()));
            let (time, cost) = deliveries(peer).await;
            times[place].push(time);
            costs[place].push(cost);
        }
    }
    for (title, [bare, node]) in [
        (
            "topic, 256 B, as fast as Redis takes them: µs between two that arrive",
            times,
        ),
        (
            "topic, 256 B, as fast as Redis takes them: µs of the receiver per message",
            costs,
        ),
    ] {
        let rows = vec![
            ("a bare subscriber", median(bare)),
            ("a node, one follower", median(node)),
        ];
        report.table(title.to_owned(), rows);
    }
}

/// Microseconds between two messages that arrive, and the CPU-µs of each.
async fn deliveries(peer: Peer) -> (f64, f64) {
    let redis = RedisServer::start(&[]);
    let url = redis.url();
    let environment = [(REDIS, url.as_str()), (CHANNEL, TOPIC_CHANNEL)];
    let server = Server::start_with(peer, &environment).await;
    let followed = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    if peer == Peer::Node {
        let client = Client::open(server.addr, Wire::WebSocket, 1).await;
        let mut client = client.expect("a client opens");
        client.send(JOIN, 1).await.expect("it joins");
        sleep(WARM_UP).await;
        tasks.spawn(follow(client, followed.clone()));
    }
    let publisher = cluster(&url).publisher();
    for _ in 0..PUBLISHERS {
        let publisher = publisher.clone();
        tasks.spawn(async move {
            let text = "x".repeat(256);
            loop {
                let published = publisher.publish(TOPIC, text.as_str(), None).await;
                published.expect("Redis takes it");
            }
        });
    }
    let arrived = async || match peer {
        Peer::Node => followed.load(Ordering::Relaxed),
        _ => {
            let stream = TcpStream::connect(server.addr).await;
            let mut stream = stream.expect("it listens");
            stream.read_u64().await.expect("it tells its count")
        }
    };
    sleep(WARM_UP).await;
    let (cpu, begun, before) = (server.cpu(), Instant::now(), arrived().await);
    sleep(ROUND).await;
    let count = (arrived().await - before) as f64;
    let (cpu, took) = (server.cpu() - cpu, begun.elapsed());
    (micros(took) / count, micros(cpu) / count)
}

async fn follow(mut client: Client, count: Arc<AtomicU64>) {
    let mut scratch = vec![0; 65_536];
    loop {
        let read = client.read_frames(&mut scratch).await;
        read.expect("the follower keeps pace");
        if client.unacked() >= 64 {
            client.ack().await.expect("an ack goes out");
        }
        count.store(client.received(), Ordering::Relaxed);
    }
}

/// Enough for Redis to be the one that cannot take more.
const PUBLISHERS: usize = 64;

const WARM_UP: Duration = Duration::from_millis(300);
