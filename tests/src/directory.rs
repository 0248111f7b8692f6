//! A fresh directory for what a child process writes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// A fresh directory under the system's own for such things, removed when dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A new one, of whose name `owner` is a part.
    ///
    /// # Errors
    /// It cannot be made: see whether there is room where the system keeps such things.
    pub fn fresh(owner: &str) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!("anywire-{owner}-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left by a killed process whose id this one has now.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it, which may not be there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The end of a file in it, for the text of an error.
    pub fn last_words(&self, name: &str) -> String {
        let printed = fs::read(self.file(name)).unwrap_or_default();
        let end = &printed[printed.len().saturating_sub(MAX_LAST_WORDS_BYTES)..];
        String::from_utf8_lossy(end).trim().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A child's own children see its end a moment later than we do, and may write until then. Nothing
        // tells us of theirs, so this is the one place that tries again.
        for _ in 0..REMOVE_ATTEMPTS {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            thread::sleep(REMOVE_PAUSE);
        }
    }
}

const MAX_LAST_WORDS_BYTES: usize = 2_000;
const REMOVE_ATTEMPTS: u32 = 100;
const REMOVE_PAUSE: Duration = Duration::from_millis(20);
