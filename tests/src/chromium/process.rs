//! The Chromium process and its directory: both begin and end together. What is said over the pipe is left to
//! `pipe`.

use std::{
    env,
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tokio::process::{ChildStdin, ChildStdout};

use super::BrowserError;
use crate::directory::Directory;

/// A running Chromium, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Dropped after the child has ended, which writes into it until then.
    directory: Directory,
}

impl Process {
    /// Starts Chromium; gives what it reads commands from and what it writes answers to.
    pub(super) fn start() -> Result<(Self, ChildStdin, ChildStdout), BrowserError> {
        let program = find().ok_or(BrowserError::Missing)?;
        let directory = Directory::fresh("chromium")?;
        // Chromium reads commands from descriptor 3 and answers on 4. A child can be given those without
        // unsafe code only by a shell, which moves its own standard input and output there and becomes it.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(program)
            .args(FLAGS)
            .arg(format!(
                "--user-data-dir={}",
                directory.file("profile").display()
            ))
            // What it keeps outside its profile goes where it is removed too.
            .env("TMPDIR", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.file(LOG))?)
            .spawn()?;
        let input = child.stdin.take().expect("standard input is piped");
        let output = child.stdout.take().expect("standard output is piped");
        // From here on an error drops the child, and thereby kills it.
        let process = Self { child, directory };
        Ok((
            process,
            ChildStdin::from_std(input)?,
            ChildStdout::from_std(output)?,
        ))
    }

    /// The end of what Chromium printed, for the text of an error.
    pub(super) fn last_words(&self) -> String {
        self.directory.last_words(LOG)
    }
}

impl Process {
    pub(super) fn kill(&mut self) {
        // Both fail only if it has ended already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH")?;
    NAMES.iter().find_map(|name| {
        env::split_paths(&path)
            .map(|place| place.join(name))
            .find(|program| program.is_file())
    })
}

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

const FLAGS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Containers often give the usual place for shared memory 64 MiB, in which a page crashes.
    "--disable-dev-shm-usage",
    // Several pages of one test are all in front: a page that is not would have its timers slowed.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--remote-debugging-pipe",
    "--disable-breakpad",
];

/// What it prints goes to this file of its directory.
const LOG: &str = "printed";
