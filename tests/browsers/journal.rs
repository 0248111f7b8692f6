//! What the page and the app have told of one run.

use std::time::Duration;

use anywire::CloseReason;
use tokio::sync::watch;
use tokio::time::timeout;

/// Shared by those who tell and the one who waits.
#[derive(Default)]
pub struct Journal(watch::Sender<Record>);

/// All that was told so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Whether the engine has asked for the page.
    pub is_loaded: bool,
    /// What the engine calls itself.
    pub user_agent: String,
    /// The page's steps, in order.
    pub steps: Vec<Step>,
    /// What was wrong outside the steps, by the page and by the app.
    pub errors: Vec<String>,
    /// The app's judgement of what came up in each step, in order.
    pub heard: Vec<Heard>,
    /// How many sessions have opened.
    pub opened: usize,
    /// Which sessions have ended and why, in the order in which they opened.
    pub closed: Vec<(usize, CloseReason)>,
    /// How many sessions live that the page has closed as soon as it opened them.
    pub abandoned: usize,
    /// How many connections were cut.
    pub cut: usize,
    /// How many bodies were refused in each step that has some refused.
    pub refused: Vec<u32>,
    /// What clients have said of themselves beside their requests, without what they repeat.
    pub credentials: Vec<String>,
    /// How many requests of sessions came with cookies, and how many without.
    pub with_cookies: usize,
    /// See `with_cookies`.
    pub without_cookies: usize,
    /// The page's own verdict, once it has ended.
    pub end: Option<End>,
}

impl Record {
    /// What carried the session in the end, if anything did. After a cut a step may be over before the transport is
    /// proven again; the one after it tells.
    pub fn reached(&self) -> Option<&str> {
        let tells = |step: &&Step| !step.transport.is_empty() && step.name != "resumed";
        let last = self.steps.iter().rev().find(tells)?;
        Some(&last.transport)
    }
}

/// A step, as the page tells of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which one.
    pub name: String,
    /// `ok`, `failed` or `skipped`.
    pub result: String,
    /// How long it took.
    pub ms: u64,
    /// What carried the session at its end.
    pub transport: String,
    /// What went wrong, or why it was skipped.
    pub detail: String,
}

/// What came up in a step, as the app judges it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Which step.
    pub step: String,
    /// How the messages differ from those that were sent.
    pub wrong: Vec<String>,
}

/// How the page ended.
#[derive(Clone, Debug)]
pub struct End {
    /// Whether all its steps went well.
    pub is_passed: bool,
    /// How the client came to its transport, in its own words.
    pub trace: String,
}

impl Journal {
    /// Notes something.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        self.0.send_modify(change);
    }

    /// Notes what the page has sent: fields between tabs, the first of which says what they are.
    pub fn note_report(&self, report: &str) {
        let fields: Vec<_> = report.split('\t').map(str::to_owned).collect();
        self.note(|record| match fields.as_slice() {
            [kind, user_agent] if kind == "about" => record.user_agent.clone_from(user_agent),
            [kind, name, result, ms, transport, detail] if kind == "step" => {
                record.steps.push(Step {
                    name: name.clone(),
                    result: result.clone(),
                    ms: ms.parse().unwrap_or(0),
                    transport: transport.clone(),
                    detail: detail.clone(),
                });
            }
            [kind, verdict, trace] if kind == "end" => {
                record.end = Some(End {
                    is_passed: verdict == "passed",
                    trace: trace.clone(),
                });
            }
            _ => record.errors.push(fields.join(" ")),
        });
    }

    /// Waits until enough was told, or for so long; returns what was told by then.
    pub async fn wait(&self, within: Duration, is_enough: impl FnMut(&Record) -> bool) -> Record {
        let mut record = self.0.subscribe();
        // What is missing in time is missing in the record too, and judged there.
        let _ = timeout(within, record.wait_for(is_enough)).await;
        record.borrow().clone()
    }
}
