//! What the app says of itself beside its requests, such as a token (PROTOCOL §10.10). When it is asked for again is left to
//! `driver/renewal.rs`.

use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anywire_protocol::{Credential, Loss, Outcome};
use tokio::sync::OnceCell;

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

/// One credential for the legs that open a session together: the app is asked once, unless it failed.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    credentials: Credentials,
    why: Why,
    asked: Arc<OnceCell<Credential>>,
}

impl Admission {
    pub(crate) fn new(credentials: Credentials, why: Why) -> Self {
        Self {
            credentials,
            why,
            asked: Arc::default(),
        }
    }

    pub(crate) async fn credential(&self) -> Result<Credential, Loss> {
        let asking = self
            .asked
            .get_or_try_init(|| self.credentials.ask(self.why));
        asking.await.cloned()
    }
}

/// No offer carries a longer one, whatever a server announces.
const MAX_CREDENTIAL_BYTES: usize = 8_192;
