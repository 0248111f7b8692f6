//! Anywire over plain HTTP (PROTOCOL §6): a request body in, an answer's body out. HTTP itself, origins and
//! authorisation are left to `anywire`; what packets mean to `anywire-core`.

mod exchange;
mod refusal;

pub use exchange::Exchange;
pub use refusal::{refusal_body, refusal_status};
