//! Where other nodes' sessions live, as far as this node has heard: a hint of where to ask first, and never a verdict.

use anywire_protocol::SessionId;
use dashmap::DashMap;

use crate::link::Claim;
use crate::store::NodeId;

/// 100,000: beyond that all are forgotten, and the store is asked again.
const MAX_HINTS: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Homes(DashMap<SessionId, (NodeId, Claim)>);

impl Homes {
    pub(crate) fn get(&self, session: SessionId) -> Option<(NodeId, Claim)> {
        self.0.get(&session).map(|home| *home.value())
    }

    pub(crate) fn put(&self, session: SessionId, node: NodeId, claim: Claim) {
        if self.0.len() >= MAX_HINTS {
            self.0.clear();
        }
        self.0.insert(session, (node, claim));
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn forget(&self, session: SessionId) {
        self.0.remove(&session);
    }
}
