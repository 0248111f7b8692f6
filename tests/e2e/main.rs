//! The whole, in headless Chromium: the browser client against the server, through a misbehaving proxy where needed.
//!
//! Run by `make e2e`. Each run compares the exact sequences on both sides.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies;
mod chat;
mod cluster;
mod compare;
mod connecting;
mod fallback;
mod identity;
mod leaving;
mod migration;
mod modes;
mod origins;
mod page_life;
mod pages;
mod recipes;
mod service;
mod stage;
mod surface;
mod tabs;
mod tls;
mod transports;
