//! The servers that are measured, each in a process of its own on one thread.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use anywire::{Budgets, Config, Handler, Message, Rate, Sender, Server, Share};
use futures_util::{Sink, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use warp::Filter;
use warp::ws::WebSocket;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Anywire,
    Warp,
    /// No protocol at all: what the kernel takes.
    Tcp,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Anywire => "anywire",
            Self::Warp => "warp",
            Self::Tcp => "tcp",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Anywire, Self::Warp, Self::Tcp]
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
    fn on_message(&self, sender: &Sender, message: Message) {
        match message.as_bytes().first() {
            Some(b'j') => sender.subscribe("all"),
            Some(b'!') => {
                sender.publish("all", message);
            }
            _ => {
                let _ = sender.try_send(message);
            }
        }
    }
}

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
