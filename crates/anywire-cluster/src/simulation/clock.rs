//! One time for all, and a runtime for each process: so that one can stand still while the others go on, and goes on late.
//!
//! All take turns of a step. What passes between them takes a step at least, so nobody hears of what is still to come.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, Sleep};

thread_local! {
    static NOW: Cell<Now> = const { Cell::new(Now::Still(Duration::ZERO)) };
}

/// How the code that runs now knows the time.
#[derive(Clone, Copy)]
enum Now {
    /// Between two turns.
    Still(Duration),
    /// In the turn of a runtime: it began at this moment of its own, and of the time of all.
    Running(Instant, Duration),
}

/// The time since the run began, as the process that runs now sees it.
pub(super) fn now() -> Duration {
    match NOW.get() {
        Now::Still(now) => now,
        Now::Running(began, at) => at + began.elapsed(),
    }
}

/// The same moment as the process that runs now counts it.
pub(super) fn instant(at: Duration) -> Instant {
    Instant::now() + at.saturating_sub(now())
}

/// Sleeps until a moment of the time of all.
pub(super) fn sleep_until(at: Duration) -> Sleep {
    tokio::time::sleep_until(instant(at))
}

/// Between two turns, it is so late.
pub(super) fn stand_at(now: Duration) {
    NOW.set(Now::Still(now));
}

/// A runtime whose time passes in turns.
pub(super) struct Turns {
    runtime: Runtime,
    began: Instant,
    at: Duration,
}

impl Turns {
    /// Begins now.
    pub(super) fn begin() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime needs nothing rare");
        let at = now();
        let began = runtime.block_on(async { Instant::now() });
        Self { runtime, began, at }
    }

    /// Has something run from the next turn on.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Does all that is due until then.
    pub(super) fn run_until(&self, until: Duration) {
        self.run(tokio::time::sleep_until, until);
    }

    /// Goes on after it has stood still: what has become due meanwhile is late.
    pub(super) fn jump_to(&self, until: Duration) {
        let jump = |until: Instant| tokio::time::advance(until - Instant::now());
        self.run(jump, until);
    }

    fn run<F: Future>(&self, run: impl FnOnce(Instant) -> F, until: Duration) {
        let before = NOW.replace(Now::Running(self.began, self.at));
        let until = self.began + (until - self.at);
        self.runtime.block_on(async { run(until).await });
        NOW.set(before);
    }
}
