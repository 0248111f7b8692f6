//! What goes out on a WebSocket: packets to frames, one write for all that is ready, the rest kept.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anywire_protocol::{CONTROL_MARK, CloseReason, MessageKind, Packet, encode_control};
use tokio::io::AsyncWrite;

use super::scratch::{SCRATCH_BYTES, put_write};
use crate::frame::{self, Mask};

/// A server does not mask.
const UNMASKED: Mask = None;

/// Bytes that the peer has not taken yet.
#[derive(Default)]
pub(super) struct Output {
    waiting: Vec<u8>,
    written: usize,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes what waits.
    pub(super) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.waiting.len() {
            let count =
                ready!(Pin::new(&mut *stream).poll_write(cx, &self.waiting[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.waiting = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// How many bytes have gone of those that wait.
    pub(super) fn written(&self) -> usize {
        self.written
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
                    self.waiting = scratch[written..].to_vec();
                    break;
                }
            }
        }
        put_write(scratch);
        Ok(())
    }

    /// Adds a short answer to what waits.
    pub(super) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.waiting);
    }

    /// Whether so much waits that nothing may be read that could add to it.
    pub(super) fn is_full(&self) -> bool {
        is_enough(&self.waiting)
    }
}

/// Whether a buffer holds enough to be written.
pub(super) fn is_enough(out: &[u8]) -> bool {
    out.len() >= SCRATCH_BYTES
}

/// Appends a packet as a frame (PROTOCOL §5.4).
pub(super) fn push_packet(out: &mut Vec<u8>, packet: &Packet) {
    match packet {
        Packet::Message(message) => {
            let bytes = message.as_bytes();
            if message.kind() == MessageKind::Text && bytes.first() == Some(&CONTROL_MARK) {
                frame::encode_text(out, &[&[CONTROL_MARK], bytes], UNMASKED);
            } else {
                frame::encode_message(out, message, UNMASKED);
            }
        }
        control => {
            let mut content = Vec::new();
            encode_control(control, &mut content);
            frame::encode_text(out, &[&content], UNMASKED);
        }
    }
}

/// Appends a packet as a frame of a raw connection: messages as they are, our pings as WebSocket's (PROTOCOL §9).
pub(super) fn push_raw(out: &mut Vec<u8>, packet: &Packet) {
    match packet {
        Packet::Message(message) => frame::encode_message(out, message, UNMASKED),
        Packet::Ping(content) => frame::encode_ping(out, content.as_bytes(), UNMASKED),
        Packet::Pong(content) => frame::encode_pong(out, content.as_bytes(), UNMASKED),
        Packet::Close(reason) => push_close(out, reason),
        // Nothing else has a meaning without the protocol.
        Packet::Open(_)
        | Packet::Attach(_)
        | Packet::Opened(_)
        | Packet::Offset(_)
        | Packet::Ack(_)
        | Packet::Superseded => {}
    }
}

/// Appends a WebSocket close.
pub(super) fn push_close(out: &mut Vec<u8>, reason: &CloseReason) {
    frame::encode_close(out, reason, UNMASKED);
}
