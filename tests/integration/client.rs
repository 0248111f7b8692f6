//! The Rust client over real sockets.

mod bodies;
mod credentials;
mod delivery;
mod handles;
mod reopen;
mod surroundings;
