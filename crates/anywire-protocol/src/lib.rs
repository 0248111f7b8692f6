//! The Anywire wire and session, as plain state.
//!
//! This crate has no clock, no randomness, no async and no I/O: a shell (a server, a client, a test)
//! feeds a [`Session`] one input and then drains what it wants done. The wire is specified in
//! `PROTOCOL.md` beside this crate's manifest; doc comments cite its clauses.

mod can;
mod close;
mod closing;
mod connection;
mod error;
mod escape;
mod exchange;
mod heartbeat;
mod identity;
mod inbox;
mod limits;
mod message;
mod negotiation;
mod offer;
mod open;
mod outbox;
mod packet;
mod payload;
mod session;
mod time;
mod transport;
mod words;

pub use can::Can;
pub use close::{CloseCode, CloseReason, Disposition};
pub use error::{AttachError, ProtocolError, SendError};
pub use escape::{ESCAPED_MARK, Unescaper, escape_line, is_line, unescape};
pub use exchange::{check_request, check_size, is_answer};
pub use identity::{Generation, Offset, OpeningKey, Secret, SessionId};
pub use limits::{Limits, LimitsError};
pub use message::{Message, MessageKind};
pub use negotiation::{
    Attempt, Decision, Loss, Memory, Negotiation, NegotiationSettings, Outcome, PROOF_BYTES, Phase,
    Report,
};
pub use offer::{Offer, application_protocols, choose_protocol};
pub use open::{Attach, Open, Opened, SUBPROTOCOL, VERSION};
pub use packet::{CONTROL_MARK, Packet, decode_frame, encode_control};
pub use payload::{
    Encoding, MAX_PACKETS_PER_PAYLOAD, PayloadReader, PayloadWriter, decode_payload,
};
pub use session::{Attachment, Carrier, ConnectionId, Event, Fence, Role, Session, Transmit};
pub use time::Timestamp;
pub use transport::{PerTransport, Transport};
