//! The Anywire wire and session, as plain state.
//!
//! This crate has no clock, no randomness, no async and no I/O: a shell (a server, a client, a test)
//! feeds a [`Session`] one input and then drains what it wants done.
//!
//! Two documents hold the rules: [PROTOCOL](specification::protocol) for the wire, and
//! [NEGOTIATION](specification::negotiation) for the choice of a transport. "PROTOCOL §n" and "NEGOTIATION §n" in the
//! doc comments of all Anywire crates are sections of these two pages.

#![warn(missing_debug_implementations)]

mod error;
mod limits;
mod negotiation;
mod session;
pub mod specification;
mod time;
mod transport;
mod wire;
mod words;

pub use error::{AttachError, ProtocolError, SendError, TrySendError};
pub use limits::{AnnouncedLimits, Limits, LimitsError};
pub use negotiation::{
    Attempt, Decision, Loss, Memory, Negotiation, NegotiationSettings, Outcome, PROOF_BYTES, Phase,
    Report,
};
pub use session::{
    Attached, ConnectionId, ConnectionMode, Contact, Detach, Event, Fence, Role, Session,
    ShortAnswer, Transmit,
};
pub use time::Timestamp;
pub use transport::{PerTransport, Transport};
pub use wire::can::Can;
pub use wire::close::{CloseCode, CloseReason, Disposition};
pub use wire::credential::{Credential, Renewal};
pub use wire::escape::{ESCAPED_MARK, Unescaper, escape_line, is_line, unescape};
pub use wire::exchange::{check_agreed, check_credential, check_request, check_size, is_answer};
pub use wire::identity::{Generation, Offset, OpeningKey, Secret, SessionId};
pub use wire::message::{Message, MessageKind};
pub use wire::offer::{Offer, application_protocols, choose_protocol};
pub use wire::open::{Attach, Open, Opened, SUBPROTOCOL, VERSION};
pub use wire::packet::{CONTROL_MARK, FrameReader, Packet, decode_frame, encode_control};
pub use wire::payload::{
    Encoding, MAX_PACKETS_PER_PAYLOAD, PayloadReader, PayloadWriter, decode_payload,
};
pub use wire::position::Position;
pub use wire::veil::{VEILED_MARK, unveil, unveiled_bytes, veil, veiled_bytes};
