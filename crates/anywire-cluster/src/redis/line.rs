//! The connection on which a server's topics come. A connection that is quiet is asked for a sign of life, since one may look alive
//! and hear nothing; after each break all topics are subscribed to again, and whatever came meanwhile is to be read from the logs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::Message;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Client, Msg, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisError, RedisResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info};

use super::shared::Shared;
use super::supervisor::{ANSWER_WITHIN, RETRY, Supervisor, is_of_the_connection, patience};
use crate::store::{Fed, StoreError, TopicPosition};

/// What the feed is asked.
#[derive(Debug)]
pub(super) enum Ask {
    Subscribe(Vec<Arc<str>>, oneshot::Sender<Result<(), StoreError>>),
    Unsubscribe(Arc<str>),
    /// Something may have been missed.
    Doubt,
}

/// 5 s without a word are followed by a probe, and the connection is left if that does not come back in as long.
const QUIET: Duration = Duration::from_secs(5);

/// 512: so many channels are subscribed to before the confirmations are waited for.
const COMMANDS_AT_ONCE: usize = 512;

/// What is heard of a server besides topics. Slots that move take them along.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Stations {
    /// What a probe is sent to.
    pub(super) probe: Option<String>,
    /// By the server that has it: that this node listens there shows that it lives.
    pub(super) own: Option<String>,
}

impl Stations {
    fn channels(&self) -> impl Iterator<Item = &String> {
        self.probe.iter().chain(&self.own)
    }
}

/// A connection, and what it is for.
pub(super) struct Line {
    shared: Arc<Shared>,
    supervisor: Arc<Supervisor>,
    stations: Stations,
    wanted: HashSet<Arc<str>>,
    out: mpsc::Sender<Fed>,
    /// Something was dropped for want of room, and that has not been said.
    owes_suspect: bool,
}

/// A connection, and what comes on it.
type Connected = (MultiplexedConnection, mpsc::UnboundedReceiver<PushInfo>);

impl Line {
    pub(super) fn new(
        shared: Arc<Shared>,
        supervisor: Arc<Supervisor>,
        stations: Stations,
        wanted: HashSet<Arc<str>>,
        out: mpsc::Sender<Fed>,
    ) -> Self {
        Self {
            shared,
            supervisor,
            stations,
            wanted,
            out,
            owes_suspect: false,
        }
    }

    /// Connects again and again, and hands on what comes, until nobody asks any more.
    pub(super) async fn run(mut self, mut asks: mpsc::UnboundedReceiver<Ask>) {
        let mut server = self.supervisor.server();
        let [first, last] = RETRY;
        let (mut wait, mut has_heard) = (first, false);
        loop {
            let client = server.borrow_and_update().clone();
            let connected = match client {
                Some(client) => self.connect(&client).await,
                None => Err(None),
            };
            match connected {
                Ok(connected) => {
                    wait = first;
                    // A new one may take the place of another, whose messages it has not heard.
                    if std::mem::replace(&mut has_heard, true) || !self.wanted.is_empty() {
                        self.feed(Fed::Suspect);
                    }
                    if self.carry(connected, &mut asks).await.is_none() {
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
                        Some(ask) => self.note(ask),
                        None => return,
                    },
                }
            }
        }
    }

    async fn connect(&self, client: &Client) -> Result<Connected, Option<RedisError>> {
        let connecting = async {
            let (pushes, pushed) = mpsc::unbounded_channel();
            let info = client.get_connection_info();
            let speaking = info.redis_settings().clone();
            let speaking = speaking.set_protocol(ProtocolVersion::RESP3);
            let client = Client::open(info.clone().set_redis_settings(speaking))?;
            let config = patience().set_push_sender(pushes);
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let topics = self.wanted.iter().map(|topic| self.shared.channel(topic));
            let own = self.stations.channels().cloned();
            self.subscribe(&mut connection, own.chain(topics)).await?;
            RedisResult::Ok((connection, pushed))
        };
        match timeout(ANSWER_WITHIN * 2, connecting).await {
            Ok(connected) => connected.map_err(|error| {
                // A server that has not a topic's slot tells so: then all are looked for.
                self.shared.shards.look();
                Some(error)
            }),
            Err(_) => Err(None),
        }
    }

    /// Subscribes to channels, each by a command of its own: a server confirms each channel alone.
    async fn subscribe(
        &self,
        connection: &mut MultiplexedConnection,
        channels: impl Iterator<Item = String>,
    ) -> RedisResult<()> {
        let command = self.shared.pubsub().subscribe;
        let channels: Vec<_> = channels.collect();
        for channels in channels.chunks(COMMANDS_AT_ONCE) {
            let mut pipe = Pipeline::new();
            for channel in channels {
                pipe.cmd(command).arg(channel).ignore();
            }
            pipe.query_async::<()>(connection).await?;
        }
        Ok(())
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
            // All is read anew once it is connected.
            Ask::Doubt => {}
        }
    }

    /// Hands on what comes, until the connection breaks; nothing if nobody asks any more.
    async fn carry(
        &mut self,
        (connection, mut pushed): Connected,
        asks: &mut mpsc::UnboundedReceiver<Ask>,
    ) -> Option<()> {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        let mut probed_at = None;
        loop {
            tokio::select! {
                push = pushed.recv() => {
                    let Some(push) = push else {
                        return Some(());
                    };
                    heard_at = Instant::now();
                    probed_at = None;
                    if self.hear(push).is_none() {
                        return Some(());
                    }
                }
                ask = asks.recv() => {
                    let ask = ask?;
                    // What has come belongs before it, the end of an earlier subscription above all.
                    while let Ok(push) = pushed.try_recv() {
                        if self.hear(push).is_none() {
                            self.note(ask);
                            return Some(());
                        }
                    }
                    if self.ask(ask, &connection).await.is_none() {
                        return Some(());
                    }
                }
                _ = ticks.tick() => {
                    if self.owes_suspect {
                        self.owes_suspect = false;
                        self.feed(Fed::Suspect);
                    }
                    match probed_at {
                        Some(probed_at) if Instant::now() - probed_at >= QUIET => return Some(()),
                        None if heard_at.elapsed() >= QUIET => {
                            // Only what Redis has taken can be expected back.
                            probed_at = self.send_probe().await.then(Instant::now);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    async fn send_probe(&self) -> bool {
        let Some(channel) = &self.stations.probe else {
            return false;
        };
        let publish = |_| {
            let mut pipe = Pipeline::new();
            let command = self.shared.pubsub().publish;
            pipe.cmd(command).arg(channel).arg("probe").ignore();
            pipe
        };
        let published = self.shared.shards.run::<()>(channel.as_bytes(), publish);
        published.await.is_ok()
    }

    /// Does what is asked, in the order in which it is; nothing if the connection is of no use any more.
    async fn ask(&mut self, ask: Ask, connection: &MultiplexedConnection) -> Option<()> {
        let mut connection = connection.clone();
        match ask {
            Ask::Subscribe(topics, done) => {
                let channels = topics.iter().map(|topic| self.shared.channel(topic));
                let channels: Vec<_> = channels.collect();
                self.wanted.extend(topics);
                let subscribed = self.subscribe(&mut connection, channels.into_iter()).await;
                let is_broken = subscribed.as_ref().is_err_and(is_of_the_connection);
                let subscribed = subscribed.map_err(|error| {
                    self.shared.shards.look();
                    StoreError::Away(error.to_string())
                });
                // Who asked may be gone.
                let _ = done.send(subscribed);
                (!is_broken).then_some(())
            }
            Ask::Unsubscribe(topic) => {
                self.wanted.remove(&topic);
                let mut unsubscribe = redis::cmd(self.shared.pubsub().unsubscribe);
                let unsubscribe = unsubscribe.arg(self.shared.channel(&topic));
                let unsubscribed = unsubscribe.query_async::<()>(&mut connection).await;
                // What still comes is ignored.
                let is_broken = unsubscribed.is_err_and(|error| is_of_the_connection(&error));
                (!is_broken).then_some(())
            }
            Ask::Doubt => {
                self.feed(Fed::Suspect);
                Some(())
            }
        }
    }

    /// Nothing if the connection is of no use any more.
    fn hear(&mut self, push: PushInfo) -> Option<()> {
        match push.kind {
            PushKind::Disconnection => return None,
            // A server whose slots have moved ends the subscriptions to them by itself.
            PushKind::SUnsubscribe => {
                let channel: Option<String> = push
                    .data
                    .first()
                    .and_then(|channel| redis::from_redis_value_ref(channel).ok());
                let topic = channel
                    .as_deref()
                    .and_then(|channel| self.shared.topic(channel));
                if topic.is_none_or(|topic| self.wanted.contains(topic)) {
                    self.shared.shards.look();
                    return None;
                }
            }
            _ => {}
        }
        if let Some(message) = Msg::from_push_info(push)
            && let Some(topic) = self.shared.topic(message.get_channel_name())
            && let Some((position, message)) = read(message.get_payload_bytes())
        {
            self.feed(Fed::Message {
                topic: topic.into(),
                position,
                message,
            });
        }
        Some(())
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
