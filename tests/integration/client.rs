//! The Rust client over real sockets.

mod bodies;
mod delivery;
mod handles;
mod surroundings;
