//! What can be done to sessions, whichever node they live at: to whom, and what.

use std::future::Future;
use std::pin::Pin;

use anywire_protocol::{CloseReason, Message, SessionId};

use crate::attachment::Attachment;
use crate::principal::Principal;

/// Whom to reach.
#[derive(Clone, Debug)]
pub enum Whom {
    /// One session.
    Session(SessionId),
    /// All sessions of a principal.
    Principal(Principal),
    /// The followers of topics, each once.
    Followers {
        /// The topics.
        topics: Vec<String>,
        /// Sessions that are left out.
        except: Vec<SessionId>,
        /// Principals whose sessions are left out.
        except_principals: Vec<Principal>,
    },
}

/// What to do to each session.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Say what it is.
    Tell,
    /// Send it a message. One whose outbox is full is closed with 4932, as by [`Hub::publish`](crate::Hub::publish).
    Send(Message),
    /// Close it, after all that was sent.
    Close(CloseReason),
    /// Put its client out: close it at once, with 4970.
    Revoke(String),
    /// Ask its client to renew its grant now.
    Renew,
    /// Have it follow a topic.
    Subscribe(String),
    /// Have it follow a topic no more.
    Unsubscribe(String),
}

/// What a session is, when it was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its public name.
    pub id: SessionId,
    /// Whose it is, if the app has named somebody.
    pub principal: Option<Principal>,
    /// The application's sub-protocol; empty if none was negotiated.
    pub protocol: String,
    /// Whether its client is there.
    pub attachment: Attachment,
}

impl SessionInfo {
    /// What another node says of a session.
    pub fn new(
        id: SessionId,
        principal: Option<Principal>,
        protocol: String,
        attachment: Attachment,
    ) -> Self {
        Self {
            id,
            principal,
            protocol,
            attachment,
        }
    }
}

/// Who was reached.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reach {
    /// How many sessions.
    pub sessions: usize,
    /// How many nodes did not answer: their sessions may have been reached or not. Always 0 for a server alone.
    pub silent_nodes: usize,
}

/// Who was reached, and what they are if that was asked.
#[derive(Debug, Default)]
pub struct Reached {
    /// The count.
    pub reach: Reach,
    /// For [`Deed::Tell`].
    pub told: Vec<SessionInfo>,
}

impl Reached {
    /// Adds those of another node.
    pub fn add(&mut self, other: Self) {
        self.reach.sessions += other.reach.sessions;
        self.reach.silent_nodes += other.reach.silent_nodes;
        self.told.extend(other.told);
    }
}

/// Sessions that other nodes are asked to reach.
pub type Reaching = Pin<Box<dyn Future<Output = Reached> + Send>>;
