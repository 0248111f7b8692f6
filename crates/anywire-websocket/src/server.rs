//! The server's side of a WebSocket: from the upgraded byte stream to the session and back. It knows frames and hands
//! packets on; sessions are `anywire-core`'s.

mod driver;
mod input;
mod output;
mod scratch;

use anywire_core::{Connection, Hub, Principal};
use anywire_protocol::{CloseReason, Offer, Opened};

pub use driver::Driver;

/// How a WebSocket begins.
#[derive(Debug)]
pub enum Start {
    /// The upgrade itself attached (PROTOCOL §5.2).
    Attached(Connection, Box<Opened>),
    /// An open or attach packet will follow (PROTOCOL §5.3).
    Later {
        /// Who came.
        principal: Option<Principal>,
        /// The application's sub-protocols that the upgrade offered.
        protocols: Vec<String>,
    },
    /// No Anywire is spoken (PROTOCOL §9).
    Raw(Connection),
    /// The session does not want it (PROTOCOL §8.5).
    Refused(CloseReason),
}

impl Start {
    /// Does what an offer asks for.
    pub fn from_offer(hub: &Hub, offer: Offer, principal: Option<Principal>) -> Self {
        let attached = match offer {
            Offer::Later { protocols } => {
                return Self::Later {
                    principal,
                    protocols,
                };
            }
            Offer::Open(open) => driver::open(hub, &open, principal.as_ref()),
            Offer::Attach(attach) => driver::attach(hub, &attach, principal.as_ref()),
        };
        match attached {
            Ok((connection, opened)) => Self::Attached(connection, Box::new(opened)),
            Err(refusal) => Self::Refused(refusal.reason().clone()),
        }
    }
}
