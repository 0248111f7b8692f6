//! What a hub gives up when its sessions hold more bytes than they may (PROTOCOL §10.9). `memory.rs` counts them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anywire_protocol::{CloseCode, CloseReason, Timestamp};
use tokio::time;
use tracing::warn;

use crate::hub::HubState;
use crate::session_cell::{Origin, SessionCell};

/// Why a session may be given up, the first to go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// No connection carries it, and its client has sent nothing since it opened it.
    Unused,
    /// No connection carries it.
    Detached,
    /// The client takes messages and acknowledges none, for longer than any that behaves.
    Deaf,
}

impl HubState {
    /// Gives up, in this order, until less than nine tenths of what may be held is left: unfinished messages, never-used detached
    /// sessions, those detached for longest, and attached ones whose client has not acknowledged for a long time.
    pub(crate) async fn give_up_what_is_too_much(&self) {
        let begun = self.node.memory.held();
        if self.node.memory.is_over() {
            let all = self.all();
            for cell in &all {
                self.give_up_unfinished(cell);
            }
            let evicted = self.evict(all);
            warn!(
                before = begun,
                after = self.node.memory.held(),
                most = self.node.memory.most(),
                evicted,
                "memory is short: unfinished messages and sessions were given up"
            );
        }
        if self.node.memory.is_over() {
            // Those who are left behave. It is no use to look again at once.
            time::sleep(LOOK_AGAIN_AFTER).await;
        }
        self.is_relieving.store(false, Ordering::Release);
    }

    fn give_up_unfinished(&self, cell: &Arc<SessionCell>) {
        let is_worth_it = cell.peek(|state| {
            state.session.unfinished_bytes() > 0 || state.under_way as usize > LEFT_ALONE_BYTES
        });
        if is_worth_it {
            cell.step(Origin::Outside, |state, now| {
                state.session.give_up_unfinished(now);
                // What has come of a frame goes with its connection.
                state.must_end = state.under_way as usize > LEFT_ALONE_BYTES;
            });
        }
    }

    /// Returns how many sessions were evicted.
    fn evict(&self, all: Vec<Arc<SessionCell>>) -> usize {
        let enough = self.node.memory.most() / 10 * 9;
        if self.node.memory.held() <= enough {
            return 0;
        }
        let now = self.now();
        let claim = |cell: Arc<SessionCell>| Some((cell.peek(|state| state.claim(now))?, cell));
        let mut claims: Vec<_> = all.into_iter().filter_map(claim).collect();
        claims.sort_unstable_by_key(|(claim, _)| *claim);
        let mut count = 0;
        for ((claim, since), cell) in claims {
            if self.node.memory.held() <= enough {
                break;
            }
            let evicted = cell.step(Origin::Outside, |state, now| {
                // It may have changed its ways meanwhile.
                let is_still = state.claim(now) == Some((claim, since));
                if is_still {
                    let text = "the server has given the session up for want of memory";
                    state
                        .session
                        .abort(CloseReason::new(CloseCode::EVICTED, text), now);
                }
                is_still
            });
            count += usize::from(evicted);
        }
        count
    }
}

impl crate::session_cell::State {
    /// By what claim the session may be given up, and since when.
    fn claim(&self, now: Timestamp) -> Option<(Claim, Timestamp)> {
        if self.session.is_ended() {
            return None;
        }
        if let Some(since) = self.session.detached_since() {
            let claim = if self.is_used {
                Claim::Detached
            } else {
                Claim::Unused
            };
            // Between two polls no connection carries it either.
            return (since + BETWEEN_POLLS <= now).then_some((claim, since));
        }
        let since = self.session.unacknowledged_since()?;
        (since + DEAF_AFTER <= now).then_some((Claim::Deaf, since))
    }
}

/// 1 s.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// 64 KiB: a frame, or what waits to be written, is no more in a session that behaves.
const LEFT_ALONE_BYTES: usize = 65_536;

/// 5 s: longer than a client that polls lets pass between two exchanges.
const BETWEEN_POLLS: Duration = Duration::from_secs(5);

/// 30 s: a client that behaves acknowledges within a second, and one that is not heard for 33 s is detached.
const DEAF_AFTER: Duration = Duration::from_secs(30);
