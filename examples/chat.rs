//! A chat room that works in any browser, behind any proxy.
//!
//! Run `cargo run --release --example chat`, open the printed address in two windows. You see who is here, the last
//! messages, and which transport carries yours; block WebSocket with the switch and watch the room go on over polling.
//! `PORT` chooses another port than 3030; `TLS_CERT` and `TLS_KEY` name the files of a certificate, for https.

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

/// Done, or what is wrong, for the visitor.
type Obeyed = Result<(), &'static str>;
const HISTORY: usize = 100;
const TOPIC: &str = "lobby";

impl Room {
    /// Numbers an event, keeps it and sends it to everybody in the room.
    fn tell(&mut self, teller: &Socket, mut event: Value) {
        self.seq += 1;
        event["seq"] = self.seq.into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        event["at"] = (now.unwrap_or_default().as_millis() as u64).into();
        teller.publish(TOPIC, event.to_string());
        self.history.push_back(event);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// Does what a visitor says. `me` is who they are, once they have joined.
    fn obey(&mut self, socket: &Socket, me: &mut Option<u64>, command: Command) -> Obeyed {
        match (command, *me) {
            (Command::Join { name }, None) => *me = Some(self.join(socket, &clean_name(&name)?)),
            (Command::Join { .. }, Some(_)) => return Err("you are in the room already"),
            (_, None) => return Err("join first"),
            (Command::Say { text }, Some(id)) => {
                let text = clean(&text, 2_000, "a message has 1 to 2,000 characters")?;
                let name = self.people.get(&id).cloned();
                let said = json!({ "type": "said", "id": id, "name": name, "text": text });
                self.tell(socket, said);
            }
            (Command::Rename { name }, Some(id)) => {
                let name = clean_name(&name)?;
                let from = self.people.insert(id, name.clone());
                let renamed = json!({ "type": "renamed", "id": id, "name": name, "from": from });
                self.tell(socket, renamed);
            }
        }
        Ok(())
    }

    /// Lets somebody in: the others hear of it, the newcomer gets the whole picture.
    fn join(&mut self, socket: &Socket, name: &str) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.people.insert(id, name.to_owned());
        self.tell(socket, json!({ "type": "joined", "id": id, "name": name }));
        let person = |(id, name)| json!({ "id": id, "name": name });
        let people: Vec<Value> = self.people.iter().map(person).collect();
        let welcome = json!({
            "type": "welcome", "you": id, "room": TOPIC, "seq": self.seq,
            "history": self.history, "people": people,
        });
        // A new session's outbox is empty, so this is always accepted.
        let _ = socket.try_send(welcome.to_string());
        socket.subscribe(TOPIC);
        id
    }

    /// Lets somebody go.
    fn leave(&mut self, socket: &Socket, id: u64) {
        let name = self.people.remove(&id);
        self.tell(socket, json!({ "type": "left", "id": id, "name": name }));
    }
}

/// One visitor, from first to last message.
async fn visit(room: Arc<Mutex<Room>>, mut socket: Socket) {
    let (room, mut me) = (|| room.lock().unwrap_or_else(PoisonError::into_inner), None);
    while let Some(message) = socket.recv().await {
        let obeyed = parse(&message).and_then(|command| room().obey(&socket, &mut me, command));
        if let Err(message) = obeyed {
            let error = json!({ "type": "error", "message": message });
            let _ = socket.send(error.to_string()).await;
        }
    }
    if let Some(id) = me {
        room().leave(&socket, id);
    }
}

fn parse(message: &Message) -> Result<Command, &'static str> {
    serde_json::from_slice(message.as_bytes()).map_err(|_| "that is no command of this room")
}

/// The text without surrounding space.
fn clean(text: &str, max_chars: usize, otherwise: &'static str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_fine = (1..=max_chars).contains(&text.chars().count());
    is_fine.then(|| text.into()).ok_or(otherwise)
}

fn clean_name(name: &str) -> Result<String, &'static str> {
    clean(name, 24, "a name has 1 to 24 characters")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let set = |name| std::env::var(name).ok();
    let port = set("PORT").map_or(Ok(3030), |port| port.parse())?;
    let room = Arc::new(Mutex::new(Room::default()));
    let server = Server::builder(Config::new().mount("chat"))?
        .on_socket(move |socket| visit(room.clone(), socket));
    let page = warp::path::end().map(|| warp::reply::html(include_str!("chat/index.html")));
    let mut serve = anywire::serve(page.or(server.routes()));
    if let Some((certificate, key)) = set("TLS_CERT").zip(set("TLS_KEY")) {
        serve = serve.tls(certificate, key)?;
    }
    let serving = serve.bind(([127, 0, 0, 1], port)).await?;
    println!("open {}", serving.url());
    let signal = async move {
        let _ = tokio::signal::ctrl_c().await;
        server.drain(Duration::from_secs(5)).await;
    };
    serving.graceful(signal).run().await;
    Ok(())
}
