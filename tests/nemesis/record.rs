//! What clients, nodes and the nemesis write down, each into a file of its own: a line a fact, with the time in milliseconds. The
//! verdict reads these files and nothing else.

use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that facts are appended to. Each is written at once, so that a process that is killed has written what it did.
pub struct Record(File);

impl Record {
    /// The file of this name in a directory.
    pub fn open(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.log"));
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map(Self)
    }

    /// Writes a fact down, which has no line break in it.
    ///
    /// # Panics
    /// The disk is full.
    pub fn write(&self, fact: Arguments<'_>) {
        self.write_line(&format!("{} {fact}", now()));
    }

    /// Writes a fact down that has its time already.
    ///
    /// # Panics
    /// The disk is full.
    pub fn write_line(&self, line: &str) {
        let line = format!("{line}\n");
        (&self.0)
            .write_all(line.as_bytes())
            .expect("there is room on the disk");
    }
}

/// Milliseconds on the machine's clock, which all processes of a trial share.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
