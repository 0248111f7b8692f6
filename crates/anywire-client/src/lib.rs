//! A client for Anywire sessions: WebSocket first, long polling where that fails, back to WebSocket when it works
//! again, and one ordered stream of messages throughout.
//!
//! ```no_run
//! # async fn example() -> Result<(), anywire_client::ConnectError> {
//! let mut client = anywire_client::Client::connect("ws://127.0.0.1:3030/anywire").await?;
//! client.send("hello").await.ok();
//! while let Some(message) = client.recv().await {
//!     println!("{} over {:?}", message.as_text().unwrap_or("bytes"), client.transport());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A lost connection is not an error here: the session goes on over another one, and [`Client::transport`] tells which.
//! Only its end is reported, once, with a reason ([`Client::close_reason`]). With [`ClientBuilder::reopen`] a new session
//! follows it.
//!
//! "PROTOCOL §n" and "NEGOTIATION §n" in doc comments are sections of [PROTOCOL] and [NEGOTIATION].
//!
//! [PROTOCOL]: anywire_protocol::specification::protocol
//! [NEGOTIATION]: anywire_protocol::specification::negotiation

#![warn(missing_debug_implementations)]

mod authorize;
mod builder;
mod client;
mod clock;
mod connect;
mod credential;
mod dial;
mod driver;
mod endpoints;
mod error;
mod legs;
mod memory;
mod reopen;
mod shared;
mod shown;

pub use anywire_protocol::{
    Attempt, CloseCode, CloseReason, Disposition, Limits, Message, MessageKind,
    NegotiationSettings, Outcome, Phase, SendError, SessionId, Transport, TrySendError,
};
pub use builder::ClientBuilder;
pub use client::{Client, Sender, TransportChanges};
pub use connect::Connector;
#[cfg(feature = "tls")]
pub use connect::rustls;
pub use credential::Why;
pub use error::ConnectError;
pub use memory::OriginMemory;
pub use reopen::{ClientEvent, Decision, Ended, Reopen, Reopened};

/// Compiles the code of the crate's page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
