//! An upgraded connection: bytes both ways, until it ends or is told otherwise. What the bytes mean is nobody's
//! business here.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{ReadHalf, WriteHalf},
    sync::watch,
    time::sleep,
};

use super::{
    http::{READ_BYTES, Wire},
    live::{Mode, Place},
};

/// Carries bytes between `client` and `upstream` until both have ended, or resets both when told to, when one
/// of them is reset, and after `lifetime`.
pub(super) async fn run(
    mut client: Wire,
    mut upstream: Wire,
    mut place: Place<'_>,
    lifetime: Option<Duration>,
) -> io::Result<()> {
    let (up_mode, down_mode) = (place.mode.clone(), place.mode.clone());
    let (from_client, to_client) = client.stream.split();
    let (from_upstream, to_upstream) = upstream.stream.split();
    let up = pump(
        from_client,
        to_upstream,
        std::mem::take(&mut client.buffer),
        up_mode,
    );
    let down = pump(
        from_upstream,
        to_client,
        std::mem::take(&mut upstream.buffer),
        down_mode,
    );
    let is_reset = tokio::select! {
        biased;
        _ = place.mode.wait_for(|mode| *mode == Mode::Killed) => true,
        () = pass(lifetime) => true,
        ended = async { tokio::try_join!(up, down) } => ended.is_err(),
    };
    // Out of the count before either side can see the end.
    drop(place);
    if is_reset {
        // With nothing to linger for, dropping the streams sends a reset instead of an end.
        client.stream.set_zero_linger()?;
        upstream.stream.set_zero_linger()?;
    }
    Ok(())
}

async fn pass(lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => sleep(lifetime).await,
        None => std::future::pending().await,
    }
}

/// One direction, which begins with the bytes that were read too early.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    early: Vec<u8>,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut bytes = early;
    loop {
        // A write that was stuck when the mode changed is given up: what is muted stays so.
        tokio::select! {
            biased;
            _ = mode.wait_for(|mode| *mode != Mode::Passing) => {}
            written = to.write_all(&bytes) => written?,
        }
        bytes.clear();
        bytes.reserve(READ_BYTES);
        let read = from.read_buf(&mut bytes).await;
        let is_passing = *mode.borrow() == Mode::Passing;
        match read {
            Ok(0) if is_passing => return to.shutdown().await,
            // The end of one side, gentle or not, is nothing that the other may learn of.
            Ok(0) => return Ok(()),
            Err(_) if !is_passing => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
}
