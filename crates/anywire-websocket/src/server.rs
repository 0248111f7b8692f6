//! The server's side of a WebSocket: from the upgraded byte stream to the session and back. It knows frames and hands
//! packets on; sessions are `anywire-core`'s.

mod driver;
mod input;
mod output;
mod pace;
mod scratch;

use anywire_core::{Connection, Guest, Head, Hub, Refusal};
use anywire_protocol::{Offer, Opened, check_credential};

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
        guest: Guest,
        /// The application's sub-protocols that the upgrade offered.
        protocols: Vec<String>,
    },
    /// A plain WebSocket, whose peer does not speak Anywire: each frame is a message (PROTOCOL §9).
    Raw(Connection),
    /// The upgrade's offer was refused. The driver says so by a close packet and a WebSocket close (PROTOCOL §8.5).
    Refused(Refusal),
}

impl Start {
    /// Does what an offer asks for.
    ///
    /// Cancel safety: as of [`Hub::enter`].
    pub async fn from_offer(hub: &Hub, offer: Offer, guest: Guest) -> Self {
        let head = match offer {
            Offer::Later { protocols } => {
                return Self::Later { guest, protocols };
            }
            Offer::Open(open) => {
                if let Err(error) = check_credential(&open, hub.limits()) {
                    return Self::Refused(error.into());
                }
                Head::Open(Box::new(open))
            }
            Offer::Attach(attach) => Head::Attach(Box::new(attach)),
        };
        let caller = guest.caller(hub, Some(&head), &[]).await;
        match driver::enter(hub, head, &caller).decided().await {
            Ok(entered) => {
                let (connection, opened) = driver::carried(entered);
                Self::Attached(connection, opened)
            }
            Err(refusal) => Self::Refused(refusal),
        }
    }
}
