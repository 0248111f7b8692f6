//! One node: a room that everybody is in, wherever their session lives.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;

use anywire::cluster::{Cluster, ClusterKey, ClusterNode, MemoryStore};
use anywire::{Config, Server, Socket};
use serde_json::json;
use std::sync::Arc;
use warp::Filter;

/// What the nodes share.
#[derive(Clone)]
pub enum Store {
    /// A Redis, by its URL.
    Redis(String),
    /// One in this process.
    Memory(MemoryStore),
}

const ROOM: &str = "room";

/// Starts a node on a free port; returns where it listens, and what serves it.
pub async fn start(
    name: &str,
    store: &Store,
    key: &str,
) -> Result<(SocketAddr, impl Future<Output = ()> + use<>), Box<dyn Error>> {
    let key = ClusterKey::new(key)?;
    let cluster = match store {
        Store::Redis(url) => Cluster::redis(url, key)?.prefix("anywire-example"),
        Store::Memory(store) => Cluster::in_process(store, key),
    };
    let home: Arc<str> = name.into();
    let server =
        Server::builder(Config::new())?.on_socket(move |socket| visit(home.clone(), socket));
    let node = Arc::new(server.join(cluster).await?);
    let (name, of) = (name.to_owned(), server.clone());
    let status = warp::path!("status").map(move || warp::reply::json(&tell(&name, &of, &node)));
    let serving = anywire::serve(status.or(server.routes()));
    let serving = serving.bind(([127, 0, 0, 1], 0)).await?;
    let address = serving.local_addr();
    Ok((address, async move { serving.run().await }))
}

fn tell(name: &str, server: &Server, node: &ClusterNode) -> serde_json::Value {
    let metrics = server.metrics();
    json!({
        "name": name,
        "sessions": metrics.sessions,
        "up": metrics.messages_up,
        "down": metrics.messages_down,
        "links": node.linked().len(),
        "isReady": node.is_ready(),
        "trouble": node.trouble(),
    })
}

/// One visitor, at the node where the session lives.
async fn visit(home: Arc<str>, mut socket: Socket) {
    let visitor = socket.id().to_string();
    let visitor = &visitor[..4];
    socket.subscribe(ROOM);
    let welcome = json!({ "type": "welcome", "home": &*home, "you": visitor });
    if socket.send(welcome.to_string()).await.is_err() {
        return;
    }
    while let Some(message) = socket.recv().await {
        if let Some(text) = message.as_text() {
            let text: String = text.chars().take(500).collect();
            let said = json!({ "type": "said", "home": &*home, "who": visitor, "text": text });
            socket.publish(ROOM, said.to_string());
        }
    }
}
