//! A server's shell reduced to state: what `anywire-core` and the transports do, without sockets.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::*;
use bytes::{Bytes, BytesMut};

use super::pair::numbered;
use super::random::Random;

pub const ID: SessionId = SessionId::from_bytes([1; 16]);
pub const SECRET: Secret = Secret::from_bytes([2; 16]);

/// What the shell wants done in the world.
#[derive(Debug)]
pub enum Outcome {
    Frame {
        link: u32,
        kind: MessageKind,
        data: Bytes,
    },
    Hangup(u32),
    Chunk {
        link: u32,
        data: Bytes,
    },
    /// A stream is refused before it begins.
    Refusal {
        link: u32,
        code: CloseCode,
    },
    Answer {
        id: u32,
        encoding: Encoding,
        body: Result<Bytes, CloseCode>,
    },
}

pub struct ServerShell {
    pub session: Session,
    pub outcomes: Vec<Outcome>,
    pub heard: VecDeque<Message>,
    pub closed: Vec<CloseReason>,
    pub sent: u64,
    limits: Arc<Limits>,
    /// Cuts messages.
    cuts: Random,
    readers: HashMap<u32, FrameReader>,
    links: HashMap<u32, ConnectionId>,
    held: HashMap<u32, (ConnectionId, Encoding, PayloadWriter)>,
    streams: HashMap<u32, Stream>,
}

struct Stream {
    id: ConnectionId,
    writer: PayloadWriter,
    sent: usize,
    is_inside_message: bool,
}

impl ServerShell {
    pub fn new(limits: Arc<Limits>, can: Can, seed: u64) -> Self {
        let mut session = Session::new(Role::Server, limits.clone(), Timestamp::default());
        session.agree(can);
        Self {
            session,
            cuts: Random::new(seed),
            readers: HashMap::new(),
            outcomes: Vec::new(),
            heard: VecDeque::new(),
            closed: Vec::new(),
            sent: 0,
            limits,
            links: HashMap::new(),
            held: HashMap::new(),
            streams: HashMap::new(),
        }
    }

    pub fn send(&mut self, now: Timestamp) {
        if self.session.send(numbered(self.sent), now).is_ok() {
            self.sent += 1;
        }
    }

    pub fn handle_upgrade(&mut self, link: u32, offer: Offer, now: Timestamp) {
        let (generation, received) = match offer {
            Offer::Open(open) => (open.generation, open.received),
            Offer::Attach(attach) => (attach.generation, attach.received),
            Offer::Later { .. } => unreachable!("this client always offers"),
        };
        if self.session.is_finished() {
            self.frame(link, &Packet::Close(CloseCode::UNKNOWN_SESSION.into()));
            return self.outcomes.push(Outcome::Hangup(link));
        }
        match self
            .session
            .handle_attach(generation, received, ConnectionMode::Duplex, now)
        {
            Ok(at) => {
                let opened = self.opened(generation, at);
                self.frame(link, &opened);
                self.links.insert(link, at.id);
            }
            Err(AttachError::Superseded) => {
                self.frame(link, &Packet::Superseded);
                self.outcomes.push(Outcome::Hangup(link));
            }
            Err(error) => panic!("an honest client is refused: {error}"),
        }
    }

    pub fn handle_frame(&mut self, link: u32, kind: MessageKind, data: Bytes, now: Timestamp) {
        let reader = self.readers.entry(link).or_default();
        let Some(packet) = unframe(reader, kind, data) else {
            return;
        };
        if let Some(id) = self.links.get(&link) {
            match self
                .session
                .handle_packet(Fence::Connection(*id), packet, now)
            {
                Ok(()) | Err(AttachError::Superseded) => {}
                Err(error) => panic!("an honest client breaks a rule: {error}"),
            }
        }
    }

    pub fn handle_cut(&mut self, link: u32, now: Timestamp) {
        let stream = self.streams.remove(&link).map(|stream| stream.id);
        if let Some(id) = self.links.remove(&link).or(stream) {
            self.session.handle_detach(id, now);
        }
    }

    pub fn handle_stream(&mut self, link: u32, encoding: Encoding, body: Bytes, now: Timestamp) {
        let refuse = |code| Outcome::Refusal { link, code };
        if self.session.is_finished() {
            return self.outcomes.push(refuse(CloseCode::UNKNOWN_SESSION));
        }
        let mut packets = decode_payload(encoding, body).unwrap().into_iter();
        let (generation, received, is_open) = match packets.next().unwrap() {
            Packet::Open(open) => (open.generation, open.received, true),
            Packet::Attach(attach) => (attach.generation, attach.received, false),
            other => panic!("{other:?} begins a request"),
        };
        let rest = packets.collect();
        let mode = Some(ConnectionMode::Stream);
        let attached = self
            .session
            .handle_request(generation, received, rest, mode, now);
        let at = match attached {
            Ok(at) => at.unwrap(),
            Err(AttachError::Superseded) => {
                return self.outcomes.push(refuse(CloseCode::SUPERSEDED));
            }
            Err(error) => panic!("an honest client is refused: {error}"),
        };
        let mut writer = PayloadWriter::new(encoding);
        writer.push_prelude(2_048);
        if is_open {
            writer.push(&self.opened(generation, at));
        }
        let stream = Stream {
            id: at.id,
            writer,
            sent: 0,
            is_inside_message: false,
        };
        self.streams.insert(link, stream);
    }

    pub fn handle_request(&mut self, id: u32, encoding: Encoding, body: Bytes, now: Timestamp) {
        let refuse = |code| Outcome::Answer {
            id,
            encoding,
            body: Err(code),
        };
        if self.session.is_finished() {
            return self.outcomes.push(refuse(CloseCode::UNKNOWN_SESSION));
        }
        let mut packets = decode_payload(encoding, body).unwrap().into_iter();
        let (generation, received, hold, is_open) = match packets.next().unwrap() {
            Packet::Open(open) => (open.generation, open.received, Some(Duration::ZERO), true),
            Packet::Attach(attach) => (attach.generation, attach.received, attach.hold, false),
            other => panic!("{other:?} begins a request"),
        };
        let mut writer = PayloadWriter::new(encoding);
        let mode = hold.map(|hold| ConnectionMode::Exchange {
            hold: hold.min(self.limits.hold),
        });
        let packets: Vec<_> = packets.collect();
        check_request(&packets, false, &self.limits).unwrap();
        let taken = self
            .session
            .handle_request(generation, received, packets, mode, now);
        let attached = match taken {
            Ok(attached) => attached,
            Err(AttachError::Superseded) => {
                return self.outcomes.push(refuse(CloseCode::SUPERSEDED));
            }
            Err(error) => panic!("an honest client breaks a rule: {error}"),
        };
        match attached {
            Some(at) => {
                if is_open {
                    writer.push(&self.opened(generation, at));
                }
                self.held.insert(id, (at.id, encoding, writer));
            }
            None => {
                let answer = self.session.poll_answer(now);
                answer.packets().for_each(|packet| writer.push(&packet));
                self.outcomes.push(Outcome::Answer {
                    id,
                    encoding,
                    body: Ok(writer.finish()),
                });
            }
        }
    }

    fn opened(&self, generation: Generation, at: Attached) -> Packet {
        Packet::Opened(Box::new(Opened {
            session: ID,
            secret: SECRET,
            generation,
            received: at.received,
            first: at.first,
            protocol: String::new(),
            can: self.session.can(),
            limits: AnnouncedLimits::new(&self.limits, self.session.can()),
        }))
    }

    /// Does all that the session wants done now.
    pub fn drain(&mut self, now: Timestamp) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Message(message) => self.heard.push_back(message),
                Event::Closed(reason) => self.closed.push(reason),
            }
        }
        for (link, id) in self.links.clone() {
            self.drain_link(link, id, now);
        }
        let mut links: Vec<_> = self.streams.keys().copied().collect();
        links.sort_unstable();
        for link in links {
            self.drain_stream(link, now);
        }
        let mut held: Vec<_> = self.held.drain().collect();
        held.sort_by_key(|(id, _)| *id);
        for (id, (connection, encoding, writer)) in held {
            self.drain_exchange(id, connection, encoding, writer, now);
        }
    }

    fn drain_link(&mut self, link: u32, id: ConnectionId, now: Timestamp) {
        loop {
            self.session.bound_parts(self.cuts.below(300) as usize);
            match self.session.poll_transmit(id, now) {
                Transmit::Packet(packet) => self.frame(link, &packet),
                Transmit::Message(message) => {
                    let packet = Packet::Message(message.clone());
                    self.frame(link, &packet);
                }
                Transmit::Idle => return,
                Transmit::Superseded => {
                    self.frame(link, &Packet::Superseded);
                    break;
                }
                Transmit::Finished | Transmit::Stalled => break,
            }
        }
        self.links.remove(&link);
        self.session.handle_detach(id, now);
        self.outcomes.push(Outcome::Hangup(link));
    }

    fn drain_stream(&mut self, link: u32, now: Timestamp) {
        let mut stream = self.streams.remove(&link).expect("it was listed");
        let is_over = loop {
            if stream.sent >= self.limits.max_stream_bytes && !stream.is_inside_message {
                break true;
            }
            self.session.bound_parts(self.cuts.below(300) as usize);
            let content = match self.session.poll_transmit(stream.id, now) {
                Transmit::Packet(packet) => {
                    if let Packet::Part(_) | Packet::Message(_) = packet {
                        stream.is_inside_message = matches!(packet, Packet::Part(_));
                    }
                    stream.writer.push(&packet);
                    None
                }
                Transmit::Message(message) => stream.writer.push_shared(message),
                Transmit::Idle => break false,
                Transmit::Superseded => {
                    stream.writer.push(&Packet::Superseded);
                    break true;
                }
                Transmit::Finished | Transmit::Stalled => break true,
            };
            assert_eq!(content, None, "these messages are short");
            self.chunk(link, &mut stream);
        };
        self.chunk(link, &mut stream);
        if is_over {
            self.session.handle_detach(stream.id, now);
            self.outcomes.push(Outcome::Hangup(link));
        } else {
            self.streams.insert(link, stream);
        }
    }

    fn chunk(&mut self, link: u32, stream: &mut Stream) {
        let data = stream.writer.take();
        if !data.is_empty() {
            stream.sent += data.len();
            self.outcomes.push(Outcome::Chunk { link, data });
        }
    }

    fn drain_exchange(
        &mut self,
        id: u32,
        connection: ConnectionId,
        encoding: Encoding,
        mut writer: PayloadWriter,
        now: Timestamp,
    ) {
        // An answer that has begun a message may end inside it.
        let mut is_begun = false;
        let body = loop {
            if !writer.has_room(self.limits.max_message_bytes, self.limits.max_payload_bytes)
                || is_begun && self.cuts.chance(100)
            {
                break Ok(writer.finish());
            }
            self.session.bound_parts(self.cuts.below(300) as usize);
            match self.session.poll_transmit(connection, now) {
                Transmit::Packet(packet) => {
                    is_begun |= matches!(packet, Packet::Part(_));
                    writer.push(&packet);
                }
                Transmit::Message(message) => writer.push_message(message),
                Transmit::Idle => {
                    self.held.insert(id, (connection, encoding, writer));
                    return;
                }
                Transmit::Finished => break Ok(writer.finish()),
                Transmit::Superseded | Transmit::Stalled => break Err(CloseCode::SUPERSEDED),
            }
        };
        self.session.handle_detach(connection, now);
        self.outcomes.push(Outcome::Answer { id, encoding, body });
    }

    fn frame(&mut self, link: u32, packet: &Packet) {
        for (kind, data) in frames(packet) {
            self.outcomes.push(Outcome::Frame { link, kind, data });
        }
    }
}

/// A packet as the contents of WebSocket frames: of a binary part two, of others one.
pub fn frames(packet: &Packet) -> Vec<(MessageKind, Bytes)> {
    let mut data = BytesMut::new();
    match packet {
        Packet::Message(message) => {
            if message.kind() == MessageKind::Text
                && message.as_bytes().first() == Some(&CONTROL_MARK)
            {
                data.extend_from_slice(&[CONTROL_MARK]);
            }
            data.extend_from_slice(message.as_bytes());
            vec![(message.kind(), data.freeze())]
        }
        control => {
            encode_control(control, &mut data);
            let announced = match control {
                Packet::Part(part) if part.kind() == MessageKind::Binary => {
                    Some((MessageKind::Binary, part.as_bytes().clone()))
                }
                _ => None,
            };
            let first = (MessageKind::Text, data.freeze());
            std::iter::once(first).chain(announced).collect()
        }
    }
}

/// The packet that a WebSocket frame's content holds; `None` if it announces the next one.
pub fn unframe(reader: &mut FrameReader, kind: MessageKind, data: Bytes) -> Option<Packet> {
    let message = if kind == MessageKind::Text {
        Message::from_utf8(data).unwrap()
    } else {
        Message::binary(data)
    };
    reader.read(message).unwrap()
}
