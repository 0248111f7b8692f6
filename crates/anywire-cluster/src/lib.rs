//! Several Anywire servers as one: any request may come to any of them, whichever a session lives in.
//!
//! Each server is a *node*. A session lives at the node that it was opened at, its *home*. Every other node is an *edge* for it: it
//! speaks HTTP and WebSocket with the client, and relays packets over a link to the home. The nodes share a *store*, which says
//! where each session lives, and which nodes do.

#![warn(missing_debug_implementations)]

mod barrier;
mod cluster;
mod commands;
mod environment;
mod homes;
mod key;
mod link;
mod memory;
mod metrics;
mod node;
mod publisher;
mod redis;
mod steady;
mod store;
mod topics;

pub use cluster::{Cluster, ClusterError, ClusterNode, Readiness};
pub use environment::EnvironmentError;
pub use key::{ClusterKey, KeyError};
pub use memory::MemoryStore;
pub use metrics::ClusterMetrics;
pub use publisher::{PublishError, Publisher};
pub use redis::UrlError;
pub use store::{NodeId, TopicPosition};
pub use topics::Gap;

#[cfg(test)]
mod simulation;
