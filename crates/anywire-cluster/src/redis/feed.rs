//! What comes of topics: from each server that has some of them, over a connection of its own. Which topics belong to which server
//! changes when a Redis Cluster moves them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::line::{Ask, Line, Stations};
use super::shards::{Shard, Table};
use super::shared::Shared;
use crate::store::{Fed, StoreError};

/// Feeds what comes of topics, until nobody asks any more.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    out: mpsc::Sender<Fed>,
) {
    let mut tables = shared.shards.table();
    let mut feed = Feed {
        shared,
        lines: BTreeMap::new(),
        table: Arc::default(),
        wanted: HashSet::new(),
        out,
    };
    loop {
        let table = tables.borrow_and_update().clone();
        feed.follow(table);
        tokio::select! {
            changed = tables.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            ask = asks.recv() => match ask {
                Some(ask) => feed.ask(ask),
                None => return,
            },
        }
    }
}

struct Feed {
    shared: Arc<Shared>,
    /// By the place of the server at its end.
    lines: BTreeMap<String, Carried>,
    table: Arc<Table>,
    wanted: HashSet<Arc<str>>,
    out: mpsc::Sender<Fed>,
}

/// A connection that a task carries.
struct Carried {
    shard: Arc<Shard>,
    stations: Stations,
    asks: mpsc::UnboundedSender<Ask>,
    _task: JoinSet<()>,
}

impl Feed {
    /// Has a connection to each server, and asks each for the topics that it has.
    fn follow(&mut self, table: Arc<Table>) {
        if Arc::ptr_eq(&self.table, &table) {
            return;
        }
        let shards = table.shards();
        let shared = &self.shared;
        self.lines.retain(|place, carried| {
            let shard = shards.get(place.as_str());
            shard.is_some_and(|shard| {
                Arc::ptr_eq(shard, &carried.shard)
                    && carried.stations == stations(shared, &table, shard)
            })
        });
        // What has moved is asked for where it is now; a new connection has whatever came before read from the logs.
        for topic in &self.wanted {
            let key = self.shared.channel(topic);
            let key = key.as_bytes();
            let (before, now) = (self.table.of(key), table.of(key));
            if before.map(Arc::as_ptr) != now.map(Arc::as_ptr) {
                if let Some(old) = before.and_then(|before| self.lines.get(before.place())) {
                    let _ = old.asks.send(Ask::Unsubscribe(topic.clone()));
                }
                if let Some(new) = now.and_then(|now| self.lines.get(now.place())) {
                    let (done, _) = oneshot::channel();
                    let _ = new.asks.send(Ask::Subscribe(vec![topic.clone()], done));
                    let _ = new.asks.send(Ask::Doubt);
                }
            }
        }
        for (place, shard) in shards {
            if !self.lines.contains_key(place) {
                let carried = self.carry(&table, shard);
                self.lines.insert(place.to_owned(), carried);
            }
        }
        self.table = table;
    }

    fn carry(&self, table: &Table, shard: &Arc<Shard>) -> Carried {
        let stations = stations(&self.shared, table, shard);
        let topics = self.wanted.iter();
        let topics = topics.filter(|topic| is_at(table, shard, &self.shared.channel(topic)));
        let line = Line::new(
            self.shared.clone(),
            shard.supervisor.clone(),
            stations.clone(),
            topics.cloned().collect(),
            self.out.clone(),
        );
        let (asks, asked) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(line.run(asked));
        Carried {
            shard: shard.clone(),
            stations,
            asks,
            _task: task,
        }
    }

    /// Passes on what is asked to those who have the topics.
    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Subscribe(topics, done) => {
                self.wanted.extend(topics.iter().cloned());
                let mut shares: BTreeMap<&str, Vec<Arc<str>>> = BTreeMap::new();
                let mut subscribed = Vec::new();
                for topic in topics {
                    let shard = self.table.of(self.shared.channel(&topic).as_bytes());
                    let place = shard.map_or("", |shard| shard.place());
                    shares.entry(place).or_default().push(topic);
                }
                for (place, topics) in shares {
                    let (done, is_done) = oneshot::channel();
                    if let Some(carried) = self.lines.get(place) {
                        let _ = carried.asks.send(Ask::Subscribe(topics, done));
                    }
                    subscribed.push(is_done);
                }
                tokio::spawn(async move {
                    let mut outcome = Ok(());
                    for is_done in subscribed {
                        let why = "no server has the topic".to_owned();
                        let away = Err(StoreError::Away(why));
                        outcome = outcome.and(is_done.await.unwrap_or(away));
                    }
                    // Who asked may be gone.
                    let _ = done.send(outcome);
                });
            }
            Ask::Unsubscribe(topic) => {
                self.wanted.remove(&topic);
                let shard = self.table.of(self.shared.channel(&topic).as_bytes());
                if let Some(carried) = shard.and_then(|shard| self.lines.get(shard.place())) {
                    let _ = carried.asks.send(Ask::Unsubscribe(topic));
                }
            }
            Ask::Doubt => {}
        }
    }
}

fn stations(shared: &Shared, table: &Table, shard: &Arc<Shard>) -> Stations {
    let own = shared.node_channel(shared.node);
    Stations {
        probe: shared
            .probe_channels()
            .find(|channel| is_at(table, shard, channel)),
        own: Some(own).filter(|own| is_at(table, shard, own)),
    }
}

fn is_at(table: &Table, shard: &Arc<Shard>, key: &str) -> bool {
    let owner = table.of(key.as_bytes());
    owner.is_some_and(|owner| Arc::ptr_eq(owner, shard))
}
