//! Libraries that take a WebSocket class, handed Anywire's constructor and nothing else, in headless Chromium.
//!
//! Three that differ most in what they ask of the class:
//!
//! - **graphql-ws** talks JSON texts under a sub-protocol, looks at constants, states and close codes, has a ping of its
//!   own, and decides by the kind of event, close or error, whether a subscription is taken up again.
//! - **y-websocket** sets `binaryType` and talks bytes, puts a room into the path, sets handlers to null, closes without a
//!   code, and comes back by itself.
//! - **reconnecting-websocket** uses listeners that it adds and removes, queues, gives up what takes long to connect, and
//!   makes a new socket at the least occasion.
//!
//! Each is taken through its own happy path over every transport, by the plain constructor, and by the browser's own WebSocket,
//! which shows that the path is one: all must tell the same. Run by `make dropin`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod graphql;
mod readme;
mod reconnecting;
mod stage;
mod yjs;
