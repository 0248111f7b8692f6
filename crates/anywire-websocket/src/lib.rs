//! RFC 6455 for Anywire: handshake checks and a sans-IO frame codec for both roles; with the feature `server`, the
//! connection that carries a session over a byte stream. `anywire-protocol` knows what packets mean.
//!
//! "PROTOCOL §n" in doc comments is a section of [PROTOCOL](anywire_protocol::specification::protocol).

#![warn(missing_debug_implementations)]

pub mod frame;
pub mod handshake;

#[cfg(feature = "server")]
pub mod server;
