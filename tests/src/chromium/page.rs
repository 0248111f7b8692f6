//! A page: what a test asks of it. How the questions travel is left to `pipe`, what the page says unasked to
//! `journal`.

use std::{path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    BrowserError, PageOptions,
    journal::{ConsoleLine, Journal, exception_text},
    pipe::Pipe,
};

/// A page of a [`Browser`](super::Browser), alone in its browser context.
///
/// It stays open until [`close`](Self::close) or the end of its browser; dropping it closes nothing.
#[derive(Debug)]
pub struct Page {
    pipe: Arc<Pipe>,
    context: String,
    target: String,
    session: String,
    journal: Arc<Journal>,
}

impl Page {
    pub(super) fn attached(
        pipe: Arc<Pipe>,
        context: String,
        target: String,
        session: String,
    ) -> Self {
        let journal = Arc::new(Journal::default());
        pipe.follow(&session, Arc::clone(&journal));
        Self {
            pipe,
            context,
            target,
            session,
            journal,
        }
    }

    /// The browser context that it lives in.
    pub(super) fn context(&self) -> &str {
        &self.context
    }

    pub(super) async fn prepare(&self, options: &PageOptions) -> Result<(), BrowserError> {
        self.send("Runtime.enable", json!({})).await?;
        self.send("Page.enable", json!({})).await?;
        self.send("Page.setLifecycleEventsEnabled", json!({ "enabled": true }))
            .await?;
        if options.url.starts_with("https:") {
            // Nobody signs the certificates of tests.
            let ignore = json!({ "ignore": true });
            self.send("Security.setIgnoreCertificateErrors", ignore)
                .await?;
        }
        let (width, height) = options.window;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.send("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        // Said for light too, so that the machine's own taste does not decide what a test sees.
        let scheme = if options.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.send(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await?;
        if let Some(source) = &options.before_load {
            let script = json!({ "source": source });
            self.send("Page.addScriptToEvaluateOnNewDocument", script)
                .await?;
        }
        Ok(())
    }

    /// Loads `url` in this page and waits until its load event is over.
    ///
    /// # Errors
    /// [`BrowserError::Navigation`] when the address cannot be loaded, [`BrowserError::Deadline`] when the load
    /// event does not come: something that the document needs is never answered.
    pub async fn navigate(&self, url: &str) -> Result<(), BrowserError> {
        let answer = self.send("Page.navigate", json!({ "url": url })).await?;
        if let Some(text) = answer["errorText"].as_str() {
            return Err(BrowserError::Navigation {
                url: url.to_owned(),
                text: text.to_owned(),
            });
        }
        // Another place in the same document has no loader, and nothing to wait for.
        let Some(loader) = answer["loaderId"].as_str() else {
            return Ok(());
        };
        let mut loads = self.journal.loads();
        let outcome = timeout(
            LOAD_DEADLINE,
            loads.wait_for(|loaded| loaded.contains(loader)),
        )
        .await;
        // The inner result is always `Ok`: the sender lives in the journal, which this page holds.
        outcome.map(|_| ()).map_err(|_| BrowserError::Deadline {
            method: format!("the load event of {url}"),
            waited: LOAD_DEADLINE,
        })
    }

    /// Evaluates an expression in the page, awaits it if it is a promise, and gives its value.
    ///
    /// The value travels as JSON: `undefined`, `NaN` and infinities arrive as `null`.
    ///
    /// # Errors
    /// [`BrowserError::Thrown`] with the text of the exception, [`BrowserError::Answer`] when the value is not a
    /// `T`, [`BrowserError::Refused`] when the page was left meanwhile.
    pub async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Result<T, BrowserError> {
        self.evaluate_within(EVALUATE_DEADLINE, expression).await
    }

    /// Waits until a boolean expression is true; it is asked again every 20 ms inside the page.
    ///
    /// An expression that throws counts as not yet true, so it may name things that are still to come.
    ///
    /// # Errors
    /// [`BrowserError::Thrown`] when it is not true by the deadline: the text has the expression and what it
    /// last threw, if it did. [`BrowserError::Refused`] when the page was left meanwhile.
    pub async fn wait_for(&self, expression: &str, deadline: Duration) -> Result<(), BrowserError> {
        let label = json!(expression);
        let deadline_ms = deadline.as_millis();
        // The line break ends a comment that the expression may end with.
        let waiting = format!(
            "new Promise((resolve, reject) => {{
                let thrown = '';
                const isTrue = () => {{
                    try {{ thrown = ''; return Boolean({expression}
                    ); }} catch (error) {{ thrown = ', it threw ' + error; return false; }}
                }};
                if (isTrue()) return resolve(null);
                const until = performance.now() + {deadline_ms};
                const timer = setInterval(() => {{
                    if (isTrue()) {{ clearInterval(timer); resolve(null); }}
                    else if (performance.now() >= until) {{
                        clearInterval(timer);
                        reject(new Error('not true within {deadline_ms} ms: ' + {label} + thrown));
                    }}
                }}, 20);
            }})"
        );
        self.evaluate_within(deadline + EVALUATE_DEADLINE, &waiting)
            .await
    }

    /// Writes a PNG of the viewport to `path`.
    ///
    /// # Errors
    /// [`BrowserError::Io`] when the file cannot be written.
    pub async fn screenshot(&self, path: impl AsRef<Path>) -> Result<(), BrowserError> {
        let answer = self
            .send("Page.captureScreenshot", json!({ "format": "png" }))
            .await?;
        let picture = STANDARD
            .decode(answer["data"].as_str().unwrap_or_default())
            .map_err(|error| BrowserError::Io(std::io::Error::other(error)))?;
        // Awaited without a deadline of its own: a local file either takes it or fails.
        Ok(tokio::fs::write(path, picture).await?)
    }

    /// What the page wrote to its console, and the exceptions that nobody caught, oldest first.
    ///
    /// Only the first 10,000 lines are kept.
    pub fn console(&self) -> Vec<ConsoleLine> {
        self.journal.console()
    }

    /// Sends any other DevTools command to this page and gives its result.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] with the browser's text.
    pub async fn send(&self, method: &str, params: Value) -> Result<Value, BrowserError> {
        self.pipe.command(Some(&self.session), method, params).await
    }

    /// Closes the page as a reader closes a tab, and then forgets its cookies and storage.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when the page has closed itself.
    pub async fn close(self) -> Result<(), BrowserError> {
        let (pipe, context) = (Arc::clone(&self.pipe), self.context.clone());
        self.close_tab().await?;
        let context = json!({ "browserContextId": context });
        pipe.command(None, "Target.disposeBrowserContext", context)
            .await?;
        Ok(())
    }

    /// Closes the page as a reader closes a tab: what it sends as it goes still goes.
    ///
    /// # Errors
    /// Those of [`Page::close`].
    pub async fn close_tab(self) -> Result<(), BrowserError> {
        let target = json!({ "targetId": self.target });
        self.pipe
            .command(None, "Target.closeTarget", target)
            .await?;
        self.pipe.unfollow(&self.session);
        Ok(())
    }

    async fn evaluate_within<T: DeserializeOwned>(
        &self,
        deadline: Duration,
        expression: &str,
    ) -> Result<T, BrowserError> {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let session = Some(self.session.as_str());
        let mut answer = self
            .pipe
            .command_within(deadline, session, "Runtime.evaluate", params)
            .await?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(BrowserError::Thrown(exception_text(details))),
            None => Ok(serde_json::from_value(answer["result"]["value"].take())?),
        }
    }
}

const EVALUATE_DEADLINE: Duration = Duration::from_secs(30);
const LOAD_DEADLINE: Duration = Duration::from_secs(30);
