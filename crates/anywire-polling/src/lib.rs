//! Anywire over plain HTTP: long polling and its relatives (PROTOCOL §6, §13 to §15).
//!
//! Each [`Endpoint`] takes a [`Request`] that has passed the gate; what is [`Taken`] becomes an [`Answer`] or an
//! [`HttpRefusal`], and [`render`] makes a response of either. Routes, origins and authorisation are left to `anywire`, the meaning of packets
//! to `anywire-core`.
//!
//! "PROTOCOL §n" in doc comments is a section of [PROTOCOL](anywire_protocol::specification::protocol).

#![warn(missing_debug_implementations)]

mod answer;
mod call;
mod endpoint;
mod event;
mod events;
mod exchange;
mod form;
mod framing;
mod jsonp;
mod poll;
mod request;
mod stream;
mod stream_body;
mod taken;

pub use answer::{Answer, Body, CROSS_ORIGIN_RESOURCE_POLICY, HttpRefusal, Style, render};
pub use endpoint::Endpoint;
pub use request::body::{BodyError, BoxError, TimedBody};
pub use request::{Request, Row, query};
pub use stream_body::StreamBody;
pub use taken::{Answering, Taken};
