//! Anywire sessions alive on a server.
//!
//! A [`Hub`] holds this node's sessions. Transports come to it through [`Hub::open`] and [`Hub::find`], attach a
//! [`Connection`], and feed it packets. Apps see a [`Socket`] (one async function per session) or a [`Handler`]
//! (callbacks). The rules of the conversation are left to `anywire-protocol`.

mod app;
mod attach;
mod clock;
mod counter;
mod deadlines;
mod hub;
mod live;
mod metrics;
mod reports;
mod secrets;
mod socket;
mod tombstones;
mod topics;

pub use app::{App, Handler};
pub use attach::{Connection, End, Outgoing, Refusal, Room, Visit};
pub use hub::Hub;
pub use metrics::Metrics;
pub use reports::{Attempts, Outcomes};
pub use socket::{Principal, Sender, Socket};
