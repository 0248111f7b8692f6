//! The comparison's parts: what `cargo run --example compare` shows, usable from tests too.
//!
//! A [`Comparison`] runs the lanes of a [`View`] side by side. Each lane has a server on a thread of its own and a relay
//! before it; clients connect to the relay, which measures what passes.

mod answer;
mod client;
mod comparison;
mod event;
mod http;
mod http_reader;
mod kind;
mod lane_server;
mod page;
mod reader;
mod record;
mod relay;
mod settings;
mod tally;
mod view;
mod watch;

pub use client::follow;
pub use comparison::{Comparison, Lane, Reading};
pub use event::Event;
pub use kind::Kind;
pub use page::Page;
pub use record::{Activity, Tape, Totals, What};
pub use settings::Settings;
pub use tally::Tally;
pub use view::{Load, View};
