//! What a node's calls and its feed share: the connection, the scripts, and the names of keys and channels.

use anywire_protocol::SessionId;

use super::scripts::Scripts;
use super::supervisor::Supervisor;
use crate::store::NodeId;

/// What calls and the feed need.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) node: NodeId,
    pub(super) prefix: String,
    pub(super) supervisor: Supervisor,
    pub(super) scripts: Scripts,
}

impl Shared {
    pub(super) fn header_key(&self, session: SessionId) -> Vec<u8> {
        let mut key = format!("{}:s:{{", self.prefix).into_bytes();
        key.extend_from_slice(session.as_bytes());
        key.push(b'}');
        key
    }

    pub(super) fn lease_key(&self, node: NodeId) -> String {
        format!("{}:n:{node}", self.prefix)
    }

    pub(super) fn nodes_key(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    pub(super) fn node_channel(&self, node: NodeId) -> String {
        self.lease_key(node)
    }

    /// The key of a topic and the name of its channel.
    pub(super) fn channel(&self, topic: &str) -> String {
        let partition = fnv1a(topic.as_bytes()) % PARTITIONS;
        format!("{}:t:{{{partition}}}:{topic}", self.prefix)
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
