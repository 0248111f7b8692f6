//! The servers that are measured, each in a process of its own on one thread.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire::cluster::{Cluster, ClusterKey};
use anywire::{Budgets, Config, Handler, Message, Rate, Sender, Server, Share};
use futures_util::{Sink, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use warp::Filter;
use warp::ws::WebSocket;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Anywire,
    Warp,
    /// No protocol at all: what the kernel takes.
    Tcp,
    /// One node of a cluster that shares the Redis of the environment.
    Node,
    /// Nothing but a loop that reads a topic's messages from that Redis.
    Subscriber,
}

/// The variable that names the Redis of nodes.
pub const REDIS: &str = "ANYWIRE_BENCH_REDIS";

/// The topic that is followed.
pub const TOPIC: &str = "all";

/// Its channel in Redis.
pub const TOPIC_CHANNEL: &str = "aw:t:{36}:all";

/// What the nodes share.
pub fn cluster(redis: &str) -> Cluster {
    let key = ClusterKey::new([7; 32]).expect("the key is long enough");
    Cluster::redis(redis, key).expect("the URL is a Redis's")
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Anywire => "anywire",
            Self::Warp => "warp",
            Self::Tcp => "tcp",
            Self::Node => "node",
            Self::Subscriber => "subscriber",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Anywire,
            Self::Warp,
            Self::Tcp,
            Self::Node,
            Self::Subscriber,
        ]
        .into_iter()
        .find(|peer| peer.name() == name)
    }
}

/// A text message of this content joins the topic.
pub const JOIN: &str = "join";

/// The load comes from one address. Each limit is judged as by default, and is so high that none is reached.
fn budgets() -> Budgets {
    let rate = Rate {
        per_second: 1_000_000_000_000,
        at_once: 1_000_000_000_000,
    };
    let share = Share::address()
        .opens(rate)
        .sessions(1_000_000)
        .unused_sessions(1_000_000)
        .connections(1_000_000)
        .messages(rate)
        .bytes(rate)
        .control_frames(rate);
    Budgets::default().of_address(share)
}

/// Runs a server, prints its address, and serves until killed.
pub fn serve(peer: Peer) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(async {
        match peer {
            Peer::Anywire => {
                let server = Server::builder(Config::new().budgets(budgets()))
                    .expect("the default is sound")
                    .handler(Echo);
                let serve = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
                let serving = serve.await.expect("a free port");
                println!("{}", serving.local_addr());
                serving.run().await;
            }
            Peer::Node => {
                let server = Server::builder(Config::new().budgets(budgets()))
                    .expect("the default is sound")
                    .handler(Echo);
                let redis = std::env::var(REDIS).expect("it names a Redis");
                let node = server.join(cluster(&redis)).await.expect("it takes links");
                let serve = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
                let serving = serve.await.expect("a free port");
                let is_ready = async {
                    while !node.is_ready() {
                        sleep(Duration::from_millis(5)).await;
                    }
                };
                is_ready.await;
                println!("{}", serving.local_addr());
                serving.run().await;
            }
            Peer::Subscriber => {
                let redis = std::env::var(REDIS).expect("it names a Redis");
                subscribe(&redis).await;
            }
            Peer::Warp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                println!(
                    "{}",
                    listener
                        .local_addr()
                        .expect("a bound listener has an address")
                );
                let room = Arc::<Room>::default();
                let follow = warp::path("room")
                    .and(warp::ws())
                    .map(move |ws: warp::ws::Ws| {
                        let room = room.clone();
                        ws.on_upgrade(move |socket| follow(socket, room))
                    });
                let echo = warp::path("ws").and(warp::ws());
                let echo = echo.map(|ws: warp::ws::Ws| ws.on_upgrade(echo_back));
                warp::serve(follow.or(echo)).incoming(listener).run().await;
            }
            Peer::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                println!(
                    "{}",
                    listener
                        .local_addr()
                        .expect("a bound listener has an address")
                );
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(echo_bytes(stream));
                }
            }
        }
    });
}

struct Echo;

impl Handler for Echo {
    type State = ();

    fn on_open(&self, _: &Sender) {}

    fn on_message(&self, _: &mut (), sender: &Sender, message: Message) {
        match message.as_bytes().first() {
            Some(b'j') => sender.subscribe(TOPIC),
            Some(b'!') => {
                sender.publish(TOPIC, message);
            }
            _ => {
                let _ = sender.try_send(message);
            }
        }
    }
}

/// Reads a topic's messages as fast as it can, and tells each who connects how many there were.
async fn subscribe(redis: &str) {
    let client = redis::Client::open(redis).expect("the URL is a Redis's");
    let mut pubsub = client.get_async_pubsub().await.expect("Redis is there");
    let channel = std::env::var(CHANNEL).expect("it names a channel");
    pubsub.subscribe(channel).await.expect("Redis is there");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let mut messages = pubsub.into_on_message();
    let (mut count, mut bytes) = (0_u64, 0);
    loop {
        tokio::select! {
            Some(message) = messages.next() => {
                count += 1;
                bytes += message.get_payload_bytes().len();
            }
            Ok((mut stream, _)) = listener.accept() => {
                assert!(bytes as u64 >= count, "messages have bytes");
                let _ = stream.write_u64(count).await;
            }
        }
    }
}

/// The variable that names the channel of [`TOPIC`].
pub const CHANNEL: &str = "ANYWIRE_BENCH_CHANNEL";

/// What people build on `warp::ws()` for a broadcast: a channel per socket.
#[derive(Default)]
struct Room(Mutex<HashMap<usize, mpsc::UnboundedSender<warp::ws::Message>>>);

async fn follow(mut socket: WebSocket, room: Arc<Room>) {
    let (to_me, mut from_room) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            message = poll_fn(|cx| Pin::new(&mut socket).poll_next(cx)) => {
                let Some(Ok(message)) = message else { break };
                let mut room = room.0.lock().unwrap_or_else(PoisonError::into_inner);
                if message.as_bytes() == JOIN.as_bytes() {
                    let id = room.len();
                    room.insert(id, to_me.clone());
                } else {
                    for follower in room.values() {
                        let _ = follower.send(message.clone());
                    }
                }
            }
            Some(message) = from_room.recv() => {
                let sent = poll_fn(|cx| Pin::new(&mut socket).poll_ready(cx)).await.is_ok()
                    && Pin::new(&mut socket).start_send(message).is_ok()
                    && poll_fn(|cx| Pin::new(&mut socket).poll_flush(cx)).await.is_ok();
                if !sent {
                    break;
                }
            }
        }
    }
}

/// The echo of warp's own examples: the stream forwarded to the sink, flushed when nothing more is there.
async fn echo_back(socket: WebSocket) {
    let (to, from) = socket.split();
    let _ = from.forward(to).await;
}

async fn echo_bytes(mut stream: TcpStream) {
    let mut buffer = vec![0; 16_384];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}
