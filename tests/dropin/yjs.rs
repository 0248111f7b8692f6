//! y-websocket, and a server that keeps a document as the list of its updates, without knowing what is in them.

use std::sync::{Arc, Mutex, MutexGuard};

use anywire::{CloseCode, CloseReason, Config, Handler, Message, Sender, Server};
use anywire_tests::chromium::Browser;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

use crate::stage::{Journal, NATIVE, Stage, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn y_websocket_cannot_tell_the_difference() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for way in WAYS {
        let room = Room::new();
        let stage = Stage::open(&browser, MOUNT, routes(&room)).await;
        let told = stage.run("yjs", way).await;
        assert_eq!(told[..FIRST.len()], FIRST, "{way}");
        // Which of the two hears first is the network's business.
        let mut told = told[FIRST.len()..].to_vec();
        told.sort();
        assert_eq!(told, THEN, "{way}");
        // A close without a code is one of 1000: a difference that the client's README lists.
        let close = if way == NATIVE {
            "closed 1005 "
        } else {
            "closed 1000 "
        };
        let seen = [
            close,
            close,
            "closed 4321 back soon",
            "closed 4321 back soon",
        ];
        let seen: Vec<_> = seen.into_iter().chain(["opened "; 4]).collect();
        assert_eq!(room.journal.sorted(seen.len()).await, seen, "{way}");
    }
}

/// The library puts the room at the end of the path, so this is the mount of one room.
const MOUNT: &str = "yjs/garden";

/// What the library tells, until the server hangs up.
const FIRST: [&str; 6] = [
    "1 connected",
    "1 synced",
    "2 connected",
    "2 synced",
    "9,9",
    "bytes true, text 100009",
];

/// What it tells from then on, sorted.
const THEN: [&str; 13] = [
    "1 closed 4321 back soon true",
    "1 closed null",
    "1 connected",
    "1 connecting",
    "1 disconnected",
    "1 disconnected",
    "2 closed 4321 back soon true",
    "2 closed null",
    "2 connected",
    "2 connecting",
    "2 disconnected",
    "2 disconnected",
    "back: true, text 100035",
];

/// The room's server, and how a page makes it hang up.
fn routes(room: &Room) -> BoxedFilter<(impl Reply + use<>,)> {
    let config = Config::new().mount(MOUNT).allow_jsonp();
    let server = Server::builder(config)
        .expect("the config is sound")
        .handler(room.clone());
    let room = room.clone();
    let hang_up = warp::path("hang-up").map(move || {
        room.hang_up();
        ""
    });
    hang_up.or(server.routes()).boxed()
}

/// Those who share a document. Clones share it.
#[derive(Clone)]
struct Room {
    state: Arc<Mutex<State>>,
    journal: Journal,
}

#[derive(Default)]
struct State {
    here: Vec<Sender>,
    /// As they came; applying one twice, or in another order, changes nothing.
    updates: Vec<Message>,
}

impl Room {
    fn new() -> Self {
        Self {
            state: Arc::default(),
            journal: Journal::new(),
        }
    }

    fn hang_up(&self) {
        let code = CloseCode::application(4321).expect("an application's code");
        for sender in &self.lock().here {
            sender.close(CloseReason::new(code, "back soon"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }
}

impl Handler for Room {
    type State = ();

    fn on_open(&self, sender: &Sender) {
        self.journal.opened(sender.protocol());
        self.lock().here.push(sender.clone());
        // Who comes is asked for all that they have.
        say(sender, &Message::binary(&[SYNC, STEP_1, 1, 0][..]));
    }

    fn on_message(&self, _: &mut (), sender: &Sender, message: Message) {
        let mut state = self.lock();
        match &message.as_bytes()[..] {
            [SYNC, STEP_1, ..] => {
                for update in &state.updates {
                    say(sender, update);
                }
                // An empty answer says that this was all.
                say(sender, &Message::binary(&[SYNC, STEP_2, 2, 0, 0][..]));
            }
            [SYNC, STEP_2 | UPDATE, update @ ..] => {
                let update = [&[SYNC, UPDATE], update].concat();
                state.updates.push(Message::binary(update));
                state.tell_others(sender, state.updates.last().expect("just pushed"));
            }
            _ => state.tell_others(sender, &message),
        }
    }

    fn on_close(&self, _: (), sender: &Sender, reason: &CloseReason) {
        self.lock().here.retain(|other| other.id() != sender.id());
        self.journal.closed(reason);
    }
}

impl State {
    fn tell_others(&self, sender: &Sender, message: &Message) {
        for other in self.here.iter().filter(|other| other.id() != sender.id()) {
            say(other, message);
        }
    }
}

fn say(sender: &Sender, message: &Message) {
    // Refused only when the session has ended, and then nobody listens.
    let _ = sender.try_send(message.clone());
}

// The first bytes of the library's messages (y-protocols); the others are of awareness.
const SYNC: u8 = 0;
const STEP_1: u8 = 0;
const STEP_2: u8 = 1;
const UPDATE: u8 = 2;
