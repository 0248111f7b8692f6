//! One node, a process of its own: it echoes numbers, writes down what it hears, and has its sessions follow a topic.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anywire::cluster::{Cluster, ClusterKey, ClusterNode};
use anywire::{Budgets, Config, Limits, Server, Socket};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use warp::Filter;

use crate::TOPIC;
use crate::record::Record;

/// What a node is told when it starts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Told {
    /// Its name: that of its place, and how often it was started.
    pub name: String,
    /// Where it writes.
    pub records: PathBuf,
    /// Its Redis.
    pub redis: String,
    /// Where clients come.
    pub clients: SocketAddr,
    /// Where it takes links.
    pub links: SocketAddr,
    /// Where others reach it.
    pub advertised: SocketAddr,
    /// How long a drain may take.
    pub drain: Duration,
}

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>A trial</title>
<script src="/anywire/client.js"></script>"#;

/// A session ends so long after its client was last heard of.
pub const RESUME_WINDOW: Duration = Duration::from_secs(15);

/// Runs it until it is killed, or told to drain by SIGTERM.
pub async fn run(told: &str) -> Result<(), Box<dyn Error>> {
    let told: Told = serde_json::from_str(told)?;
    let record = Arc::new(Record::open(&told.records, &format!("node-{}", told.name))?);
    let cluster = Cluster::redis(&told.redis, ClusterKey::new([7; 32])?)?
        .listen(told.links)
        .advertise(told.advertised);
    let limits = Limits::default().resume_window(RESUME_WINDOW);
    // All clients come from one address.
    let config = Config::new().limits(limits).budgets(Budgets::unlimited());
    let name: Arc<str> = told.name.as_str().into();
    let visited = record.clone();
    let server = Server::builder(config)?
        .on_socket(move |socket| visit(name.clone(), socket, visited.clone()));
    let mut node = server.join(cluster).await?;
    let (status, mut asked) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<_>>(16);
    let tell = warp::path!("status").then(move || {
        let status = status.clone();
        async move {
            let (answer, told) = tokio::sync::oneshot::channel();
            let _ = status.send(answer).await;
            warp::reply::json(&told.await.unwrap_or_default())
        }
    });
    let page = warp::path!("page").map(|| warp::reply::html(PAGE));
    let mut ending = signal(SignalKind::terminate())?;
    let serving = anywire::serve(tell.or(page).or(server.routes())).bind(told.clients);
    let serving = tokio::spawn(serving.await?.run());
    loop {
        tokio::select! {
            Some(gap) = node.gap() => {
                let missing = gap.missing.map_or(-1, |missing| missing as i64);
                record.write(format_args!("gap {missing}"));
            }
            Some(answer) = asked.recv() => {
                let _ = answer.send(status_of(&server, &node));
            }
            _ = ending.recv() => break,
        }
    }
    record.write(format_args!("drains"));
    let aborted = server.drain(told.drain).await;
    node.leave().await;
    record.write(format_args!("drained {aborted}"));
    serving.abort();
    Ok(())
}

fn status_of(server: &Server, node: &ClusterNode) -> serde_json::Value {
    json!({
        "sessions": server.metrics().sessions,
        "links": node.linked().len(),
        "isReady": node.is_ready(),
    })
}

/// The first message names the session's life; numbers come back.
async fn visit(node: Arc<str>, mut socket: Socket, record: Arc<Record>) {
    let Some(life) = socket.recv().await else {
        return;
    };
    let life = life.as_text().unwrap_or("binary").to_owned();
    record.write(format_args!("begins {life}"));
    socket.subscribe(TOPIC);
    let mut is_taken = socket.send(format!("home {node}")).await.is_ok();
    while let Some(message) = socket.recv().await {
        let text = message.as_text().unwrap_or("binary").to_owned();
        record.write(format_args!("heard {life} {text}"));
        is_taken &= socket.send(text).await.is_ok();
    }
    let code = socket
        .close_reason()
        .map_or(0, |reason| reason.code.as_u16());
    record.write(format_args!("ends {life} {code} {is_taken}"));
}
