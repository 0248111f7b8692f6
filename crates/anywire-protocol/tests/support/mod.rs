//! The pair harness: two sessions, a simulated network, virtual time.

pub mod client;
pub mod pair;
pub mod random;
pub mod server;
