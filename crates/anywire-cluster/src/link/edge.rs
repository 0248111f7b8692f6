//! The edge's end of a link: entries go to the home, and each connection that one becomes is shown to its transport here.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt::{self, Debug, Formatter};
use std::future::{Future, poll_fn};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anywire_core::{
    Caller, Deed, End, Entered, Entry, Flow, Head, Outgoing, Reached, Refusal, RemoteConnection,
    Whom,
};
use anywire_protocol::{
    Can, CloseCode, CloseReason, Encoding, Offset, Opened, Packet, PayloadReader, PayloadWriter,
    ProtocolError, SessionId, ShortAnswer,
};
use bytes::BytesMut;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::frame::{
    Claim, EndCode, IntentCode, MAX_CHUNK_BYTES, RefusedCode, StreamId, ToEdge, ToHome,
    VerdictCode, decode, encode, encode_opening, pieces, refusal, take_frame,
};
use super::pipe::{LinkError, PING_AFTER, Pipe, Turn};
use super::reach::{decode_reached, encode_ask};
use super::{MAX_STREAMS, WINDOW_BYTES};
use crate::store::{NodeId, StoreId};

/// A link to a home, as entries and connections use it.
pub(crate) struct Link {
    out: Mutex<BytesMut>,
    has_output: Notify,
    /// Nothing any more once the link is broken.
    streams: Mutex<Option<HashMap<StreamId, Arc<Stream>>>>,
    questions: Mutex<HashMap<u32, oneshot::Sender<bool>>>,
    /// What is asked of the home's sessions, and as much of the answer as has come.
    reaching: Mutex<HashMap<u32, Answering>>,
    next: AtomicU32,
    /// The store that the home has settled with.
    settled: Mutex<Option<StoreId>>,
    /// Whether the home can use the store, as it said last.
    has_store: AtomicBool,
}

/// What has come of an answer, and who waits for it.
type Answering = (Vec<u8>, oneshot::Sender<Reached>);

/// 16 MiB: a link on which more waits takes no more of what nobody waits for.
const MAX_WAITING_BYTES: usize = 16_777_216;

/// Why an entry was not let in.
#[derive(Debug)]
pub(crate) enum NotEntered {
    /// The home says why.
    Refused(Refusal),
    /// The home has no such session.
    NotHere,
    /// The link broke: whether the home has taken the packets is unknown.
    Lost,
}

impl Debug for Link {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            out: Mutex::default(),
            has_output: Notify::new(),
            streams: Mutex::new(Some(HashMap::new())),
            questions: Mutex::default(),
            reaching: Mutex::default(),
            next: AtomicU32::new(0),
            settled: Mutex::default(),
            has_store: AtomicBool::new(true),
        }
    }

    /// Carries what is said, until the link breaks; then all its streams are lost.
    pub(super) async fn run(self: Arc<Self>, mut pipe: Pipe) -> LinkError {
        let Err(broken) = self.carry(&mut pipe).await;
        let streams = lock(&self.streams).take();
        for stream in streams.into_iter().flat_map(HashMap::into_values) {
            stream.change(|state| state.end = Some(Ended::Lost));
        }
        lock(&self.questions).clear();
        lock(&self.reaching).clear();
        broken
    }

    async fn carry(&self, pipe: &mut Pipe) -> Result<Infallible, LinkError> {
        loop {
            while let Some(frame) = take_frame(&mut pipe.input)? {
                self.handle(&frame)?;
            }
            if !pipe.is_full() {
                let out = mem::take(&mut *lock(&self.out));
                pipe.push(&out)?;
            }
            if let Turn::MustPing = pipe.turn(self.has_output.notified()).await? {
                self.say(&ToHome::Ping);
            }
        }
    }

    /// Whether it has not broken.
    pub(crate) fn is_alive(&self) -> bool {
        lock(&self.streams).is_some()
    }

    /// The store that the home has written back its sessions to.
    pub(crate) fn settled(&self) -> Option<StoreId> {
        *lock(&self.settled)
    }

    /// Whether the home can use the store, as it said last.
    pub(crate) fn has_store(&self) -> bool {
        self.has_store.load(Ordering::Relaxed)
    }

    fn say(&self, frame: &ToHome<'_>) {
        encode(frame, &mut lock(&self.out));
        self.has_output.notify_one();
    }

    /// Whether a session lives at the home, or has ended there lately; nothing if the link broke.
    pub(crate) async fn has_session(&self, session: SessionId) -> Option<bool> {
        let session = *session.as_bytes();
        self.ask(|question| ToHome::Ask { question, session }).await
    }

    /// Whether the home has a link to a node; nothing if this link broke.
    pub(crate) async fn is_linked(&self, node: NodeId) -> Option<bool> {
        let node = node.0;
        self.ask(|question| ToHome::AskLink { question, node })
            .await
    }

    /// Whether a session of the home goes on by its grant; nothing if the link broke.
    pub(crate) async fn is_by_grant(&self, session: SessionId) -> Option<bool> {
        let session = *session.as_bytes();
        self.ask(|question| ToHome::AskGrant { question, session })
            .await
    }

    /// Does something to the home's sessions: it is on its way when this returns. The future has no answer if the link breaks.
    ///
    /// Nothing is asked while so much waits on the link already that it looks dead.
    pub(crate) fn reach(
        &self,
        whom: &Whom,
        deed: &Deed,
    ) -> Option<impl Future<Output = Option<Reached>> + Send + use<>> {
        let bytes = encode_ask(whom, deed);
        if lock(&self.out).len() > MAX_WAITING_BYTES {
            return None;
        }
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.reaching).insert(question, (Vec::new(), sender));
        if !self.is_alive() {
            lock(&self.reaching).remove(&question);
            return None;
        }
        {
            // All of it at once: pieces of two questions may mix, but what is asked stays in order.
            let mut out = lock(&self.out);
            for (is_last, bytes) in pieces(&bytes) {
                let frame = ToHome::Reach {
                    question,
                    is_last,
                    bytes,
                };
                encode(&frame, &mut out);
            }
        }
        self.has_output.notify_one();
        Some(async move { answer.await.ok() })
    }

    /// Takes a piece of an answer.
    fn take_reached(&self, question: u32, is_last: bool, bytes: &[u8]) -> Result<(), LinkError> {
        let mut reaching = lock(&self.reaching);
        // Nobody may wait for it any more.
        let Some((answer, _)) = reaching.get_mut(&question) else {
            return Ok(());
        };
        answer.extend_from_slice(bytes);
        if answer.len() > MAX_WAITING_BYTES {
            return Err(LinkError::Nonsense("an answer without an end"));
        }
        if is_last && let Some((answer, asked)) = reaching.remove(&question) {
            // Who asked may be gone.
            let _ = asked.send(decode_reached(&answer)?);
        }
        Ok(())
    }

    async fn ask(&self, ask: impl FnOnce(u32) -> ToHome<'static>) -> Option<bool> {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.questions).insert(question, sender);
        if !self.is_alive() {
            lock(&self.questions).remove(&question);
            return None;
        }
        self.say(&ask(question));
        answer.await.ok()
    }

    /// Sends an entry to the home.
    ///
    /// Cancel safety: dropping the future drops the connection that the entry may have become.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        entry: &Entry,
        claim: Claim,
        caller: &Caller,
        max_packet_bytes: usize,
    ) -> Result<Entered<Box<dyn RemoteConnection>>, NotEntered> {
        let mut writer = PayloadWriter::new(Encoding::Binary);
        match &entry.head {
            Head::Open(open) => writer.push(&Packet::Open(open.clone())),
            Head::Attach(attach) => writer.push(&Packet::Attach(attach.clone())),
        }
        entry.packets.iter().for_each(|packet| writer.push(packet));
        let payload = writer.finish();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(Stream {
            state: Mutex::new(StreamState::new(max_packet_bytes)),
        });
        let remote = Remote {
            link: self.clone(),
            id,
            stream: stream.clone(),
            said: AtomicU32::new(0),
            alive_at: Mutex::new(None),
        };
        match &mut *lock(&self.streams) {
            Some(streams) if streams.len() < MAX_STREAMS => streams.insert(id, stream.clone()),
            _ => return Err(NotEntered::Lost),
        };
        let (intent, hold) = IntentCode::of(entry.intent);
        let opening = encode_opening(caller.opening.as_ref());
        self.say(&ToHome::Enter {
            stream: id,
            claim,
            verdict: VerdictCode::of(&caller.verdict),
            asked_us: caller.asked.map(|asked| asked.elapsed().as_micros() as u64),
            address: caller.address,
            transport: entry.transport.index() as u8,
            intent,
            hold_ms: u32::try_from(hold.as_millis()).unwrap_or(u32::MAX),
            bytes: payload.len() as u32,
            opening_bytes: opening.len() as u32,
        });
        remote.say_bytes(&payload, 0);
        remote.say_bytes(&opening, 0);
        let entered = poll_fn(|cx| stream.poll_entered(cx)).await?;
        Ok(Entered {
            opened: entered.opened,
            connection: entered
                .first
                .map(|first| -> (Box<dyn RemoteConnection>, Offset) { (Box::new(remote), first) }),
            answer: entered.answer,
        })
    }

    fn handle(&self, frame: &[u8]) -> Result<(), LinkError> {
        match decode::<ToEdge<'_>>(frame)? {
            ToEdge::Entered {
                stream,
                first,
                can,
                packets,
            } => {
                let mut reader = PayloadReader::new(Encoding::Binary, packets.len());
                reader.push(packets);
                let mut entered = Told {
                    first: first.map(Offset::new),
                    opened: None,
                    answer: None,
                };
                while let Some(packet) = next_packet(&mut reader)? {
                    match (packet, &mut entered.answer) {
                        (Packet::Opened(opened), _) => entered.opened = Some(opened),
                        (Packet::Ack(received), _) => {
                            entered.answer = Some(ShortAnswer {
                                received,
                                credential: None,
                                close: None,
                            });
                        }
                        (Packet::Credential(said), Some(answer)) => answer.credential = Some(said),
                        (Packet::Close(reason), Some(answer)) => answer.close = Some(reason),
                        _ => return Err(LinkError::Nonsense("a packet where none belongs")),
                    }
                }
                let can = Can::from_names(can);
                self.change(stream, |state| {
                    state.can = can;
                    state.entered = Some(Ok(entered));
                });
            }
            ToEdge::Refused {
                stream,
                why,
                code,
                text,
                retry_ms,
            } => {
                let refusal = refusal(code, text, retry_ms);
                self.change(stream, |state| {
                    state.entered = Some(Err(match why {
                        RefusedCode::Verdict => NotEntered::Refused(refusal),
                        RefusedCode::NotHere => NotEntered::NotHere,
                    }));
                });
            }
            ToEdge::Bytes {
                stream,
                number,
                bytes,
            } => self.try_change(stream, |state| state.take(number, bytes))?,
            ToEdge::Room { stream, bytes } => {
                self.change(stream, |state| state.room += i64::from(bytes));
            }
            ToEdge::End {
                stream,
                number,
                why,
                code,
                text,
            } => {
                let reason = || CloseReason::new(CloseCode::from_u16(code), text);
                let end = match why {
                    EndCode::Finished => End::Finished,
                    EndCode::Closed => End::Closed(reason()),
                    EndCode::Superseded => End::Superseded,
                    EndCode::Stalled => End::Stalled,
                    EndCode::Limited => End::Limited(reason()),
                };
                self.try_change(stream, |state| {
                    state.expect(number)?;
                    state.end = Some(Ended::Told(end));
                    Ok(())
                })?;
            }
            ToEdge::Answer { question, is_so } => {
                if let Some(asked) = lock(&self.questions).remove(&question) {
                    // Who asked may be gone.
                    let _ = asked.send(is_so);
                }
            }
            ToEdge::Reached {
                question,
                is_last,
                bytes,
            } => self.take_reached(question, is_last, bytes)?,
            ToEdge::Settled { store } => *lock(&self.settled) = Some(store),
            ToEdge::Ping { has_store } => self.has_store.store(has_store, Ordering::Relaxed),
        }
        Ok(())
    }

    fn change(&self, stream: StreamId, change: impl FnOnce(&mut StreamState)) {
        // It may have been dropped while the frame was on its way.
        if let Some(stream) = self.stream(stream) {
            stream.change(change);
        }
    }

    fn try_change(
        &self,
        stream: StreamId,
        change: impl FnOnce(&mut StreamState) -> Result<(), LinkError>,
    ) -> Result<(), LinkError> {
        let stream = self.stream(stream);
        stream.map_or(Ok(()), |stream| stream.change(change))
    }

    fn stream(&self, stream: StreamId) -> Option<Arc<Stream>> {
        lock(&self.streams).as_ref()?.get(&stream).cloned()
    }
}

/// What has come from the home for one entry.
struct Stream {
    state: Mutex<StreamState>,
}

struct StreamState {
    entered: Option<Result<Told, NotEntered>>,
    can: Can,
    reader: PayloadReader,
    packets: VecDeque<Packet>,
    /// Bytes that came and that the home has not been told of as taken.
    untold: usize,
    /// The number of the next frame.
    number: u32,
    /// How many bytes more the home takes.
    room: i64,
    end: Option<Ended>,
    waker: Option<Waker>,
}

/// What the home says of an entry that it let in.
struct Told {
    first: Option<Offset>,
    opened: Option<Box<Opened>>,
    answer: Option<ShortAnswer>,
}

/// How a stream ended.
enum Ended {
    Told(End),
    Lost,
}

impl Stream {
    /// Changes the state and wakes who waits for it.
    fn change<T>(&self, change: impl FnOnce(&mut StreamState) -> T) -> T {
        let mut state = lock(&self.state);
        let output = change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        output
    }

    fn poll_entered(&self, cx: &Context<'_>) -> Poll<Result<Told, NotEntered>> {
        let mut state = lock(&self.state);
        if let Some(entered) = state.entered.take() {
            return Poll::Ready(entered);
        }
        if state.end.is_some() {
            return Poll::Ready(Err(NotEntered::Lost));
        }
        state.wait(cx);
        Poll::Pending
    }
}

impl StreamState {
    fn new(max_packet_bytes: usize) -> Self {
        Self {
            entered: None,
            can: Can::NONE,
            reader: PayloadReader::new(Encoding::Binary, max_packet_bytes),
            packets: VecDeque::new(),
            untold: 0,
            number: 0,
            room: WINDOW_BYTES as i64,
            end: None,
            waker: None,
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn expect(&mut self, number: u32) -> Result<(), LinkError> {
        if number != self.number {
            return Err(LinkError::Nonsense("a frame of a stream is missing"));
        }
        self.number = number.wrapping_add(1);
        Ok(())
    }

    fn take(&mut self, number: u32, bytes: &[u8]) -> Result<(), LinkError> {
        self.expect(number)?;
        self.untold += bytes.len();
        self.reader.push(bytes);
        while let Some(packet) = next_packet(&mut self.reader)? {
            self.packets.push_back(packet);
        }
        Ok(())
    }
}

fn next_packet(reader: &mut PayloadReader) -> Result<Option<Packet>, LinkError> {
    let packet = reader.next_packet();
    packet.map_err(|_| LinkError::Nonsense("bytes that are no packet"))
}

/// A connection whose session lives at the link's other end. Dropping it tells the home.
struct Remote {
    link: Arc<Link>,
    id: StreamId,
    stream: Arc<Stream>,
    /// The number of the next frame.
    said: AtomicU32,
    /// When the home was told last that the client lives.
    alive_at: Mutex<Option<Instant>>,
}

impl Debug for Remote {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("stream", &self.id)
            .finish_non_exhaustive()
    }
}

impl Remote {
    fn say_bytes(&self, bytes: &[u8], mut frames: usize) {
        for chunk in bytes.chunks(MAX_CHUNK_BYTES) {
            self.link.say(&ToHome::Bytes {
                stream: self.id,
                number: self.said.fetch_add(1, Ordering::Relaxed),
                frames: u16::try_from(mem::take(&mut frames)).unwrap_or(u16::MAX),
                bytes: chunk,
            });
        }
    }
}

impl RemoteConnection for Remote {
    fn receive(
        &self,
        packets: &mut dyn Iterator<Item = Packet>,
        frames: usize,
    ) -> Result<Duration, Refusal> {
        let mut writer = PayloadWriter::new(Encoding::Binary);
        packets.for_each(|packet| writer.push(&packet));
        let bytes = writer.finish();
        lock(&self.stream.state).room -= bytes.len() as i64;
        self.say_bytes(&bytes, frames);
        // The home slows the client by giving no room.
        Ok(Duration::ZERO)
    }

    fn hold(&self, _bytes: usize) {}

    fn can(&self) -> Can {
        lock(&self.stream.state).can
    }

    fn go_away(&self) {
        self.link.say(&ToHome::GoAway { stream: self.id });
    }

    fn stall(&self) {
        self.link.say(&ToHome::Stall { stream: self.id });
    }

    fn violate(&self, error: ProtocolError) {
        self.link.say(&ToHome::Violate {
            stream: self.id,
            code: error.code().as_u16(),
        });
    }

    fn alive(&self) {
        let now = Instant::now();
        let mut alive_at = lock(&self.alive_at);
        if alive_at.is_none_or(|at| now - at >= PING_AFTER) {
            *alive_at = Some(now);
            self.link.say(&ToHome::Alive { stream: self.id });
        }
    }

    fn poll_transmit(
        &self,
        cx: &Context<'_>,
        send: &mut dyn FnMut(Outgoing<'_>) -> Flow,
    ) -> Poll<End> {
        let mut state = lock(&self.stream.state);
        while let Some(packet) = state.packets.pop_front() {
            let flow = match packet {
                Packet::Message(message) => send(Outgoing::Message(&message)),
                packet => send(Outgoing::Packet(packet)),
            };
            if flow == Flow::Pause {
                state.wait(cx);
                return Poll::Pending;
            }
        }
        let poll = match &state.end {
            Some(Ended::Told(end)) => Poll::Ready(end.clone()),
            Some(Ended::Lost) => Poll::Ready(End::Lost),
            None => {
                state.wait(cx);
                Poll::Pending
            }
        };
        let taken = mem::take(&mut state.untold) as u32;
        drop(state);
        if taken > 0 && poll.is_pending() {
            self.link.say(&ToHome::Room {
                stream: self.id,
                bytes: taken,
            });
        }
        poll
    }

    fn is_over(&self) -> bool {
        lock(&self.stream.state).end.is_some()
    }

    fn poll_inbox_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.stream.state);
        if state.room > 0 || state.end.is_some() {
            return Poll::Ready(());
        }
        state.wait(cx);
        Poll::Pending
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let stream = self.id;
        let known = lock(&self.link.streams)
            .as_mut()
            .and_then(|streams| streams.remove(&stream));
        if known.is_some() && lock(&self.stream.state).end.is_none() {
            self.link.say(&ToHome::Drop { stream });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is plain data, and nothing panics while they are held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
