//! graphql-ws, and a server of its protocol, `graphql-transport-ws`, for one small schema.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anywire::{CloseCode, CloseReason, Config, Server, Socket};
use anywire_tests::chromium::Browser;
use serde_json::{Value, json};
use warp::Filter;

use crate::stage::{Journal, Stage, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn graphql_ws_cannot_tell_the_difference() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for way in WAYS {
        let journal = Journal::new();
        let server = server(&journal);
        let stage = Stage::open(&browser, MOUNT, server.routes()).await;
        let told = stage.run("graphql", way).await;
        let (last, told) = told.split_last().expect("it told something");
        assert_eq!(told, TOLD, "{way}");
        assert_eq!(last, "closed 1000 Normal Closure true", "{way}");
        assert_eq!(journal.sorted(SEEN.len()).await, SEEN, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_ws_takes_a_subscription_up_again_when_the_server_has_lost_it() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for way in WAYS {
        let journal = Journal::new();
        let is_first = Arc::new(AtomicBool::new(true));
        let is_asked = is_first.clone();
        let first = warp::any()
            .and_then(move || {
                let asked = is_asked.load(Ordering::SeqCst).then_some(());
                async move { asked.ok_or_else(warp::reject::not_found) }
            })
            .untuple_one()
            .and(server(&journal).routes());
        let routes = first.or(server(&Journal::new()).routes());
        let stage = Stage::open(&browser, MOUNT, routes).await;
        let bereave = async {
            journal.wait_for("subscribed").await;
            is_first.store(false, Ordering::SeqCst);
            assert!(stage.proxy.kill_connections() > 0, "{way}");
        };
        let (told, ()) = tokio::join!(stage.run("bereaved", way), bereave);
        let all = [
            "connected",
            "lost, cleanly: false",
            "connected again",
            "post after",
        ];
        assert_eq!(told, all, "{way}");
    }
}

const MOUNT: &str = "graphql";

/// What the library tells, until it is done.
const TOLD: [&str; 11] = [
    "opened graphql-transport-ws",
    "connected é🦀",
    "hello true",
    "refused there is no such field",
    "pinged and ponged, both",
    "post first",
    "post of 100000",
    "closed 4321 back soon true",
    "opened graphql-transport-ws",
    "connected é🦀 again",
    "post after it came back",
];

/// What the server sees, sorted: it hung up once, and the subscription began twice and ended once.
const SEEN: [&str; 7] = [
    "closed 1000 Normal Closure",
    "closed 4321 back soon",
    "opened graphql-transport-ws",
    "opened graphql-transport-ws",
    "subscribed",
    "subscribed",
    "unsubscribed",
];

fn server(journal: &Journal) -> Server {
    let config = Config::new()
        .mount(MOUNT)
        .protocols(["graphql-transport-ws"])
        .allow_jsonp();
    let journal = journal.clone();
    Server::builder(config)
        .expect("the config is sound")
        .on_socket(move |socket| {
            let session = Session {
                socket,
                journal: journal.clone(),
                subscribers: Vec::new(),
            };
            session.serve()
        })
}

/// One client's connection, in its protocol's words.
struct Session {
    socket: Socket,
    journal: Journal,
    /// The operations that wait for posts.
    subscribers: Vec<Value>,
}

impl Session {
    async fn serve(mut self) {
        self.journal.opened(self.socket.protocol());
        while let Some(message) = self.socket.recv().await {
            let message = message.as_text().expect("it only sends texts");
            self.answer(&serde_json::from_str(message).expect("it only sends JSON"));
        }
        let reason = self.socket.close_reason().expect("it has ended");
        self.journal.closed(reason);
    }

    fn answer(&mut self, message: &Value) {
        let id = &message["id"];
        match message["type"].as_str() {
            Some("connection_init") => {
                self.say(json!({ "type": "connection_ack", "payload": message["payload"] }));
                self.say(json!({ "type": "ping" }));
            }
            Some("ping") => self.say(json!({ "type": "pong" })),
            Some("pong") => {}
            Some("subscribe") => self.execute(id, &message["payload"]),
            Some("complete") => {
                self.subscribers.retain(|subscriber| subscriber != id);
                self.journal.note("unsubscribed".into());
            }
            _ => self.hang_up(4400, "Invalid message received"),
        }
    }

    fn execute(&mut self, id: &Value, operation: &Value) {
        let variables = &operation["variables"];
        let query = operation["query"].as_str().unwrap_or_default();
        if query.contains("subscription { posts }") {
            self.subscribers.push(id.clone());
            self.journal.note("subscribed".into());
        } else if query.contains("post(text: $text)") {
            for subscriber in &self.subscribers {
                self.next(subscriber, json!({ "posts": variables["text"] }));
            }
            self.result(id, json!({ "post": true }));
        } else if query.contains("hello(name: $name)") {
            let name = variables["name"].as_str().unwrap_or("nobody");
            self.result(id, json!({ "hello": format!("hello {name}") }));
        } else if query.contains("hangUp") {
            self.result(id, json!({ "hangUp": true }));
            self.hang_up(4321, "back soon");
        } else {
            let errors = json!([{ "message": "there is no such field" }]);
            self.say(json!({ "id": id, "type": "error", "payload": errors }));
        }
    }

    fn result(&self, id: &Value, data: Value) {
        self.next(id, data);
        self.say(json!({ "id": id, "type": "complete" }));
    }

    fn next(&self, id: &Value, data: Value) {
        self.say(json!({ "id": id, "type": "next", "payload": { "data": data } }));
    }

    fn say(&self, message: Value) {
        // Refused only when the session has ended, and then nobody listens.
        let _ = self.socket.try_send(message.to_string());
    }

    fn hang_up(&self, code: u16, text: &str) {
        let code = CloseCode::application(code).expect("an application's code");
        self.socket.close(CloseReason::new(code, text));
    }
}
