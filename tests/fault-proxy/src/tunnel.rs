//! An upgraded connection: bytes both ways, until it ends or is told otherwise. What the bytes mean is nobody's
//! business here; how much may pass is left to `budget`.

mod budget;

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::TcpStream,
    sync::watch,
    time::sleep,
};

use self::budget::Budget;
use super::{
    Shared,
    faults::Faults,
    line::End,
    live::{Place, raise},
    wire::{READ_BYTES, Wire, write_in_steps},
};

/// What an upgraded connection does with its bytes. It only ever moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// Passes them.
    Passing,
    /// Swallows them, and hides from either side that the other has closed.
    Muted,
    /// Resets both sides.
    Killed,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Both sides have closed.
    Over,
    /// By a fault.
    Cut,
    /// By a reset of either side, or by order.
    Reset,
}

/// One direction, until it ends.
struct Pump<'a> {
    mode: watch::Sender<Mode>,
    budget: &'a Budget,
    /// Lets go of what it has only in blocks of so many bytes.
    block: usize,
    /// The most bytes of one write.
    step: usize,
    shared: &'a Shared,
}

/// Carries bytes between `client` and `upstream` until both have ended, one of them is reset, or a fault or an
/// order ends it.
pub(super) async fn run(
    client: &mut Wire<End>,
    mut upstream: Wire<TcpStream>,
    place: Place<'_, Mode>,
    faults: &Faults,
    shared: &Shared,
) {
    let budget = Budget::new(faults);
    let pump = |block, step| Pump {
        mode: place.state(),
        budget: &budget,
        block,
        step,
        shared,
    };
    let block = faults.buffer_websocket.map_or(1, |block| {
        usize::try_from(block).unwrap_or(usize::MAX).max(1)
    });
    let (from_client, to_client) = split(&mut client.stream);
    let (from_upstream, to_upstream) = upstream.stream.split();
    let early_up = std::mem::take(&mut client.buffer);
    let early_down = std::mem::take(&mut upstream.buffer);
    let up = pump(1, faults.step()).run(from_client, to_upstream, early_up);
    // Down, the line dribbles.
    let down = pump(block, usize::MAX).run(from_upstream, to_client, early_down);
    let mut mode = place.state().subscribe();
    let ending = tokio::select! {
        biased;
        _ = mode.wait_for(|mode| *mode == Mode::Killed) => Ending::Reset,
        () = pass(faults.kill_after) => Ending::Cut,
        ended = async { tokio::try_join!(up, down) } => match ended {
            Ok(_) => Ending::Over,
            Err(ending) => ending,
        },
    };
    if ending == Ending::Cut {
        shared.count(|counts| counts.cuts += 1);
    }
    // Out of the list before either side can see the end.
    drop(place);
    let is_reset = match ending {
        Ending::Over => false,
        Ending::Cut => faults.rst,
        Ending::Reset => true,
    };
    match ending {
        Ending::Over | Ending::Cut => client.stream.finish(is_reset),
        Ending::Reset => client.stream.reset(),
    }
    if is_reset {
        // With nothing to linger for, dropping the stream sends a reset instead of an end.
        let _ = upstream.stream.set_zero_linger();
    }
}

async fn pass(lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => sleep(lifetime).await,
        None => std::future::pending().await,
    }
}

impl Pump<'_> {
    /// Begins with the bytes that were read too early.
    async fn run(
        self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        early: Vec<u8>,
    ) -> Result<(), Ending> {
        let mut held = early;
        loop {
            let whole_blocks = held.len() - held.len() % self.block;
            self.write(&mut to, &held[..whole_blocks]).await?;
            held.drain(..whole_blocks);
            held.reserve(READ_BYTES);
            let read = from.read_buf(&mut held).await;
            match read {
                Ok(0) if self.is_passing() => {
                    self.write(&mut to, &held).await?;
                    return to.shutdown().await.map_err(reset);
                }
                // The end of one side, gentle or not, is nothing that the other may learn of.
                Ok(0) => return Ok(()),
                Err(_) if !self.is_passing() => return Ok(()),
                Err(error) => return Err(reset(error)),
                Ok(_) => {}
            }
            if !self.is_passing() {
                held.clear();
            }
        }
    }

    fn is_passing(&self) -> bool {
        *self.mode.borrow() == Mode::Passing
    }

    /// Writes what may pass, and ends or mutes the connection when that was all that ever may.
    async fn write(&self, to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Ending> {
        if !self.is_passing() {
            return Ok(());
        }
        let granted = self.budget.take(bytes.len());
        let mut mode = self.mode.subscribe();
        // A write that was stuck when the mode changed is given up: what is muted stays so.
        tokio::select! {
            biased;
            _ = mode.wait_for(|mode| *mode != Mode::Passing) => {}
            written = write_in_steps(to, &bytes[..granted], self.step) => {
                written.map_err(reset)?;
            }
        }
        if !self.budget.is_spent() || !self.is_passing() {
            return Ok(());
        }
        if self.budget.kills {
            return Err(Ending::Cut);
        }
        raise(&self.mode, Mode::Muted);
        self.shared.count(|counts| counts.silences += 1);
        Ok(())
    }
}

fn reset(_: io::Error) -> Ending {
    Ending::Reset
}
