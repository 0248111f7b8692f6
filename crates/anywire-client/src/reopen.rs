//! What follows a session that has ended, where the app asks for another: its settings, and what the app is told. When sessions
//! are opened is in the protocol's negotiation, how in `driver/reopening.rs`.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{CloseReason, Message, SessionId};

/// How new sessions follow those that have ended.
///
/// A lost connection does not end a session. A session ends when its server restarts (1012), when nothing carried it for its
/// resume window (4931), or when the server no longer knows it (4930), for example. Then the client opens another by itself,
/// and its [`Client`](crate::Client) and [`Sender`](crate::Sender)s go on with that one.
///
/// The new session knows nothing of the old one: the app logs in and subscribes again when it hears of it
/// ([`ClientEvent::Reopened`]). Of what the app had sent last, the server may have taken some and not have said so. What
/// becomes of those messages is for the app to decide, so a function must be given.
///
/// ```no_run
/// use anywire_client::{Client, ClientEvent, Decision, Reopen};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let reopen = Reopen::new(|ended| match ended.unacknowledged.len() {
///     // A few orders: the server knows them by their numbers, and takes each of them once.
///     0..100 => Decision::Resend,
///     _ => Decision::Drop,
/// });
/// let mut client = Client::builder("wss://example.org/anywire").reopen(reopen).connect().await?;
/// client.send("follow news").await?;
/// while let Some(event) = client.next_event().await {
///     match event {
///         ClientEvent::Message(message) => println!("{message:?}"),
///         ClientEvent::Reopened(reopened) => {
///             println!("{} ended: {}", reopened.previous, reopened.reason);
///             client.send("follow news").await?;
///         }
///         _ => {}
///     }
/// }
/// println!("over: {:?}", client.close_reason());
/// # Ok(())
/// # }
/// ```
///
/// Which ends are followed: codes to start anew (4930 to 4959), 1012 and 1013, whichever side closed. After 4935 a credential
/// is asked for with [`Why::Expired`](crate::Why::Expired); after 4966 once, if
/// [`ClientBuilder::credential`](crate::ClientBuilder::credential) is set. Every other end is final, and so are the app's own
/// close and the drop of the client, also between two sessions. A first session that cannot be opened is not tried again.
///
/// New sessions are opened at turns: every [`Reopen::ceiling`], with a phase that each client draws anew when it loses its
/// server. So the clients of a server that returns come back within one ceiling, and evenly (NEGOTIATION §12).
#[derive(Clone)]
pub struct Reopen {
    pub(crate) decide: Arc<dyn Fn(&Ended) -> Decision + Send + Sync>,
    pub(crate) ceiling: Duration,
    pub(crate) tries: u32,
}

impl Reopen {
    /// New sessions follow; the function decides what becomes of the messages that were not acknowledged.
    ///
    /// The client calls it once after each end that is followed, before the next session is opened. It must not block. If it
    /// panics, the end is final.
    pub fn new(decide: impl Fn(&Ended) -> Decision + Send + Sync + 'static) -> Self {
        Self {
            decide: Arc::new(decide),
            ceiling: CEILING,
            tries: u32::MAX,
        }
    }

    /// The time between two turns, and the longest that a client waits when its server is back. Default 5 s. Too short, and all
    /// clients of a server that returns come at once; too long, and they are away for longer than it.
    pub fn ceiling(mut self, ceiling: Duration) -> Self {
        self.ceiling = ceiling;
        self
    }

    /// After so many turns in a row without a session the end is final, with 1006. Default: no limit. At least 1.
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }
}

impl Debug for Reopen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reopen")
            .field("ceiling", &self.ceiling)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

/// A session that has ended, and that another is to follow.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// Why.
    pub reason: CloseReason,
    /// Its public name.
    pub session: SessionId,
    /// What it had accepted and the server had not acknowledged, in order. Some of these messages may have arrived.
    pub unacknowledged: Vec<Message>,
}

/// What becomes of the messages that were not acknowledged when a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// They are sent again in the new session, in order and before all others. The server may then get a message twice: what is
    /// exactly once within a session is at least once across them. [`Reopened::unacknowledged`] has only what the new session
    /// does not take: what is longer than its server allows, and where that server takes less at once than the one before, the first
    /// message that finds no room with all behind it.
    Resend,
    /// They are forgotten, and [`Reopened::unacknowledged`] is empty.
    Drop,
    /// The app gets them back in [`Reopened::unacknowledged`]. An app that takes no events
    /// ([`Client::next_event`](crate::Client::next_event)) loses them.
    Keep,
}

/// What [`Client::next_event`](crate::Client::next_event) tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The next message from the server.
    Message(Message),
    /// A new session has followed one that has ended. All messages of the old one came before this, all of the new one come
    /// behind it.
    Reopened(Reopened),
}

/// A new session has followed one that has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reopened {
    /// Why the old one has ended.
    pub reason: CloseReason,
    /// The public name of the old one; [`Client::id`](crate::Client::id) is the new one's.
    pub previous: SessionId,
    /// What the old one had accepted, the server had not acknowledged, and the client does not send again, in order. See
    /// [`Decision`].
    pub unacknowledged: Vec<Message>,
}

/// What is left of a session until the next one is open.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) ended: Ended,
    pub(crate) decision: Decision,
}

const CEILING: Duration = Duration::from_secs(5);
