//! What goes wrong when; it follows from the seed.

use std::time::Duration;

use anywire_fault_proxy::Faults;
use tokio::time::{Instant, sleep};

use crate::flow::{Flow, Peer};

/// Troubles one flow.
pub struct Nemesis {
    random: fastrand::Rng,
    whom: &'static str,
}

impl Nemesis {
    pub fn new(seed: u64, whom: &'static str) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            whom,
        }
    }

    /// Does one thing after the other until the time is over.
    pub async fn run(mut self, flow: &Flow, peer: &impl Peer, duration: Duration) {
        let began = Instant::now();
        while began.elapsed() < duration {
            let at = began.elapsed().as_secs();
            let told = self.trouble(flow, peer).await;
            println!("[{at:>4} s] {}: {told}", self.whom);
            let pause = self.random.u64(500..4_000);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn trouble(&mut self, flow: &Flow, peer: &impl Peer) -> String {
        match self.random.u8(0..10) {
            0 => format!("kills {} WebSockets", flow.proxy.kill_websockets()),
            1 => format!("mutes {} WebSockets", flow.proxy.mute_websockets()),
            2 => format!("kills {} connections", flow.proxy.kill_connections()),
            3 => {
                let duration = Duration::from_millis(self.random.u64(200..12_000));
                peer.suspend(duration).await;
                format!("suspended for {duration:?}")
            }
            4 | 5 => {
                flow.proxy.set(Faults::default());
                "no fault".to_owned()
            }
            _ => {
                let words = self.random.choice(MODES).copied().unwrap_or("none");
                flow.proxy.set(Faults::of(words));
                // Half of the time it meets what is under way, too.
                if self.random.bool() {
                    flow.proxy.kill_connections();
                }
                words.to_owned()
            }
        }
    }
}

const MODES: &[&str] = &[
    "refuse-connections",
    "refuse-upgrade",
    "hang-upgrade",
    "strip-upgrade",
    "kill-after=300ms,rst",
    "kill-after-bytes=20k",
    "silent",
    "silent-after-bytes=8k",
    "buffer-websocket=2k",
    "buffer=end,refuse-upgrade",
    "idle-cut=1s",
    "cut-up=20k,every=2",
    "cut-down=20k,every=2,rst",
    "cut-chance=10%",
    "delay=80ms",
    "rate=256k",
    "repeat=3,refuse-upgrade",
    "lose-answers=3,refuse-upgrade",
    "reorder=2,refuse-upgrade",
    "http10",
    "limit-body=20k,refuse-upgrade",
    "refuse-text=é🦀,refuse-upgrade",
    "delay=40ms,lose-answers=4,repeat=3,cut-chance=5%,refuse-upgrade",
];
