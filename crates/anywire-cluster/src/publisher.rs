//! Publishing from a program that serves nobody.

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::Message;
use tokio::time::{Instant, sleep};

use crate::metrics::Counters;
use crate::store::{Store, StoreError, TopicPosition};

/// Publishes to the followers of topics at all nodes of a cluster, without being one: see [`Cluster::publisher`](crate::Cluster::publisher). Clones share a
/// connection.
#[derive(Clone, Debug)]
pub struct Publisher {
    store: Arc<dyn Store>,
    /// Those of the node that it publishes for, if it does for one.
    counters: Arc<Counters>,
}

/// A message that may not have been published.
#[derive(Debug, thiserror::Error)]
#[error("the message may not have been published: publish it again with the same key ({0})")]
pub struct PublishError(String);

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl Publisher {
    pub(crate) fn new(store: Arc<dyn Store>, counters: Arc<Counters>) -> Self {
        Self { store, counters }
    }

    /// Publishes a message to the followers of a topic at all nodes, once the store has numbered it; waits up to 5 s for a store that cannot be
    /// used. With a `key`, a repeat within 5 minutes publishes nothing, and returns the position of the first.
    ///
    /// Cancel safety: if the future is dropped, the message may have been published; repeat it with the same key.
    ///
    /// # Errors
    /// The store does not answer, or refuses. Whether the message was published is then unknown.
    pub async fn publish(
        &self,
        topic: &str,
        message: impl Into<Message>,
        key: Option<&str>,
    ) -> Result<TopicPosition, PublishError> {
        let deadline = Instant::now() + STORE_WITHIN;
        while !self.store.is_up_for(topic) && Instant::now() < deadline {
            sleep(ASK_AGAIN).await;
        }
        let published = self.store.publish(topic, &message.into(), key).await;
        match published {
            Ok(_) => self.counters.published.add(),
            Err(_) => self.counters.lost_publishes.add(),
        }
        published.map_err(PublishError::from)
    }

    /// Why the store cannot be used now, and what to mend; nothing if it can.
    pub fn trouble(&self) -> Option<String> {
        self.store.trouble()
    }
}

/// 5 s: more than it takes to connect.
const STORE_WITHIN: Duration = Duration::from_secs(5);

const ASK_AGAIN: Duration = Duration::from_millis(10);
