//! The task of one WebSocket: reads all there is, hands it to the session, writes all there is, once. What waits is
//! this future and nothing else.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use anywire_core::{
    Caller, Charge, Connection, Entered, Entering, Entry, Flow, Guest, Head, Hub, Intent, Outgoing,
    Refusal,
};
use anywire_protocol::{
    CloseCode, CloseReason, ConnectionMode, FrameReader, Limits, Opened, Packet, ProtocolError,
    Transport, check_credential, check_size,
};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Start;
use super::input::{Language, Then, decode};
use super::output::{Output, is_enough, limit, push_end, push_raw};
use super::pace::Pace;
use super::scratch::{SCRATCH_BYTES, put_packets, take_packets, take_write, with_read};
use crate::frame::{Decoder, Encoder, Role, Violation};

/// ```text
///            open or attach packet            end, violation, peer's close
///   Waiting ───────────────────────▶ Carrying ───────────────────────────▶ Leaving ──▶ done
///      ├───────▶ Entering ──────────────▲                                     ▲
///      └─────────────┴────────────────────────────────────────────────────────┘
/// ```
enum Phase {
    /// Nothing is attached yet (PROTOCOL §5.3).
    Waiting(Box<Waiting>),
    /// The app is asked about the client, or other nodes where the session is; what came behind the open or attach packet waits.
    Entering(Box<(Asked, Vec<Packet>, Charge)>),
    /// A session is attached.
    Carrying {
        connection: Connection,
        is_raw: bool,
        /// A close frame has gone out; there must not be a second one.
        has_closed: bool,
    },
    /// All is said; what is written is to arrive, so the peer's bytes are read and dropped until it closes too.
    Leaving {
        has_shut_down: bool,
        dropped_bytes: usize,
    },
}

/// What will have been said.
type Asked = Pin<Box<dyn Future<Output = Result<Entered<Connection>, Refusal>> + Send>>;

/// Who came, until they attach.
struct Waiting {
    /// Nobody any more, once they have said what they ask for.
    guest: Option<Guest>,
    guest_bytes: usize,
    protocols: Vec<String>,
    frames: usize,
    charge: Charge,
}

/// 1,000: more frames than any client sends before it attaches.
const MAX_FRAMES_BEFORE_ATTACH: usize = 1_000;

/// Carries a session over an upgraded stream until either ends; await it.
///
/// It is done with an error when the stream broke, and with [`io::ErrorKind::TimedOut`] when the peer stopped taking bytes:
/// then reset the stream, so that the kernel keeps none of them. The session has been detached in any case.
pub struct Driver<S> {
    stream: S,
    hub: Hub,
    phase: Phase,
    decoder: Decoder,
    reader: FrameReader,
    output: Output,
    /// Bytes that came with the upgrade, until they are read.
    read_ahead: Option<Box<Bytes>>,
    /// What must be said before anything else.
    first: Option<Box<Packet>>,
    /// Only while something is overdue: an attach, a write, a farewell.
    deadline: Option<Pin<Box<Sleep>>>,
    pace: Pace,
    /// Whether the session counts bytes of this connection.
    is_holding: bool,
}

impl<S> Debug for Driver<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

/// How long a farewell may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// 4 writes of up to 64 KiB: then other connections have their turn.
const MAX_WRITES: usize = 4;

/// 4 MiB: more than a peer has on its way when it reads the close.
const MAX_DROPPED_BYTES: usize = 4_194_304;

/// Has a WebSocket carry the session that it opens or attaches to.
pub(super) fn enter(hub: &Hub, head: Head, caller: &Caller) -> Entering {
    let entry = Entry {
        head,
        packets: Vec::new(),
        transport: Transport::WebSocket,
        intent: Intent::Carry(ConnectionMode::Duplex),
    };
    hub.enter(entry, caller)
}

/// The connection that now carries the session, and what to say first.
pub(super) fn carried(entered: Entered<Connection>) -> (Connection, Box<Opened>) {
    let (connection, _) = entered
        .connection
        .expect("an entry that carries is connected");
    (
        connection,
        entered.opened.expect("a WebSocket is told first"),
    )
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// A driver for `stream`; `read_ahead` is what came with the upgrade.
    pub fn new(stream: S, read_ahead: Bytes, hub: Hub, start: Start) -> Self {
        let (phase, first) = match start {
            Start::Attached(connection, opened) => {
                let phase = Phase::Carrying {
                    connection,
                    is_raw: false,
                    has_closed: false,
                };
                (phase, Some(Packet::Opened(opened)))
            }
            Start::Raw(connection) => (
                Phase::Carrying {
                    connection,
                    is_raw: true,
                    has_closed: false,
                },
                None,
            ),
            Start::Later { guest, protocols } => (
                Phase::Waiting(Box::new(Waiting {
                    guest_bytes: guest.held_bytes(),
                    guest: Some(guest),
                    protocols,
                    frames: 0,
                    charge: hub.memory().charge(),
                })),
                None,
            ),
            Start::Refused(refusal) => (
                Phase::Leaving {
                    has_shut_down: false,
                    dropped_bytes: 0,
                },
                Some(Packet::Close(refusal.reason().clone())),
            ),
        };
        let first = first.map(Box::new);
        let read_ahead = (!read_ahead.is_empty()).then(|| Box::new(read_ahead));
        let deadline = match phase {
            Phase::Waiting(_) | Phase::Entering(_) => Some(after(Limits::ATTACH_WITHIN)),
            Phase::Leaving { .. } => Some(after(LEAVE_WITHIN)),
            Phase::Carrying { .. } => None,
        };
        let decoder = Decoder::new(Role::Server, hub.limits().max_frame_bytes());
        Self {
            stream,
            hub,
            phase,
            decoder,
            reader: FrameReader::default(),
            output: Output::default(),
            read_ahead,
            first,
            deadline,
            pace: Pace::default(),
            is_holding: false,
        }
    }

    /// The stream that carries the session.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    fn poll_carry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.poll_entering(cx);
            let is_blocked = self.poll_write(cx)?;
            if self.poll_deadline(cx, is_blocked).is_ready() {
                if let Phase::Waiting(_) | Phase::Entering(_) = self.phase {
                    let text = "no open or attach within 10 s of the upgrade";
                    self.refuse(CloseReason::new(CloseCode::STALLED, text));
                    continue;
                }
                // What it was to take is not taken.
                let is_stalled = !self.output.is_empty();
                if let Phase::Carrying { connection, .. } = &self.phase
                    && is_stalled
                {
                    connection.stall();
                }
                return Poll::Ready(match is_stalled {
                    true => Err(io::ErrorKind::TimedOut.into()),
                    false => Ok(()),
                });
            }
            // A peer that takes nothing is still read from, since its acks make room, but not without a bound.
            if is_blocked && self.output.is_full() {
                return Poll::Pending;
            }
            let count = ready!(self.poll_read(cx))?;
            if count == 0 || self.has_dropped_enough(count) {
                return Poll::Ready(Ok(()));
            }
            self.judge_pace();
            if count == SCRATCH_BYTES {
                // There is more, and others wait for their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Writes what is ready, and asks for another turn where that is much. `true` when the peer does not take it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        for _ in 0..MAX_WRITES {
            let before = self.output.written();
            match self.output.poll_flush(&mut self.stream, cx) {
                Poll::Ready(done) => done?,
                Poll::Pending => {
                    if self.output.written() > before
                        && let Phase::Carrying { connection, .. } = &self.phase
                    {
                        connection.alive();
                        self.deadline = None;
                    }
                    self.leave_if_over();
                    return Ok(true);
                }
            }
            if !self.transmit(cx)? {
                return Ok(!self.output.is_empty());
            }
        }
        cx.waker().wake_by_ref();
        Ok(false)
    }

    /// Encodes and writes what is to be sent now. `false` when that was all.
    fn transmit(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut out = take_write();
        let mut encoder = Encoder::server();
        let has_more = match &mut self.phase {
            Phase::Waiting(_) | Phase::Entering(_) => false,
            Phase::Leaving { has_shut_down, .. } => match self.first.take() {
                Some(packet) => {
                    encoder.packet(&mut out, &packet);
                    if let Packet::Close(reason) = *packet {
                        encoder.close(&mut out, &reason);
                    }
                    true
                }
                None => {
                    if !*has_shut_down {
                        *has_shut_down = Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
                    }
                    false
                }
            },
            Phase::Carrying {
                connection,
                is_raw,
                has_closed,
            } => {
                if let Some(packet) = self.first.take() {
                    encoder.packet(&mut out, &packet);
                }
                let (is_raw, mut is_full) = (*is_raw, false);
                let end = connection.poll_transmit(cx, |outgoing| {
                    match outgoing {
                        Outgoing::Message(message) if is_raw => {
                            encoder.raw_message(&mut out, message)
                        }
                        Outgoing::Message(message) => encoder.message(&mut out, message),
                        Outgoing::Packet(packet) => {
                            if is_raw {
                                push_raw(&mut out, &packet);
                                *has_closed |= matches!(packet, Packet::Close(_));
                            } else {
                                encoder.packet(&mut out, &packet);
                            }
                        }
                    }
                    is_full = is_enough(&out);
                    if is_full { Flow::Pause } else { Flow::Continue }
                });
                if let Poll::Ready(end) = end {
                    push_end(&mut out, end, is_raw);
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
        if let Phase::Entering(_) = self.phase {
            return Poll::Pending;
        }
        if let Phase::Carrying { connection, .. } = &self.phase
            && connection.poll_inbox_room(cx).is_pending()
        {
            // We are the ones who do not read, so it says nothing of the peer.
            self.pace.excuse();
            return Poll::Pending;
        }
        ready!(self.pace.poll_pause(cx));
        let mut packets = take_packets();
        let language = self.language();
        let Self {
            stream,
            decoder,
            reader,
            output,
            ..
        } = self;
        let outcome = match self.read_ahead.take() {
            None => with_read(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
                let input = buffer.filled_mut();
                let count = input.len();
                Poll::Ready(Ok((
                    count,
                    decode((decoder, reader), input, language, &mut packets, output),
                )))
            }),
            Some(read_ahead) => {
                let mut input = read_ahead.to_vec();
                let decoded = decode(
                    (decoder, reader),
                    &mut input,
                    language,
                    &mut packets,
                    output,
                );
                Poll::Ready(Ok((input.len(), decoded)))
            }
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
            Phase::Carrying { connection, .. } => {
                if packets.is_empty() {
                    connection.alive();
                }
                let frames = self.decoder.take_frames();
                if frames > 0 {
                    match connection.receive(packets.drain(..), frames) {
                        Ok(Duration::ZERO) => {}
                        Ok(pause) => {
                            self.pace.pause(pause);
                        }
                        // Other refusals show in what there is to transmit.
                        Err(refusal) => self.limit(&refusal),
                    }
                }
            }
            Phase::Waiting(_) => self.handle_waiting(packets),
            Phase::Entering(_) | Phase::Leaving { .. } => {}
        }
        match then {
            Then::GoOn => {}
            Then::Close(answer) => self.close(answer),
            Then::Fail(violation) => self.fail(&violation),
            Then::Violate(error) => match &self.phase {
                Phase::Carrying { connection, .. } => connection.violate(error),
                Phase::Waiting(_) | Phase::Entering(_) => self.refuse(error.into()),
                Phase::Leaving { .. } => {}
            },
        }
    }

    /// Before an attach only pings and the attach itself are welcome (PROTOCOL §5.3).
    fn handle_waiting(&mut self, packets: &mut Vec<Packet>) {
        if self.reader.awaits_part() {
            return self.refuse(before_attach().into());
        }
        let frames = self.decoder.take_frames();
        if let Phase::Waiting(waiting) = &mut self.phase {
            waiting.frames += frames;
            if waiting.frames > MAX_FRAMES_BEFORE_ATTACH {
                let text = "more than 1,000 frames before open or attach";
                return self.refuse(CloseReason::new(CloseCode::TOO_MANY, text));
            }
        }
        let mut packets = packets.drain(..);
        for packet in packets.by_ref() {
            let Phase::Waiting(waiting) = &mut self.phase else {
                break;
            };
            if let Err(error) = check_size(&packet, self.hub.limits()) {
                return self.refuse(error.into());
            }
            let head = match packet {
                Packet::Ping(content) => {
                    self.output
                        .push(|out| Encoder::server().packet(out, &Packet::Pong(content)));
                    continue;
                }
                Packet::Padding(_) => continue,
                Packet::Open(request) if request.hold.is_some() => return self.refuse(held()),
                Packet::Attach(request) if request.hold.is_some() => return self.refuse(held()),
                Packet::Open(mut request) => {
                    if let Err(error) = check_credential(&request, self.hub.limits()) {
                        return self.refuse(error.into());
                    }
                    if request.protocols.is_empty() {
                        request.protocols = std::mem::take(&mut waiting.protocols);
                    }
                    Head::Open(request)
                }
                Packet::Attach(request) => Head::Attach(request),
                _ => return self.refuse(before_attach().into()),
            };
            let guest = waiting.guest.take().expect("they come once");
            let mut charge = self.hub.memory().charge();
            charge.set(waiting.guest_bytes);
            let entering = match guest {
                Guest::Known(caller) => enter(&self.hub, head, &caller),
                guest => {
                    let hub = self.hub.clone();
                    Entering::Elsewhere(Box::pin(async move {
                        let caller = guest.caller(&hub, Some(&head), &[]).await;
                        enter(&hub, head, &caller).decided().await
                    }))
                }
            };
            match entering {
                Entering::Here(decided) => self.carry(decided, packets),
                Entering::Elsewhere(asked) => {
                    self.phase = Phase::Entering(Box::new((asked, packets.collect(), charge)));
                }
            }
            return;
        }
    }

    /// Who was asked may have answered.
    fn poll_entering(&mut self, cx: &mut Context<'_>) {
        if let Phase::Entering(asked) = &mut self.phase
            && let Poll::Ready(decided) = asked.0.as_mut().poll(cx)
        {
            let packets = std::mem::take(&mut asked.1);
            self.carry(decided, packets.into_iter());
        }
    }

    /// The session is found, or not; `packets` came behind the open or attach packet.
    fn carry(
        &mut self,
        decided: Result<Entered<Connection>, Refusal>,
        packets: impl Iterator<Item = Packet>,
    ) {
        let (connection, opened) = match decided {
            Ok(entered) => carried(entered),
            Err(refusal) => return self.refuse(refusal.reason().clone()),
        };
        // So few are worth no look at the shares.
        let _ = connection.receive(packets, 0);
        self.first = Some(Box::new(Packet::Opened(opened)));
        self.phase = Phase::Carrying {
            connection,
            is_raw: false,
            has_closed: false,
        };
        self.deadline = None;
    }

    /// The client asks too much: what came was taken, and the connection ends (PROTOCOL §10.9).
    fn limit(&mut self, refusal: &Refusal) {
        let reason = refusal.reason();
        if let (CloseCode::TOO_MANY | CloseCode::OVERLOADED, Phase::Carrying { is_raw, .. }) =
            (reason.code, &self.phase)
        {
            self.close(limit(reason, *is_raw));
        }
    }

    /// Counts what waits here for the rest of a frame or for the peer. `true` if there is something to say now.
    fn weigh(&mut self) -> bool {
        let held = self.decoder.held_bytes() + self.output.held_bytes();
        match &mut self.phase {
            Phase::Waiting(waiting) => {
                if waiting.charge.set(held + waiting.guest_bytes) {
                    self.refuse(Refusal::no_memory().reason().clone());
                    return true;
                }
            }
            Phase::Carrying { connection, .. } if held > 0 || self.is_holding => {
                connection.hold(held);
                self.is_holding = held > 0;
            }
            Phase::Entering(_) | Phase::Carrying { .. } | Phase::Leaving { .. } => {}
        }
        false
    }

    /// Whether the peer goes on and on after all is said.
    fn has_dropped_enough(&mut self, count: usize) -> bool {
        let Phase::Leaving { dropped_bytes, .. } = &mut self.phase else {
            return false;
        };
        *dropped_bytes += count;
        *dropped_bytes > MAX_DROPPED_BYTES
    }

    /// Whether a frame or message comes too slowly, which is looked at when something comes.
    fn judge_pace(&mut self) {
        if self.pace.is_too_slow(self.decoder.held_bytes()) {
            let text = "a frame or message that came too slowly: 8,192 bytes a second, after 10 s";
            self.close(CloseReason::new(CloseCode::STALLED, text));
        }
    }

    fn language(&self) -> Language {
        match self.phase {
            Phase::Waiting(_) | Phase::Entering(_) | Phase::Carrying { is_raw: false, .. } => {
                Language::Anywire
            }
            Phase::Carrying { is_raw: true, .. } => Language::Raw,
            Phase::Leaving { .. } => Language::Nothing,
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

// How a WebSocket ends: who says what last.
impl<S> Driver<S> {
    /// The peer broke a rule of WebSocket: the connection fails, the session lives (PROTOCOL §5.7).
    fn fail(&mut self, violation: &Violation) {
        if violation.code() == CloseCode::TOO_BIG {
            let error = ProtocolError::new(CloseCode::TOO_LARGE, violation.what());
            match &self.phase {
                // What is left to say is said with the next transmit.
                Phase::Carrying {
                    connection,
                    is_raw: false,
                    ..
                } => return connection.violate(error),
                Phase::Waiting(_) | Phase::Entering(_) => return self.refuse(error.into()),
                Phase::Carrying { .. } | Phase::Leaving { .. } => {}
            }
        }
        self.close(CloseReason::new(violation.code(), violation.what()));
    }

    fn refuse(&mut self, reason: CloseReason) {
        self.first = Some(Box::new(Packet::Close(reason)));
        self.leave();
    }

    /// Answers the peer's close by its own code (PROTOCOL §5.6), or closes first with a reason.
    fn close(&mut self, reason: CloseReason) {
        let has_closed = match self.phase {
            Phase::Leaving { .. } => return,
            Phase::Carrying { has_closed, .. } => has_closed,
            Phase::Waiting(_) | Phase::Entering(_) => false,
        };
        self.say_last_words();
        // Browsers give no reason; servers and gateways that stop do, mostly.
        if reason.code == CloseCode::GOING_AWAY
            && reason.text().is_empty()
            && let Phase::Carrying { connection, .. } = &self.phase
        {
            connection.go_away();
        }
        if !has_closed {
            self.output
                .push(|out| Encoder::server().close(out, &reason));
        }
        self.leave();
    }

    /// What is still to be said to a peer that closes the WebSocket: *opened*, if it opened in the same breath, and above
    /// all the answer to its close packet.
    fn say_last_words(&mut self) {
        if let Some(packet) = self.first.take() {
            self.output
                .push(|out| Encoder::server().packet(out, &packet));
        }
        if let Phase::Carrying {
            connection,
            is_raw: false,
            ..
        } = &self.phase
        {
            let cx = Context::from_waker(Waker::noop());
            self.output.push(|out| {
                let mut encoder = Encoder::server();
                let _ = connection.poll_transmit(&cx, |outgoing| {
                    match outgoing {
                        Outgoing::Packet(packet) => encoder.packet(out, &packet),
                        Outgoing::Message(message) => encoder.message(out, message),
                    }
                    if is_enough(out) {
                        Flow::Pause
                    } else {
                        Flow::Continue
                    }
                });
            });
        }
    }

    /// Detaches, and says goodbye for a while.
    fn leave(&mut self) {
        self.phase = Phase::Leaving {
            has_shut_down: false,
            dropped_bytes: 0,
        };
        self.deadline = Some(after(LEAVE_WITHIN));
    }

    /// What a peer does not take keeps no session's connection that is over.
    fn leave_if_over(&mut self) {
        if let Phase::Carrying { connection, .. } = &self.phase
            && connection.is_over()
        {
            self.leave();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let polled = this.poll_carry(cx);
            if polled.is_ready() || !this.weigh() {
                return polled;
            }
        }
    }
}

const fn before_attach() -> ProtocolError {
    ProtocolError::malformed("a packet before open or attach that is neither ping nor padding")
}

fn held() -> CloseReason {
    let text = "holdMs on a WebSocket: only exchanges are held, leave it out";
    ProtocolError::malformed(text).into()
}

fn after(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep_until(Instant::now() + duration))
}
