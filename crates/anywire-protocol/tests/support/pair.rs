//! Two sessions joined by a simulated hostile network, in virtual time.
//!
//! The network delays, cuts and mutes WebSockets, and delays, loses and repeats HTTP requests and their answers. The
//! client here switches transports at random. Everything follows from the seed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::*;
use bytes::Bytes;

use super::client::{ClientShell, Leg};
use super::random::Random;
use super::server::{Outcome, ServerShell};

/// What travels or happens at a moment.
#[derive(Debug)]
pub enum Happening {
    /// A WebSocket of this generation asks to attach.
    Upgrade { link: u32, offer: Offer },
    /// A frame on its way up.
    Up {
        link: u32,
        kind: MessageKind,
        data: Bytes,
    },
    /// A frame on its way down.
    Down {
        link: u32,
        kind: MessageKind,
        data: Bytes,
    },
    /// The server learns that a link is gone.
    CutUp(u32),
    /// The client learns that a link is gone.
    CutDown(u32),
    /// An HTTP request reaches the server.
    Request {
        id: u32,
        encoding: Encoding,
        body: Bytes,
    },
    /// An answer reaches the client; `None` when the connection broke.
    Answer {
        id: u32,
        encoding: Encoding,
        body: Option<Result<Bytes, CloseCode>>,
    },
    /// A request for a stream reaches the server.
    Stream {
        link: u32,
        encoding: Encoding,
        body: Bytes,
    },
    /// A part of a stream reaches the client.
    Chunk { link: u32, data: Bytes },
    /// A stream is refused.
    Refusal { link: u32, code: CloseCode },
    /// The client's app or shell does something.
    Client(ClientAct),
    /// The server's app sends.
    ServerSend,
    /// Somebody's app closes.
    Close(Role),
    /// A deadline may have come.
    Tick,
}

#[derive(Debug)]
pub enum ClientAct {
    Send,
    StartWebSocket,
    StartPolling,
    StartStreaming,
    Retry,
}

/// How bad the network is.
#[derive(Clone, Debug)]
pub struct Weather {
    pub latency: (u64, u64),
    /// Chances in a thousand.
    pub lose_request: u64,
    pub lose_answer: u64,
    pub repeat_request: u64,
    pub cut_link: u64,
    pub mute_link: u64,
}

impl Weather {
    pub const CALM: Self = Self {
        latency: (1, 5),
        lose_request: 0,
        lose_answer: 0,
        repeat_request: 0,
        cut_link: 0,
        mute_link: 0,
    };

    pub fn random(random: &mut Random) -> Self {
        let worst = random.below(150);
        let mut chance = |factor: u64| random.below(worst + 1) / factor;
        let latency = (1, 2 + chance(1) * 4);
        Self {
            latency,
            lose_request: chance(1),
            lose_answer: chance(1),
            repeat_request: chance(1),
            cut_link: chance(2),
            mute_link: chance(4),
        }
    }
}

/// The whole world of one schedule.
pub struct Pair {
    pub now: Timestamp,
    pub random: Random,
    pub weather: Weather,
    pub client: ClientShell,
    pub server: ServerShell,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    happenings: HashMap<usize, Happening>,
    counter: u64,
    /// When the last frame on a link arrives, for each way: frames do not overtake.
    arrivals: HashMap<(u32, bool), u64>,
    cut: HashMap<u32, Fate>,
    pub steps: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Cut,
    Mute,
}

impl Pair {
    pub fn new(seed: u64, limits: Limits) -> Self {
        let mut random = Random::new(seed);
        let weather = Weather::random(&mut random);
        let limits = Arc::new(limits);
        let can = match random.below(3) {
            0 => Can::NONE,
            _ => Can::PART,
        };
        Self {
            now: Timestamp::default(),
            client: ClientShell::new(limits.clone(), random.below(2) == 0, can, random.next()),
            server: ServerShell::new(limits, can, random.next()),
            random,
            weather,
            queue: BinaryHeap::new(),
            happenings: HashMap::new(),
            counter: 0,
            arrivals: HashMap::new(),
            cut: HashMap::new(),
            steps: 0,
        }
    }

    pub fn after(&mut self, millis: u64, happening: Happening) {
        self.at(self.now.as_millis() + millis, happening);
    }

    fn at(&mut self, millis: u64, happening: Happening) {
        self.counter += 1;
        let key = self.counter as usize;
        self.happenings.insert(key, happening);
        self.queue.push(Reverse((millis, self.counter, key)));
    }

    /// Runs until nothing is left to happen before `end`, or `done` says so.
    pub fn run_until(&mut self, end: u64, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let timeout = [
                self.client.poll_timeout(),
                self.server.session.poll_timeout(),
            ]
            .into_iter()
            .flatten()
            .map(|at| at.as_millis().max(self.now.as_millis() + 1))
            .min();
            let next = self.queue.peek().map(|Reverse((at, ..))| *at);
            let Some(at) = [timeout, next]
                .into_iter()
                .flatten()
                .min()
                .filter(|at| *at <= end)
            else {
                break;
            };
            self.now = self.now.max(Timestamp::from_millis(at));
            let happening = if next == Some(at) {
                let Reverse((.., key)) = self.queue.pop().unwrap();
                self.happenings.remove(&key).unwrap()
            } else {
                Happening::Tick
            };
            self.step(happening);
        }
        self.now = self
            .now
            .max(Timestamp::from_millis(if done(self) { 0 } else { end }));
    }

    fn step(&mut self, happening: Happening) {
        self.steps += 1;
        assert!(self.steps < 200_000, "the schedule does not come to rest");
        let now = self.now;
        self.client.session.handle_timeout(now);
        self.server.session.handle_timeout(now);
        match happening {
            Happening::Upgrade { link, offer } => self.server.handle_upgrade(link, offer, now),
            Happening::Up { link, kind, data } => self.server.handle_frame(link, kind, data, now),
            Happening::Down { link, kind, data } => self.client.handle_frame(link, kind, data, now),
            Happening::CutUp(link) => self.server.handle_cut(link, now),
            Happening::CutDown(link) => self.client.handle_cut(link, now),
            Happening::Request { id, encoding, body } => {
                self.server.handle_request(id, encoding, body, now);
            }
            Happening::Answer { id, encoding, body } => {
                self.client.handle_answer(id, encoding, body, now);
            }
            Happening::Stream {
                link,
                encoding,
                body,
            } => self.server.handle_stream(link, encoding, body, now),
            Happening::Chunk { link, data } => self.client.handle_chunk(link, &data, now),
            Happening::Refusal { link, code } => self.client.handle_refusal(link, code, now),
            Happening::Client(ClientAct::Send) => self.client.send(now),
            Happening::Client(ClientAct::StartWebSocket) => self.client.start_websocket(now),
            Happening::Client(ClientAct::StartPolling) => self.client.start_polling(),
            Happening::Client(ClientAct::StartStreaming) => self.client.start_streaming(),
            Happening::Client(ClientAct::Retry) => self.client.retry(),
            Happening::ServerSend => self.server.send(now),
            Happening::Close(role) => {
                let reason = CloseReason::new(CloseCode::application(3_000).unwrap(), "enough");
                match role {
                    Role::Server => self.server.session.close(reason, now),
                    Role::Client => self.client.session.close(reason, now),
                }
            }
            Happening::Tick => {}
        }
        self.drain();
    }

    fn drain(&mut self) {
        self.server.drain(self.now);
        self.client.drain(self.now);
        for outcome in std::mem::take(&mut self.server.outcomes) {
            match outcome {
                Outcome::Frame { link, kind, data } => {
                    self.fly(link, false, |link| Happening::Down { link, kind, data });
                }
                Outcome::Hangup(link) => self.fly(link, false, Happening::CutDown),
                Outcome::Chunk { link, data } => {
                    // It comes in pieces, and may be cut between them.
                    let at = self.random.below(data.len() as u64 + 1) as usize;
                    for data in [data.slice(..at), data.slice(at..)] {
                        self.fly(link, false, |link| Happening::Chunk { link, data });
                    }
                }
                Outcome::Refusal { link, code } => {
                    self.fly(link, false, |link| Happening::Refusal { link, code });
                }
                Outcome::Answer { id, encoding, body } => self.answer(id, encoding, body),
            }
        }
        for leg in std::mem::take(&mut self.client.outcomes) {
            match leg {
                Leg::Upgrade { link, offer } => {
                    self.fly(link, true, |link| Happening::Upgrade { link, offer });
                }
                Leg::Frame { link, kind, data } => {
                    self.fly(link, true, |link| Happening::Up { link, kind, data });
                }
                Leg::Hangup(link) => self.fly(link, true, Happening::CutUp),
                Leg::Stream {
                    link,
                    encoding,
                    body,
                } => {
                    if self.random.chance(self.weather.repeat_request) {
                        let again = Happening::Stream {
                            link: link + NOBODYS,
                            encoding,
                            body: body.clone(),
                        };
                        let latency = self.latency() * 11;
                        self.after(latency, again);
                    }
                    self.fly(link, true, |link| Happening::Stream {
                        link,
                        encoding,
                        body,
                    });
                }
                Leg::Request { id, encoding, body } => self.request(id, encoding, body),
                Leg::RetrySoon => {
                    let pause = 10 + self.random.below(200);
                    self.after(pause, Happening::Client(ClientAct::Retry));
                }
            }
        }
    }

    /// Something travels on a link, unless the link is cut or mute.
    fn fly(&mut self, link: u32, is_up: bool, happening: impl FnOnce(u32) -> Happening) {
        if !self.cut.contains_key(&link) {
            if self.random.chance(self.weather.cut_link) {
                self.cut.insert(link, Fate::Cut);
                let (up, down) = (self.latency() * 2, self.latency() * 2);
                self.after(up, Happening::CutUp(link));
                self.after(down, Happening::CutDown(link));
            } else if self.random.chance(self.weather.mute_link) {
                self.cut.insert(link, Fate::Mute);
            }
        }
        if self.cut.contains_key(&link) {
            return;
        }
        let latency = self.latency();
        let earliest = self.arrivals.get(&(link, is_up)).copied().unwrap_or(0);
        let at = (self.now.as_millis() + latency).max(earliest);
        self.arrivals.insert((link, is_up), at);
        self.at(at, happening(link));
    }

    fn request(&mut self, id: u32, encoding: Encoding, body: Bytes) {
        let lost = self.random.chance(self.weather.lose_request);
        let copies = 1 + u64::from(self.random.chance(self.weather.repeat_request));
        for copy in 0..copies {
            let latency = self.latency() * (1 + copy * 10);
            if lost {
                let broken = Happening::Answer {
                    id,
                    encoding,
                    body: None,
                };
                self.after(latency * 2, broken);
            } else {
                self.after(
                    latency,
                    Happening::Request {
                        id,
                        encoding,
                        body: body.clone(),
                    },
                );
            }
        }
    }

    fn answer(&mut self, id: u32, encoding: Encoding, body: Result<Bytes, CloseCode>) {
        let body = (!self.random.chance(self.weather.lose_answer)).then_some(body);
        let latency = self.latency();
        self.after(latency, Happening::Answer { id, encoding, body });
    }

    fn latency(&mut self) -> u64 {
        let (low, high) = self.weather.latency;
        low + self.random.below(high - low + 1)
    }

    /// What each side's app was told must be what the other side's app sent, once and in order.
    pub fn assert_sequences(&self) {
        assert_sequence("up", &self.server.heard, self.client.sent);
        assert_sequence("down", &self.client.heard, self.server.sent);
    }

    /// Neither side holds more than its limits allow.
    pub fn assert_bounds(&self, limits: &Limits) {
        for session in [&self.client.session, &self.server.session] {
            let kept = session
                .sent()
                .as_u64()
                .saturating_sub(session.acknowledged().as_u64());
            assert!(
                kept <= limits.max_outbox_messages as u64,
                "{kept} messages kept"
            );
            assert!(session.buffered_bytes() <= limits.max_outbox_bytes + limits.max_message_bytes);
            assert!(session.received_position().bytes <= limits.max_message_bytes as u64);
        }
    }
}

/// Added to a link when something on the way repeats its request: nobody reads that answer.
const NOBODYS: u32 = 1 << 30;

fn assert_sequence(way: &str, heard: &VecDeque<Message>, sent: u64) {
    assert!(
        heard.len() as u64 <= sent,
        "{way}: {} of {sent}",
        heard.len()
    );
    for (index, message) in heard.iter().enumerate() {
        assert_eq!(*message, numbered(index as u64), "{way}: message {index}");
    }
}

/// The message that an app sends as its `index`th: text and binary, plain and tricky.
pub fn numbered(index: u64) -> Message {
    match index % 6 {
        0 => Message::text(index.to_string()),
        1 => Message::text(format!("\u{10}{index} é🦀\u{0}")),
        2 => Message::binary(index.to_be_bytes().to_vec()),
        // Longer than any part.
        3 => Message::text(format!("{index}é🦀").repeat(50)),
        4 => Message::binary(index.to_be_bytes().repeat(70)),
        _ => Message::text(format!("\u{10}\u{10}{index}").repeat(1 + index as usize % 40)),
    }
}

/// Short limits, so that every deadline is met in a schedule.
pub fn short_limits() -> Limits {
    Limits::default()
        .max_outbox_messages(8)
        .max_outbox_bytes(600)
        .max_message_bytes(600)
        .max_payload_bytes(2_400)
        .heartbeat(Duration::from_millis(3_000))
        .heartbeat_timeout(Duration::from_millis(1_000))
        .ack_delay(Duration::from_millis(200))
        .hold(Duration::from_millis(2_500))
        .padding(Duration::from_millis(800))
        .stream_age(Duration::from_millis(3_000))
        .max_stream_bytes(2_600)
        .resume_window(Duration::from_millis(20_000))
        .max_outbox_age(Duration::from_millis(30_000))
        .close_timeout(Duration::from_millis(5_000))
}
