//! The home's end of a link: entries come from an edge, and each connection that one becomes is driven here, all by one task.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use anywire_core::{
    Caller, Connection, End, Entered, Entry, Flow, Head, Hub, Intent, Outgoing, Refusal,
};
use anywire_protocol::{
    CloseCode, CloseReason, Encoding, Packet, PayloadReader, PayloadWriter, ProtocolError,
    SessionId, Transport, decode_payload,
};
use bytes::BytesMut;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::frame::{
    Claim, EndCode, MAX_CHUNK_BYTES, RefusedCode, StreamId, ToEdge, ToHome, decode, decode_opening,
    encode, pieces, take_frame,
};
use super::pipe::{LinkError, Pipe, Turn};
use super::reach::{decode_ask, encode_reached};
use super::{MAX_STREAMS, WINDOW_BYTES};
use crate::store::{NodeId, StoreId};

/// What a home knows of its own sessions.
pub(crate) trait Sessions: Send + Sync {
    /// The sessions that live here; nothing once the server is gone.
    fn hub(&self) -> Option<Hub>;

    /// Whether this node can use the store.
    fn has_store(&self) -> bool;

    /// Another node has brought a request or a WebSocket to a session here.
    fn count_brought(&self);

    /// Whether this node has a link to another one now.
    fn is_linked(&self, node: NodeId) -> bool;

    /// Whether this node made, or is about to make, the session by this open, of which the store has told an edge.
    fn is_mine(&self, session: SessionId, token: [u8; 8]) -> bool;

    /// Whether the session lives here, or has ended here lately. If not, and it is about to begin, this node gives that up.
    fn has(&self, session: SessionId) -> bool;

    /// A session that was to begin here has not.
    fn not_begun(&self, session: SessionId);

    /// Makes this node the home of a session that nobody has opened before; tells whether it now is.
    fn make_mine(self: Arc<Self>, session: SessionId) -> Making;
}

/// 64 KiB: for whom a message is.
const BESIDE_MESSAGE_BYTES: usize = 65_536;

/// 64: an edge says one thing after the other.
const MAX_ASKS: usize = 64;

/// A session that is about to become this node's.
pub(crate) type Making = Pin<Box<dyn Future<Output = Result<bool, Refusal>> + Send>>;

/// Serves an edge until the link breaks.
pub(super) async fn serve(
    mut pipe: Pipe,
    sessions: Arc<dyn Sessions>,
    mut settled: watch::Receiver<Option<StoreId>>,
) -> Result<Infallible, LinkError> {
    let ready = Arc::<Ready>::default();
    let (mut told, mut told_has_store) = (None, true);
    let longest_ask = sessions.hub().map_or(0, |hub| {
        hub.limits().max_message_bytes + BESIDE_MESSAGE_BYTES
    });
    let mut home = Home {
        asks: HashMap::new(),
        longest_ask,
        sessions,
        streams: HashMap::new(),
        ready: ready.clone(),
        paused: Vec::new(),
        out: BytesMut::new(),
    };
    loop {
        while let Some(frame) = take_frame(&mut pipe.input)? {
            home.handle(&frame)?;
        }
        let store = *settled.borrow_and_update();
        if let Some(store) = store.filter(|_| store != told) {
            told = Some(store);
            encode(&ToEdge::Settled { store }, &mut home.out);
        }
        let has_store = home.sessions.has_store();
        if has_store != told_has_store {
            told_has_store = has_store;
            encode(&ToEdge::Ping { has_store }, &mut home.out);
        }
        home.resume();
        if !pipe.is_full() {
            home.pump();
        }
        pipe.push(&home.out)?;
        home.out.clear();
        let resume_at = home.paused.iter().map(|(until, _)| *until).min();
        let wake = async {
            tokio::select! {
                () = ready.changed.notified() => {}
                () = sleep_until(resume_at.unwrap_or_else(Instant::now)), if resume_at.is_some() => {}
                // Its sender may be gone.
                Ok(()) = settled.changed() => {}
                () = pending() => {}
            }
        };
        if let Turn::MustPing = pipe.turn(wake).await? {
            let has_store = home.sessions.has_store();
            encode(&ToEdge::Ping { has_store }, &mut home.out);
        }
    }
}

/// All streams of one link.
struct Home {
    sessions: Arc<dyn Sessions>,
    streams: HashMap<StreamId, Stream>,
    ready: Arc<Ready>,
    /// The streams whose clients are slowed, and until when.
    paused: Vec<(Instant, StreamId)>,
    /// What is asked of the sessions here, and has not come whole; and how long that may be.
    asks: HashMap<u32, Vec<u8>>,
    longest_ask: usize,
    /// What is to be said.
    out: BytesMut,
}

enum Stream {
    /// Not all of the entry has come.
    Entering(Box<Arriving>),
    /// The store is asked whether the session may be this node's.
    Making(Box<(Making, Arriving, Entry)>),
    Carrying(Box<Carrying>),
}

/// An entry on its way.
struct Arriving {
    claim: Claim,
    caller: Caller,
    /// The app has given values that are at the edge alone.
    lacks_values: bool,
    transport: Transport,
    intent: Intent,
    bytes: usize,
    opening_bytes: usize,
    payload: BytesMut,
    number: u32,
}

/// A connection, and what has passed on the link for it.
struct Carrying {
    connection: Connection,
    reader: PayloadReader,
    waker: Waker,
    heard: u32,
    said: u32,
    /// How many bytes more the edge takes.
    room: i64,
    /// How many bytes the session has taken that the edge has not been told of.
    owed: usize,
    is_paused: bool,
}

impl Home {
    fn handle(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        match decode::<ToHome<'_>>(frame)? {
            ToHome::Enter {
                stream,
                claim,
                verdict,
                asked_us,
                address,
                transport,
                intent,
                hold_ms,
                bytes,
                opening_bytes,
            } => {
                let transport = Transport::ALL.get(usize::from(transport));
                let transport = *transport.ok_or(LinkError::Nonsense("an unknown transport"))?;
                if self.streams.len() >= MAX_STREAMS || self.streams.contains_key(&stream) {
                    return Err(LinkError::Nonsense(
                        "a stream too many, or one that is there",
                    ));
                }
                let asked =
                    asked_us.and_then(|age| Instant::now().checked_sub(Duration::from_micros(age)));
                let arriving = Arriving {
                    claim,
                    caller: Caller {
                        verdict: verdict.verdict(),
                        address,
                        // It comes behind the packets.
                        opening: None,
                        asked,
                    },
                    lacks_values: verdict.lacks_values(),
                    transport,
                    intent: intent.intent(Duration::from_millis(hold_ms.into())),
                    bytes: bytes as usize,
                    opening_bytes: opening_bytes as usize,
                    payload: BytesMut::new(),
                    number: 0,
                };
                self.streams
                    .insert(stream, Stream::Entering(Box::new(arriving)));
            }
            ToHome::Bytes {
                stream,
                number,
                frames,
                bytes,
            } => self.take(stream, number, frames.into(), bytes)?,
            ToHome::Room { stream, bytes } => {
                if let Some(Stream::Carrying(carrying)) = self.streams.get_mut(&stream) {
                    carrying.room += i64::from(bytes);
                    self.ready.push(stream);
                }
            }
            ToHome::Alive { stream } => {
                if let Some(connection) = self.connection(stream) {
                    connection.alive();
                }
            }
            ToHome::GoAway { stream } => {
                if let Some(connection) = self.connection(stream) {
                    connection.go_away();
                }
            }
            ToHome::Violate { stream, code } => {
                if let Some(connection) = self.connection(stream) {
                    let code = CloseCode::from_u16(code);
                    connection.violate(ProtocolError::new(
                        code,
                        "a rule below the packets was broken",
                    ));
                    self.ready.push(stream);
                }
            }
            ToHome::Stall { stream } => {
                if let Some(connection) = self.connection(stream) {
                    connection.stall();
                }
            }
            ToHome::Drop { stream } => drop(self.streams.remove(&stream)),
            ToHome::Ask { question, session } => {
                let is_so = self.sessions.has(SessionId::from_bytes(session));
                encode(&ToEdge::Answer { question, is_so }, &mut self.out);
            }
            ToHome::AskLink { question, node } => {
                let is_so = self.sessions.is_linked(NodeId(node));
                encode(&ToEdge::Answer { question, is_so }, &mut self.out);
            }
            ToHome::AskGrant { question, session } => {
                let session = SessionId::from_bytes(session);
                let hub = self.sessions.hub();
                let is_so = hub.is_some_and(|hub| hub.is_by_grant_here(session));
                encode(&ToEdge::Answer { question, is_so }, &mut self.out);
            }
            ToHome::Reach {
                question,
                is_last,
                bytes,
            } => self.take_ask(question, is_last, bytes)?,
            ToHome::Ping => {}
        }
        Ok(())
    }

    /// Takes a piece of what an edge asks of the sessions here.
    fn take_ask(&mut self, question: u32, is_last: bool, bytes: &[u8]) -> Result<(), LinkError> {
        let ask = self.asks.entry(question).or_default();
        ask.extend_from_slice(bytes);
        // No session takes what is longer; the rest is awaited, and answered.
        ask.truncate(self.longest_ask);
        if self.asks.len() > MAX_ASKS {
            return Err(LinkError::Nonsense("too many questions at once"));
        }
        if !is_last {
            return Ok(());
        }
        let ask = self.asks.remove(&question).unwrap_or_default();
        let hub = self.sessions.hub().filter(|_| ask.len() < self.longest_ask);
        let reached = match hub {
            Some(hub) => {
                let (whom, deed) = decode_ask(&ask)?;
                Some(hub.reach_here(&whom, &deed))
            }
            None => None,
        };
        for (is_last, bytes) in pieces(&encode_reached(&reached.unwrap_or_default())) {
            let frame = ToEdge::Reached {
                question,
                is_last,
                bytes,
            };
            encode(&frame, &mut self.out);
        }
        Ok(())
    }

    fn connection(&self, stream: StreamId) -> Option<&Connection> {
        match self.streams.get(&stream)? {
            Stream::Carrying(carrying) => Some(&carrying.connection),
            Stream::Entering(_) | Stream::Making(_) => None,
        }
    }

    /// Bytes of packets came.
    fn take(
        &mut self,
        id: StreamId,
        number: u32,
        frames: usize,
        bytes: &[u8],
    ) -> Result<(), LinkError> {
        // It may have ended while they were on their way.
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let heard = match stream {
            Stream::Entering(arriving) => &mut arriving.number,
            Stream::Carrying(carrying) => &mut carrying.heard,
            Stream::Making(_) => return Err(LinkError::Nonsense("more than the entry")),
        };
        if number != *heard {
            return Err(LinkError::Nonsense("a frame of a stream is missing"));
        }
        *heard = heard.wrapping_add(1);
        match stream {
            Stream::Entering(arriving) => {
                arriving.payload.extend_from_slice(bytes);
                let whole = arriving.bytes + arriving.opening_bytes;
                if arriving.payload.len() > whole {
                    return Err(LinkError::Nonsense("an entry longer than it said"));
                }
                if arriving.payload.len() == whole
                    && let Some(Stream::Entering(arriving)) = self.streams.remove(&id)
                {
                    self.enter(id, *arriving)?;
                }
            }
            Stream::Making(_) => {}
            Stream::Carrying(carrying) => {
                let pause = carrying.receive(frames, bytes)?;
                match pause {
                    Ok(Duration::ZERO) => {}
                    Ok(pause) => {
                        carrying.is_paused = true;
                        self.paused.push((Instant::now() + pause, id));
                    }
                    Err(reason) => {
                        carrying.end(id, End::Limited(reason), &mut self.out);
                        self.streams.remove(&id);
                        return Ok(());
                    }
                }
                self.ready.push(id);
            }
        }
        Ok(())
    }

    /// All of an entry has come.
    fn enter(&mut self, id: StreamId, mut arriving: Arriving) -> Result<(), LinkError> {
        let mut payload = mem::take(&mut arriving.payload);
        let opening = payload.split_off(arriving.bytes);
        arriving.caller.opening = decode_opening(&opening)?;
        let payload = payload.freeze();
        let mut packets = decode_payload(Encoding::Binary, payload)
            .map_err(|_| LinkError::Nonsense("an entry that is no payload"))?
            .into_iter();
        let head = match packets.next() {
            Some(Packet::Open(open)) => Head::Open(open),
            Some(Packet::Attach(attach)) => Head::Attach(attach),
            _ => return Err(LinkError::Nonsense("an entry without open or attach")),
        };
        let session = head.session();
        let entry = Entry {
            head,
            packets: packets.collect(),
            transport: arriving.transport,
            intent: arriving.intent,
        };
        let is_mine = match arriving.claim {
            Claim::Opened(token) => self.sessions.is_mine(session, token),
            Claim::Any => self.sessions.has(session),
            Claim::New => false,
        };
        // The store may name this node by an open whose answer was lost.
        let is_open = matches!(entry.head, Head::Open(_));
        if !is_mine && is_open && arriving.claim != Claim::Any {
            if arriving.lacks_values && arriving.claim == Claim::New {
                // The app would miss them when the session opens, and its client can come to this node itself.
                self.refuse(id, RefusedCode::Verdict, &Refusal::draining());
                return Ok(());
            }
            let making = self.sessions.clone().make_mine(session);
            let making = Box::new((making, arriving, entry));
            self.streams.insert(id, Stream::Making(making));
            self.ready.push(id);
        } else {
            self.let_in(id, arriving, entry, Ok(is_mine));
        }
        Ok(())
    }

    /// Lets an entry in whose session is this node's, or not.
    fn let_in(
        &mut self,
        id: StreamId,
        arriving: Arriving,
        entry: Entry,
        is_mine: Result<bool, Refusal>,
    ) {
        let hub = match is_mine {
            Ok(is_mine) => self.sessions.hub().filter(|_| is_mine),
            Err(refusal) => return self.refuse(id, RefusedCode::Verdict, &refusal),
        };
        let Some(hub) = hub else {
            return self.refuse(id, RefusedCode::NotHere, &Refusal::unknown_session());
        };
        let Arriving { caller, number, .. } = arriving;
        let session = entry.head.session();
        let Entered {
            opened,
            connection,
            answer,
        } = match hub.enter_here(entry, &caller) {
            Ok(entered) => entered,
            Err(refusal) => {
                if !hub.has_session(session) {
                    self.sessions.not_begun(session);
                }
                return self.refuse(id, RefusedCode::Verdict, &refusal);
            }
        };
        self.sessions.count_brought();
        let limits = hub.limits();
        let longest = limits.max_message_bytes.max(limits.max_payload_bytes);
        let mut writer = PayloadWriter::new(Encoding::Binary);
        if let Some(opened) = opened {
            writer.push(&Packet::Opened(opened));
        }
        if let Some(answer) = answer {
            answer.packets().for_each(|packet| writer.push(&packet));
        }
        let can = connection.as_ref().map(|(connection, _)| connection.can());
        let frame = ToEdge::Entered {
            stream: id,
            first: connection.as_ref().map(|(_, first)| first.as_u64()),
            can: can.into_iter().flat_map(|can| can.names()).collect(),
            packets: &writer.finish(),
        };
        encode(&frame, &mut self.out);
        if let Some((connection, _)) = connection {
            let carrying = Carrying {
                connection,
                reader: PayloadReader::new(Encoding::Binary, longest + PACKET_HEAD_BYTES),
                waker: self.waker(id),
                heard: number,
                said: 0,
                room: WINDOW_BYTES as i64,
                owed: 0,
                is_paused: false,
            };
            self.streams
                .insert(id, Stream::Carrying(Box::new(carrying)));
            self.ready.push(id);
        }
    }

    /// Wakes the link's task for one stream.
    fn waker(&self, stream: StreamId) -> Waker {
        let ready = self.ready.clone();
        Waker::from(Arc::new(Wakes { stream, ready }))
    }

    fn refuse(&mut self, stream: StreamId, why: RefusedCode, refusal: &Refusal) {
        let retry_ms = refusal
            .retry_after()
            .map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        let frame = ToEdge::Refused {
            stream,
            why,
            code: refusal.reason().code.as_u16(),
            text: refusal.reason().text(),
            retry_ms,
        };
        encode(&frame, &mut self.out);
    }

    /// Lets those go on whose pause is over.
    fn resume(&mut self) {
        let now = Instant::now();
        let (streams, ready) = (&mut self.streams, &self.ready);
        self.paused.retain(|(until, id)| {
            let waits = *until > now;
            if !waits && let Some(Stream::Carrying(carrying)) = streams.get_mut(id) {
                carrying.is_paused = false;
                ready.push(*id);
            }
            waits
        });
    }

    /// Says what the sessions have to say.
    fn pump(&mut self) {
        for id in self.ready.take() {
            let waker = match self.streams.get(&id) {
                Some(Stream::Making(_)) => self.waker(id),
                Some(Stream::Carrying(carrying)) => carrying.waker.clone(),
                Some(Stream::Entering(_)) | None => continue,
            };
            let carrying = match self.streams.get_mut(&id) {
                Some(Stream::Carrying(carrying)) => carrying,
                Some(Stream::Making(making)) => {
                    let mut cx = Context::from_waker(&waker);
                    if let Poll::Ready(is_mine) = making.0.as_mut().poll(&mut cx)
                        && let Some(Stream::Making(making)) = self.streams.remove(&id)
                    {
                        let (_, arriving, entry) = *making;
                        self.let_in(id, arriving, entry, is_mine);
                    }
                    continue;
                }
                _ => continue,
            };
            match carrying.pump(id, &mut self.out) {
                Pumped::All => {}
                // Others have their turn first.
                Pumped::Some => self.ready.push(id),
                Pumped::Ended(end) => {
                    carrying.end(id, end, &mut self.out);
                    self.streams.remove(&id);
                }
            }
        }
    }
}

impl Carrying {
    /// Hands the session what came; the inner error is why the connection must end.
    fn receive(
        &mut self,
        frames: usize,
        bytes: &[u8],
    ) -> Result<Result<Duration, CloseReason>, LinkError> {
        self.owed += bytes.len();
        self.reader.push(bytes);
        let mut packets = Vec::new();
        while let Some(packet) = self
            .reader
            .next_packet()
            .map_err(|_| LinkError::Nonsense("bytes that are no packet"))?
        {
            packets.push(packet);
        }
        Ok(match self.connection.receive(packets.into_iter(), frames) {
            Ok(pause) => Ok(pause),
            Err(refusal) => match refusal.reason().code {
                CloseCode::TOO_MANY | CloseCode::OVERLOADED => Err(refusal.reason().clone()),
                // Others show in what there is to transmit.
                _ => Ok(Duration::ZERO),
            },
        })
    }

    /// Says what there is, as far as there is room for it.
    fn pump(&mut self, id: StreamId, out: &mut BytesMut) -> Pumped {
        let cx = Context::from_waker(&self.waker);
        if self.owed > 0 && !self.is_paused && self.connection.poll_inbox_room(&cx).is_ready() {
            let bytes = mem::take(&mut self.owed) as u32;
            encode(&ToEdge::Room { stream: id, bytes }, out);
        }
        if self.room <= 0 {
            return Pumped::All;
        }
        let most = MAX_CHUNK_BYTES.min(self.room as usize);
        let mut has_more = false;
        let mut writer = PayloadWriter::new(Encoding::Binary);
        let end = self.connection.poll_transmit(&cx, |outgoing| {
            match outgoing {
                Outgoing::Packet(packet) => writer.push(&packet),
                Outgoing::Message(message) => writer.push_message(message),
            }
            has_more = writer.pending_bytes() >= most;
            match has_more {
                true => Flow::Pause,
                false => Flow::Continue,
            }
        });
        let bytes = writer.finish();
        // A long message may take more than there is room for: it cannot be cut here, and the next one waits.
        self.room -= bytes.len() as i64;
        for chunk in bytes.chunks(MAX_CHUNK_BYTES) {
            let frame = ToEdge::Bytes {
                stream: id,
                number: self.next_number(),
                bytes: chunk,
            };
            encode(&frame, out);
        }
        match end {
            Poll::Ready(end) => Pumped::Ended(end),
            Poll::Pending if has_more && self.room > 0 => Pumped::Some,
            Poll::Pending => Pumped::All,
        }
    }

    fn next_number(&mut self) -> u32 {
        let number = self.said;
        self.said = number.wrapping_add(1);
        number
    }

    fn end(&mut self, stream: StreamId, end: End, out: &mut BytesMut) {
        let (why, reason) = match end {
            End::Finished => (EndCode::Finished, None),
            End::Closed(reason) => (EndCode::Closed, Some(reason)),
            End::Superseded => (EndCode::Superseded, None),
            // A session of this node is never carried by a link of its own.
            End::Stalled | End::Lost => (EndCode::Stalled, None),
            End::Limited(reason) => (EndCode::Limited, Some(reason)),
        };
        let frame = ToEdge::End {
            stream,
            number: self.next_number(),
            why,
            code: reason.as_ref().map_or(0, |reason| reason.code.as_u16()),
            text: reason.as_ref().map_or("", |reason| reason.text()),
        };
        encode(&frame, out);
    }
}

/// What [`Carrying::pump`] has said.
enum Pumped {
    /// All that there is, or all that the edge takes.
    All,
    /// A chunk, and there is more.
    Some,
    Ended(End),
}

/// The streams that have something to say.
#[derive(Default)]
struct Ready {
    streams: Mutex<Vec<StreamId>>,
    changed: Notify,
}

impl Ready {
    fn push(&self, stream: StreamId) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.push(stream);
        if streams.len() == 1 {
            self.changed.notify_one();
        }
    }

    fn take(&self) -> Vec<StreamId> {
        mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Wakes the link's task for one stream.
struct Wakes {
    stream: StreamId,
    ready: Arc<Ready>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.stream);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.stream);
    }
}

/// A packet has its length and letter besides.
const PACKET_HEAD_BYTES: usize = 16;
