//! The Rust client over real sockets.

mod delivery;
mod handles;
mod surroundings;
