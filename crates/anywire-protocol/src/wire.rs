//! What goes over the line: packets, their encodings, and what opens and closes a session. What they do to a session is
//! left to `session`.

pub(crate) mod can;
pub(crate) mod close;
pub(crate) mod credential;
pub(crate) mod escape;
pub(crate) mod exchange;
pub(crate) mod identity;
pub(crate) mod message;
pub(crate) mod offer;
pub(crate) mod open;
pub(crate) mod packet;
pub(crate) mod payload;
pub(crate) mod position;
pub(crate) mod veil;
