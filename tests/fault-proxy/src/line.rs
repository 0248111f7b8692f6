//! A client's connection as the line that it goes over: how long, how narrow, and where it breaks. What is said on
//! it is left to `exchange`, which holds the line's other end; one direction is left to `lane`.
//!
//! ```text
//! client ── socket ── Line (two lanes) ── pipe ── End ── exchange
//! ```

mod end;
mod lane;

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

pub(super) use self::end::End;
use self::lane::{Broken, Lane};
use super::{
    Shared,
    cuts::{Cuts, Direction},
    faults::Faults,
    live::Place,
};

/// What becomes of a line. It only ever moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It carries.
    Open,
    /// Closes when all that was said has reached the client.
    Finish,
    /// The same, with a reset.
    FinishByReset,
    /// Resets at once, whatever is on the way.
    Reset,
}

/// The line between a client and the proxy.
#[derive(Debug)]
pub(super) struct Line<'a> {
    socket: TcpStream,
    pipe: DuplexStream,
    place: Place<'a, Fate>,
    state: Arc<State>,
    faults: Arc<Faults>,
}

/// What both lanes and the end share.
#[derive(Debug)]
struct State {
    fate: watch::Sender<Fate>,
    cuts: Mutex<Cuts>,
    /// When anything last moved on the client's side.
    moved: Mutex<Instant>,
    /// Whether the line ended with a reset, from whichever side.
    is_reset: AtomicBool,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As those who spoke on it wished.
    Over,
    /// By a fault.
    Cut,
    /// By a reset.
    Reset,
}

impl<'a> Line<'a> {
    /// A line to this client, and the end that the proxy speaks on. The line carries while it is run.
    pub(super) fn new(
        socket: TcpStream,
        faults: Arc<Faults>,
        cuts: Cuts,
        place: Place<'a, Fate>,
    ) -> (Self, End) {
        let (pipe, far) = duplex(PIPE_BYTES);
        let state = Arc::new(State {
            fate: place.state(),
            cuts: Mutex::new(cuts),
            moved: Mutex::new(Instant::now()),
            is_reset: AtomicBool::new(false),
        });
        let end = End::new(far, Arc::clone(&state));
        let line = Self {
            socket,
            pipe,
            place,
            state,
            faults,
        };
        (line, end)
    }

    /// Carries until the line ends.
    pub(super) async fn run(mut self, shared: &Shared) {
        let ending = self.carry().await;
        if ending == Ending::Cut {
            shared.count(|counts| counts.cuts += 1);
        }
        let is_reset = match ending {
            Ending::Over => false,
            Ending::Cut => self.faults.rst,
            Ending::Reset => true,
        };
        self.state.is_reset.store(is_reset, Ordering::Relaxed);
        // Out of the list before either side can see the end.
        drop(self.place);
        drop(self.pipe);
        if is_reset {
            // With nothing to linger for, dropping the socket sends a reset instead of an end.
            let _ = self.socket.set_zero_linger();
        } else {
            close_gently(self.socket).await;
        }
    }

    async fn carry(&mut self) -> Ending {
        let faults = &self.faults;
        let (from_client, to_client) = self.socket.split();
        let (from_end, to_end) = split(&mut self.pipe);
        let lane = |direction, step| {
            let delay = faults.delay.unwrap_or_default();
            Lane::new(direction, delay, faults.rate, step, &self.state)
        };
        // Up, the bytes are dribbled where they leave the proxy.
        let mut up = pin!(lane(Direction::Up, usize::MAX).run(from_client, to_end));
        let mut down = pin!(lane(Direction::Down, faults.step()).run(from_end, to_client));
        let mut reset = self.state.fate.subscribe();
        let mut finish = self.state.fate.subscribe();
        let (mut is_up_over, mut is_down_over) = (false, false);
        loop {
            tokio::select! {
                biased;
                () = reached(&mut reset, Fate::Reset) => return Ending::Reset,
                () = idle(&self.state, faults.idle_cut) => return Ending::Cut,
                result = &mut down, if !is_down_over => match result {
                    Ok(()) => is_down_over = true,
                    Err(Broken::Cut) => return Ending::Cut,
                    Err(Broken::Source | Broken::Sink) => return Ending::Reset,
                },
                result = &mut up, if !is_up_over => match result {
                    // The proxy may have stopped listening with more to say.
                    Ok(()) | Err(Broken::Sink) => is_up_over = true,
                    Err(Broken::Cut) => return Ending::Cut,
                    Err(Broken::Source) => return Ending::Reset,
                },
                () = reached(&mut finish, Fate::Finish), if is_down_over => {
                    return if self.state.finishes_by_reset() {
                        Ending::Reset
                    } else {
                        Ending::Over
                    };
                }
            }
        }
    }
}

impl State {
    fn finishes_by_reset(&self) -> bool {
        *self.fate.borrow() >= Fate::FinishByReset
    }

    fn cuts(&self) -> MutexGuard<'_, Cuts> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) -> MutexGuard<'_, Instant> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes so that the client sees an end and not a reset, which it would if anything it said stayed unread.
async fn close_gently(mut socket: TcpStream) {
    let read_out = async {
        socket.shutdown().await?;
        let mut unread = vec![0; READ_BYTES];
        while socket.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(LINGER, read_out).await;
}

async fn reached(fate: &mut watch::Receiver<Fate>, least: Fate) {
    if fate.wait_for(|fate| *fate >= least).await.is_err() {
        std::future::pending().await
    }
}

/// Waits until nothing has moved for so long.
async fn idle(state: &State, longest: Option<Duration>) {
    let Some(longest) = longest else {
        return std::future::pending().await;
    };
    loop {
        let at = *state.moved() + longest;
        if at <= Instant::now() {
            return;
        }
        sleep_until(at).await;
    }
}

/// As much as a socket on loopback would hold on its way.
const PIPE_BYTES: usize = 65_536;
const READ_BYTES: usize = 16_384;
/// How long a closed connection is read out before it is dropped.
const LINGER: Duration = Duration::from_secs(1);
