//! Resident memory of this process (server and proxy) and of the client's.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Samples of both.
pub struct Memory {
    ids: [u32; 2],
    samples: Vec<[u64; 2]>,
}

impl Memory {
    pub fn of(child: u32) -> Self {
        Self {
            ids: [std::process::id(), child],
            samples: Vec::new(),
        }
    }

    /// Takes a sample each second.
    pub async fn watch(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            sleep(Duration::from_secs(1)).await;
            self.samples.push(self.ids.map(resident_kib));
        }
    }

    /// Whether the last third stands no higher than the second, but for a little.
    pub fn is_flat(&self) -> Result<String, String> {
        let third = self.samples.len() / 3;
        let highest = |samples: &[[u64; 2]], who: usize| {
            samples.iter().map(|sample| sample[who]).max().unwrap_or(0)
        };
        let mut told = Vec::new();
        let mut has_grown = false;
        for (who, name) in ["server", "client"].into_iter().enumerate() {
            let before = highest(&self.samples[third..2 * third], who);
            let after = highest(&self.samples[2 * third..], who);
            has_grown |= after > before + before / 4 + SLACK_KIB;
            told.push(format!("{name} {before} KiB, then {after} KiB"));
        }
        let told = told.join("; ");
        if has_grown { Err(told) } else { Ok(told) }
    }
}

fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

const SLACK_KIB: u64 = 4_096;
