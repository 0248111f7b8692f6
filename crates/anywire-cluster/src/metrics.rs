//! Counters that answer "how is the cluster going?", as one node sees it. Apps publish them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of a node's counters; all count since it joined, except `links` and `has_store`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterMetrics {
    /// Other nodes that this one has a link to now.
    pub links: u64,
    /// Links to other nodes that broke.
    pub links_lost: u64,
    /// Whether the store can be used now.
    pub has_store: bool,
    /// How often the store could not be used any more.
    pub store_outages: u64,
    /// How often another store was met than before: one that restarted empty, or that took over.
    pub other_stores: u64,
    /// Requests and WebSockets whose session lives at another node, which has let them in.
    pub relayed: u64,
    /// Requests and WebSockets that other nodes brought to sessions here.
    pub brought: u64,
    /// Messages that were published here, by HTTP too, and that the store has.
    pub published: u64,
    /// Messages that were published here and may not have reached the store.
    pub lost_publishes: u64,
    /// Gaps in topics that are followed here: see [`ClusterNode::gap`](crate::ClusterNode::gap).
    pub gaps: u64,
}

/// What counts, while the node lives.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) links_lost: Counter,
    pub(crate) store_outages: Counter,
    pub(crate) other_stores: Counter,
    pub(crate) relayed: Counter,
    pub(crate) brought: Counter,
    pub(crate) published: Counter,
    pub(crate) lost_publishes: Counter,
    pub(crate) gaps: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
