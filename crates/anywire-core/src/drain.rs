//! How a hub that is to end tells its sessions: all at once where nobody else would take them, spread over the time that it has
//! where other nodes do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{self, Instant};

use crate::hub::{Hub, HubState, restart};
use crate::session_cell::{Origin, SessionCell};

impl Hub {
    /// Takes no new sessions, closes the others with 1012 once what was sent has gone out, and returns when their clients
    /// know, or aborts the rest after `within`. Returns how many had to be aborted. Their clients are still told if they
    /// come while the server runs. Sessions that ended before are not waited for.
    ///
    /// In a cluster the sessions are closed one after the other, 200 a second or so many that four fifths of `within` suffice,
    /// since the other nodes take their clients. Elsewhere all are closed at once.
    ///
    /// Cancel safety: dropping the future ends the wait. The hub goes on to drain; what is left is neither closed nor aborted.
    pub async fn drain(&self, within: Duration) -> usize {
        self.inner.is_draining.store(true, Ordering::SeqCst);
        let emptied = async {
            let mut open = self.inner.open_sessions();
            match self.inner.nodes() {
                Some(_) => tell_in_turn(&open, within.mul_f64(TELLING)).await,
                None => open.iter().for_each(tell),
            }
            loop {
                let fewer = self.inner.has_fewer.notified();
                while open.last().is_some_and(|cell| cell.is_finished()) {
                    open.pop();
                }
                if open.is_empty() {
                    // One may have been let in just before the drain began.
                    open = self.inner.open_sessions();
                }
                if open.is_empty() {
                    break;
                }
                fewer.await;
            }
        };
        match time::timeout(within, emptied).await {
            Ok(()) => 0,
            Err(_) => self.inner.abort_all(),
        }
    }
}

impl HubState {
    /// They stay to be told, for as long as a close takes: between two polls there is no connection to tell.
    fn abort_all(&self) -> usize {
        let rest = self.open_sessions();
        for cell in &rest {
            cell.step(Origin::Transport, |state, now| {
                // The app may have closed it before, for a reason of its own.
                state.session.cut_short(restart(), now);
            });
        }
        rest.len()
    }
}

fn tell(cell: &Arc<SessionCell>) {
    let reason = restart();
    cell.step(Origin::Transport, |state, now| {
        state.session.close(reason, now)
    });
}

/// Tells them evenly over a time, or sooner where they are few. Their order is that of a hash, so no address's come together.
async fn tell_in_turn(open: &[Arc<SessionCell>], within: Duration) {
    let begin = Instant::now();
    let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
    let pause = MAX_PAUSE.min(within / count.max(1));
    for (turn, cell) in (0..).zip(open) {
        time::sleep_until(begin + pause * turn).await;
        tell(cell);
    }
}

/// The rest of the time is left for clients to answer.
const TELLING: f64 = 0.8;

/// 5 ms: no node is slower to tell its sessions than 200 a second.
const MAX_PAUSE: Duration = Duration::from_millis(5);
