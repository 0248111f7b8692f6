//! A real headless Chromium for tests: starts it, opens pages, ends it. What can be asked of a page
//! is left to `page`, what the messages on the pipe look like to `pipe`.
//!
//! It speaks the DevTools protocol over a pipe and not over a port, so nothing has to be parsed from a log, no
//! port can clash, and the browser ends when the test does. Everything here runs on real time: under a paused
//! clock the deadlines would pass at once.

mod error;
mod journal;
mod page;
mod pipe;
mod process;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::task::JoinSet;

pub use self::{error::BrowserError, journal::ConsoleLine, page::Page};
use self::{pipe::Pipe, process::Process};

/// One Chromium with a profile of its own; it ends when this is dropped, and its pages with it.
///
/// It belongs to the runtime that launched it, so a test launches its own.
#[derive(Debug)]
pub struct Browser {
    pipe: Arc<Pipe>,
    /// The reader and the writer of the pipe; dropping them stops both.
    _tasks: JoinSet<()>,
    /// Dropped last, when nobody uses the pipe any more.
    process: Process,
}

/// How a page is opened; the default is an empty light page of 1,280 by 800.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// What is loaded.
    pub url: String,
    /// A script that runs in every document of the page before the document's own scripts do.
    pub before_load: Option<String>,
    /// Width and height of the viewport in CSS pixels; a CSS pixel is one pixel of a screenshot.
    pub window: (u32, u32),
    /// A proxy for this page alone, such as `http://127.0.0.1:8080`. Loopback addresses go through it too,
    /// which Chromium would otherwise spare.
    pub proxy: Option<String>,
    /// Whether the page is told that its reader prefers dark colours.
    pub dark: bool,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            url: "about:blank".to_owned(),
            before_load: None,
            window: (1_280, 800),
            proxy: None,
            dark: false,
        }
    }
}

impl Browser {
    /// Starts Chromium and waits until it answers.
    ///
    /// The environment variable `CHROMIUM` is the path of the program; without it `chromium`, `chromium-browser` and
    /// `google-chrome` are looked for in the path.
    ///
    /// # Errors
    /// [`BrowserError::Missing`]: install what it says. [`BrowserError::Launch`]: its text ends with what
    /// Chromium itself printed.
    pub async fn launch() -> Result<Self, BrowserError> {
        let (process, input, output) = Process::start()?;
        let mut tasks = JoinSet::new();
        let pipe = Pipe::open(input, output, &mut tasks);
        match pipe
            .command_within(LAUNCH_DEADLINE, None, "Browser.getVersion", json!({}))
            .await
        {
            Ok(_) => Ok(Self {
                pipe,
                _tasks: tasks,
                process,
            }),
            Err(error) => Err(BrowserError::Launch(format!(
                "{error}: {}",
                process.last_words()
            ))),
        }
    }

    /// Opens `url` in a browser context of its own and waits until it has loaded.
    ///
    /// # Errors
    /// [`BrowserError::Navigation`] when the address cannot be loaded; the others mean a broken browser.
    pub async fn page(&self, url: impl Into<String>) -> Result<Page, BrowserError> {
        self.page_with(PageOptions {
            url: url.into(),
            ..PageOptions::default()
        })
        .await
    }

    /// Opens a page as `options` say, and waits until it has loaded.
    ///
    /// Cookies, storage, cache and sockets are shared with no other page.
    ///
    /// # Errors
    /// Those of [`page`](Self::page).
    pub async fn page_with(&self, options: PageOptions) -> Result<Page, BrowserError> {
        let mut context = json!({});
        if let Some(proxy) = &options.proxy {
            context["proxyServer"] = json!(proxy);
            context["proxyBypassList"] = json!("<-loopback>");
        }
        let context = self
            .ask("Target.createBrowserContext", context, "browserContextId")
            .await?;
        self.tab(context, &options).await
    }

    /// Opens `url` in the browser context of another page, as a second tab: both share cookies and storage.
    ///
    /// # Errors
    /// Those of [`page`](Self::page).
    pub async fn tab_beside(&self, page: &Page, url: &str) -> Result<Page, BrowserError> {
        let options = PageOptions {
            url: url.to_owned(),
            ..PageOptions::default()
        };
        self.tab(page.context().to_owned(), &options).await
    }

    /// Kills it, as a crash or a reader without patience does: nothing in it learns that it ends.
    pub fn kill(mut self) {
        self.process.kill();
    }

    async fn tab(&self, context: String, options: &PageOptions) -> Result<Page, BrowserError> {
        // The page begins empty, so that its log, script and size are in place before the first byte of `url`.
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.ask("Target.createTarget", target, "targetId").await?;
        let attach = json!({ "targetId": target, "flatten": true });
        let session = self
            .ask("Target.attachToTarget", attach, "sessionId")
            .await?;
        let page = Page::attached(Arc::clone(&self.pipe), context, target, session);
        page.prepare(options).await?;
        page.navigate(&options.url).await?;
        Ok(page)
    }

    async fn ask(&self, method: &str, params: Value, name: &str) -> Result<String, BrowserError> {
        let answer = self.pipe.command(None, method, params).await?;
        Ok(serde_json::from_value(answer[name].clone())?)
    }
}

impl Drop for Browser {
    /// Pages that outlive the browser learn at once that it is gone.
    fn drop(&mut self) {
        self.pipe.close();
    }
}

/// A cold start on a busy machine takes seconds; a start that takes longer than this will not come.
const LAUNCH_DEADLINE: Duration = Duration::from_secs(60);
