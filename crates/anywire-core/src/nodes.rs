//! The other nodes of a cluster, as a hub sees them. What they share and how they talk is left to whoever implements this.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anywire_protocol::{Message, SessionId};

use crate::accounts::Caller;
use crate::deeds::{Deed, Reaching, Whom};
use crate::entry::{Entered, Entry};
use crate::refusal::Refusal;
use crate::remote::RemoteConnection;

/// Where an entry's session is.
#[derive(Debug)]
pub enum Place {
    /// Here: the hub lets the entry in, and begins the session if the entry is an open.
    Here(Entry),
    /// At another node, which has let the entry in.
    Elsewhere(Entered<Box<dyn RemoteConnection>>),
}

/// An entry that the nodes decide upon.
pub type Placing<'a> = Pin<Box<dyn Future<Output = Result<Place, Refusal>> + Send + 'a>>;

/// A question that another node answers.
pub type Answering<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// The cluster that a hub is a node of: see [`Hub::join`](crate::Hub::join).
///
/// All calls but [`Nodes::enter`] and [`Nodes::is_by_grant`] are made while locks are held: they must return at once, and not call the hub.
pub trait Nodes: Debug + Send + Sync + 'static {
    /// Lets an entry in whose session is not here. The hub has found that the entry may be let in: an attach shows its
    /// session's secret, an open is within the shares.
    ///
    /// An open makes this node its session's home, if the session has none. If the session then does not begin, that is said by
    /// [`Nodes::not_begun`].
    fn enter<'a>(
        self: Arc<Self>,
        session: SessionId,
        entry: Entry,
        caller: &'a Caller,
    ) -> Placing<'a>;

    /// Whether a session of another node goes on by its grant, as that node says; `false` if it cannot be asked.
    fn is_by_grant(&self, session: SessionId) -> Answering<'_>;

    /// A session has ended here, and its client need not be told any more.
    fn ended(&self, session: SessionId);

    /// A session that was to begin here has not: its open was refused, and is as if it had not been.
    fn not_begun(&self, session: SessionId);

    /// Sends a message to the followers of a topic at all nodes, this one too: [`Hub::deliver`](crate::Hub::deliver) hands it to
    /// those who are here.
    fn publish(&self, topic: &str, message: Message);

    /// Reaches sessions of the other nodes. When this returns, what is asked of them is on its way, behind what was asked before; the future
    /// awaits their answers.
    fn reach(self: Arc<Self>, whom: Whom, deed: Deed) -> Reaching;

    /// A session follows a topic that none followed here before.
    fn follow(&self, topic: &str);

    /// No session follows a topic here any more.
    fn unfollow(&self, topic: &str);
}
