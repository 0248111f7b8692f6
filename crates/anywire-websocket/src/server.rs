//! The server's side of a WebSocket: from the upgraded byte stream to the session and back. It knows frames and hands
//! packets on; sessions are `anywire-core`'s.

mod driver;
mod input;
mod output;
mod pace;
mod scratch;

use anywire_core::{Caller, Connection, Entering, Head, Hub};
use anywire_protocol::{CloseReason, Offer, Opened};

pub use driver::Driver;

/// How a WebSocket begins.
#[derive(Debug)]
pub enum Start {
    /// The upgrade's offer has attached the connection. *Opened* is the first frame (PROTOCOL §5.2).
    Attached(Connection, Box<Opened>),
    /// The upgrade made no offer. An open or attach packet follows within 10 s, or the driver closes with 4901
    /// (PROTOCOL §5.3).
    Later {
        /// Who came.
        caller: Caller,
        /// The application's sub-protocols that the upgrade offered.
        protocols: Vec<String>,
    },
    /// A plain WebSocket, whose peer does not speak Anywire: each frame is a message (PROTOCOL §9).
    Raw(Connection),
    /// The upgrade's offer was refused. The driver says so by a close packet and a WebSocket close (PROTOCOL §8.5).
    Refused(CloseReason),
}

impl Start {
    /// Does what an offer asks for.
    ///
    /// Cancel safety: as of [`Hub::enter`].
    pub async fn from_offer(hub: &Hub, offer: Offer, caller: Caller) -> Self {
        let head = match offer {
            Offer::Later { protocols } => {
                return Self::Later { caller, protocols };
            }
            Offer::Open(open) => Head::Open(Box::new(open)),
            Offer::Attach(attach) => Head::Attach(Box::new(attach)),
        };
        let decided = match driver::enter(hub, head, &caller) {
            Entering::Here(decided) => decided,
            Entering::Elsewhere(asked) => asked.await,
        };
        match decided {
            Ok(entered) => {
                let (connection, opened) = driver::carried(entered);
                Self::Attached(connection, opened)
            }
            Err(refusal) => Self::Refused(refusal.reason().clone()),
        }
    }
}
