//! One engine as a child process: installed by `install.sh`, started by `run.sh`, ended with all that it has started.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anywire_tests::directory::Directory;
use tokio::process::{Child, Command};

/// A running engine. End it with [`Engine::end`]; dropped, it ends too.
pub struct Engine {
    child: Child,
    directory: Directory,
}

/// Makes sure that an engine is there.
///
/// # Errors
/// It cannot be had; the text says what is missing.
pub async fn install(name: &str) -> Result<(), String> {
    let installed = Command::new(script("install.sh"))
        .arg(name)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?
        .wait_with_output()
        .await
        .map_err(|error| error.to_string())?;
    if installed.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&installed.stderr);
    Err(printed.trim().replace('\n', "; "))
}

impl Engine {
    /// Starts an engine on an address; it ends by itself after `limit`.
    ///
    /// # Errors
    /// It could not be started at all.
    pub fn start(name: &str, url: &str, limit: Duration) -> io::Result<Self> {
        let directory = Directory::fresh(name)?;
        let log = File::create(directory.file(LOG))?;
        let child = Command::new(script("run.sh"))
            .args([name, url, &limit.as_secs().to_string()])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, directory })
    }

    /// Waits until it ends by itself, which is before the page has told its verdict.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it and all that it has started; returns the end of what it printed.
    pub async fn end(mut self) -> String {
        if let Some(id) = self.child.id() {
            // The whole group. Its namespace, where it has one, ends with it.
            let _ = Command::new("kill")
                .args(["-KILL", "--", &format!("-{id}")])
                .stderr(Stdio::null())
                .status()
                .await;
        }
        let _ = self.child.wait().await;
        self.directory.last_words(LOG)
    }
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("browsers")
        .join(name)
}

/// What it prints goes to this file of its directory.
const LOG: &str = "printed";
