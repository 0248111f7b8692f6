//! Anywire over plain HTTP (PROTOCOL §6, §13, §14): a request body in, an answer's body out, whole or as it comes. HTTP itself, origins and
//! authorisation are left to `anywire`; what packets mean to `anywire-core`.

mod event;
mod exchange;
mod framing;
mod refusal;
mod request;
mod stream;

pub use exchange::Exchange;
pub use refusal::{refusal_body, refusal_status};
pub use stream::StreamBody;
