//! The Chromium process and its directory: both begin and end together. What is said over the pipe is left to
//! `pipe`.

use std::{
    env,
    fs::{self, File},
    io,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tokio::process::{ChildStdin, ChildStdout};

use super::BrowserError;

/// A running Chromium, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Dropped after the child has ended, which writes into it until then.
    directory: Directory,
}

/// A fresh directory under the system's own for such things, removed when dropped.
#[derive(Debug)]
struct Directory(PathBuf);

impl Process {
    /// Starts Chromium; gives what it reads commands from and what it writes answers to.
    pub(super) fn start() -> Result<(Self, ChildStdin, ChildStdout), BrowserError> {
        let program = find().ok_or(BrowserError::Missing)?;
        let directory = Directory::fresh()?;
        // Chromium reads commands from descriptor 3 and answers on 4. A child can be given those without
        // unsafe code only by a shell, which moves its own standard input and output there and becomes it.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", directory.profile().display()))
            // What it keeps outside its profile goes where it is removed too.
            .env("TMPDIR", &directory.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.log())?)
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
        let printed = fs::read(self.directory.log()).unwrap_or_default();
        let end = &printed[printed.len().saturating_sub(MAX_LAST_WORDS_BYTES)..];
        String::from_utf8_lossy(end).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Directory {
    fn fresh() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!("anywire-chromium-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left by a killed process whose id this one has now.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn profile(&self) -> PathBuf {
        self.0.join("profile")
    }

    fn log(&self) -> PathBuf {
        self.0.join("printed")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Chromium's own children see its end a moment later than we do, and may write until then. Nothing
        // tells us of theirs, so this is the one place that tries again.
        for _ in 0..REMOVE_ATTEMPTS {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            thread::sleep(REMOVE_PAUSE);
        }
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

const MAX_LAST_WORDS_BYTES: usize = 2_000;
const REMOVE_ATTEMPTS: u32 = 100;
const REMOVE_PAUSE: Duration = Duration::from_millis(20);
