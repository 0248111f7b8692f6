//! What goes out on a WebSocket: packets to frames, one write for all that is ready, the rest kept.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anywire_core::{End, Refusal};
use anywire_protocol::{CloseCode, CloseReason, Packet};
use tokio::io::AsyncWrite;

use super::scratch::{SCRATCH_BYTES, put_write};
use crate::frame::Encoder;

/// Bytes that the peer has not taken yet; nothing at all when it has taken them.
#[derive(Default)]
pub(super) struct Output(Option<Box<Waiting>>);

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Writes what waits.
    pub(super) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(waiting) = &mut self.0 else {
            return Poll::Ready(Ok(()));
        };
        while waiting.written < waiting.bytes.len() {
            let rest = &waiting.bytes[waiting.written..];
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            waiting.written += count;
        }
        self.0 = None;
        Poll::Ready(Ok(()))
    }

    /// Bytes kept for the peer to take.
    pub(super) fn held_bytes(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |waiting| waiting.bytes.capacity())
    }

    /// How many bytes have gone of those that wait.
    pub(super) fn written(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.written)
    }

    /// Writes `scratch` at once and keeps what the peer does not take.
    pub(super) fn write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        scratch: Vec<u8>,
    ) -> io::Result<()> {
        debug_assert!(self.is_empty(), "flush first");
        let mut written = 0;
        while written < scratch.len() {
            match Pin::new(&mut *stream).poll_write(cx, &scratch[written..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.push(|bytes| bytes.extend_from_slice(&scratch[written..]));
                    break;
                }
            }
        }
        put_write(scratch);
        Ok(())
    }

    /// Adds a short answer to what waits.
    pub(super) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.0.get_or_insert_default().bytes);
    }

    /// Whether so much waits that nothing may be read that could add to it.
    pub(super) fn is_full(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|waiting| is_enough(&waiting.bytes))
    }
}

/// Whether a buffer holds enough to be written.
pub(super) fn is_enough(out: &[u8]) -> bool {
    out.len() >= SCRATCH_BYTES
}

/// Appends a packet as a frame of a raw connection: messages as they are, our pings as WebSocket's (PROTOCOL §9).
pub(super) fn push_raw(out: &mut Vec<u8>, packet: &Packet) {
    let mut encoder = Encoder::server();
    match packet {
        Packet::Message(message) => encoder.raw_message(out, message),
        Packet::Ping(content) => encoder.ping(out, content.as_bytes()),
        Packet::Pong(content) => encoder.pong(out, content.as_bytes()),
        Packet::Close(reason) => encoder.close(out, reason),
        // Nothing else has a meaning without the protocol.
        Packet::Open(_)
        | Packet::Attach(_)
        | Packet::Opened(_)
        | Packet::Offset(_)
        | Packet::Part(_)
        | Packet::Ack(_)
        | Packet::Superseded
        | Packet::Report(_)
        | Packet::Leave(_)
        | Packet::Credential(_)
        | Packet::Padding(_) => {}
    }
}

/// How a connection whose peer asks too much closes (PROTOCOL §10.9).
pub(super) fn limit(reason: &CloseReason, is_raw: bool) -> CloseReason {
    let code = if is_raw {
        CloseCode::POLICY
    } else {
        reason.code
    };
    CloseReason::new(code, reason.text())
}

/// Says why the connection ends (PROTOCOL §5.6).
pub(super) fn push_end(out: &mut Vec<u8>, end: End, is_raw: bool) {
    let reason = match end {
        // The close packet of a raw connection was the close frame already.
        End::Closed(_) if is_raw => return,
        End::Closed(reason) => reason,
        End::Finished => CloseCode::NORMAL.into(),
        End::Superseded => CloseCode::SUPERSEDED.into(),
        End::Stalled => CloseCode::STALLED.into(),
        End::Limited(reason) => limit(&reason, is_raw),
        End::Lost => Refusal::node_lost().reason().clone(),
    };
    if reason.code == CloseCode::SUPERSEDED && !is_raw {
        Encoder::server().packet(out, &Packet::Superseded);
    }
    Encoder::server().close(out, &reason);
}
