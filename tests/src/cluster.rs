//! Several nodes in this process, and clients that come to any of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anywire::cluster::{Cluster, ClusterKey, ClusterNode, MemoryStore};
use anywire::{Config, Server};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::redis::{RedisCluster, RedisServer};
use crate::server::{Seen, app};

/// A server that is a node of a cluster; gone when dropped, as a process that is killed.
pub struct TestNode {
    /// Where clients come.
    pub addr: SocketAddr,
    /// Its handle.
    pub server: Server,
    /// What makes it a node.
    pub node: ClusterNode,
    /// What its app has seen.
    pub seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What the nodes of a test share.
pub enum TestStore {
    /// One in this process.
    Memory(MemoryStore),
    /// A Redis.
    Redis(RedisServer),
    /// A Redis Cluster.
    RedisCluster(RedisCluster),
}

impl TestStore {
    /// One in memory, and a Redis.
    pub fn each() -> [Self; 2] {
        [
            Self::Memory(MemoryStore::new()),
            Self::Redis(RedisServer::start(&[])),
        ]
    }

    /// The same, and a Redis Cluster.
    pub fn all() -> [Self; 3] {
        let [memory, redis] = Self::each();
        [memory, redis, Self::RedisCluster(RedisCluster::start(0))]
    }

    /// Its kind, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "Redis",
            Self::RedisCluster(_) => "Redis Cluster",
        }
    }

    /// Settings of a cluster that shares it.
    pub fn cluster(&self, key: ClusterKey) -> Cluster {
        match self {
            Self::Memory(store) => Cluster::in_process(store, key),
            Self::Redis(redis) => Cluster::redis(&redis.url(), key).expect("the URL is a Redis's"),
            Self::RedisCluster(redis) => {
                Cluster::redis(&redis.url(), key).expect("the URL is a Redis Cluster's")
            }
        }
    }

    /// It answers no more, or again.
    pub fn set_away(&self, is_away: bool) {
        match self {
            Self::Memory(store) => store.set_away(is_away),
            Self::Redis(redis) => redis.set_hung(is_away),
            Self::RedisCluster(redis) => redis.set_hung(is_away),
        }
    }

    /// It forgets all, and is another one from now on.
    pub fn forget(&mut self) {
        match self {
            Self::Memory(store) => store.forget(),
            Self::Redis(redis) => {
                redis.kill();
                redis.start_again();
            }
            Self::RedisCluster(redis) => redis.start_anew(),
        }
    }
}

/// Longest wait for the nodes to find each other.
const DEADLINE: Duration = Duration::from_secs(20);

impl TestNode {
    /// A node of the cluster that shares a store and a key.
    pub async fn start(config: Config, cluster: Cluster) -> Self {
        let seen = Arc::<Seen>::default();
        let app_seen = seen.clone();
        let server = Server::builder(config)
            .expect("the test's config is sound")
            .on_socket(move |socket| app(socket, app_seen.clone()));
        let node = server.join(cluster).await.expect("the node takes links");
        let serving = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
        let serving = serving.await.expect("a free port");
        let addr = serving.local_addr();
        let task = tokio::spawn(serving.run());
        Self {
            addr,
            server,
            node,
            seen,
            task,
        }
    }

    /// So many nodes of one cluster, once each has a link to all others.
    pub async fn start_all(count: usize, config: &Config, store: &TestStore) -> Vec<Self> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            let cluster = store.cluster(test_key());
            nodes.push(Self::start(config.clone(), cluster).await);
        }
        linked(&nodes, count - 1).await;
        nodes
    }
}

/// Waits until each node has so many links.
pub async fn linked(nodes: &[TestNode], count: usize) {
    let all = async {
        while nodes.iter().any(|node| node.node.linked().len() != count) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, all).await.expect("the nodes are linked");
}

/// A key for tests.
pub fn test_key() -> ClusterKey {
    ClusterKey::new([7; 32]).expect("the key is long enough")
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}
