//! The store in Redis.

mod address;
mod feed;
mod line;
mod scripts;
mod shards;
mod shared;
mod slots;
mod supervisor;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire_protocol::{Message, SessionId};
use redis::{ErrorKind, Pipeline, RedisError, RedisResult, Script, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::address::Address;
pub use self::address::UrlError;
use self::line::{Ask, read_message, write_message};
use self::scripts::{Scripts, one, push};
use self::shards::Shards;
use self::shared::Shared;
use crate::store::{
    FEED_LENGTH, Fed, Header, LEASE, Leased, Log, MAX_LOG_MESSAGES, NodeId, Store, StoreError,
    StoreFuture, StoreId, Token, TopicPosition,
};

/// 10 min: a header lives so long unless its home renews it.
const HEADER_LIFE: Duration = Duration::from_secs(600);

/// 10 min: a topic to which nothing is published is forgotten.
const TOPIC_LIFE: Duration = Duration::from_secs(600);

/// 5 min: a repeat with the same key is known for so long.
const KEY_LIFE: Duration = Duration::from_secs(300);

/// 1 MiB: a topic's log takes no more.
const MAX_LOG_BYTES: usize = 1_048_576;

/// The store in Redis, as one node has it.
#[derive(Debug)]
pub(crate) struct RedisStore {
    shared: Arc<Shared>,
    asks: mpsc::UnboundedSender<Ask>,
    feed: Mutex<Option<mpsc::Receiver<Fed>>>,
    _tasks: JoinSet<()>,
}

/// Where a Redis is and what its keys begin with.
#[derive(Clone, Debug)]
pub(crate) struct RedisSettings {
    address: Address,
    pub(crate) prefix: String,
}

impl RedisSettings {
    pub(crate) fn new(url: &str) -> Result<Self, UrlError> {
        let address = Address::parse(url)?;
        let prefix = "aw".to_owned();
        Ok(Self { address, prefix })
    }
}

impl RedisStore {
    /// Connects, now and whenever the connection breaks. One who does not listen to topics needs no second connection.
    pub(crate) fn start(settings: RedisSettings, node: NodeId, listens: bool) -> Self {
        let RedisSettings { address, prefix } = settings;
        let scripts = Arc::new(Scripts::new());
        let shared = Arc::new(Shared {
            node,
            prefix,
            shards: Shards::new(&address, &scripts),
            scripts,
            is_sharded: matches!(address, Address::Cluster(_)),
        });
        let (asks, asked) = mpsc::unbounded_channel();
        let (out, feed) = mpsc::channel(FEED_LENGTH);
        let mut tasks = JoinSet::new();
        if let Address::Cluster(seeds) = address {
            let kept = shared.clone();
            tasks.spawn(async move { kept.shards.keep(&seeds).await });
        }
        if listens {
            tasks.spawn(feed::run(shared.clone(), asked, out));
        }
        Self {
            shared,
            asks,
            feed: Mutex::new(Some(feed)),
            _tasks: tasks,
        }
    }

    /// Runs one script for each session, all in one go at each server.
    async fn run_for_all<T: redis::FromRedisValue, A: Copy>(
        &self,
        script: &Script,
        sessions: &[(SessionId, A)],
        seen: Option<StoreId>,
        arguments: impl Fn(A) -> Vec<Vec<u8>>,
    ) -> Result<Vec<T>, StoreError> {
        let keys: Vec<_> = sessions
            .iter()
            .map(|(session, _)| self.shared.header_key(*session))
            .collect();
        let mut all = BTreeMap::new();
        for places in self.shared.shards.together(&keys) {
            let run = |_| {
                let mut pipe = Pipeline::new();
                for place in &places {
                    let arguments = arguments(sessions[*place].1);
                    push(&mut pipe, script, &[&keys[*place]], arguments);
                }
                pipe
            };
            let shards = &self.shared.shards;
            let (answers, _): (Vec<T>, _) = shards.run_at(&keys[places[0]], seen, run).await?;
            all.extend(places.into_iter().zip(answers));
        }
        Ok(all.into_values().collect())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn hex(id: StoreId) -> String {
    format!("{:016x}", u64::from_be_bytes(id.0))
}

fn odd() -> RedisError {
    RedisError::from((
        ErrorKind::UnexpectedReturnType,
        "a script answered what it does not",
    ))
}

fn eight(bytes: &[u8]) -> RedisResult<[u8; 8]> {
    bytes.try_into().map_err(|_| odd())
}

/// A header's home, token and end, and what the server is.
type Found = ([Option<Vec<u8>>; 3], Vec<Value>);

/// What the script says of a header.
fn read_header(words: &[Vec<u8>]) -> RedisResult<Header> {
    match words {
        [word] if word == b"ended" => Ok(Header::Ended),
        [word, home, token] if word == b"at" => {
            Ok(Header::At(NodeId(eight(home)?), Token(eight(token)?)))
        }
        _ => Err(odd()),
    }
}

fn read_position(epoch: &[u8], number: &[u8]) -> RedisResult<TopicPosition> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| odd());
    Ok(TopicPosition {
        epoch: u64::from_str_radix(text(epoch)?, 16).map_err(|_| odd())?,
        number: text(number)?.parse().map_err(|_| odd())?,
    })
}

impl Store for RedisStore {
    fn open(
        &self,
        session: SessionId,
        home: NodeId,
        token: Token,
        seen: StoreId,
    ) -> StoreFuture<'_, Header> {
        Box::pin(async move {
            let key = self.shared.header_key(session);
            let life = millis(HEADER_LIFE);
            let script = &self.shared.scripts.open;
            let open = |_| one(script, &[&key], (&home.0, &token.0, life));
            let opened = self.shared.shards.run_at(&key, Some(seen), open).await;
            let ((words,), _): ((Vec<Vec<u8>>,), _) = opened?;
            Ok(read_header(&words)?)
        })
    }

    fn find(&self, session: SessionId) -> StoreFuture<'_, (Option<Header>, StoreId)> {
        Box::pin(async move {
            let key = self.shared.header_key(session);
            let find = |_| {
                let mut pipe = Pipeline::new();
                pipe.cmd("HMGET").arg(&key).arg(&["hm", "tk", "cl"]);
                pipe.cmd("ROLE");
                pipe
            };
            let found = self.shared.shards.run_at(&key, None, find).await;
            let ((header, role), store): (Found, _) = found?;
            // One that is the master after it has answered was so before.
            if !matches!(role.first(), Some(Value::BulkString(role)) if role == b"master") {
                return Err(StoreError::Away(
                    "the server is no master any more".to_owned(),
                ));
            }
            let header = match header {
                [_, _, Some(_)] => Some(Header::Ended),
                [Some(home), Some(token), None] => {
                    Some(Header::At(NodeId(eight(&home)?), Token(eight(&token)?)))
                }
                _ => None,
            };
            Ok((header, store))
        })
    }

    fn write_back<'a>(
        &'a self,
        home: NodeId,
        sessions: &'a [(SessionId, Token)],
        seen: StoreId,
    ) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let arguments = |token: Token| {
                let life = millis(HEADER_LIFE).to_string().into_bytes();
                vec![home.0.to_vec(), token.0.to_vec(), life]
            };
            let script = &self.shared.scripts.write_back;
            self.run_for_all(script, sessions, Some(seen), arguments)
                .await
        })
    }

    fn write_back_ends<'a>(
        &'a self,
        ended: &'a [(SessionId, Duration)],
        seen: StoreId,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let arguments = |keep| vec![millis(keep).max(1).to_string().into_bytes()];
            let script = &self.shared.scripts.write_back_end;
            let done = self.run_for_all::<bool, _>(script, ended, Some(seen), arguments);
            done.await.map(drop)
        })
    }

    fn renew<'a>(&'a self, sessions: &'a [(SessionId, Token)]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let arguments = |token: Token| {
                let life = millis(HEADER_LIFE).to_string().into_bytes();
                vec![token.0.to_vec(), life]
            };
            let script = &self.shared.scripts.renew;
            self.run_for_all(script, sessions, None, arguments).await
        })
    }

    fn close(&self, session: SessionId, token: Token, keep: Duration) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let key = self.shared.header_key(session);
            let script = &self.shared.scripts.close;
            let close = |_| one(script, &[&key], (&token.0, millis(keep)));
            self.shared.shards.run(&key, close).await
        })
    }

    fn beat<'a>(&'a self, node: NodeId, record: &'a [u8]) -> StoreFuture<'a, StoreId> {
        Box::pin(async move {
            let (key, nodes) = (self.shared.lease_key(node), self.shared.nodes_key());
            let beat = |_| {
                let mut pipe = Pipeline::new();
                let lease = pipe.cmd("SET").arg(&key).arg(record);
                lease.arg("PX").arg(millis(LEASE)).ignore();
                pipe.cmd("SADD").arg(&nodes).arg(&node.0).ignore();
                pipe
            };
            let beaten = self.shared.shards.run_at(key.as_bytes(), None, beat).await;
            beaten.map(|((), store)| store)
        })
    }

    fn leave(&self, node: NodeId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let (key, nodes) = (self.shared.lease_key(node), self.shared.nodes_key());
            let leave = |_| {
                let mut pipe = Pipeline::new();
                pipe.cmd("DEL").arg(&key).ignore();
                pipe.cmd("SREM").arg(&nodes).arg(&node.0).ignore();
                pipe
            };
            self.shared.shards.run(key.as_bytes(), leave).await
        })
    }

    fn nodes(&self) -> StoreFuture<'_, (Leased, StoreId)> {
        Box::pin(async move {
            let key = self.shared.nodes_key();
            let shards = &self.shared.shards;
            let members = |_| {
                let mut pipe = Pipeline::new();
                pipe.cmd("SMEMBERS").arg(&key);
                pipe
            };
            let known = shards.run_at(key.as_bytes(), None, members).await?;
            let ((known,), store): ((Vec<Vec<u8>>,), _) = known;
            let known = known.iter().map(|node| eight(node).map(NodeId));
            let known: Vec<NodeId> = known.collect::<RedisResult<_>>()?;
            if known.is_empty() {
                return Ok((Vec::new(), store));
            }
            let leases = |_| {
                let mut pipe = Pipeline::new();
                let keys = known.iter().map(|node| self.shared.lease_key(*node));
                pipe.cmd("MGET").arg(keys.collect::<Vec<_>>());
                pipe
            };
            let leases = shards.run_at(key.as_bytes(), Some(store), leases).await?;
            let ((leases,), _): ((Vec<Option<Vec<u8>>>,), _) = leases;
            let (mut nodes, mut gone) = (Vec::new(), Vec::new());
            for (node, lease) in known.iter().zip(leases) {
                match lease {
                    Some(record) => nodes.push((*node, record)),
                    None => gone.push(&node.0[..]),
                }
            }
            if !gone.is_empty() {
                // One that lives says so again within a second.
                let forget = |_| {
                    let mut pipe = Pipeline::new();
                    pipe.cmd("SREM").arg(&key).arg(&gone).ignore();
                    pipe
                };
                shards.run::<()>(key.as_bytes(), forget).await?;
            }
            Ok((nodes, store))
        })
    }

    fn is_listening(&self, node: NodeId) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            let channel = self.shared.node_channel(node);
            let count = self.shared.pubsub().count;
            let ask = |_| {
                let mut pipe = Pipeline::new();
                pipe.cmd("PUBSUB").arg(count).arg(&channel);
                pipe
            };
            let answer = self.shared.shards.run(channel.as_bytes(), ask).await?;
            let ((_, count),): ((Vec<u8>, u64),) = answer;
            Ok(count > 0)
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
        key: Option<&'a str>,
    ) -> StoreFuture<'a, TopicPosition> {
        Box::pin(async move {
            let channel = self.shared.channel(topic);
            let log = format!("{channel}:l");
            let key = key.map(|key| format!("{channel}:k:{key}"));
            let keys: Vec<&[u8]> = [&channel, &log]
                .into_iter()
                .chain(&key)
                .map(String::as_bytes)
                .collect();
            let message = write_message(message);
            let epoch = format!("{:016x}", fastrand::u64(..));
            let publish = |store| {
                let bounds = (MAX_LOG_MESSAGES, MAX_LOG_BYTES);
                let lives = (millis(TOPIC_LIFE), millis(KEY_LIFE));
                let command = (self.shared.pubsub().publish, &channel, hex(store));
                let arguments = ((&message, &epoch), bounds, lives, command);
                one(&self.shared.scripts.publish, &keys, arguments)
            };
            let published = self.shared.shards.run(channel.as_bytes(), publish).await;
            let ((epoch, number),): ((Vec<u8>, Vec<u8>),) = published?;
            Ok(read_position(&epoch, &number)?)
        })
    }

    fn positions<'a>(
        &'a self,
        topics: &'a [Arc<str>],
    ) -> StoreFuture<'a, Vec<Option<TopicPosition>>> {
        Box::pin(async move {
            let keys: Vec<_> = topics
                .iter()
                .map(|topic| self.shared.channel(topic).into_bytes())
                .collect();
            let mut all = BTreeMap::new();
            for places in self.shared.shards.together(&keys) {
                let ask = |_| {
                    let mut pipe = Pipeline::new();
                    for place in &places {
                        pipe.cmd("HMGET").arg(&keys[*place]).arg("e").arg("s");
                    }
                    pipe
                };
                let answers = self.shared.shards.run(&keys[places[0]], ask).await?;
                let answers: Vec<[Option<Vec<u8>>; 2]> = answers;
                for (place, [epoch, number]) in places.iter().zip(answers) {
                    let position = epoch.zip(number);
                    let position = position.map(|(epoch, number)| read_position(&epoch, &number));
                    all.insert(*place, position.transpose()?);
                }
            }
            Ok(all.into_values().collect())
        })
    }

    fn subscribe<'a>(&'a self, topics: &'a [Arc<str>]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let (done, subscribed) = oneshot::channel();
            let ended = |_| StoreError::Away("the store has ended".to_owned());
            let ask = Ask::Subscribe(topics.to_vec(), done);
            self.asks.send(ask).map_err(|_| ended(()))?;
            subscribed.await.map_err(|_| ended(()))?
        })
    }

    fn unsubscribe<'a>(&'a self, topic: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            // The store may have ended.
            let _ = self.asks.send(Ask::Unsubscribe(topic.into()));
            Ok(())
        })
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64) -> StoreFuture<'a, Log> {
        Box::pin(async move {
            let channel = self.shared.channel(topic);
            let log = format!("{channel}:l");
            let keys = [channel.as_bytes(), log.as_bytes()];
            let read = |_| one(&self.shared.scripts.read, &keys, after);
            let (words,): (Vec<Vec<u8>>,) = self.shared.shards.run(keys[0], read).await?;
            let (last, before, messages) = match &words[..] {
                [epoch, number, previous, start, messages @ ..] => {
                    let before = match previous.is_empty() {
                        true => None,
                        false => Some(read_position(previous, start)?),
                    };
                    (Some(read_position(epoch, number)?), before, messages)
                }
                _ => (None, None, &[][..]),
            };
            let messages = messages.iter().map(|message| read_message(message));
            Ok(Log {
                last,
                before,
                messages: messages.collect::<Option<_>>().ok_or_else(odd)?,
            })
        })
    }

    fn trouble(&self) -> Option<String> {
        self.shared.shards.trouble()
    }

    fn is_up(&self) -> bool {
        self.shared.shards.is_up()
    }

    fn is_up_in_part(&self) -> bool {
        self.shared.shards.is_up_in_part()
    }

    fn is_up_for(&self, topic: &str) -> bool {
        let key = self.shared.channel(topic);
        self.shared.shards.is_up_for(key.as_bytes())
    }

    fn feed(&self) -> Option<mpsc::Receiver<Fed>> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.take()
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        Self::Refused(error.to_string())
    }
}
