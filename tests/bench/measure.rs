//! A server process, its CPU time and its memory, as the kernel counts them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::peers::Peer;

/// A server in a process of its own, on core 0; killed when dropped, by its own pid.
pub struct Server {
    child: Child,
    pub addr: SocketAddr,
}

impl Server {
    pub async fn start(peer: Peer) -> Self {
        Self::start_with(peer, &[]).await
    }

    /// Starts one with these variables of the environment.
    pub async fn start_with(peer: Peer, environment: &[(&str, &str)]) -> Self {
        let this = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(this)
            .args(["serve", peer.name()])
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset starts the server: install util-linux");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it prints its address");
        let addr = line.trim().parse().expect("its first line is its address");
        Self { child, addr }
    }

    /// CPU time used so far, user and system.
    pub fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let stat = fs::read_to_string(path).expect("the kernel keeps schedstat");
        let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        Duration::from_nanos(nanos.expect("schedstat begins with nanoseconds"))
    }

    /// Resident bytes.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kib.expect("status has VmRSS") * 1_024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves this process to the last core, away from the servers.
pub fn pin_this_process() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pid = std::process::id().to_string();
    let last = (cores - 1).to_string();
    let pinned = Command::new("taskset")
        .args(["-a", "-cp", &last, &pid])
        .stdout(Stdio::null())
        .status();
    assert!(
        pinned.is_ok_and(|status| status.success()),
        "taskset pins the load: install util-linux"
    );
}
