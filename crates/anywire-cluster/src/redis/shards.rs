//! The servers that share the keys: one, or those of a Redis Cluster, which change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{
    Client, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::address::{Address, place, with_place};
use super::scripts::Scripts;
use super::slots::{LAST_SLOT, slot};
use super::supervisor::{ANSWER_WITHIN, Current, Supervisor, patience};
use crate::store::{StoreError, StoreId};

/// 5 s: how often a cluster is asked who has which slots, besides when a server says that it has not.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// 100 ms between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// From 20 ms to 1 s: a call that meets a slot on its way to another server is made again, since nothing was done.
const CALL_AGAIN: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// All servers, as calls use them.
#[derive(Debug)]
pub(super) struct Shards {
    table: watch::Sender<Arc<Table>>,
    must_look: Notify,
    trouble: Mutex<Option<String>>,
    scripts: Arc<Scripts>,
}

/// What a call must know of all servers together.
#[derive(Clone, Copy)]
enum Needed {
    Nothing,
    Known,
    This(StoreId),
}

fn not_all() -> StoreError {
    StoreError::Away("not all servers of the cluster have answered yet".to_owned())
}

/// Who has which slots.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Range>);

#[derive(Clone, Debug)]
struct Range {
    first: u16,
    last: u16,
    shard: Arc<Shard>,
}

/// One server that has slots, and the connection to it.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) supervisor: Arc<Supervisor>,
    place: String,
    _task: JoinSet<()>,
}

impl Shard {
    fn start(address: Address, place: String, scripts: Arc<Scripts>) -> Arc<Self> {
        let supervisor = Arc::new(Supervisor::new());
        let kept = supervisor.clone();
        let mut task = JoinSet::new();
        task.spawn(async move { kept.keep(&address, &scripts).await });
        Arc::new(Self {
            supervisor,
            place,
            _task: task,
        })
    }

    /// `host:port`; empty for a server that is alone.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

impl Table {
    /// Who has the slot of a key.
    pub(super) fn of(&self, key: &[u8]) -> Option<&Arc<Shard>> {
        let slot = slot(key);
        let range = self
            .0
            .iter()
            .find(|range| (range.first..=range.last).contains(&slot));
        range.map(|range| &range.shard)
    }

    /// The servers, by their places.
    pub(super) fn shards(&self) -> BTreeMap<&str, &Arc<Shard>> {
        let shards = self.0.iter();
        shards
            .map(|range| (range.shard.place.as_str(), &range.shard))
            .collect()
    }

    /// What all servers together are: another one as soon as one of them is. Nothing while one has never answered.
    fn store(&self) -> Option<StoreId> {
        let shards = self.shards();
        let stores = shards.values().map(|shard| shard.supervisor.last_store());
        let mut stores: Vec<_> = stores.collect::<Option<_>>()?;
        match stores[..] {
            [] => None,
            [store] => Some(store),
            _ => {
                stores.sort_unstable_by_key(|store| store.0);
                let all = stores
                    .iter()
                    .fold(Sha256::new(), |all, store| all.chain_update(store.0));
                all.finalize().first_chunk().copied().map(StoreId)
            }
        }
    }

    fn has_all_slots(&self) -> bool {
        let count: usize = self
            .0
            .iter()
            .map(|range| usize::from(range.last - range.first) + 1)
            .sum();
        count == usize::from(LAST_SLOT) + 1
    }
}

impl Shards {
    /// For a server that is alone, or has sentinels, there is one shard from the first.
    pub(super) fn new(address: &Address, scripts: &Arc<Scripts>) -> Self {
        let table = match address {
            Address::Cluster(_) => Table::default(),
            alone => {
                let shard = Shard::start(alone.clone(), String::new(), scripts.clone());
                let (first, last) = (0, LAST_SLOT);
                Table(vec![Range { first, last, shard }])
            }
        };
        Self {
            table: watch::Sender::new(Arc::new(table)),
            must_look: Notify::new(),
            trouble: Mutex::new(None),
            scripts: scripts.clone(),
        }
    }

    /// Who has which slots, as it changes.
    pub(super) fn table(&self) -> watch::Receiver<Arc<Table>> {
        self.table.subscribe()
    }

    /// A server does not have a slot that it was thought to have.
    pub(super) fn look(&self) {
        self.must_look.notify_one();
    }

    /// The places of keys in a list, together with those that the same server has.
    pub(super) fn together(&self, keys: &[Vec<u8>]) -> Vec<Vec<usize>> {
        let table = self.table.borrow();
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, key) in keys.iter().enumerate() {
            let server = table.of(key).map_or("", |shard| shard.place());
            groups.entry(server).or_default().push(place);
        }
        groups.into_values().collect()
    }

    /// Whether all servers can be used, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        let table = self.table.borrow();
        let mut ranges = table.0.iter();
        ranges.all(|range| range.shard.supervisor.is_up()) && table.has_all_slots()
    }

    /// Whether some server can be used, as far as is known.
    pub(super) fn is_up_in_part(&self) -> bool {
        let table = self.table.borrow();
        table.0.iter().any(|range| range.shard.supervisor.is_up())
    }

    /// Whether the server that has a key can be used, as far as is known.
    pub(super) fn is_up_for(&self, key: &[u8]) -> bool {
        let table = self.table.borrow();
        table.of(key).is_some_and(|shard| shard.supervisor.is_up())
    }

    /// Why not all calls can be made, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        let table = self.table.borrow();
        let of_shards = table.shards();
        let of_shards = of_shards
            .values()
            .find_map(|shard| shard.supervisor.trouble());
        of_shards.or_else(|| match table.has_all_slots() {
            true => None,
            false => Some(
                self.lock()
                    .clone()
                    .unwrap_or_else(|| "not connected yet".to_owned()),
            ),
        })
    }

    /// Sends commands to where a key is, once; again only where a server says that it has done nothing, since the key's slot is on
    /// its way to another, or since it does not know a script yet. `commands` are told which store is at the end of the
    /// connection.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        key: &[u8],
        commands: impl Fn(StoreId) -> Pipeline,
    ) -> Result<T, StoreError> {
        let (done, _) = self.send(key, Needed::Nothing, commands).await?;
        Ok(done)
    }

    /// The same for what is meant for one store, and for no other; tells which one it was.
    pub(super) async fn run_at<T: FromRedisValue>(
        &self,
        key: &[u8],
        seen: Option<StoreId>,
        commands: impl Fn(StoreId) -> Pipeline,
    ) -> Result<(T, StoreId), StoreError> {
        let needed = seen.map_or(Needed::Known, Needed::This);
        let (done, store) = self.send(key, needed, commands).await?;
        store.map(|store| (done, store)).ok_or_else(not_all)
    }

    async fn send<T: FromRedisValue>(
        &self,
        key: &[u8],
        needed: Needed,
        commands: impl Fn(StoreId) -> Pipeline,
    ) -> Result<(T, Option<StoreId>), StoreError> {
        let [mut wait, last] = CALL_AGAIN;
        loop {
            let (supervisor, mut current, store) = self.at(key)?;
            match (needed, store) {
                (Needed::Known | Needed::This(_), None) => return Err(not_all()),
                (Needed::This(seen), Some(store)) if seen != store => {
                    return Err(StoreError::Other(store));
                }
                _ => {}
            }
            let commands = commands(current.store);
            let mut done = commands.query_async(&mut current.connection).await;
            if done.as_ref().is_err_and(is_unknown_script) {
                // They have been flushed since the connection was made.
                done = match self.scripts.load(&mut current.connection).await {
                    Ok(()) => commands.query_async(&mut current.connection).await,
                    Err(error) => Err(error),
                };
            }
            let error = match done {
                Ok(done) => return Ok((done, store)),
                Err(error) => error,
            };
            if !is_of_the_slots(&error) {
                return Err(supervisor.failed(current.life, &error));
            }
            self.look();
            if wait > last {
                return Err(StoreError::Away(error.to_string()));
            }
            sleep(wait).await;
            wait *= 2;
        }
    }

    /// The connection to where a key is, and what all servers together are while that connection leads where it does.
    fn at(&self, key: &[u8]) -> Result<(Arc<Supervisor>, Current, Option<StoreId>), StoreError> {
        let table = self.table.borrow();
        let away = |why: &str| StoreError::Away(why.to_owned());
        let shard = table
            .of(key)
            .ok_or_else(|| away("no server has the key's slot"))?;
        let current = shard.supervisor.current()?;
        let store = table.store();
        // It may have been connected anew between the two.
        match shard.supervisor.last_store() == Some(current.store) {
            true => Ok((shard.supervisor.clone(), current, store)),
            false => Err(away("another server answers now")),
        }
    }

    /// Keeps to the servers of a cluster, until it is dropped.
    pub(super) async fn keep(&self, seeds: &[Client]) {
        loop {
            match self.ask_all(seeds).await {
                Ok(ranges) => {
                    *self.lock() = None;
                    self.take(&ranges, &seeds[0]);
                }
                Err(error) => {
                    let why = error.to_string();
                    let said = self.lock().replace(why.clone());
                    if said.as_ref() != Some(&why) {
                        warn!(%why, "no server of the Redis Cluster tells who has which slots");
                    }
                }
            }
            sleep(LOOK_AGAIN).await;
            // Whoever asks for a look has seen that this one is old.
            let _ = timeout(LOOK_EVERY, self.must_look.notified()).await;
        }
    }

    /// Asks one server after the other, until one answers.
    async fn ask_all(&self, seeds: &[Client]) -> RedisResult<Vec<(u16, u16, String)>> {
        let known = {
            let table = self.table.borrow();
            let places = table.shards();
            let places = places.keys().map(|place| with_place(&seeds[0], place));
            places.collect::<RedisResult<Vec<_>>>()?
        };
        let nobody = "no server is named";
        let mut error = RedisError::from((ErrorKind::InvalidClientConfig, nobody));
        let mut unsure = None;
        for client in known.iter().chain(seeds) {
            match timeout(ANSWER_WITHIN, ask(client)).await {
                Ok(Ok(Answer { ranges, is_sure })) => match is_sure {
                    true => return Ok(ranges),
                    false => unsure = unsure.or(Some(ranges)),
                },
                Ok(Err(new)) => error = new,
                Err(_) => error = std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
            }
        }
        unsure.ok_or(error)
    }

    /// Keeps the connections to those who still have slots, and makes those to the new ones.
    fn take(&self, ranges: &[(u16, u16, String)], login: &Client) {
        let before = self.table.borrow().clone();
        let is_same = before.0.len() == ranges.len()
            && before
                .0
                .iter()
                .zip(ranges)
                .all(|(old, (first, last, place))| {
                    (old.first, old.last, &old.shard.place) == (*first, *last, place)
                });
        if is_same {
            return;
        }
        let known = before.shards();
        let mut shards: BTreeMap<&str, Arc<Shard>> = BTreeMap::new();
        for (_, _, place) in ranges {
            if let Some(shard) = known.get(place.as_str()) {
                shards.insert(place, (*shard).clone());
            } else if let Ok(client) = with_place(login, place) {
                shards.entry(place).or_insert_with(|| {
                    Shard::start(Address::Single(client), place.clone(), self.scripts.clone())
                });
            }
        }
        let ranges = ranges.iter().filter_map(|(first, last, place)| {
            let shard = shards.get(place.as_str())?.clone();
            let (first, last) = (*first, *last);
            Some(Range { first, last, shard })
        });
        let table = Table(ranges.collect());
        let places: Vec<_> = table.shards().keys().map(ToString::to_string).collect();
        info!(?places, "these servers share the slots");
        self.table.send_replace(Arc::new(table));
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a server of a cluster says: who has which slots.
struct Answer {
    /// The first, the last, and where the one is who has them.
    ranges: Vec<(u16, u16, String)>,
    /// It is not cut off from the others.
    is_sure: bool,
}

async fn ask(client: &Client) -> RedisResult<Answer> {
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&patience())
        .await?;
    let mut both = Pipeline::new();
    both.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    let (info, ranges): (String, Vec<Vec<Value>>) = both.query_async(&mut connection).await?;
    let is_sure = info.contains("cluster_state:ok");
    let odd = || {
        let text = "a server of the cluster answers what it does not";
        RedisError::from((ErrorKind::UnexpectedReturnType, text))
    };
    let mut read = Vec::new();
    for range in ranges {
        let [first, last, owner, ..] = &range[..] else {
            return Err(odd());
        };
        let Value::Array(owner) = owner else {
            return Err(odd());
        };
        let [host, port, ..] = &owner[..] else {
            return Err(odd());
        };
        let host: Option<String> = redis::from_redis_value_ref(host)?;
        let port: u16 = redis::from_redis_value_ref(port)?;
        // One that does not know its own address is where it was asked.
        let asked = place(client);
        let asked = asked.rsplit_once(':').map(|(host, _)| host.to_owned());
        let host = host
            .filter(|host| !host.is_empty() && host != "?")
            .or(asked);
        let place = format!("{}:{port}", host.ok_or_else(odd)?);
        let (first, last) = (
            redis::from_redis_value_ref(first)?,
            redis::from_redis_value_ref(last)?,
        );
        read.push((first, last, place));
    }
    read.sort_unstable();
    let ranges = read;
    match ranges.is_empty() {
        true => Err(odd()),
        false => Ok(Answer { ranges, is_sure }),
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Whether a server says that it has done nothing, since it has not the slot, or not yet, or not any more.
fn is_of_the_slots(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
        )
    )
}
