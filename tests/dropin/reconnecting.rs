//! reconnecting-websocket, and a server that refuses the first attempt, echoes, and closes when it is told to.

use anywire::{CloseCode, CloseReason, Config, Denied, Principal, Server, Socket};
use anywire_tests::chromium::Browser;

use crate::stage::{Journal, Stage, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn reconnecting_websocket_cannot_tell_the_difference() {
    let browser = Browser::launch().await.expect("Chromium starts");
    for way in WAYS {
        let journal = Journal::new();
        let server = server(&journal);
        let stage = Stage::open(&browser, MOUNT, server.routes()).await;
        let told = stage.run("reconnecting", way).await;
        let (first, told) = told.split_first().expect("it told something");
        // A refused WebSocket does not say why, and Anywire tries again while the library waits: a difference that the
        // client's README lists. The close is the library's own.
        let reason = if way == "websocket" { "timeout" } else { "" };
        assert_eq!(*first, format!("close 1000 {reason} true"), "{way}");
        assert_eq!(told, TOLD, "{way}");
        assert_eq!(journal.sorted(SEEN.len()).await, SEEN, "{way}");
    }
}

const MOUNT: &str = "echo";

/// What the library tells, after the close of its first attempt.
const TOLD: [&str; 12] = [
    "error",
    "open 2 chat 1 \"\"",
    "queued é🦀, true true",
    "\"\", true true",
    "close 4321 as you wish true",
    "open 3 chat 1 \"\"",
    "after its close",
    "close 4000 by hand true",
    "open 4 chat 1 \"\"",
    "after ours",
    "close 1000  true",
    "url ?attempt=4",
];

/// What the server sees, sorted: three sessions, and no other.
const SEEN: [&str; 6] = [
    "closed 1000 ",
    "closed 4000 by hand",
    "closed 4321 as you wish",
    "opened chat",
    "opened chat",
    "opened chat",
];

fn server(journal: &Journal) -> Server {
    let config = Config::new()
        .mount(MOUNT)
        .protocols(["chat"])
        .allow_jsonp()
        .authorize(async |visitor| match visitor.query.as_str() {
            "attempt=1" => Err(Denied::forbidden("come again")),
            _ => Ok(Principal::new("anybody")),
        });
    let journal = journal.clone();
    Server::builder(config)
        .expect("the config is sound")
        .on_socket(move |socket| echo(socket, journal.clone()))
}

async fn echo(mut socket: Socket, journal: Journal) {
    journal.opened(socket.protocol());
    while let Some(message) = socket.recv().await {
        match message
            .as_text()
            .and_then(|text| text.strip_prefix("close:"))
        {
            Some(code) => {
                let code = CloseCode::application(code.parse().unwrap());
                socket.close(CloseReason::new(
                    code.expect("an application's"),
                    "as you wish",
                ));
            }
            // Refused only when the session has ended, and then nobody listens.
            None => drop(socket.try_send(message)),
        }
    }
    journal.closed(socket.close_reason().expect("it has ended"));
}
