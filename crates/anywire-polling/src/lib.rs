//! Anywire over plain HTTP (PROTOCOL §6, §13 to §15): a request body in, an answer's body out, whole or as it comes. HTTP itself, origins and
//! authorisation are left to `anywire`; what packets mean to `anywire-core`.

mod call;
mod event;
mod exchange;
mod framing;
mod refusal;
mod request;
mod stream;

pub use call::{payload_call, refusal_call};
pub use exchange::{Exchange, take_form};
pub use refusal::{refusal_body, refusal_status};
pub use stream::StreamBody;
