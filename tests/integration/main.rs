//! The server over real sockets. Behaviours common to all transports are written once and run over each.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abuse;
mod budgets;
mod clauses;
mod client;
mod closes;
mod cluster;
mod compare;
mod events;
mod forged;
mod gate;
mod hosts;
mod jsonp;
mod leaves;
mod lifecycle;
mod line;
mod links;
mod messages;
mod parts;
mod proxies;
mod publishing;
mod recipes;
mod smuggling;
mod stalls;
mod streams;
mod tls;
mod wire;
