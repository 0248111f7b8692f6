//! The task of one WebSocket: reads all there is, hands it to the session, writes all there is, once. What waits is
//! this future and nothing else.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anywire_core::{Connection, End, Hub, Principal, Refusal, Room, Transport};
use anywire_protocol::{
    Attach, Carrier, CloseCode, CloseReason, Limits, Message, Open, Opened, Packet, ProtocolError,
    decode_frame,
};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Start;
use super::output::{Output, is_enough, push_close, push_packet, push_raw};
use super::scratch::{put_packets, take_packets, take_write, with_read};
use crate::frame::{Decoder, Frame, Role, Violation, encode_pong};

/// ```text
///            open or attach packet            end, violation, peer's close
///   Waiting ───────────────────────▶ Carrying ───────────────────────────▶ Leaving ──▶ done
///      └──────────────────────────────────────────────────────────────────────▲
/// ```
enum Phase {
    /// Nothing is attached yet (PROTOCOL §5.3).
    Waiting {
        principal: Option<Principal>,
        protocols: Vec<String>,
    },
    /// A session is attached.
    Carrying {
        connection: Connection,
        is_raw: bool,
    },
    /// All is said; what is written is to arrive, so the peer's bytes are read and dropped until it closes too.
    Leaving { has_shut_down: bool },
}

pub(super) struct Driver<S> {
    stream: S,
    hub: Hub,
    phase: Phase,
    decoder: Decoder,
    output: Output,
    /// Bytes that came with the upgrade.
    read_ahead: Bytes,
    /// What must be said before anything else.
    first: Option<First>,
    /// Only while something is overdue: an attach, a write, a farewell.
    deadline: Option<Pin<Box<Sleep>>>,
}

enum First {
    Packet(Box<Packet>),
    Refusal(CloseReason),
}

/// How long a farewell may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn open(
    hub: &Hub,
    open: &Open,
    principal: Option<&Principal>,
) -> Result<(Connection, Opened), Refusal> {
    let visit = hub.open(open, principal)?;
    visit.attach(open.received, Transport::WebSocket, Carrier::Duplex)
}

pub(super) fn attach(
    hub: &Hub,
    attach: &Attach,
    principal: Option<&Principal>,
) -> Result<(Connection, Opened), Refusal> {
    let visit = hub.find(attach, principal)?;
    visit.attach(attach.received, Transport::WebSocket, Carrier::Duplex)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(super) fn new(stream: S, read_ahead: Bytes, hub: Hub, start: Start) -> Self {
        let (phase, first) = match start {
            Start::Attached(connection, opened) => {
                let first = First::Packet(Box::new(Packet::Opened(opened)));
                (
                    Phase::Carrying {
                        connection,
                        is_raw: false,
                    },
                    Some(first),
                )
            }
            Start::Raw(connection) => (
                Phase::Carrying {
                    connection,
                    is_raw: true,
                },
                None,
            ),
            Start::Later {
                principal,
                protocols,
            } => (
                Phase::Waiting {
                    principal,
                    protocols,
                },
                None,
            ),
            Start::Refused(reason) => (
                Phase::Leaving {
                    has_shut_down: false,
                },
                Some(First::Refusal(reason)),
            ),
        };
        let deadline = match phase {
            Phase::Waiting { .. } => Some(after(Limits::ATTACH_WITHIN)),
            Phase::Leaving { .. } => Some(after(LEAVE_WITHIN)),
            Phase::Carrying { .. } => None,
        };
        let decoder = Decoder::new(Role::Server, hub.limits().max_message_bytes);
        Self {
            stream,
            hub,
            phase,
            decoder,
            output: Output::default(),
            read_ahead,
            first,
            deadline,
        }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_blocked = self.poll_write(cx)?;
            if self.poll_deadline(cx, is_blocked).is_ready() {
                return Poll::Ready(Ok(()));
            }
            // A peer that takes nothing is still read from, since its acks make room, but not without a bound.
            if is_blocked && self.output.is_full() {
                return Poll::Pending;
            }
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes all that is ready. `true` when the peer does not take it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            let before = self.output.written();
            match self.output.poll_flush(&mut self.stream, cx) {
                Poll::Ready(done) => done?,
                Poll::Pending => {
                    if self.output.written() > before {
                        self.deadline = None;
                        self.show_life();
                    }
                    return Ok(true);
                }
            }
            if !self.transmit(cx)? {
                return Ok(!self.output.is_empty());
            }
        }
    }

    /// Encodes and writes what is to be sent now. `false` when that was all.
    fn transmit(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut out = take_write();
        let has_more = match &mut self.phase {
            Phase::Waiting { .. } => false,
            Phase::Leaving { has_shut_down } => match self.first.take() {
                Some(First::Refusal(reason)) => {
                    push_packet(&mut out, &Packet::Close(reason.clone()));
                    push_close(&mut out, &reason);
                    true
                }
                _ => {
                    *has_shut_down |= Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
                    false
                }
            },
            Phase::Carrying { connection, is_raw } => {
                if let Some(First::Packet(packet)) = self.first.take() {
                    push_packet(&mut out, &packet);
                }
                let (is_raw, mut is_full, mut closing) = (*is_raw, false, None);
                let end = connection.poll_transmit(cx, |packet| {
                    if is_raw {
                        push_raw(&mut out, &packet)
                    } else {
                        push_packet(&mut out, &packet)
                    }
                    if let Packet::Close(reason) = packet {
                        closing = Some(reason);
                    }
                    is_full = is_enough(&out);
                    if is_full { Room::None } else { Room::Some }
                });
                if let Poll::Ready(end) = end {
                    push_end(&mut out, end, is_raw, closing);
                    self.leave();
                    true
                } else {
                    is_full
                }
            }
        };
        self.output.write(&mut self.stream, cx, out)?;
        Ok(has_more && self.output.is_empty())
    }

    /// Reads once and hands on what came. 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Phase::Carrying { connection, .. } = &self.phase {
            ready!(connection.poll_inbox_room(cx));
        }
        let mut packets = take_packets();
        let outcome = if self.read_ahead.is_empty() {
            let Self {
                stream,
                decoder,
                phase,
                output,
                ..
            } = self;
            with_read(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
                let input = buffer.filled_mut();
                let count = input.len();
                Poll::Ready(Ok((
                    count,
                    decode(decoder, input, phase, &mut packets, output),
                )))
            })
        } else {
            let mut input = std::mem::take(&mut self.read_ahead).to_vec();
            let Self {
                decoder,
                phase,
                output,
                ..
            } = self;
            let decoded = decode(decoder, &mut input, phase, &mut packets, output);
            Poll::Ready(Ok((input.len(), decoded)))
        };
        let poll = match outcome {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok((count, decoded))) => {
                self.handle(&mut packets, decoded);
                Poll::Ready(Ok(count))
            }
        };
        put_packets(packets);
        poll
    }

    /// Hands packets to the session, then does what followed them.
    fn handle(&mut self, packets: &mut Vec<Packet>, then: Then) {
        match &self.phase {
            Phase::Carrying { connection, .. } if packets.is_empty() => connection.alive(),
            Phase::Carrying { connection, .. } => {
                // A refusal shows in what there is to transmit.
                let _ = connection.receive(packets.drain(..));
            }
            Phase::Waiting { .. } => self.handle_waiting(packets),
            Phase::Leaving { .. } => {}
        }
        match then {
            Then::GoOn => {}
            Then::Close => self.close(None),
            Then::Fail(violation) => self.fail(&violation),
            Then::Violate(error) => match &self.phase {
                Phase::Carrying { connection, .. } => connection.violate(error),
                Phase::Waiting { .. } => self.refuse(error.into()),
                Phase::Leaving { .. } => {}
            },
        }
    }

    /// Before an attach only pings and the attach itself are welcome (PROTOCOL §5.3).
    fn handle_waiting(&mut self, packets: &mut Vec<Packet>) {
        let mut packets = packets.drain(..);
        for packet in packets.by_ref() {
            let Phase::Waiting {
                principal,
                protocols,
            } = &mut self.phase
            else {
                break;
            };
            let principal = principal.clone();
            let attached = match packet {
                Packet::Ping(content) => {
                    self.output
                        .push(|out| push_packet(out, &Packet::Pong(content)));
                    continue;
                }
                Packet::Open(mut request) => {
                    if request.protocols.is_empty() {
                        request.protocols = std::mem::take(protocols);
                    }
                    open(&self.hub, &request, principal.as_ref())
                }
                Packet::Attach(request) => attach(&self.hub, &request, principal.as_ref()),
                _ => {
                    let text = "open or attach before anything else";
                    Err(ProtocolError::new(CloseCode::PROTOCOL_ERROR, text).into())
                }
            };
            match attached {
                Ok((connection, opened)) => {
                    self.first = Some(First::Packet(Box::new(Packet::Opened(Box::new(opened)))));
                    self.phase = Phase::Carrying {
                        connection,
                        is_raw: false,
                    };
                    self.deadline = None;
                    break;
                }
                Err(refusal) => return self.refuse(refusal.reason().clone()),
            }
        }
        if let Phase::Carrying { connection, .. } = &self.phase {
            let _ = connection.receive(packets);
        }
    }

    /// The peer broke a rule of WebSocket: the connection fails, the session lives (PROTOCOL §5.7).
    fn fail(&mut self, violation: &Violation) {
        if violation.code() == CloseCode::TOO_BIG
            && let Phase::Carrying {
                connection,
                is_raw: false,
            } = &self.phase
        {
            connection.violate(ProtocolError::new(CloseCode::TOO_LARGE, violation.what()));
            // What is left to say is said with the next transmit.
            return;
        }
        self.close(Some(CloseReason::new(violation.code(), violation.what())));
    }

    fn refuse(&mut self, reason: CloseReason) {
        self.first = Some(First::Refusal(reason));
        self.leave();
    }

    /// Answers the peer's close, or closes first with a reason.
    fn close(&mut self, reason: Option<CloseReason>) {
        if !matches!(self.phase, Phase::Leaving { .. }) {
            let reason = reason.unwrap_or_else(|| CloseCode::NORMAL.into());
            self.output.push(|out| push_close(out, &reason));
            self.leave();
        }
    }

    /// Detaches, and says goodbye for a while.
    fn leave(&mut self) {
        self.phase = Phase::Leaving {
            has_shut_down: false,
        };
        self.deadline = Some(after(LEAVE_WITHIN));
    }

    fn show_life(&self) {
        if let Phase::Carrying { connection, .. } = &self.phase {
            connection.alive();
        }
    }

    /// Ready when something has taken too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, is_blocked: bool) -> Poll<()> {
        match (&self.phase, is_blocked) {
            (Phase::Carrying { .. }, false) => self.deadline = None,
            (Phase::Carrying { .. }, true) if self.deadline.is_none() => {
                self.deadline = Some(after(Limits::WRITE_STALL));
            }
            _ => {}
        }
        match &mut self.deadline {
            None => Poll::Pending,
            Some(deadline) => deadline.as_mut().poll(cx),
        }
    }
}

/// What follows the packets of one read.
enum Then {
    GoOn,
    /// The peer's close frame.
    Close,
    /// A rule of WebSocket is broken.
    Fail(Violation),
    /// A rule of Anywire is broken.
    Violate(ProtocolError),
}

/// Decodes all frames in `input`; packets are collected, pings answered.
fn decode(
    decoder: &mut Decoder,
    mut input: &mut [u8],
    phase: &Phase,
    packets: &mut Vec<Packet>,
    output: &mut Output,
) -> Then {
    if matches!(phase, Phase::Leaving { .. }) {
        return Then::GoOn;
    }
    let is_raw = matches!(phase, Phase::Carrying { is_raw: true, .. });
    loop {
        match decoder.decode(&mut input) {
            Ok(None) => return Then::GoOn,
            Ok(Some(Frame::Message(message))) => match packet(message, is_raw) {
                Ok(packet) => packets.push(packet),
                Err(error) => return Then::Violate(error),
            },
            Ok(Some(Frame::Ping(content))) => output.push(|out| encode_pong(out, &content, None)),
            Ok(Some(Frame::Pong(_))) if is_raw => packets.push(Packet::Pong("".into())),
            Ok(Some(Frame::Pong(_))) => {}
            Ok(Some(Frame::Close(close))) => {
                if is_raw {
                    let (code, text) = close.unwrap_or((CloseCode::from_u16(1005), String::new()));
                    packets.push(Packet::Close(CloseReason::new(code, &text)));
                }
                return Then::Close;
            }
            Err(violation) => return Then::Fail(violation),
        }
    }
}

fn packet(message: Message, is_raw: bool) -> Result<Packet, ProtocolError> {
    if is_raw {
        Ok(Packet::Message(message))
    } else {
        decode_frame(message)
    }
}

/// Says why the connection ends (PROTOCOL §5.6).
fn push_end(out: &mut Vec<u8>, end: End, is_raw: bool, closing: Option<CloseReason>) {
    let code = match end {
        End::Finished => CloseCode::NORMAL,
        End::Superseded => CloseCode::SUPERSEDED,
        End::Stalled => CloseCode::STALLED,
    };
    if is_raw {
        // The close packet was the close frame already.
        if closing.is_none() {
            push_close(out, &code.into());
        }
        return;
    }
    if end == End::Superseded {
        push_packet(out, &Packet::Superseded);
    }
    push_close(out, &closing.unwrap_or_else(|| code.into()));
}

fn after(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep_until(Instant::now() + duration))
}
