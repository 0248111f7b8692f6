//! What a page tells without being asked: its console, its uncaught exceptions, its loads. Asking it is left to
//! `page`.

use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use tokio::sync::watch;

/// One line of a page's console, or an exception that nobody caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    /// `log`, `warning`, `error` and so on as Chromium names them; `exception` for an uncaught one.
    pub kind: String,
    /// The arguments, joined by spaces.
    pub text: String,
}

impl fmt::Display for ConsoleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.text)
    }
}

/// What a page told without being asked.
#[derive(Debug, Default)]
pub(super) struct Journal {
    console: Mutex<Vec<ConsoleLine>>,
    /// The loader ids of the documents that have loaded. A page may load another one before we look, so all are kept.
    loaded: watch::Sender<HashSet<String>>,
}

impl Journal {
    /// Writes down an event, if it is one of those that a test can ask about.
    pub(super) fn record(&self, event: &str, params: &Value) {
        match event {
            "Runtime.consoleAPICalled" => {
                let texts: Vec<_> = params["args"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(value_text)
                    .collect();
                self.say(params["type"].as_str().unwrap_or_default(), texts.join(" "));
            }
            "Runtime.exceptionThrown" => {
                self.say("exception", exception_text(&params["exceptionDetails"]));
            }
            "Page.lifecycleEvent" if params["name"] == "load" => {
                let loader = params["loaderId"].as_str().unwrap_or_default().to_owned();
                self.loaded.send_modify(|loaded| {
                    loaded.insert(loader);
                });
            }
            // Events are named by the browser, and most are none of a test's business.
            _ => {}
        }
    }

    /// The lines so far, oldest first.
    pub(super) fn console(&self) -> Vec<ConsoleLine> {
        self.console
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The loader ids of the documents that have loaded, now and later.
    pub(super) fn loads(&self) -> watch::Receiver<HashSet<String>> {
        self.loaded.subscribe()
    }

    fn say(&self, kind: &str, text: String) {
        let mut console = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        if console.len() < MAX_CONSOLE_LINES {
            console.push(ConsoleLine {
                kind: kind.to_owned(),
                text,
            });
        }
    }
}

/// An exception has a description with its stack; a thrown value has only itself.
pub(super) fn exception_text(details: &Value) -> String {
    match details.get("exception") {
        Some(exception) => value_text(exception),
        None => details["text"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A value as the console shows it, from DevTools' description of it.
fn value_text(object: &Value) -> String {
    let shown = ["value", "unserializableValue", "description", "type"];
    match shown.iter().find_map(|name| object.get(*name)) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

const MAX_CONSOLE_LINES: usize = 10_000;
