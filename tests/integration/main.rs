//! The server over real sockets. Behaviours common to all transports are written once and run over each.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abuse;
mod attachments;
mod budgets;
mod callbacks;
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
mod reaching;
mod recipes;
mod renewals;
mod smuggling;
mod stalls;
mod streams;
mod tls;
mod visitors;
mod wire;
