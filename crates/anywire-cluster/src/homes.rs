//! Where other nodes' sessions live, as far as this node has heard: a hint of where to ask first, and never a verdict.

use anywire_protocol::SessionId;
use dashmap::DashMap;

use crate::link::Claim;
use crate::store::NodeId;

/// 100,000: beyond that all are forgotten, and the store is asked again.
const MAX_HINTS: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Homes(DashMap<SessionId, Hint>);

#[derive(Clone, Copy, Debug)]
struct Hint {
    home: (NodeId, Claim),
    is_by_grant: Option<bool>,
}

impl Homes {
    pub(crate) fn get(&self, session: SessionId) -> Option<(NodeId, Claim)> {
        Some(self.0.get(&session)?.home)
    }

    /// Whether the session goes on by its grant, if its home has said.
    pub(crate) fn is_by_grant(&self, session: SessionId) -> Option<bool> {
        self.0.get(&session)?.is_by_grant
    }

    pub(crate) fn note_grant(&self, session: SessionId, is_by_grant: bool) {
        if let Some(mut hint) = self.0.get_mut(&session) {
            hint.is_by_grant = Some(is_by_grant);
        }
    }

    pub(crate) fn put(&self, session: SessionId, node: NodeId, claim: Claim) {
        if self.0.len() >= MAX_HINTS {
            self.0.clear();
        }
        let home = (node, claim);
        let hint = self.0.entry(session);
        hint.and_modify(|hint| hint.home = home).or_insert(Hint {
            home,
            is_by_grant: None,
        });
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn forget(&self, session: SessionId) {
        self.0.remove(&session);
    }
}
