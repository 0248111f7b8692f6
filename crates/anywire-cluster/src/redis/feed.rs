//! The connection on which topics come. A connection that is quiet is asked for a sign of life, since one may look alive and hear
//! nothing; after each break all topics are subscribed to again, and whatever came meanwhile is to be read from the logs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::Message;
use bytes::Bytes;
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info};

use super::shared::Shared;
use super::supervisor::{ANSWER_WITHIN, RETRY};
use crate::store::{Fed, StoreError, TopicPosition};

/// What the feed is asked.
#[derive(Debug)]
pub(super) enum Ask {
    Subscribe(Vec<Arc<str>>, oneshot::Sender<Result<(), StoreError>>),
    Unsubscribe(Arc<str>),
}

/// 5 s without a word are followed by a probe, and the connection is left if that does not come back in as long.
const QUIET: Duration = Duration::from_secs(5);

/// 512: so many channels are subscribed to by one command.
const CHANNELS_A_COMMAND: usize = 512;

/// Feeds what comes of topics, until nobody asks any more.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    out: mpsc::Sender<Fed>,
) {
    let mut feed = Feed {
        own: shared.node_channel(shared.node),
        shared,
        wanted: HashSet::new(),
        out,
        owes_suspect: false,
    };
    let mut server = feed.shared.supervisor.server();
    let [first, last] = RETRY;
    let (mut wait, mut has_heard) = (first, false);
    loop {
        let client = server.borrow_and_update().clone();
        let connected = match client {
            Some(client) => feed.connect(&client).await,
            None => Err(None),
        };
        match connected {
            Ok((sink, stream)) => {
                wait = first;
                if std::mem::replace(&mut has_heard, true) {
                    feed.feed(Fed::Suspect);
                }
                if feed.carry(sink, stream, &mut asks).await.is_none() {
                    return;
                }
                info!("the connection for topics broke");
            }
            Err(Some(error)) => debug!(%error, "no connection for topics"),
            Err(None) => {}
        }
        let pause = sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0));
        wait = (wait * 2).min(last);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                changed = server.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                ask = asks.recv() => match ask {
                    Some(ask) => feed.note(ask),
                    None => return,
                },
            }
        }
    }
}

struct Feed {
    shared: Arc<Shared>,
    /// This node's own channel.
    own: String,
    wanted: HashSet<Arc<str>>,
    out: mpsc::Sender<Fed>,
    /// Something was dropped for want of room, and that has not been said.
    owes_suspect: bool,
}

impl Feed {
    async fn connect(
        &self,
        client: &Client,
    ) -> Result<(PubSubSink, PubSubStream), Option<redis::RedisError>> {
        let connecting = async {
            let (mut sink, stream) = client.get_async_pubsub().await?.split();
            sink.subscribe(&self.own).await?;
            let channels = self.wanted.iter().map(|topic| self.shared.channel(topic));
            let channels: Vec<_> = channels.collect();
            for channels in channels.chunks(CHANNELS_A_COMMAND) {
                sink.subscribe(channels).await?;
            }
            RedisResult::Ok((sink, stream))
        };
        match timeout(ANSWER_WITHIN * 2, connecting).await {
            Ok(connected) => connected.map_err(Some),
            Err(_) => Err(None),
        }
    }

    /// While there is no connection: what is asked is done when there is one.
    fn note(&mut self, ask: Ask) {
        match ask {
            Ask::Subscribe(topics, done) => {
                self.wanted.extend(topics);
                let why = "there is no connection for topics".to_owned();
                // Who asked may be gone.
                let _ = done.send(Err(StoreError::Away(why)));
            }
            Ask::Unsubscribe(topic) => {
                self.wanted.remove(&topic);
            }
        }
    }

    /// Hands on what comes, until the connection breaks; nothing if nobody asks any more.
    async fn carry(
        &mut self,
        sink: PubSubSink,
        mut stream: PubSubStream,
        asks: &mut mpsc::UnboundedReceiver<Ask>,
    ) -> Option<()> {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        let mut probed_at = None;
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else {
                        return Some(());
                    };
                    heard_at = Instant::now();
                    probed_at = None;
                    self.hear(&message);
                }
                ask = asks.recv() => self.ask(ask?, &sink),
                _ = ticks.tick() => {
                    if self.owes_suspect {
                        self.owes_suspect = false;
                        self.feed(Fed::Suspect);
                    }
                    match probed_at {
                        Some(probed_at) if Instant::now() - probed_at >= QUIET => return Some(()),
                        None if heard_at.elapsed() >= QUIET => {
                            // Only what Redis has taken can be expected back.
                            probed_at = self.probe().await.then(Instant::now);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    async fn probe(&self) -> bool {
        let published = self.shared.supervisor.call(async |mut connection, _| {
            let publish = redis::cmd("PUBLISH").arg(&self.own).arg("probe").clone();
            publish.query_async::<()>(&mut connection).await
        });
        published.await.is_ok()
    }

    fn ask(&mut self, ask: Ask, sink: &PubSubSink) {
        let mut sink = sink.clone();
        match ask {
            Ask::Subscribe(topics, done) => {
                let channels = topics.iter().map(|topic| self.shared.channel(topic));
                let channels: Vec<_> = channels.collect();
                self.wanted.extend(topics);
                tokio::spawn(async move {
                    let subscribed = timeout(ANSWER_WITHIN, sink.subscribe(channels)).await;
                    let subscribed = match subscribed {
                        Ok(Ok(())) => Ok(()),
                        Ok(Err(error)) => Err(StoreError::Away(error.to_string())),
                        Err(_) => Err(StoreError::Away("no answer in time".to_owned())),
                    };
                    // Who asked may be gone.
                    let _ = done.send(subscribed);
                });
            }
            Ask::Unsubscribe(topic) => {
                self.wanted.remove(&topic);
                let channel = self.shared.channel(&topic);
                tokio::spawn(async move {
                    // What still comes is ignored.
                    let _ = timeout(ANSWER_WITHIN, sink.unsubscribe(channel)).await;
                });
            }
        }
    }

    fn hear(&mut self, message: &Msg) {
        if let Some(topic) = self.shared.topic(message.get_channel_name())
            && let Some((position, message)) = read(message.get_payload_bytes())
        {
            self.feed(Fed::Message {
                topic: topic.into(),
                position,
                message,
            });
        }
    }

    fn feed(&mut self, fed: Fed) {
        if let Err(TrySendError::Full(_)) = self.out.try_send(fed) {
            self.owes_suspect = true;
        }
    }
}

/// What a channel brings: the position in 32 hexadecimal digits, and the message as the log has it.
fn read(payload: &[u8]) -> Option<(TopicPosition, Message)> {
    let (position, message) = payload.split_at_checked(32)?;
    let (epoch, number) = std::str::from_utf8(position).ok()?.split_at_checked(16)?;
    let position = TopicPosition {
        epoch: u64::from_str_radix(epoch, 16).ok()?,
        number: u64::from_str_radix(number, 16).ok()?,
    };
    Some((position, read_message(message)?))
}

/// A message as logs and channels have it: `t` or `b`, and its content.
pub(super) fn read_message(bytes: &[u8]) -> Option<Message> {
    let (kind, content) = bytes.split_first()?;
    let content = Bytes::copy_from_slice(content);
    match kind {
        b't' => Message::from_utf8(content).ok(),
        b'b' => Some(Message::binary(content)),
        _ => None,
    }
}

/// The same, to be written.
pub(super) fn write_message(message: &Message) -> Vec<u8> {
    let kind = match message.as_text() {
        Some(_) => b't',
        None => b'b',
    };
    let mut bytes = Vec::with_capacity(message.len() + 1);
    bytes.push(kind);
    bytes.extend_from_slice(message.as_bytes());
    bytes
}
