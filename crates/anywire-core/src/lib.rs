//! Anywire sessions alive on a server.
//!
//! A [`Hub`] holds this node's sessions. Transports come to it through [`Hub::open`] and [`Hub::find`], attach a
//! [`Connection`], and feed it packets. Apps see a [`Socket`] (one async function per session) or a [`Handler`]
//! (callbacks). `anywire-protocol` holds the rules of the conversation.
//!
//! "PROTOCOL §n" and "NEGOTIATION §n" in doc comments are sections of [PROTOCOL] and [NEGOTIATION].
//!
//! [PROTOCOL]: anywire_protocol::specification::protocol
//! [NEGOTIATION]: anywire_protocol::specification::negotiation

#![warn(missing_debug_implementations)]

mod accounts;
mod app;
mod budgets;
mod clock;
mod connection;
mod counter;
mod deadlines;
mod dispatch;
mod drain;
mod enter;
mod entry;
mod hub;
mod local;
mod memory;
mod metrics;
mod nodes;
mod principal;
mod refusal;
mod relief;
mod remote;
mod reports;
mod secrets;
mod session_cell;
mod site;
mod socket;
mod tombstones;
mod topics;
mod usage;
mod visit;

pub use accounts::{Caller, Scope};
pub use app::{App, Handler};
pub use budgets::{Budgets, Rate, Share};
pub use connection::Connection;
pub use enter::Entering;
pub use entry::{Entered, Entry, Head, Intent};
pub use hub::{Hub, WeakHub};
pub use memory::{Charge, Memory};
pub use metrics::Metrics;
pub use nodes::{Nodes, Place, Placing};
pub use principal::Principal;
pub use refusal::Refusal;
pub use remote::{End, Flow, Outgoing, RemoteConnection};
pub use reports::{Attempts, Outcomes};
pub use site::Site;
pub use socket::{Sender, Socket};
pub use usage::Measure;
pub use visit::Visit;
