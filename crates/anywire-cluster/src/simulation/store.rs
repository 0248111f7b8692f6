//! The store as a node has it over the network: commands come late, or after the node has given them up.

use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire_protocol::{Message, SessionId};
use futures_util::FutureExt;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::timeout;

use super::clock;
use super::lane::{Order, Reader, Writer, lane, lane_in_order};
use super::ledger::Ledger;
use super::machines::{Machine, STORE};
use super::sky::Sky;
use crate::memory::{MemoryNode, MemoryStore};
use crate::store::{
    FEED_LENGTH, Fed, Header, Leased, Log, NodeId, Store, StoreError, StoreFuture, StoreId, Token,
    TopicPosition,
};

/// What the store does when a command comes.
type Command = Box<dyn FnOnce(&MemoryNode) + Send>;

/// A connection of a process to the store, at the store's end.
pub(super) struct Served {
    node: Arc<MemoryNode>,
    commands: Reader<Command>,
}

/// The store, as one process has it.
pub(super) struct FarStore {
    sky: Arc<Sky>,
    machine: Machine,
    ledger: Ledger,
    node: Arc<MemoryNode>,
    connection: Mutex<Connection>,
    /// Where the store takes connections.
    door: UnboundedSender<Served>,
    has_trouble: AtomicBool,
    asks: Writer<Ask>,
    feed: Mutex<Option<mpsc::Receiver<Fed>>>,
}

/// A connection to the store, or one that is about to be.
struct Connection {
    commands: Writer<Command>,
    /// Answers come in order.
    answers: Order,
    number: u64,
    ready: Duration,
}

impl Debug for FarStore {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarStore")
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

impl Served {
    /// Does what is asked, until the other end is gone and all has been done that it had sent.
    pub(super) async fn serve(mut self) {
        while let Some(command) = self.commands.recv().await {
            command(&self.node);
        }
    }
}

/// Brings what is published to a node; what meets a cut is lost, and the node is told so after it.
pub(super) struct Feeding {
    node: Arc<MemoryNode>,
    feed: mpsc::Receiver<Fed>,
    to: Writer<Fed>,
    asks: Reader<Ask>,
    sky: Arc<Sky>,
    machine: Machine,
}

/// Topics that a node wants to hear of.
struct Ask {
    topics: Vec<Arc<str>>,
    at: Duration,
    done: Writer<()>,
}

impl Feeding {
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                Some(fed) = self.feed.recv() => self.bring(fed).await,
                ask = self.asks.recv() => match ask {
                    Some(ask) => self.subscribe(ask).await,
                    None => return,
                },
            }
        }
    }

    async fn bring(&mut self, fed: Fed) {
        if !self.is_cut() {
            // Now and then there is no room for it. In the end nothing would show that.
            let is_lost = fastrand::u8(..50) == 0 && clock::now() < self.sky.weather().clears;
            if !is_lost {
                self.to.send(fed);
            }
            return;
        }
        while self.is_cut() {
            pause().await;
        }
        // The connection that it was on is found dead.
        while self.feed.try_recv().is_ok() {}
        self.to.send(Fed::Suspect);
    }

    /// Subscribes for as long as it takes; if the node has given it up meanwhile, all is suspect.
    async fn subscribe(&self, ask: Ask) {
        while self.node.subscribe(&ask.topics).await.is_err() {
            pause().await;
        }
        if clock::now() - ask.at > ANSWER_WITHIN / 2 {
            self.to.send(Fed::Suspect);
        }
        ask.done.send(());
    }

    fn is_cut(&self) -> bool {
        let weather = self.sky.weather();
        weather.is_cut(self.machine, STORE, clock::now())
    }
}

async fn pause() {
    clock::sleep_until(clock::now() + Duration::from_millis(100)).await;
}

impl FarStore {
    /// The store as a process has it that begins now and runs now; what the store does for it, at the store's end.
    pub(super) fn new(
        sky: &Arc<Sky>,
        machine: Machine,
        store: &MemoryStore,
        ledger: &Ledger,
        door: UnboundedSender<Served>,
    ) -> (Self, Feeding) {
        let node = Arc::new(store.node());
        let (to, mut coming) = lane(sky, STORE, machine);
        let (asks, asked) = lane(sky, machine, STORE);
        let feeding = Feeding {
            node: node.clone(),
            asks: asked,
            feed: node.feed().expect("a new store has its feed"),
            to,
            sky: sky.clone(),
            machine,
        };
        let (sender, feed) = mpsc::channel(FEED_LENGTH);
        tokio::spawn(async move {
            while let Some(fed) = coming.recv().await {
                if sender.send(fed).await.is_err() {
                    return;
                }
            }
        });
        let connection = connect(sky, machine, &node, &door, 0);
        let store = Self {
            sky: sky.clone(),
            machine,
            ledger: ledger.clone(),
            node,
            connection: Mutex::new(connection),
            door,
            has_trouble: AtomicBool::new(true),
            asks,
            feed: Mutex::new(Some(feed)),
        };
        (store, feeding)
    }

    fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the store do something, and waits for its answer.
    fn call<'a, T: Send + 'static>(
        &'a self,
        call: impl for<'s> FnOnce(&'s MemoryNode) -> StoreFuture<'s, T> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let asked = self.ask(call).await;
            let trouble = matches!(asked, Err(StoreError::Away(_)));
            self.has_trouble.store(trouble, Ordering::Relaxed);
            asked
        })
    }

    async fn ask<T: Send + 'static>(
        &self,
        call: impl for<'s> FnOnce(&'s MemoryNode) -> StoreFuture<'s, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let away = || StoreError::Away("no answer".to_owned());
        let ready = self.connection().ready;
        let latest = clock::now() + ANSWER_WITHIN;
        if ready > clock::now() {
            clock::sleep_until(ready.min(latest)).await;
            if ready > latest {
                return Err(away());
            }
        }
        let (mut answer, number) = {
            let connection = self.connection();
            let (writer, reader) =
                lane_in_order(&self.sky, STORE, self.machine, &connection.answers);
            connection.commands.send(Box::new(move |node| {
                let done = call(node).now_or_never();
                writer.send(done.expect("a store in this process answers at once"));
            }));
            (reader, connection.number)
        };
        if let Ok(Some(answer)) = timeout(ANSWER_WITHIN, answer.recv()).await {
            return answer;
        }
        let mut connection = self.connection();
        if connection.number == number {
            // What is on the way in it may still take effect.
            *connection = connect(&self.sky, self.machine, &self.node, &self.door, number + 1);
        }
        Err(away())
    }
}

fn connect(
    sky: &Arc<Sky>,
    machine: Machine,
    node: &Arc<MemoryNode>,
    door: &UnboundedSender<Served>,
    number: u64,
) -> Connection {
    let (commands, at_the_store) = lane(sky, machine, STORE);
    let served = Served {
        node: node.clone(),
        commands: at_the_store,
    };
    // The run may be over.
    let _ = door.send(served);
    Connection {
        commands,
        answers: Order::default(),
        number,
        ready: sky.round_trip(machine, STORE, clock::now()),
    }
}

impl Store for FarStore {
    fn open(
        &self,
        session: SessionId,
        home: NodeId,
        token: Token,
        seen: StoreId,
    ) -> StoreFuture<'_, Header> {
        self.call(move |store| store.open(session, home, token, seen))
    }

    fn find(&self, session: SessionId) -> StoreFuture<'_, (Option<Header>, StoreId)> {
        self.call(move |store| store.find(session))
    }

    fn write_back<'a>(
        &'a self,
        home: NodeId,
        sessions: &'a [(SessionId, Token)],
        seen: StoreId,
    ) -> StoreFuture<'a, Vec<bool>> {
        let sessions = sessions.to_vec();
        self.call(move |store| done(store.write_back(home, &sessions, seen)))
    }

    fn write_back_ends<'a>(
        &'a self,
        ended: &'a [(SessionId, Duration)],
        seen: StoreId,
    ) -> StoreFuture<'a, ()> {
        let ended = ended.to_vec();
        self.call(move |store| done(store.write_back_ends(&ended, seen)))
    }

    fn renew<'a>(&'a self, sessions: &'a [(SessionId, Token)]) -> StoreFuture<'a, Vec<bool>> {
        let sessions = sessions.to_vec();
        self.call(move |store| done(store.renew(&sessions)))
    }

    fn close(&self, session: SessionId, token: Token, keep: Duration) -> StoreFuture<'_, ()> {
        self.call(move |store| store.close(session, token, keep))
    }

    fn beat<'a>(&'a self, node: NodeId, record: &'a [u8]) -> StoreFuture<'a, StoreId> {
        let record = record.to_vec();
        self.call(move |store| done(store.beat(node, &record)))
    }

    fn leave(&self, node: NodeId) -> StoreFuture<'_, ()> {
        self.call(move |store| store.leave(node))
    }

    fn nodes(&self) -> StoreFuture<'_, (Leased, StoreId)> {
        self.call(|store| store.nodes())
    }

    fn is_listening(&self, node: NodeId) -> StoreFuture<'_, bool> {
        let sky = self.sky.clone();
        self.call(move |store| {
            let is_connected = sky.is_connected(node);
            Box::pin(
                store
                    .is_listening(node)
                    .map(move |has_lease| Ok(has_lease? && is_connected)),
            )
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a Message,
        key: Option<&'a str>,
    ) -> StoreFuture<'a, TopicPosition> {
        let (topic, message) = (topic.to_owned(), message.clone());
        let (key, ledger) = (key.map(str::to_owned), self.ledger.clone());
        self.call(move |store| {
            let published = store
                .publish(&topic, &message, key.as_deref())
                .now_or_never();
            let published = published.expect("a store in this process answers at once");
            if published.is_ok() {
                ledger.published(&message);
            }
            Box::pin(async { published })
        })
    }

    fn positions<'a>(
        &'a self,
        topics: &'a [Arc<str>],
    ) -> StoreFuture<'a, Vec<Option<TopicPosition>>> {
        let topics = topics.to_vec();
        self.call(move |store| done(store.positions(&topics)))
    }

    fn subscribe<'a>(&'a self, topics: &'a [Arc<str>]) -> StoreFuture<'a, ()> {
        let (done, mut subscribed) = lane(&self.sky, STORE, self.machine);
        let (topics, at) = (topics.to_vec(), clock::now());
        self.asks.send(Ask { topics, at, done });
        Box::pin(async move {
            let subscribed = timeout(ANSWER_WITHIN, subscribed.recv()).await;
            let away = || StoreError::Away("no answer".to_owned());
            subscribed.ok().flatten().ok_or_else(away)
        })
    }

    fn unsubscribe<'a>(&'a self, topic: &'a str) -> StoreFuture<'a, ()> {
        let topic = topic.to_owned();
        self.call(move |store| done(store.unsubscribe(&topic)))
    }

    fn read<'a>(&'a self, topic: &'a str, after: u64) -> StoreFuture<'a, Log> {
        let topic = topic.to_owned();
        self.call(move |store| done(store.read(&topic, after)))
    }

    fn trouble(&self) -> Option<String> {
        let has_trouble = self.has_trouble.load(Ordering::Relaxed);
        has_trouble.then(|| "no answer".to_owned())
    }

    fn feed(&self) -> Option<mpsc::Receiver<Fed>> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.take()
    }
}

/// What has been done at once, without what it was asked with.
fn done<T: Send + 'static>(call: StoreFuture<'_, T>) -> StoreFuture<'static, T> {
    let done = call.now_or_never();
    let done = done.expect("a store in this process answers at once");
    Box::pin(async { done })
}

/// 2 s, as with a Redis.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
