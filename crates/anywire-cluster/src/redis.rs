//! The store in Redis.

mod address;
mod feed;
mod scripts;
mod shared;
mod supervisor;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire_protocol::{Message, SessionId};
use redis::{ErrorKind, Pipeline, RedisError, RedisResult, Script, ServerErrorKind, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::address::Address;
pub use self::address::UrlError;
use self::feed::{Ask, read_message, write_message};
use self::scripts::Scripts;
use self::shared::Shared;
use self::supervisor::Supervisor;
use crate::store::{
    FEED_LENGTH, Fed, Header, LEASE, Log, MAX_LOG_MESSAGES, NodeId, Store, StoreError, StoreFuture,
    StoreId, Token, TopicPosition,
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
        let shared = Arc::new(Shared {
            node,
            prefix,
            supervisor: Supervisor::new(),
            scripts: Scripts::new(),
        });
        let (asks, asked) = mpsc::unbounded_channel();
        let (out, feed) = mpsc::channel(FEED_LENGTH);
        let mut tasks = JoinSet::new();
        let kept = shared.clone();
        tasks.spawn(async move { kept.supervisor.keep(&address, &kept.scripts).await });
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

    /// Runs one script for each session, all in one go.
    async fn run_for_all<T: redis::FromRedisValue, A: Copy>(
        &self,
        script: &Script,
        sessions: &[(SessionId, A)],
        seen: Option<StoreId>,
        arguments: impl Fn(A) -> Vec<Vec<u8>>,
    ) -> Result<Vec<T>, StoreError> {
        let mut pipe = Pipeline::new();
        for (session, argument) in sessions {
            pipe.cmd("EVALSHA")
                .arg(script.get_hash())
                .arg(1)
                .arg(self.shared.header_key(*session))
                .arg(arguments(*argument));
        }
        self.shared
            .supervisor
            .call_at(seen, async |mut connection, _| {
                match pipe.query_async(&mut connection).await {
                    // It may have been flushed since the connection was made.
                    Err(error) if is_unknown_script(&error) => {
                        script.load_async(&mut connection).await?;
                        pipe.query_async(&mut connection).await
                    }
                    outcome => outcome,
                }
            })
            .await
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
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
        let open = async move |mut connection, _| {
            let words: Vec<Vec<u8>> = self
                .shared
                .scripts
                .open
                .key(self.shared.header_key(session))
                .arg(&home.0)
                .arg(&token.0)
                .arg(millis(HEADER_LIFE))
                .invoke_async(&mut connection)
                .await?;
            read_header(&words)
        };
        Box::pin(self.shared.supervisor.call_at(Some(seen), open))
    }

    fn find(&self, session: SessionId) -> StoreFuture<'_, (Option<Header>, StoreId)> {
        Box::pin(
            self.shared
                .supervisor
                .call(async move |mut connection, store| {
                    let mut pipe = Pipeline::new();
                    pipe.cmd("HMGET")
                        .arg(self.shared.header_key(session))
                        .arg(&["hm", "tk", "cl"])
                        .cmd("ROLE");
                    let (header, role): ([Option<Vec<u8>>; 3], Vec<Value>) =
                        pipe.query_async(&mut connection).await?;
                    // One that is the master after it has answered was so before.
                    if !matches!(role.first(), Some(Value::BulkString(role)) if role == b"master") {
                        let kind = ErrorKind::Server(ServerErrorKind::ReadOnly);
                        return Err(RedisError::from((kind, "the server is no master any more")));
                    }
                    let header = match header {
                        [_, _, Some(_)] => Some(Header::Ended),
                        [Some(home), Some(token), None] => {
                            Some(Header::At(NodeId(eight(&home)?), Token(eight(&token)?)))
                        }
                        _ => None,
                    };
                    Ok((header, store))
                }),
        )
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
        Box::pin(self.shared.supervisor.call(async move |mut connection, _| {
            self.shared
                .scripts
                .close
                .key(self.shared.header_key(session))
                .arg(&token.0)
                .arg(millis(keep))
                .invoke_async(&mut connection)
                .await
        }))
    }

    fn beat<'a>(&'a self, node: NodeId, record: &'a [u8]) -> StoreFuture<'a, StoreId> {
        Box::pin(
            self.shared
                .supervisor
                .call(async move |mut connection, store| {
                    let mut pipe = Pipeline::new();
                    pipe.cmd("SET")
                        .arg(self.shared.lease_key(node))
                        .arg(record)
                        .arg("PX")
                        .arg(millis(LEASE))
                        .ignore()
                        .cmd("SADD")
                        .arg(self.shared.nodes_key())
                        .arg(&node.0)
                        .ignore();
                    pipe.query_async::<()>(&mut connection).await?;
                    Ok(store)
                }),
        )
    }

    fn leave(&self, node: NodeId) -> StoreFuture<'_, ()> {
        Box::pin(self.shared.supervisor.call(async move |mut connection, _| {
            let mut pipe = Pipeline::new();
            pipe.cmd("DEL").arg(self.shared.lease_key(node)).ignore();
            pipe.cmd("SREM")
                .arg(self.shared.nodes_key())
                .arg(&node.0)
                .ignore();
            pipe.query_async(&mut connection).await
        }))
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<(NodeId, Vec<u8>)>> {
        Box::pin(self.shared.supervisor.call(async move |mut connection, _| {
            let known: Vec<Vec<u8>> = redis::cmd("SMEMBERS")
                .arg(self.shared.nodes_key())
                .query_async(&mut connection)
                .await?;
            let known = known.iter().map(|node| eight(node).map(NodeId));
            let known: Vec<NodeId> = known.collect::<RedisResult<_>>()?;
            if known.is_empty() {
                return Ok(Vec::new());
            }
            let keys: Vec<_> = known
                .iter()
                .map(|node| self.shared.lease_key(*node))
                .collect();
            let leases: Vec<Option<Vec<u8>>> = redis::cmd("MGET")
                .arg(keys)
                .query_async(&mut connection)
                .await?;
            let (mut nodes, mut gone) = (Vec::new(), Vec::new());
            for (node, lease) in known.into_iter().zip(leases) {
                match lease {
                    Some(record) => nodes.push((node, record)),
                    None => gone.push(node.0),
                }
            }
            if !gone.is_empty() {
                // One that lives says so again within a second.
                let mut forget = redis::cmd("SREM");
                forget.arg(self.shared.nodes_key());
                for node in &gone {
                    forget.arg(node);
                }
                forget.query_async::<()>(&mut connection).await?;
            }
            Ok(nodes)
        }))
    }

    fn is_listening(&self, node: NodeId) -> StoreFuture<'_, bool> {
        Box::pin(self.shared.supervisor.call(async move |mut connection, _| {
            let (_, count): (Vec<u8>, u64) = redis::cmd("PUBSUB")
                .arg("NUMSUB")
                .arg(self.shared.node_channel(node))
                .query_async(&mut connection)
                .await?;
            Ok(count > 0)
        }))
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
        key: Option<&'a str>,
    ) -> StoreFuture<'a, TopicPosition> {
        Box::pin(
            self.shared
                .supervisor
                .call(async move |mut connection, store| {
                    let channel = self.shared.channel(topic);
                    let mut invocation = self.shared.scripts.publish.key(&channel);
                    invocation.key(format!("{channel}:l"));
                    if let Some(key) = key {
                        invocation.key(format!("{channel}:k:{key}"));
                    }
                    let (epoch, number): (Vec<u8>, Vec<u8>) = invocation
                        .arg(write_message(message))
                        .arg(format!("{:016x}", fastrand::u64(..)))
                        .arg(MAX_LOG_MESSAGES)
                        .arg(MAX_LOG_BYTES)
                        .arg(millis(TOPIC_LIFE))
                        .arg(millis(KEY_LIFE))
                        .arg("PUBLISH")
                        .arg(&channel)
                        .arg(hex(store))
                        .invoke_async(&mut connection)
                        .await?;
                    read_position(&epoch, &number)
                }),
        )
    }

    fn positions<'a>(
        &'a self,
        topics: &'a [Arc<str>],
    ) -> StoreFuture<'a, Vec<Option<TopicPosition>>> {
        Box::pin(self.shared.supervisor.call(async move |mut connection, _| {
            let mut pipe = Pipeline::new();
            for topic in topics {
                pipe.cmd("HMGET")
                    .arg(self.shared.channel(topic))
                    .arg("e")
                    .arg("s");
            }
            let all: Vec<[Option<Vec<u8>>; 2]> = pipe.query_async(&mut connection).await?;
            let read = |[epoch, number]: [Option<Vec<u8>>; 2]| {
                let position = epoch.zip(number);
                position
                    .map(|(epoch, number)| read_position(&epoch, &number))
                    .transpose()
            };
            all.into_iter().map(read).collect()
        }))
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
        Box::pin(self.shared.supervisor.call(async move |mut connection, _| {
            let channel = self.shared.channel(topic);
            let mut invocation = self.shared.scripts.read.key(&channel);
            let words: Vec<Vec<u8>> = invocation
                .key(format!("{channel}:l"))
                .arg(after)
                .invoke_async(&mut connection)
                .await?;
            let (last, messages) = match &words[..] {
                [epoch, number, messages @ ..] => (Some(read_position(epoch, number)?), messages),
                _ => (None, &[][..]),
            };
            let messages = messages.iter().map(|message| read_message(message));
            Ok(Log {
                last,
                messages: messages.collect::<Option<_>>().ok_or_else(odd)?,
            })
        }))
    }

    fn trouble(&self) -> Option<String> {
        self.shared.supervisor.trouble()
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
