//! The headers of a connection: those that stay, and a credential that is asked for at each attach.

use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anywire_protocol::{Loss, Outcome};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

type Token = Result<String, Box<dyn Error + Send + Sync>>;
type Asking = Pin<Box<dyn Future<Output = Token> + Send>>;

/// What the app adds to each request.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    pub(crate) fixed: HeaderMap,
    pub(crate) token: Option<Arc<dyn Fn() -> Asking + Send + Sync>>,
}

impl Headers {
    pub(crate) fn ask_with<F, Fut>(&mut self, ask: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Token> + Send + 'static,
    {
        self.token = Some(Arc::new(move || Box::pin(ask())));
    }

    /// The headers for a connection that begins now.
    pub(crate) async fn now(&self) -> Result<HeaderMap, Loss> {
        let mut headers = self.fixed.clone();
        if let Some(ask) = &self.token {
            let failed = |why: String| Loss::new(Outcome::Failed, format!("token: {why}"));
            let token = ask().await.map_err(|error| failed(error.to_string()))?;
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| failed("it is no header value".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

impl Debug for Headers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Values may be secret.
        let names: Vec<_> = self.fixed.keys().collect();
        f.debug_struct("Headers")
            .field("names", &names)
            .finish_non_exhaustive()
    }
}
