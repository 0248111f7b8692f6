//! What clients, apps and the store have seen, and what is wrong with it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_protocol::{CloseReason, Message, SessionId};

use super::clock;
use super::machines::Machine;

/// What all have seen; clones are the same ledger.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Seen>>);

/// What there is to judge at the end.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) trace: Vec<String>,
    /// What is wrong whatever else happens.
    pub(super) wrong: Vec<String>,
    pub(super) runs: Vec<Run>,
    pub(super) clients: Vec<ClientSeen>,
    sessions: HashMap<SessionId, usize>,
    /// What was published, in the store's order.
    pub(super) published: Vec<Message>,
    /// Gaps that nodes' apps were told of.
    pub(super) gaps: Vec<(Process, Option<u64>)>,
}

/// A process of a node, of all that there have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) machine: Machine,
    pub(super) number: usize,
}

/// The app's part of one session: from its begin to its end.
pub(super) struct Run {
    pub(super) client: usize,
    pub(super) process: Process,
    /// How many messages it has handled, and sent.
    pub(super) heard: u64,
    pub(super) sent: u64,
    pub(super) ends: Vec<CloseReason>,
}

/// A client's part.
#[derive(Clone, Default)]
pub(super) struct ClientSeen {
    /// The run that it hears from.
    pub(super) run: Option<usize>,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) heard: u64,
    /// What came of the topic, by its places in what was published.
    pub(super) topic: Vec<usize>,
    pub(super) has_opened: bool,
    pub(super) end: Option<Ended>,
}

/// How a client's part has ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It has closed, and the server has heard.
    Closed,
    /// It went away without a word.
    Left,
    /// It was told.
    Told(CloseReason, Duration),
}

impl Ledger {
    pub(super) fn add_client(&self, session: SessionId) -> usize {
        let mut seen = self.lock();
        let client = seen.clients.len();
        seen.clients.push(ClientSeen::default());
        seen.sessions.insert(session, client);
        client
    }

    pub(super) fn note(&self, text: impl AsRef<str>) {
        self.lock().note(text.as_ref());
    }

    pub(super) fn wrong(&self, text: String) {
        self.lock().wrong(text);
    }

    /// An app has a new session; returns the number of its run.
    pub(super) fn begin(&self, session: SessionId, process: Process) -> usize {
        let mut seen = self.lock();
        let client = seen.sessions[&session];
        let run = seen.runs.len();
        seen.note(&format!("client {client}: run {run} begins at {process:?}"));
        seen.runs.push(Run {
            client,
            process,
            heard: 0,
            sent: 0,
            ends: Vec::new(),
        });
        run
    }

    /// The app has handled a message.
    pub(super) fn app_heard(&self, run: usize, message: &Message) {
        let mut seen = self.lock();
        let (client, expected) = (seen.runs[run].client, seen.runs[run].heard);
        if message.as_text() != Some(&up(client, expected)) {
            seen.wrong(format!("run {run}: {message:?}, not up {expected}"));
        }
        seen.runs[run].heard = expected + 1;
    }

    /// The next message that the app sends.
    pub(super) fn app_sends(&self, run: usize) -> Message {
        let seen = self.lock();
        down(run, seen.runs[run].sent)
    }

    pub(super) fn app_sent(&self, run: usize) {
        self.lock().runs[run].sent += 1;
    }

    /// A run has ended for the app.
    pub(super) fn end(&self, run: usize, reason: CloseReason) {
        let mut seen = self.lock();
        seen.note(&format!("run {run} ends: {reason}"));
        seen.runs[run].ends.push(reason);
    }

    pub(super) fn client(&self, client: usize, change: impl FnOnce(&mut ClientSeen)) {
        change(&mut self.lock().clients[client]);
    }

    /// A client has received a message.
    pub(super) fn client_heard(&self, client: usize, message: &Message) {
        let mut seen = self.lock();
        if let Some(place) = seen.published.iter().position(|other| other == message) {
            if seen.clients[client]
                .topic
                .last()
                .is_some_and(|last| *last >= place)
            {
                seen.wrong(format!(
                    "client {client}: {message:?} of the topic again, or late"
                ));
            }
            return seen.clients[client].topic.push(place);
        }
        let text = message.as_text().unwrap_or_default();
        let run = text.split(':').nth(1).and_then(|run| run.parse().ok());
        let ClientSeen {
            run: known, heard, ..
        } = seen.clients[client];
        if known.is_some() && known != run {
            seen.wrong(format!("client {client}: {text} after run {known:?}"));
        } else if run.is_none_or(|run| *message != down(run, heard)) {
            seen.wrong(format!("client {client}: {text}, not down {heard}"));
        }
        seen.clients[client].run = run;
        seen.clients[client].heard = heard + 1;
    }

    pub(super) fn client_ends(&self, client: usize, end: Ended) {
        let mut seen = self.lock();
        seen.note(&format!("client {client}: {end:?}"));
        seen.clients[client].end = Some(end);
    }

    pub(super) fn published(&self, message: &Message) {
        self.lock().published.push(message.clone());
    }

    pub(super) fn gap(&self, process: Process, missing: Option<u64>) {
        let mut seen = self.lock();
        seen.note(&format!("{process:?} is told of a gap of {missing:?}"));
        seen.gaps.push((process, missing));
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn note(&mut self, text: &str) {
        let mut line = String::new();
        // A string takes all that is written.
        let _ = write!(line, "{:8.3} {text}", clock::now().as_secs_f64());
        self.trace.push(line);
    }

    pub(super) fn wrong(&mut self, text: String) {
        self.note(&format!("WRONG {text}"));
        self.wrong.push(text);
    }
}

/// What a client sends.
pub(super) fn up(client: usize, number: u64) -> String {
    format!("up:{client}:{number}")
}

fn down(run: usize, number: u64) -> Message {
    Message::text(format!("down:{run}:{number}"))
}
