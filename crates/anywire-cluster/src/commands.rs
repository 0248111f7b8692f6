//! What a node asks of its topics, while locks are held: it is queued, and never waited for.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use anywire_protocol::Message;
use tokio::sync::mpsc;

use crate::metrics::Counters;

/// What the node asks of its topics.
pub(crate) enum Command {
    Follow(Arc<str>),
    Unfollow(Arc<str>),
    Publish(Arc<str>, Message),
}

/// The way to a node's topics: bounded, and never waited for.
pub(crate) struct Commands {
    sender: mpsc::Sender<Command>,
    counters: Arc<Counters>,
}

impl Debug for Commands {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}

impl Commands {
    pub(crate) fn new(counters: Arc<Counters>) -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(MAX_COMMANDS);
        (Self { sender, counters }, receiver)
    }

    /// Has the topics do something; what they have no room for is lost, and counted.
    pub(crate) fn give(&self, command: Command) {
        if self.sender.try_send(command).is_err() {
            self.counters.lost_publishes.add();
        }
    }
}

/// 65,536: beyond that, what is published while the store does not answer is lost.
const MAX_COMMANDS: usize = 65_536;
