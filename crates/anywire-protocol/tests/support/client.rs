//! A client's shell reduced to state: it switches transports when told, and follows PROTOCOL §12.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use anywire_protocol::*;
use bytes::Bytes;

use super::pair::numbered;
use super::random::Random;
use super::server::{frames, unframe};

/// What the shell wants done in the world.
#[derive(Debug)]
pub enum Leg {
    Upgrade {
        link: u32,
        offer: Offer,
    },
    Frame {
        link: u32,
        kind: MessageKind,
        data: Bytes,
    },
    Hangup(u32),
    Stream {
        link: u32,
        encoding: Encoding,
        body: Bytes,
    },
    Request {
        id: u32,
        encoding: Encoding,
        body: Bytes,
    },
    RetrySoon,
}

pub struct ClientShell {
    pub session: Session,
    pub outcomes: Vec<Leg>,
    pub heard: VecDeque<Message>,
    pub closed: Vec<CloseReason>,
    pub sent: u64,
    limits: Arc<Limits>,
    encoding: Encoding,
    can: Can,
    /// Cuts messages.
    cuts: Random,
    opened: Option<(SessionId, Secret)>,
    last_generation: u64,
    links: HashMap<u32, Link>,
    next: u32,
    /// The leg over HTTP, by its generation.
    polling: Option<Generation>,
    /// Whether that leg streams.
    is_streaming: bool,
    stream: Option<Stream>,
    /// What the server has been told of what came.
    told: Position,
    poll: Option<u32>,
    sending: Option<(u32, bool)>,
    requests: HashMap<u32, (Generation, bool)>,
    retry_pending: bool,
}

/// The newest stream.
struct Stream {
    link: u32,
    reader: PayloadReader,
    heard: Timestamp,
}

struct Link {
    reader: FrameReader,
    generation: Generation,
    attached: Option<ConnectionId>,
}

impl ClientShell {
    pub fn new(limits: Arc<Limits>, text: bool, can: Can, seed: u64) -> Self {
        Self {
            session: Session::new(Role::Client, limits.clone(), Timestamp::default()),
            outcomes: Vec::new(),
            heard: VecDeque::new(),
            closed: Vec::new(),
            sent: 0,
            limits,
            encoding: if text {
                Encoding::Text
            } else {
                Encoding::Binary
            },
            can,
            cuts: Random::new(seed),
            opened: None,
            last_generation: 0,
            links: HashMap::new(),
            next: 0,
            polling: None,
            is_streaming: false,
            stream: None,
            told: Position::default(),
            poll: None,
            sending: None,
            requests: HashMap::new(),
            retry_pending: false,
        }
    }

    pub fn send(&mut self, now: Timestamp) {
        if self.session.send(numbered(self.sent), now).is_ok() {
            self.sent += 1;
        }
    }

    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.session.poll_timeout(), self.stream_silent_at()]
            .into_iter()
            .flatten()
            .min()
    }

    pub fn start_websocket(&mut self, _now: Timestamp) {
        let generation = self.next_generation();
        let received = self.session.received();
        let offer = match self.opened {
            None => Offer::Open(Open {
                key: OpeningKey::from_bytes([3; 16]),
                generation,
                received,
                hold: None,
                protocols: Vec::new(),
                can: self.can,
                credential: None,
            }),
            Some((session, secret)) => Offer::Attach(Attach {
                session,
                secret,
                generation,
                received,
                hold: None,
            }),
        };
        self.next += 1;
        self.links.insert(
            self.next,
            Link {
                reader: FrameReader::default(),
                generation,
                attached: None,
            },
        );
        self.outcomes.push(Leg::Upgrade {
            link: self.next,
            offer,
        });
    }

    pub fn start_polling(&mut self) {
        self.start_http();
        self.is_streaming = false;
    }

    pub fn start_streaming(&mut self) {
        self.start_http();
        self.is_streaming = true;
    }

    fn start_http(&mut self) {
        self.polling = Some(self.next_generation());
        self.poll = None;
        self.sending = None;
        self.told = Position::default();
        self.drop_stream();
    }

    fn drop_stream(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.outcomes.push(Leg::Hangup(stream.link));
        }
    }

    /// When a stream has been silent for longer than its padding explains (PROTOCOL §13.4).
    fn stream_silent_at(&self) -> Option<Timestamp> {
        let budget = self.limits.padding + std::time::Duration::from_millis(1_500);
        self.stream.as_ref().map(|stream| stream.heard + budget)
    }

    pub fn handle_chunk(&mut self, link: u32, data: &[u8], now: Timestamp) {
        let (Some(generation), Some(stream)) = (self.polling, &mut self.stream) else {
            return;
        };
        if stream.link != link {
            return;
        }
        stream.heard = now;
        stream.reader.push(data);
        while let Some(packet) = stream.reader.next_packet().unwrap() {
            match packet {
                Packet::Opened(opened) => {
                    self.opened = Some((opened.session, opened.secret));
                    self.session.agree(opened.can);
                }
                Packet::Superseded => return self.start_streaming(),
                packet => {
                    let fence = Fence::Generation(generation);
                    match self.session.handle_packet(fence, packet, now) {
                        Ok(()) | Err(AttachError::Superseded) => {}
                        Err(error) => panic!("an honest server breaks a rule: {error}"),
                    }
                }
            }
        }
    }

    pub fn handle_refusal(&mut self, link: u32, code: CloseCode, now: Timestamp) {
        if self.stream.take_if(|stream| stream.link == link).is_none() {
            return;
        }
        match code {
            CloseCode::SUPERSEDED => self.start_streaming(),
            code => self.lost(&code.into(), now),
        }
    }

    /// Tries whatever is not under way: without a live leg, a new one.
    pub fn retry(&mut self) {
        self.retry_pending = false;
        if self.polling.is_none() && self.links.is_empty() {
            if self.is_streaming {
                self.start_streaming();
            } else {
                self.start_polling();
            }
        }
    }

    pub fn handle_frame(&mut self, link: u32, kind: MessageKind, data: Bytes, now: Timestamp) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let Some(packet) = unframe(&mut state.reader, kind, data) else {
            return;
        };
        match (packet, state.attached) {
            (Packet::Opened(opened), None) => {
                self.opened = Some((opened.session, opened.secret));
                self.session.agree(opened.can);
                let (generation, received) = (opened.generation, opened.received);
                match self
                    .session
                    .handle_attach(generation, received, ConnectionMode::Duplex, now)
                {
                    Ok(at) => {
                        state.attached = Some(at.id);
                        self.session.seek(opened.first, now);
                        // The sockets supersede the polls.
                        self.polling = None;
                        self.drop_stream();
                    }
                    Err(AttachError::Superseded) => self.hang_up(link),
                    Err(error) => panic!("an honest server breaks a rule: {error}"),
                }
            }
            (Packet::Superseded, None) => self.hang_up(link),
            (Packet::Close(reason), None) => self.lost(&reason, now),
            (packet, Some(id)) => {
                match self
                    .session
                    .handle_packet(Fence::Connection(id), packet, now)
                {
                    Ok(()) | Err(AttachError::Superseded) => {}
                    Err(error) => panic!("an honest server breaks a rule: {error}"),
                }
            }
            (packet, None) => panic!("{packet:?} before opened"),
        }
    }

    pub fn handle_cut(&mut self, link: u32, now: Timestamp) {
        self.stream.take_if(|stream| stream.link == link);
        if let Some(Link {
            attached: Some(id), ..
        }) = self.links.remove(&link)
        {
            self.session.handle_detach(id, now);
        }
    }

    pub fn handle_answer(
        &mut self,
        id: u32,
        encoding: Encoding,
        body: Option<Result<Bytes, CloseCode>>,
        now: Timestamp,
    ) {
        let Some((generation, is_poll)) = self.requests.remove(&id) else {
            return;
        };
        let is_current = self.polling == Some(generation);
        if is_poll && self.poll == Some(id) {
            self.poll = None;
        }
        if self.sending.is_some_and(|(sending, _)| sending == id) {
            self.sending = None;
        }
        match body {
            Some(Ok(body)) => {
                for packet in decode_payload(encoding, body).unwrap() {
                    if let Packet::Opened(opened) = packet {
                        self.opened = Some((opened.session, opened.secret));
                        self.session.agree(opened.can);
                        continue;
                    }
                    let fence = Fence::Generation(generation);
                    match self.session.handle_packet(fence, packet, now) {
                        Ok(()) | Err(AttachError::Superseded) => {}
                        Err(error) => panic!("an honest server breaks a rule: {error}"),
                    }
                }
            }
            Some(Err(CloseCode::SUPERSEDED)) if is_current && is_poll => self.start_polling(),
            Some(Err(CloseCode::SUPERSEDED)) => {}
            Some(Err(code)) => self.lost(&code.into(), now),
            // Whether it has heard is not known.
            None => self.told = Position::default(),
        }
    }

    /// The server knows the session no more.
    fn lost(&mut self, reason: &CloseReason, now: Timestamp) {
        self.session.handle_violation(
            Fence::Generation(self.session.generation()),
            ProtocolError::new(reason.code, "the server said so"),
            now,
        );
    }

    /// Does all that the session wants done now.
    pub fn drain(&mut self, now: Timestamp) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Message(message) => self.heard.push_back(message),
                Event::Closed(reason) => self.closed.push(reason),
            }
        }
        let links: Vec<_> = self
            .links
            .iter()
            .map(|(link, state)| (*link, state.attached))
            .collect();
        for (link, attached) in links {
            if let Some(id) = attached {
                self.drain_link(link, id, now);
            }
        }
        if self.polling.is_some() {
            self.drain_polling(now);
        }
        if self.polling.is_none() && self.links.is_empty() && !self.session.is_finished() {
            self.retry_soon();
        }
    }

    fn drain_link(&mut self, link: u32, id: ConnectionId, now: Timestamp) {
        loop {
            self.session.bound_parts(self.cuts.below(300) as usize);
            let packet = match self.session.poll_transmit(id, now) {
                Transmit::Packet(packet) => packet,
                Transmit::Message(message) => Packet::Message(message.clone()),
                Transmit::Idle => return,
                Transmit::Finished | Transmit::Superseded | Transmit::Stalled => break,
            };
            for (kind, data) in frames(&packet) {
                self.outcomes.push(Leg::Frame { link, kind, data });
            }
        }
        self.session.handle_detach(id, now);
        self.hang_up(link);
    }

    fn drain_polling(&mut self, now: Timestamp) {
        let generation = self.polling.expect("checked by the caller");
        if self.session.is_finished() {
            return;
        }
        if self.stream_silent_at().is_some_and(|at| at <= now) {
            self.drop_stream();
        }
        if self.is_streaming && self.stream.is_none() && !self.session.is_ended() {
            self.stream(generation, now);
        }
        if !self.is_streaming && self.poll.is_none() && !self.session.is_ended() {
            let head = self.head(generation, Some(self.limits.hold));
            let body = self.payload(head, None);
            self.poll = Some(self.request(generation, true, body));
        }
        let owes_ack = self.is_streaming && self.session.received_position() > self.told;
        let has_news = owes_ack || self.session.sent() > self.session.acknowledged();
        if self.opened.is_some() && self.sending.is_none() && (has_news || !self.session.is_open())
        {
            self.told = self.session.received_position();
            let mode = ConnectionMode::Exchange {
                hold: std::time::Duration::ZERO,
            };
            let acknowledged = self.session.acknowledged();
            let at = self
                .session
                .handle_attach(generation, acknowledged, mode, now);
            let head = self.head(generation, None);
            let body = self.payload(head, Some((at.unwrap().id, now)));
            self.sending = Some((self.request(generation, false, body), true));
        }
    }

    fn stream(&mut self, generation: Generation, now: Timestamp) {
        self.next += 1;
        let (link, encoding) = (self.next, self.encoding);
        let reader = PayloadReader::new(encoding, self.limits.max_payload_bytes);
        self.stream = Some(Stream {
            link,
            reader,
            heard: now,
        });
        let head = self.head(generation, None);
        let body = self.payload(head, None);
        self.outcomes.push(Leg::Stream {
            link,
            encoding,
            body,
        });
    }

    fn head(&self, generation: Generation, hold: Option<std::time::Duration>) -> Packet {
        let received = self.session.received();
        match self.opened {
            None => Packet::Open(Box::new(Open {
                key: OpeningKey::from_bytes([3; 16]),
                generation,
                received,
                hold,
                protocols: Vec::new(),
                can: self.can,
                credential: None,
            })),
            Some((session, secret)) => Packet::Attach(Box::new(Attach {
                session,
                secret,
                generation,
                received,
                hold,
            })),
        }
    }

    fn payload(&mut self, head: Packet, send: Option<(ConnectionId, Timestamp)>) -> Bytes {
        let mut writer = PayloadWriter::new(self.encoding);
        writer.push(&head);
        let received = self.session.received_position();
        if received.is_inside() {
            writer.push(&Packet::Ack(received));
        }
        if let Some((id, now)) = send {
            let limits = &self.limits;
            // A body that has begun a message may end inside it.
            let mut is_begun = false;
            while writer.has_room(limits.max_message_bytes, limits.max_payload_bytes)
                && !(is_begun && self.cuts.chance(100))
            {
                self.session.bound_parts(self.cuts.below(300) as usize);
                match self.session.poll_transmit(id, now) {
                    Transmit::Packet(packet) => {
                        is_begun |= matches!(packet, Packet::Part(_));
                        writer.push(&packet);
                    }
                    Transmit::Message(message) => writer.push_message(message),
                    _ => break,
                }
            }
            self.session.handle_detach(id, now);
        }
        writer.finish()
    }

    fn request(&mut self, generation: Generation, is_poll: bool, body: Bytes) -> u32 {
        self.next += 1;
        let id = self.next;
        self.requests.insert(id, (generation, is_poll));
        self.outcomes.push(Leg::Request {
            id,
            encoding: self.encoding,
            body,
        });
        id
    }

    fn hang_up(&mut self, link: u32) {
        self.links.remove(&link);
        self.outcomes.push(Leg::Hangup(link));
    }

    fn retry_soon(&mut self) {
        if !self.retry_pending {
            self.retry_pending = true;
            self.outcomes.push(Leg::RetrySoon);
        }
    }

    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation::new(self.last_generation)
    }
}

impl ClientShell {
    /// Drops links that never showed *opened*, as a client's handshake deadline does.
    pub fn abandon_unopened(&mut self) {
        self.links.retain(|_, link| {
            link.attached.is_some() || link.generation > self.session.generation()
        });
    }
}
