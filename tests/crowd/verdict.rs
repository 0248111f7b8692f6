//! Reads what the server and the clients have written, and judges.

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{sleep, timeout};

/// Milliseconds on the machine's clock, which all processes share.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// What there is in the records.
#[derive(Default)]
pub struct Verdict {
    /// When the second server began to listen.
    listening: u64,
    /// When sessions were opened at the second server.
    opens: Vec<u64>,
    /// How many clients have said that they are back, and when the last did.
    back: usize,
    last_back: u64,
    heard: HashSet<String>,
    sent: Vec<String>,
    returned: HashSet<String>,
    /// Ends that should not be.
    ended: Vec<String>,
    closed: usize,
}

impl Verdict {
    /// Waits until so many sessions were opened at a server.
    pub async fn wait(records: &Path, count: usize, run: u32) -> Result<(), Box<dyn Error>> {
        let opened = async {
            let file = records.join(format!("server-{run}.log"));
            loop {
                let text = fs::read_to_string(&file).unwrap_or_default();
                if text.lines().filter(|line| line.ends_with(" open")).count() >= count {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = timeout(Duration::from_secs(90), opened).await;
        waited
            .map_err(|_| format!("not all {count} clients came to the server of run {run}").into())
    }

    /// Reads all files.
    pub fn read(records: &Path) -> io::Result<Self> {
        let mut verdict = Self::default();
        for entry in fs::read_dir(records)? {
            let path = entry?.path();
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for line in fs::read_to_string(&path)?.lines() {
                verdict.take(&name, line);
            }
        }
        verdict.opens.sort_unstable();
        Ok(verdict)
    }

    fn take(&mut self, name: &str, line: &str) {
        let (at, fact) = line.split_once(' ').unwrap_or(("0", line));
        let at = at.parse().unwrap_or_default();
        let is_second = name == "server-2";
        match fact.split_once(' ').unwrap_or((fact, "")) {
            ("listening", _) if is_second => self.listening = at,
            ("open", _) if is_second => self.opens.push(at),
            ("heard", what) => drop(self.heard.insert(what.to_owned())),
            ("sent", what) => self.sent.push(what.to_owned()),
            ("returned", what) => drop(self.returned.insert(what.to_owned())),
            ("back", _) => {
                self.back += 1;
                self.last_back = self.last_back.max(at);
            }
            ("ended", _) => self.ended.push(format!("{name}: {fact}")),
            ("closed", _) => self.closed += 1,
            _ => {}
        }
    }

    /// Says what was measured, and whether it is as it should be.
    pub fn is_well(&self, clients: usize, back_within: Duration, most_opens: usize) -> bool {
        let last = Duration::from_millis(self.last_back.saturating_sub(self.listening));
        let rest = &self.opens[1.min(self.opens.len())..];
        let within = |at: &u64| {
            rest.iter()
                .filter(|other| (*at..*at + 100).contains(other))
                .count()
        };
        let most = rest.iter().map(within).max().unwrap_or_default();
        let is_lost =
            |what: &&String| !self.heard.contains(*what) && !self.returned.contains(*what);
        let lost: Vec<_> = self.sent.iter().filter(is_lost).collect();
        println!(
            "  {} of {clients} are back, the last after {last:?}; {} opens, at most {most} in 100 ms\n  \
             {} messages sent, {} heard, {} given back, {} lost; {} closed, {} ended otherwise",
            self.back,
            self.opens.len(),
            self.sent.len(),
            self.heard.len(),
            self.returned.len(),
            lost.len(),
            self.closed,
            self.ended.len(),
        );
        for what in lost.iter().take(5) {
            println!("  lost: {what}");
        }
        for what in self.ended.iter().take(5) {
            println!("  {what}");
        }
        self.back == clients
            && self.closed == clients
            && last <= 2 * back_within
            && most <= most_opens
            && lost.is_empty()
            && self.ended.is_empty()
    }
}
