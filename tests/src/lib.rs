//! What the tests over real sockets and in real browsers share.

pub mod address;
pub mod capture;
pub mod certificate;
pub mod chromium;
pub mod cluster;
pub mod directory;
pub mod documents;
pub mod host;
pub mod http;
pub mod line;
pub mod middlebox;
pub mod node;
pub mod open_answer;
pub mod oracle;
pub mod recipes;
pub mod redis;
pub mod server;
pub mod simulation;
pub mod site;

/// Compiles the README's code.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles the code of the page on moving from other libraries.
#[cfg(doctest)]
#[doc = include_str!("../../docs/comparison.md")]
struct Comparison;

/// Compiles the code of the page on several servers.
#[cfg(doctest)]
#[doc = include_str!("../../docs/cluster.md")]
struct Cluster;

/// Compiles the code of the page on running a server.
#[cfg(doctest)]
#[doc = include_str!("../../docs/operating.md")]
struct Operating;

/// Compiles the code of the page on who a client is.
#[cfg(doctest)]
#[doc = include_str!("../../docs/identity.md")]
struct Identity;

/// Compiles the code of the page on whether a client is there.
#[cfg(doctest)]
#[doc = include_str!("../../docs/presence.md")]
struct Presence;

/// Compiles the code of the recipes.
#[cfg(doctest)]
#[doc = include_str!("../../docs/reopen.md")]
struct Reopening;
/// Compiles the code of the recipes.
#[cfg(doctest)]
#[doc = include_str!("../../docs/recipes.md")]
struct Recipes;
