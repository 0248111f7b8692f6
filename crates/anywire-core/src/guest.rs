//! Who comes, until it is known what they ask for: only then can the app be asked about them (PROTOCOL §10.10).

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use anywire_protocol::{Credential, Packet};

use crate::accounts::Caller;
use crate::entry::Head;
use crate::hub::Hub;
use crate::visit::is_about_request;

/// What the app is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Asks {
    /// Whether the client may open a session.
    Open,
    /// Whether a request may be let in that belongs to a session. It is asked about since the session was opened without a
    /// credential.
    Request,
    /// Whether the session may go on: a credential came, or the client wants this request to count as one.
    Renew,
}

/// Asks the app about one request.
pub trait Gate: Debug + Send + Sync {
    /// Who makes the request, without asking.
    fn unasked(&self) -> Caller;

    /// How many bytes of the request it keeps, to ask by.
    fn held_bytes(&self) -> usize;

    /// Who makes the request, as the app says.
    fn ask(
        self: Box<Self>,
        asks: Asks,
        credential: Option<Credential>,
    ) -> Pin<Box<dyn Future<Output = Caller> + Send>>;
}

/// Who comes with a request.
#[derive(Debug)]
pub enum Guest {
    /// Nobody needs to be asked.
    Known(Caller),
    /// The app is asked, if what the request begins with says so.
    Unknown(Box<dyn Gate>),
}

impl Guest {
    /// How many bytes of the request are kept, in case the app is to be asked.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Known(_) => 0,
            Self::Unknown(gate) => gate.held_bytes(),
        }
    }

    /// Who comes. `head` is what the request begins with, `None` for a plain WebSocket; `packets` are what follows.
    ///
    /// Cancel safety: nothing has happened if the future is dropped, but that the app may have been asked.
    pub async fn caller(self, hub: &Hub, head: Option<&Head>, packets: &[Packet]) -> Caller {
        let gate = match self {
            Self::Known(caller) => return caller,
            Self::Unknown(gate) => gate,
        };
        let (asks, credential) = match head {
            None => (Asks::Open, None),
            Some(Head::Open(open)) if open.credential.is_some() => {
                (Asks::Open, open.credential.clone())
            }
            Some(head) if hub.is_by_grant(head).await => {
                if !packets.iter().any(is_about_request) {
                    return gate.unasked();
                }
                (Asks::Renew, None)
            }
            Some(Head::Open(_)) => (Asks::Open, None),
            Some(Head::Attach(_)) if packets.iter().any(is_about_request) => (Asks::Renew, None),
            Some(Head::Attach(_)) => (Asks::Request, None),
        };
        gate.ask(asks, credential).await
    }
}
