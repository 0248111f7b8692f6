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
mod attachment;
mod budgets;
mod clock;
mod connection;
mod counter;
mod deadlines;
mod deeds;
mod dispatch;
mod drain;
mod enter;
mod entry;
mod grant;
mod guest;
mod hub;
mod local;
mod memory;
mod metrics;
mod news;
mod nodes;
mod opening;
mod principal;
mod reach;
mod refusal;
mod relief;
mod remote;
mod renewal;
mod reports;
mod revocations;
mod secrets;
mod session_cell;
mod site;
mod socket;
mod tombstones;
mod topics;
mod unheard;
mod usage;
mod visit;

pub use accounts::{Caller, Scope};
pub use app::{App, AsyncHandler, Handler};
pub use attachment::Attachment;
pub use budgets::{Budgets, Rate, Share};
pub use connection::Connection;
pub use deeds::{Deed, Reach, Reached, Reaching, SessionInfo, Whom};
pub use enter::Entering;
pub use entry::{Entered, Entry, Head, Intent};
pub use grant::{Grant, Verdict};
pub use guest::{Asks, Gate, Guest};
pub use hub::{Hub, WeakHub};
pub use memory::{Charge, Memory};
pub use metrics::Metrics;
pub use news::{AttachmentChanges, SocketEvent};
pub use nodes::{Answering, Nodes, Place, Placing};
pub use opening::Opening;
pub use principal::Principal;
pub use reach::{Audience, PrincipalHandle};
pub use refusal::Refusal;
pub use remote::{End, Flow, Outgoing, RemoteConnection};
pub use renewal::{Asked, Judge};
pub use reports::{Attempts, Outcomes};
pub use site::Site;
pub use socket::{Sender, Socket};
pub use usage::Measure;
pub use visit::Visit;
