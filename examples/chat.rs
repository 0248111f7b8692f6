//! A chat room that works in any browser, behind any proxy.
//!
//! Run `cargo run --release --example chat`, open the printed address in two windows. You see who is here, the last
//! messages, and which transport carries yours; block WebSocket with the switch and watch the room go on over polling.
//! `PORT` chooses another port than 3030.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anywire::{Config, Message, Server, Socket};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::Filter;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Command {
    Join { name: String },
    Say { text: String },
    Rename { name: String },
}

/// The room: who is here, and what was said. Publishing happens under its lock, so that all see one order.
#[derive(Default)]
struct Room {
    people: BTreeMap<u64, String>,
    history: VecDeque<Value>,
    seq: u64,
    next_id: u64,
}

const HISTORY: usize = 100;
const TOPIC: &str = "lobby";
const MAX_NAME_CHARS: usize = 24;
const MAX_TEXT_CHARS: usize = 2_000;

impl Room {
    /// Numbers an event, keeps it and sends it to everybody in the room.
    fn tell(&mut self, teller: &Socket, mut event: Value) {
        self.seq += 1;
        event["seq"] = self.seq.into();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        event["at"] = (now.as_millis() as u64).into();
        teller.publish(TOPIC, event.to_string());
        self.history.push_back(event);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// Lets somebody in: the others hear of it, the newcomer gets the whole picture.
    fn join(&mut self, socket: &Socket, name: &str) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.people.insert(id, name.to_owned());
        self.tell(socket, json!({ "type": "joined", "id": id, "name": name }));
        let people: Vec<_> = self
            .people
            .iter()
            .map(|(id, name)| json!({ "id": id, "name": name }))
            .collect();
        let welcome = json!({
            "type": "welcome", "you": id, "room": TOPIC, "seq": self.seq,
            "history": self.history, "people": people,
        });
        // A new session's outbox is empty, so this is always accepted.
        let _ = socket.try_send(welcome.to_string());
        socket.subscribe(TOPIC);
        id
    }
}

/// One visitor, from first to last message.
async fn visit(room: Arc<Mutex<Room>>, mut socket: Socket) {
    let room = || room.lock().unwrap_or_else(PoisonError::into_inner);
    let mut me = None;
    while let Some(message) = socket.recv().await {
        let problem = match (parse(&message), me) {
            (Ok(Command::Join { name }), None) => match clean(&name, MAX_NAME_CHARS) {
                Some(name) => {
                    me = Some(room().join(&socket, &name));
                    None
                }
                None => Some("a name has 1 to 24 characters"),
            },
            (Ok(Command::Say { text }), Some(id)) => match clean(&text, MAX_TEXT_CHARS) {
                Some(text) => {
                    let mut room = room();
                    let name = room.people.get(&id).cloned();
                    room.tell(
                        &socket,
                        json!({ "type": "said", "id": id, "name": name, "text": text }),
                    );
                    None
                }
                None => Some("a message has 1 to 2,000 characters"),
            },
            (Ok(Command::Rename { name }), Some(id)) => match clean(&name, MAX_NAME_CHARS) {
                Some(name) => {
                    let mut room = room();
                    let from = room.people.insert(id, name.clone());
                    room.tell(
                        &socket,
                        json!({ "type": "renamed", "id": id, "name": name, "from": from }),
                    );
                    None
                }
                None => Some("a name has 1 to 24 characters"),
            },
            (Ok(Command::Join { .. }), Some(_)) => Some("you are in the room already"),
            (Ok(_), None) => Some("join first"),
            (Err(()), _) => Some("that is no command of this room"),
        };
        if let Some(message) = problem {
            let _ = socket
                .send(json!({ "type": "error", "message": message }).to_string())
                .await;
        }
    }
    if let Some(id) = me {
        let mut room = room();
        let name = room.people.remove(&id);
        room.tell(&socket, json!({ "type": "left", "id": id, "name": name }));
    }
}

fn parse(message: &Message) -> Result<Command, ()> {
    serde_json::from_slice(message.as_bytes()).map_err(drop)
}

/// The text without surrounding space, if it is neither empty nor too long.
fn clean(text: &str, max_chars: usize) -> Option<String> {
    let text = text.trim();
    (1..=max_chars)
        .contains(&text.chars().count())
        .then(|| text.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT")
        .ok()
        .map_or(Ok(3030), |port| port.parse())?;
    let room = Arc::new(Mutex::new(Room::default()));
    let server = Server::new(Config::new().mount("chat"))?
        .on_socket(move |socket| visit(room.clone(), socket));
    let page = warp::path::end()
        .and(warp::get())
        .map(|| warp::reply::html(include_str!("chat/index.html")));
    let serving = anywire::serve(page.or(server.routes()))
        .bind(([127, 0, 0, 1], port))
        .await?;
    println!("open http://{}", serving.local_addr());
    let signal = async move {
        let _ = tokio::signal::ctrl_c().await;
        server.drain(Duration::from_secs(5)).await;
    };
    serving.graceful(signal).run().await;
    Ok(())
}
