//! Real-time sessions over WebSocket and HTTP, for `warp`, and through tower for axum and hyper.
//!
//! An app gets a *session*: an ordered stream of messages both ways that outlives the connections which carry it.
//! Every message accepted by `send` arrives once and in order while the session lives, over any mix of transports;
//! when that cannot be kept, both sides learn why.
//!
//! ```no_run
//! use anywire::{Config, Server, Socket};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder(Config::new())?.on_socket(|mut socket: Socket| async move {
//!     while let Some(message) = socket.recv().await {
//!         if socket.send(message).await.is_err() {
//!             break;
//!         }
//!     }
//! });
//! anywire::serve(server.routes()).run(([127, 0, 0, 1], 3030)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The page loads `/anywire/client.js` and says `new Anywire('/anywire')`.
//!
//! "PROTOCOL §n" and "NEGOTIATION §n" in doc comments are sections of [PROTOCOL] and [NEGOTIATION].
//!
//! [PROTOCOL]: anywire_protocol::specification::protocol
//! [NEGOTIATION]: anywire_protocol::specification::negotiation

#![warn(missing_debug_implementations)]

mod config;
mod door;
mod forwarded;
mod gate;
mod host;
mod keep;
mod networks;
mod origin;
mod publish;
mod publish_key;
mod request;
mod script;
mod serve;
mod server;
mod service;
#[cfg(feature = "tower")]
mod tower;
mod upgrade;
#[cfg(feature = "cluster")]
pub mod cluster {
    //! Several servers as one; see [`Server::join`](crate::Server::join).

    pub use anywire_cluster::{
        Cluster, ClusterError, ClusterKey, ClusterMetrics, ClusterNode, EnvironmentError, Gap,
        KeyError, MemoryStore, NodeId, PublishError, Publisher, Readiness, TopicPosition, UrlError,
    };
}
mod visitor;
#[cfg(feature = "warp")]
mod warp;

#[cfg(not(any(feature = "warp", feature = "tower")))]
compile_error!("anywire has no door: enable its feature `warp` (the default) or `tower`");

pub use anywire_core::{
    Asks, AsyncHandler, Attachment, AttachmentChanges, Attempts, Audience, Budgets, Grant, Handler,
    Measure, Metrics, Opening, Outcomes, Principal, PrincipalHandle, Rate, Reach, Scope, Sender,
    SessionInfo, Share, Socket, SocketEvent,
};
pub use anywire_polling::{Body, BodyError, BoxError, StreamBody, TimedBody};
pub use anywire_protocol::{
    CloseCode, CloseReason, Credential, Detach, Disposition, Limits, Message, MessageKind,
    PerTransport, Report, SendError, SessionId, Transport, TrySendError,
};
pub use config::{Config, ConfigError};
pub use forwarded::ForwardingHeaders;
pub use keep::Keep;
pub use networks::{Networks, NetworksError};
pub use serve::{Accept, BoundServer, HttpServer, PeerAddr, RequestBody};
#[cfg(feature = "tls")]
pub use serve::{Tls, TlsError};
pub use server::{Server, ServerBuilder};
#[cfg(feature = "tower")]
pub use tower::Service;
pub use visitor::{Denied, Scheme, Visitor};
#[cfg(feature = "warp")]
pub use warp::{WarpService, serve};

/// Compiles the code of the crate's page.
#[cfg(all(doctest, feature = "warp"))]
#[doc = include_str!("../README.md")]
struct Readme;
