//! The server's side of the steps: sends what the page expects, and compares what comes up with what was sent.

use std::sync::Arc;

use anywire::{CloseCode, CloseReason, Message, Sender, Socket, SocketEvent};
use tokio::sync::watch;

use crate::journal::{Heard, Journal};
use crate::samples;

/// What the page closes with.
pub const PAGE_CLOSE: (u16, &str) = (3_000, "the page: caf\u{e9} \u{2713}");
/// What the app closes with, as `!close` asks it to.
pub const APP_CLOSE: (u16, &str) = (4_899, "the app: caf\u{e9} \u{2713}");

/// What the app closes with, as `!restart` asks it to.
pub const RESTART: (CloseCode, &str) = (CloseCode::RESTART, "the app: again");

/// What the app puts a client out with, as `!revoke` asks it to.
pub const REVOKED: (CloseCode, &str) = (CloseCode::REVOKED, "the app: out with you");

/// What the page says of itself: first, and when it is asked again. One lets it in for a short term, the other for good.
pub const CREDENTIALS: [&str; 2] = [
    "short: caf\u{e9} \u{2713} \u{1f600}",
    "fresh: caf\u{e9} \u{2713} \u{1f600}",
];

/// The sub-protocol of sessions that the page closes as soon as it opens them.
pub const ABANDONED: &str = "abandoned";

/// The sub-protocol of sessions that the app closes as soon as they open.
pub const CLOSES: &str = "closes";

/// The last of the page's sixteen sub-protocols, which alone the server knows; shorter where they must fit an address.
pub fn last_sub_protocol(bytes: usize) -> String {
    format!("p15{}", "x".repeat(bytes - 3))
}

/// How long they are: together longer than a small limit on opens would bear.
pub const SUB_PROTOCOL_BYTES: [usize; 2] = [300, 60];

/// What is on its way up in a step.
struct Upward {
    step: String,
    expected: Vec<Message>,
    received: usize,
    wrong: Vec<String>,
}

/// Serves one session. `cut` counts how often connections were cut.
pub async fn serve(mut socket: Socket, journal: Arc<Journal>, cut: watch::Receiver<usize>) {
    if socket.protocol() == ABANDONED {
        journal.note(|record| record.abandoned += 1);
        while socket.recv().await.is_some() {}
        journal.note(|record| record.abandoned -= 1);
        return;
    }
    let mut number = 0;
    journal.note(|record| {
        number = record.opened;
        record.opened += 1;
    });
    if socket.protocol() == CLOSES {
        socket.close(app_close());
    }
    let mut upward: Option<Upward> = None;
    while let Some(event) = socket.next().await {
        let message = match event {
            SocketEvent::Message(message) => message,
            SocketEvent::Grant(_) => {
                // The session may have ended since; then the loop does too.
                let _ = socket.send("!renewed").await;
                continue;
            }
            _ => continue,
        };
        let text = message.as_text().unwrap_or_default();
        if text == "!close" {
            socket.close(app_close());
        } else if text == "!restart" {
            socket.close(CloseReason::new(RESTART.0, RESTART.1));
        } else if text == "!revoke" {
            socket.revoke(REVOKED.1);
        } else if let Some(step) = text.strip_prefix("!step ") {
            let Some(expected) = samples::of(step) else {
                journal.note(|record| record.errors.push(format!("unknown step {step}")));
                continue;
            };
            tokio::spawn(send(
                socket.sender(),
                step.to_owned(),
                expected.clone(),
                cut.clone(),
            ));
            upward = Some(Upward::new(step, expected));
        } else if let Some(current) = &mut upward {
            if current.take(&message) {
                let heard = Heard {
                    step: current.step.clone(),
                    wrong: std::mem::take(&mut current.wrong),
                };
                journal.note(|record| record.heard.push(heard));
                // The session may have ended since; then the loop does too.
                let _ = socket.send(format!("!heard {}", current.step)).await;
            }
        } else {
            journal.note(|record| record.errors.push(format!("the app got {message:?}")));
        }
    }
    let unfinished = upward.filter(|upward| upward.received != upward.expected.len());
    let reason = socket.close_reason().cloned();
    journal.note(|record| {
        record
            .errors
            .extend(unfinished.map(|upward| upward.describe()));
        record.closed.extend(reason.map(|reason| (number, reason)));
        // One session's end may be heard of after the next one's.
        record.closed.sort_by_key(|(number, _)| *number);
    });
}

fn app_close() -> CloseReason {
    let code = CloseCode::application(APP_CLOSE.0).expect("it is an application's");
    CloseReason::new(code, APP_CLOSE.1)
}

impl Upward {
    fn new(step: &str, expected: Vec<Message>) -> Self {
        Self {
            step: step.to_owned(),
            expected,
            received: 0,
            wrong: Vec::new(),
        }
    }

    /// Compares the next message; tells whether it was the last one.
    fn take(&mut self, message: &Message) -> bool {
        let wrong = match self.expected.get(self.received) {
            Some(expected) => samples::difference(expected, message),
            None => Some("one too many".into()),
        };
        self.wrong
            .extend(wrong.map(|wrong| format!("message {}: {wrong}", self.received)));
        self.received += 1;
        self.received == self.expected.len()
    }

    fn describe(&self) -> String {
        format!(
            "{} of {} messages of {} came up; wrong: {:?}",
            self.received,
            self.expected.len(),
            self.step,
            self.wrong
        )
    }
}

/// Sends a step's messages. Those of `resumed` are sent half before the connections are cut and half after.
async fn send(
    sender: Sender,
    step: String,
    messages: Vec<Message>,
    mut cut: watch::Receiver<usize>,
) {
    let half = messages.len() / 2;
    for (index, message) in messages.into_iter().enumerate() {
        if step == "resumed" && index == half && cut.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        if sender.send(message).await.is_err() {
            return;
        }
    }
}
