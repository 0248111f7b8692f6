//! A rolling restart: each node drains and another takes its place, one after the other, while clients whose session is closed open
//! the next one.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anywire_client::{ClientBuilder, Connector, Transport};
use anywire_tests::redis::RedisServer;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::balancer::Homes;
use crate::nodes::{Nodes, PLACES};
use crate::record::{Record, now};
use crate::trial::{fresh_records, judge};
use crate::verdict::Verdict;
use crate::visitor::Visitor;

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

/// How long all may take to open, and to end.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs it under so many sessions, and judges; says whether all is well.
pub async fn run(clients: usize) -> Result<bool, Box<dyn Error>> {
    println!("a rolling restart of {PLACES} nodes under {clients} sessions");
    let records = fresh_records("deploy")?;
    let redis = RedisServer::start(&[]);
    let nodes = Arc::new(Nodes::start(redis.addr(), records.clone(), DRAIN).await?);
    let (stop, stopped) = watch::channel(false);
    let mut visits = JoinSet::new();
    for number in 0..clients {
        let name = format!("visitor-{number}");
        let nodes = nodes.clone();
        let connector = Connector::new(move |_| {
            let nodes = nodes.clone();
            async move { dial(&nodes).await }
        });
        let visitor = Visitor {
            record: Record::open(&records, &name)?,
            name,
            builder: Box::new(move || {
                ClientBuilder::new("http://nodes/anywire").connector(connector.clone())
            }),
            only: [Some(Transport::WebSocket), Some(Transport::Poll)][usize::from(number % 6 == 0)],
            homes: Homes::default(),
            life: None,
            pace: Duration::from_secs(5),
            pause: Duration::from_secs(1),
        };
        let stopped = stopped.clone();
        visits.spawn(async move { visitor.visit(stopped).await });
    }
    let opened = async {
        while Verdict::read(&records)?.opens().len() < clients {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        io::Result::Ok(())
    };
    timeout(DEADLINE, opened).await??;
    let begun = now();
    for place in 0..PLACES {
        let took = nodes.drain(place).await?;
        println!("  node {place} drained in {took:.1?}");
        nodes.begin(place).await?;
        nodes.settled().await?;
    }
    let ended = now();
    stop.send_replace(true);
    let all = async { while visits.join_next().await.is_some() {} };
    timeout(DEADLINE, all).await?;
    nodes.end(DEADLINE).await?;
    let opens = Verdict::read(&records)?.opens();
    let is_spread = is_spread(
        opens.into_iter().filter(|at| (begun..ended).contains(at)),
        begun,
    );
    Ok(judge(&records)? && is_spread)
}

/// Whether no second has more than twice the opens of the mean one.
fn is_spread(opens: impl Iterator<Item = u64>, begun: u64) -> bool {
    let opens: Vec<_> = opens.collect();
    // A drain that waits for the last of its clients opens nothing meanwhile.
    let ended = opens.iter().max().map_or(begun + 1, |last| last + 1);
    let mean = opens.len() as f64 * 1_000.0 / (ended - begun) as f64;
    // Any second, not only those that begin with the clock's.
    let within = |at: &u64| {
        opens
            .iter()
            .filter(|other| (*at..at + 1_000).contains(other))
            .count()
    };
    let most = opens.iter().map(within).max().unwrap_or_default();
    let times = most as f64 / mean;
    println!(
        "  {} opens in {:.1} s: {mean:.0} a second, at most {most} in one ({times:.2} times)",
        opens.len(),
        (ended - begun) as f64 / 1_000.0
    );
    times <= 2.0
}

/// Connects to a node that runs, as a balancer that counts connections does.
async fn dial(nodes: &Nodes) -> io::Result<TcpStream> {
    let up: Vec<_> = nodes
        .places()
        .iter()
        .filter(|place| place.is_up())
        .collect();
    let chosen = fastrand::choice(up).ok_or(io::ErrorKind::ConnectionRefused)?;
    let stream = TcpStream::connect(chosen.clients).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
