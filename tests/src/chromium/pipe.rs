//! The DevTools pipe: commands go out with an id, answers come back by it, and events reach the page that they
//! are about. What a command means is left to its caller.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{ChildStdin, ChildStdout},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{BrowserError, journal::Journal};

/// What a command is answered with: its result, or the browser's text about why not.
type Answer = Result<Value, String>;

/// The one pipe of a browser, held by the browser and by its pages.
#[derive(Debug)]
pub(super) struct Pipe {
    next_id: AtomicU64,
    outgoing: mpsc::Sender<Vec<u8>>,
    /// `None` once the browser has ended: nobody may wait for an answer from then on.
    expected: Mutex<Option<Expected>>,
}

#[derive(Debug, Default)]
struct Expected {
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    journals: HashMap<String, Arc<Journal>>,
}

impl Pipe {
    /// Begins to speak over the pipe; the reader and the writer live as long as `tasks`.
    pub(super) fn open(
        mut input: ChildStdin,
        output: ChildStdout,
        tasks: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let (outgoing, mut queue) = mpsc::channel::<Vec<u8>>(OUTGOING_COMMANDS);
        let pipe = Arc::new(Self {
            next_id: AtomicU64::new(1),
            outgoing,
            expected: Mutex::new(Some(Expected::default())),
        });
        tasks.spawn(async move {
            while let Some(command) = queue.recv().await {
                if input.write_all(&command).await.is_err() {
                    return;
                }
            }
        });
        tasks.spawn(Arc::clone(&pipe).read(output));
        pipe
    }

    /// Sends a command and waits for its answer for the usual time.
    pub(super) async fn command(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, BrowserError> {
        self.command_within(COMMAND_DEADLINE, session, method, params)
            .await
    }

    /// Sends a command and waits for its answer; `session` is the page it is for, or the browser itself.
    pub(super) async fn command_within(
        &self,
        deadline: Duration,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, BrowserError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        let mut command = command.to_string().into_bytes();
        command.push(0);
        let (answer, answered) = oneshot::channel();
        self.expected()
            .as_mut()
            .ok_or(BrowserError::Gone)?
            .answers
            .insert(id, answer);

        let until = Instant::now() + deadline;
        let exchange = async {
            self.outgoing
                .send(command)
                .await
                .map_err(|_| BrowserError::Gone)?;
            answered.await.map_err(|_| BrowserError::Gone)
        };
        let outcome = timeout_at(until, exchange).await;
        if outcome.is_err()
            && let Some(expected) = self.expected().as_mut()
        {
            expected.answers.remove(&id);
        }
        let method = method.to_owned();
        match outcome {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(text))) => Err(BrowserError::Refused { method, text }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BrowserError::Deadline {
                method,
                waited: deadline,
            }),
        }
    }

    /// From now on events of `session` are written into `journal`.
    pub(super) fn follow(&self, session: &str, journal: Arc<Journal>) {
        if let Some(expected) = self.expected().as_mut() {
            expected.journals.insert(session.to_owned(), journal);
        }
    }

    /// Forgets the journal of `session`.
    pub(super) fn unfollow(&self, session: &str) {
        if let Some(expected) = self.expected().as_mut() {
            expected.journals.remove(session);
        }
    }

    /// Lets go of everybody who waits: the browser will not answer any more.
    pub(super) fn close(&self) {
        // Taken in one line and dropped in another, so that nobody is woken under the lock.
        let waiting = self.expected().take();
        drop(waiting);
    }

    async fn read(self: Arc<Self>, output: ChildStdout) {
        let mut output = BufReader::new(output);
        let mut message = Vec::new();
        while output
            .read_until(0, &mut message)
            .await
            .is_ok_and(|bytes| bytes > 0)
        {
            message.pop_if(|last| *last == 0);
            // Half a message comes only when the browser ends in the middle of it.
            if let Ok(message) = serde_json::from_slice(&message) {
                self.dispatch(message);
            }
            message.clear();
        }
        self.close();
    }

    fn dispatch(&self, mut message: Value) {
        if let Some(id) = message["id"].as_u64() {
            let waiting = self
                .expected()
                .as_mut()
                .and_then(|expected| expected.answers.remove(&id));
            let answer = match message.get("error") {
                Some(error) => Err(error["message"].as_str().unwrap_or_default().to_owned()),
                None => Ok(message["result"].take()),
            };
            // Nobody waits for the answer of a command whose caller was dropped.
            if let Some(waiting) = waiting {
                let _ = waiting.send(answer);
            }
        } else if let Some(session) = message["sessionId"].as_str() {
            let journal = self
                .expected()
                .as_ref()
                .and_then(|expected| expected.journals.get(session).cloned());
            if let Some(journal) = journal {
                journal.record(
                    message["method"].as_str().unwrap_or_default(),
                    &message["params"],
                );
            }
        }
    }

    fn expected(&self) -> MutexGuard<'_, Option<Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Far more than any sane command needs, also on a machine that compiles meanwhile.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);
/// Commands that wait to be written. A caller waits for room within its own deadline.
const OUTGOING_COMMANDS: usize = 16;
