//! A chat room that works in any browser, behind any proxy.
//!
//! Run `cargo run --release --example chat`, open the printed address in two windows. You see who is here, the last
//! messages, and which transport carries yours; block WebSocket with the switch and watch the room go on over polling.
//! `PORT` chooses another port than 3030; `TLS_CERT` and `TLS_KEY` name the files of a certificate, for https.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anywire::{Config, Server, Socket, SocketEvent};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::Filter;

/// What a visitor says. With the first name they join the room.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Command {
    Name { name: String },
    Say { text: String },
}

/// The room: who is here, and what was said. Publishing happens under its lock, so that all see one order.
#[derive(Default)]
struct Room {
    people: BTreeMap<String, String>,
    history: VecDeque<Value>,
    seq: u64,
}

/// Done, or what is wrong, for the visitor.
type Obeyed = Result<(), &'static str>;
const HISTORY: usize = 100;
const TOPIC: &str = "lobby";

impl Room {
    /// Numbers what a visitor does, keeps it and sends it to everybody in the room.
    fn tell(&mut self, socket: &Socket, mut event: Value) {
        self.seq += 1;
        event["seq"] = self.seq.into();
        event["id"] = socket.id().to_string().into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        event["at"] = (now.unwrap_or_default().as_millis() as u64).into();
        socket.publish(TOPIC, event.to_string());
        self.history.push_back(event);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// Does what a visitor says, or says what is wrong. `me` is their name, once they have joined.
    fn obey(&mut self, socket: &Socket, me: &mut Option<String>, command: Command) -> Obeyed {
        match command {
            Command::Name { name } => {
                let name = clean(&name, 24, "a name has 1 to 24 characters")?;
                if let Some(from) = me.replace(name.clone()) {
                    self.people.insert(socket.id().to_string(), name.clone());
                    let renamed = json!({ "type": "renamed", "name": name, "from": from });
                    self.tell(socket, renamed);
                    return Ok(());
                }
                self.show(socket, me, true);
                let welcome = json!({
                    "type": "welcome", "you": socket.id().to_string(), "room": TOPIC,
                    "seq": self.seq, "history": self.history, "people": self.people,
                });
                // A new session's outbox is empty, so this is always accepted.
                let _ = socket.try_send(welcome.to_string());
                socket.subscribe(TOPIC);
            }
            Command::Say { text } => {
                let name = me.as_ref().ok_or("say your name first")?;
                let text = clean(&text, 2_000, "a message has 1 to 2,000 characters")?;
                let said = json!({ "type": "said", "name": name, "text": text });
                self.tell(socket, said);
            }
        }
        Ok(())
    }

    /// Tells the room when a visitor who has a name has come, has gone, or is back.
    fn show(&mut self, socket: &Socket, me: &Option<String>, is_here: bool) {
        let Some(name) = me else { return };
        let id = socket.id().to_string();
        let (changes, event) = match is_here {
            true => (self.people.insert(id, name.clone()).is_none(), "joined"),
            false => (self.people.remove(&id).is_some(), "left"),
        };
        if changes {
            self.tell(socket, json!({ "type": event, "name": name }));
        }
    }
}

/// One visitor, from the first event to the end of the session.
async fn visit(room: Arc<Mutex<Room>>, mut socket: Socket) {
    let (room, mut me) = (|| room.lock().unwrap_or_else(PoisonError::into_inner), None);
    while let Some(event) = socket.next().await {
        match event {
            SocketEvent::Message(message) => {
                let command = serde_json::from_slice(message.as_bytes());
                let command = command.map_err(|_| "that is no command of this room");
                let obeyed = command.and_then(|command| room().obey(&socket, &mut me, command));
                if let Err(message) = obeyed {
                    let error = json!({ "type": "error", "message": message });
                    let _ = socket.send(error.to_string()).await;
                }
            }
            SocketEvent::Attachment(now) => room().show(&socket, &me, now.is_attached()),
            _ => {}
        }
    }
    room().show(&socket, &me, false);
}

/// The text without surrounding space.
fn clean(text: &str, max_chars: usize, otherwise: &'static str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_fine = (1..=max_chars).contains(&text.chars().count());
    is_fine.then(|| text.into()).ok_or(otherwise)
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
