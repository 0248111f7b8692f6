//! What a node's calls and its feed share: the connection, the scripts, and the names of keys and channels.

use std::sync::Arc;

use anywire_protocol::SessionId;

use super::scripts::Scripts;
use super::shards::Shards;
use crate::store::NodeId;

/// What calls and the feed need.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) node: NodeId,
    pub(super) prefix: String,
    pub(super) shards: Shards,
    pub(super) scripts: Arc<Scripts>,
    /// Whether the servers share the channels as they share the keys.
    pub(super) is_sharded: bool,
}

/// The commands of channels.
pub(super) struct PubSub {
    pub(super) subscribe: &'static str,
    pub(super) unsubscribe: &'static str,
    pub(super) publish: &'static str,
    pub(super) count: &'static str,
}

impl Shared {
    /// A message of a Redis Cluster goes to the servers of its slot alone, and not to all.
    pub(super) fn pubsub(&self) -> PubSub {
        match self.is_sharded {
            true => PubSub {
                subscribe: "SSUBSCRIBE",
                unsubscribe: "SUNSUBSCRIBE",
                publish: "SPUBLISH",
                count: "SHARDNUMSUB",
            },
            false => PubSub {
                subscribe: "SUBSCRIBE",
                unsubscribe: "UNSUBSCRIBE",
                publish: "PUBLISH",
                count: "NUMSUB",
            },
        }
    }

    pub(super) fn header_key(&self, session: SessionId) -> Vec<u8> {
        let mut key = format!("{}:s:{{", self.prefix).into_bytes();
        key.extend_from_slice(session.as_bytes());
        key.push(b'}');
        key
    }

    /// All nodes are in one slot, so that they can be asked for at once.
    pub(super) fn nodes_key(&self) -> String {
        format!("{}:{{nodes}}", self.prefix)
    }

    pub(super) fn lease_key(&self, node: NodeId) -> String {
        format!("{}:{node}", self.nodes_key())
    }

    pub(super) fn node_channel(&self, node: NodeId) -> String {
        self.lease_key(node)
    }

    /// The key of a topic and the name of its channel.
    pub(super) fn channel(&self, topic: &str) -> String {
        let partition = fnv1a(topic.as_bytes()) % PARTITIONS;
        format!("{}:t:{{{partition}}}:{topic}", self.prefix)
    }

    /// Channels of this node's own, one in each partition.
    pub(super) fn probe_channels(&self) -> impl Iterator<Item = String> {
        let (prefix, node) = (&self.prefix, self.node);
        (0..PARTITIONS).map(move |partition| format!("{prefix}:p:{{{partition}}}:{node}"))
    }

    /// The topic of a channel.
    pub(super) fn topic<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let rest = channel.strip_prefix(&self.prefix)?.strip_prefix(":t:{")?;
        Some(rest.split_once("}:")?.1)
    }
}

/// A hash that every publisher can compute.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// 128: so many groups of topics there are, each of which one server of a Redis Cluster could hold.
const PARTITIONS: u64 = 128;
