//! Everything goes wrong, one thing after the other, while clients of all kinds visit through three balancers.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anywire::cluster::{Cluster, ClusterKey, Publisher};
use anywire_client::{ClientBuilder, Transport};
use anywire_tests::chromium::Browser;
use anywire_tests::documents::{self, block};
use anywire_tests::middlebox::{Middlebox, Product};
use anywire_tests::redis::RedisServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::TOPIC;
use crate::balancer::{Balancer, Homes};
use crate::browser;
use crate::nodes::{Nodes, PLACES};
use crate::record::Record;
use crate::trouble;
use crate::verdict::Verdict;
use crate::visitor::Visitor;

/// Rust clients behind each balancer: as many with all transports, with the WebSocket alone, and with polls alone.
const VISITORS: usize = 12;

/// Clients in each page; a page behind each balancer.
const IN_A_PAGE: usize = 2;

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(4);

/// Between two messages of the topic.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);

/// Runs it for so long, and judges; says whether all is well.
pub async fn run(duration: Duration) -> Result<bool, Box<dyn Error>> {
    println!("everything goes wrong for {duration:?}");
    let records = fresh_records("trial")?;
    let mut redis = RedisServer::start(&[]);
    let nodes = Arc::new(Nodes::start(redis.addr(), records.clone(), DRAIN).await?);
    let homes = Homes::default();
    let balancer = Record::open(&records, "balancer")?;
    let balancer = Arc::new(Balancer::new(nodes.clone(), homes.clone(), balancer));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let ours = listener.local_addr()?;
    let mut besides = JoinSet::new();
    besides.spawn(balancer.serve(listener));
    let clients = nodes.places().each_ref().map(|place| place.clients);
    let nginx = Middlebox::start_with(Product::Nginx, PATIENCE, |at| nginx(at, clients)).await?;
    let haproxy =
        Middlebox::start_with(Product::Haproxy, PATIENCE, |at| haproxy(at, clients)).await?;
    let fronts = [
        ("ours", ours),
        ("nginx", nginx.addr()),
        ("haproxy", haproxy.addr()),
    ];
    let browser = Arc::new(Browser::launch().await?);
    let (stop, stopped) = watch::channel(false);
    let mut visits = JoinSet::new();
    for (front, addr) in fronts {
        for number in 0..VISITORS {
            let name = format!("{front}-{number}");
            let url = format!("http://{addr}/anywire?client={name}");
            let visitor = Visitor {
                record: Record::open(&records, &name)?,
                name,
                builder: Box::new(move || ClientBuilder::new(&url).no_proxy()),
                only: [None, Some(Transport::WebSocket), Some(Transport::Poll)][number % 3],
                homes: homes.clone(),
                life: Some(Duration::from_secs(10 + fastrand::u64(..30))),
                pace: Duration::from_millis(100),
                pause: Duration::from_secs(1),
            };
            let stopped = stopped.clone();
            visits.spawn(async move {
                visitor.visit(stopped).await;
                Ok(())
            });
        }
        let names = (0..IN_A_PAGE).map(|number| format!("page-{front}-{number}"));
        let record = Record::open(&records, &format!("page-{front}"))?;
        let (browser, homes, stopped) = (browser.clone(), homes.clone(), stopped.clone());
        let (origin, names) = (format!("http://{addr}"), names.collect());
        visits.spawn(async move {
            browser::visit(&browser, origin, names, record, homes, stopped).await
        });
    }
    let cluster = Cluster::redis(&redis.url(), ClusterKey::new([7; 32])?)?;
    let record = Record::open(&records, "publisher")?;
    let publishing = tokio::spawn(publish(cluster.publisher(), record, stopped));
    trouble::make(&nodes, &mut redis, Instant::now() + duration).await?;
    stop.send_replace(true);
    publishing.await?;
    let all = async {
        while let Some(visit) = visits.join_next().await {
            visit??;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    timeout(LAST, all).await??;
    nodes.end(LAST).await?;
    judge(&records)
}

/// Reads the files of a run, and says what they show; they stay if something is wrong.
pub fn judge(records: &Path) -> Result<bool, Box<dyn Error>> {
    let verdict = Verdict::read(records)?;
    println!("{verdict}");
    for trouble in verdict.troubles.iter().take(20) {
        println!("  {trouble}");
    }
    if verdict.troubles.is_empty() {
        fs::remove_dir_all(records)?;
    } else {
        println!("the files are in {}", records.display());
    }
    Ok(verdict.troubles.is_empty())
}

/// A directory of its own for what a run writes down.
pub fn fresh_records(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let own = format!("anywire-nemesis-{name}-{}", std::process::id());
    let records = std::env::temp_dir().join(own);
    fs::create_dir(&records)?;
    Ok(records)
}

/// Publishes numbers one after the other, from outside; none is tried again.
async fn publish(publisher: Publisher, record: Record, stopped: watch::Receiver<bool>) {
    for number in 0_u64.. {
        if *stopped.borrow() {
            break;
        }
        match publisher.publish(TOPIC, format!("t{number}"), None).await {
            Ok(_) => record.write(format_args!("published {number}")),
            Err(_) => record.write(format_args!("unsure {number}")),
        }
        sleep(PUBLISH_EVERY).await;
    }
}

/// nginx with the upstream of docs/cluster.md, and the location of docs/operating.md.
fn nginx(listen: SocketAddr, nodes: [SocketAddr; PLACES]) -> String {
    let upstream = with_nodes(block(documents::CLUSTER, "The balancer", "nginx"), nodes);
    let location = block(documents::OPERATING, "Proxies", "nginx")
        .replace("location /live ", "location / ")
        .replace("127.0.0.1:3030", "anywire");
    format!("{upstream}\nserver {{\n listen {listen};\n {location}\n}}")
}

/// HAProxy with the backend of docs/cluster.md.
fn haproxy(listen: SocketAddr, nodes: [SocketAddr; PLACES]) -> String {
    let backend = with_nodes(block(documents::CLUSTER, "The balancer", "haproxy"), nodes);
    format!("frontend clients\n bind {listen}\n default_backend anywire\n{backend}\n")
}

/// The page's block, with the addresses of these nodes.
fn with_nodes(block: &str, nodes: [SocketAddr; PLACES]) -> String {
    (7..)
        .zip(nodes)
        .fold(block.to_owned(), |block, (last, node)| {
            block.replace(&format!("10.0.0.{last}:3030"), &node.to_string())
        })
}

/// What balancers wait for a node that says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last sessions may take to end, for their apps too.
const LAST: Duration = Duration::from_secs(90);
