//! What the app says of itself beside its requests, such as a token (PROTOCOL §10.10). When it is asked for again is left to
//! `driver/renewal.rs`.

use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire_protocol::{Credential, Loss, Outcome};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::legs::Owned;

type Token = Result<String, Box<dyn Error + Send + Sync>>;
type Asking = Pin<Box<dyn Future<Output = Token> + Send>>;

/// What a credential is for; see [`ClientBuilder::credential`](crate::ClientBuilder::credential).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The first session is to be opened.
    Open,
    /// A new session is to follow one that has ended ([`ClientBuilder::reopen`](crate::ClientBuilder::reopen)).
    Reopen,
    /// What let the session in runs out soon: the session goes on if the server gets another in time.
    Expiring,
    /// A new session is to follow one that has ended because what let it in had run out (4935), or was not known (4966). A
    /// credential from before does not help.
    Expired,
}

/// The app's way to a credential.
#[derive(Clone)]
pub(crate) struct Credentials(Arc<dyn Fn(Why) -> Asking + Send + Sync>);

impl Credentials {
    pub(crate) fn new<F, Fut>(ask: F) -> Self
    where
        F: Fn(Why) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Token> + Send + 'static,
    {
        Self(Arc::new(move |why| Box::pin(ask(why))))
    }

    pub(crate) async fn ask(&self, why: Why) -> Result<Credential, Loss> {
        let failed = |what: String| Loss::new(Outcome::Failed, format!("credential: {what}"));
        let token = (self.0)(why)
            .await
            .map_err(|error| failed(error.to_string()))?;
        match token.len() {
            0 => Err(failed("it is empty".to_owned())),
            1..=MAX_CREDENTIAL_BYTES => Ok(Credential::new(token)),
            bytes => Err(failed(format!(
                "it has {bytes} bytes, and a server takes {MAX_CREDENTIAL_BYTES}"
            ))),
        }
    }
}

impl Debug for Credentials {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// One credential for the legs that open a session: the app is asked once, unless it failed. A leg that goes does not end the question.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    credentials: Credentials,
    why: Why,
    asked: Arc<Mutex<Option<Question>>>,
}

/// What the app is asked, until none waits for the answer.
#[derive(Debug)]
struct Question {
    _task: Owned,
    answer: watch::Receiver<Option<Answer>>,
}

/// What the app has said, and when.
type Answer = (Instant, Result<Credential, Loss>);

impl Question {
    fn ask(credentials: Credentials, why: Why) -> Self {
        let (tell, answer) = watch::channel(None);
        let task = Owned::spawn(async move {
            let said = timeout(QUESTION_WITHIN, credentials.ask(why)).await;
            let said =
                said.unwrap_or_else(|_| Err(Loss::new(Outcome::Failed, "credential: no answer")));
            let _ = tell.send(Some((Instant::now(), said)));
        });
        Self {
            _task: task,
            answer,
        }
    }

    fn has_failed(&self) -> bool {
        match &*self.answer.borrow() {
            Some((_, said)) => said.is_err(),
            // A task that panics says nothing.
            None => self.answer.has_changed().is_err(),
        }
    }
}

impl Admission {
    pub(crate) fn new(credentials: Credentials, why: Why) -> Self {
        Self {
            credentials,
            why,
            asked: Arc::default(),
        }
    }

    /// What the app says.
    ///
    /// Cancel safety: the question goes on, and the next call awaits the same answer.
    pub(crate) async fn credential(&self) -> Result<Credential, Loss> {
        let mut answer = {
            let mut asked = self.lock();
            asked.take_if(|question| question.has_failed());
            let question =
                asked.get_or_insert_with(|| Question::ask(self.credentials.clone(), self.why));
            question.answer.clone()
        };
        let said = answer.wait_for(Option::is_some).await;
        let said = said.ok().and_then(|said| said.clone());
        said.map_or_else(
            || Err(Loss::new(Outcome::Failed, "credential: a panic")),
            |(_, said)| said,
        )
    }

    /// Whether the app has said it too long ago for a leg that begins now.
    pub(crate) fn is_stale(&self) -> bool {
        let asked = self.lock();
        let answer = asked.as_ref().map(|question| question.answer.borrow());
        answer.is_some_and(|answer| answer.as_ref().is_some_and(|(at, _)| at.elapsed() >= FRESH))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 20 s: a question that the app has not answered by then has failed, and the next leg asks again.
const QUESTION_WITHIN: Duration = Duration::from_secs(20);

/// A leg that begins so long after the app has given a credential asks for one of its own.
const FRESH: Duration = Duration::from_secs(5);

/// No offer carries a longer one, whatever a server announces.
const MAX_CREDENTIAL_BYTES: usize = 8_192;
