//! Three servers as one, behind a balancer that sends each request to the next: no session stays at its server, and none is lost
//! for it.
//!
//! Run `cargo run --release --example cluster` and open the printed address, in two windows if you like. Everybody is in one
//! room, wherever their session lives; a button kills a node. The nodes share the Redis of `ANYWIRE_REDIS_URL` or `REDIS_URL`, or a
//! `redis-server` that is started for them; where there is neither, all three are simulated in one process. `PORT` chooses
//! another port than 3030.

mod balancer;
mod node;
mod nodes;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use anywire::cluster::MemoryStore;
use tokio::net::TcpListener;

use crate::node::Store;
use crate::nodes::Nodes;
use crate::redis::Redis;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let set = |name| std::env::var(name).ok();
    // The nodes are processes of this program.
    if let Some(name) = set("CLUSTER_NODE") {
        let url = set("CLUSTER_REDIS").ok_or("CLUSTER_REDIS names no Redis")?;
        let key = set("CLUSTER_KEY").ok_or("CLUSTER_KEY names no key")?;
        let (address, serving) = node::start(&name, &Store::Redis(url), &key).await?;
        println!("{address}");
        serving.await;
        return Ok(());
    }
    let own;
    let (store, what) = match set("ANYWIRE_REDIS_URL").or_else(|| set("REDIS_URL")) {
        Some(url) => (Store::Redis(url), "the Redis of the environment"),
        None => match Redis::start().await {
            Ok(redis) => {
                own = redis;
                (Store::Redis(own.url()), "a Redis of their own")
            }
            Err(_) => (Store::Memory(MemoryStore::new()), "a simulated store"),
        },
    };
    let nodes = Arc::new(Nodes::start(store, what).await?);
    let port = set("PORT").map_or(Ok(3030), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("three nodes share {what}");
    println!("open http://{}", listener.local_addr()?);
    tokio::select! {
        () = balancer::serve(listener, nodes.clone()) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    nodes.stop(Duration::from_secs(2)).await;
    Ok(())
}
