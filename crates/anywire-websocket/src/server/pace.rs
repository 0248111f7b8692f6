//! How fast a peer sends: too slowly for what it has begun, or so fast that it is read no more for a while. What follows is the
//! driver's to do.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anywire_protocol::Limits;
use tokio::time::{Instant, Sleep, sleep};

/// Nothing at all while it does not matter how fast the peer sends.
#[derive(Default)]
pub(super) struct Pace(Option<Box<Watched>>);

#[derive(Default)]
struct Watched {
    /// Since when a frame or message comes that is not whole.
    partial_since: Option<Instant>,
    /// Until when nothing is read, since the peer has used its share.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Reads no more for so long.
    pub(super) fn pause(&mut self, duration: Duration) {
        self.0.get_or_insert_default().pause = Some(Box::pin(sleep(duration)));
    }

    /// Ready when more may be read.
    pub(super) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(watched) = &mut self.0
            && let Some(pause) = &mut watched.pause
        {
            ready!(pause.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }

    /// The peer cannot be blamed for what came slowly until now.
    pub(super) fn excuse(&mut self) {
        self.0 = None;
    }

    /// Something came: whether a frame or message, of which so many bytes are here and which is not whole, comes too slowly.
    pub(super) fn is_too_slow(&mut self, partial_bytes: usize) -> bool {
        if partial_bytes == 0 {
            self.0.take_if(|watched| watched.pause.is_none());
            return false;
        }
        let watched = self.0.get_or_insert_default();
        if watched.pause.is_some() {
            // It is we who do not read.
            return false;
        }
        let since = watched.partial_since.get_or_insert_with(Instant::now);
        // As long as a body may take of which so much has come.
        since.elapsed() > Limits::body_within(partial_bytes)
    }
}
