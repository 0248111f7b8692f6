//! A client: the session of the protocol, and legs that go to any node. It sends, closes or goes away when its plan says so.

mod hearing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anywire_core::{Entry, Head, Intent};
use anywire_protocol::{
    Attach, Can, CloseCode, CloseReason, ConnectionId, ConnectionMode, Disposition, Event,
    Generation, Limits, Open, OpeningKey, Packet, Role, Secret, Session, SessionId, Timestamp,
    Transmit, Transport,
};
use fastrand::Rng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::clock;
use super::door::Down;
use super::ledger::{Ended, Ledger, up};
use super::leg::{Ask, Heard, LegId, Legs};
use super::network::Net;
use super::plan::{Plan, Style};

/// A client and what it knows.
pub(super) struct Client {
    number: usize,
    ledger: Ledger,
    plan: Plan,
    random: Rng,
    limits: Arc<Limits>,
    session: Session,
    key: OpeningKey,
    identity: Option<(SessionId, Secret)>,
    generation: u64,
    legs: Legs,
    heard: UnboundedReceiver<(LegId, Heard)>,
    duplex: HashMap<LegId, Duplex>,
    /// The leg of requests, by its generation.
    polling: Option<Generation>,
    poll: Option<LegId>,
    sending: Option<LegId>,
    requests: HashMap<LegId, Generation>,
    /// When what has failed is tried again.
    retry_at: Duration,
    sent: u64,
    end: Option<Ended>,
}

/// A connection that lasts.
struct Duplex {
    up: UnboundedSender<Vec<Packet>>,
    attached: Option<ConnectionId>,
}

impl Client {
    pub(super) fn new(net: &Arc<Net>, ledger: &Ledger, plan: Plan, mut random: Rng) -> Self {
        let key = OpeningKey::from_bytes(random.u128(..).to_be_bytes());
        let (sender, heard) = unbounded_channel();
        let limits = Arc::new(net.sky.weather().limits());
        let mut client = Self {
            number: 0,
            ledger: ledger.clone(),
            plan,
            session: Session::new(Role::Client, limits.clone(), now()),
            limits,
            key,
            identity: None,
            generation: 0,
            legs: Legs::new(net, sender, random.fork()),
            random,
            heard,
            duplex: HashMap::new(),
            polling: None,
            poll: None,
            sending: None,
            requests: HashMap::new(),
            retry_at: Duration::ZERO,
            sent: 0,
            end: None,
        };
        client.number = ledger.add_client(client.head(Generation::new(0), None).session());
        client
    }

    /// Lives until its session has ended, or its plan has.
    pub(super) async fn run(mut self) {
        clock::sleep_until(self.plan.begins).await;
        self.session = Session::new(Role::Client, self.limits.clone(), now());
        match self.plan.style {
            Style::Duplex => self.start_duplex(),
            Style::Polling => self.start_polling(),
            Style::Both => {
                self.start_duplex();
                self.start_polling();
            }
        }
        loop {
            self.follow_plan();
            self.drain();
            let is_over = self.end.is_some() && self.session.is_finished();
            if is_over || matches!(self.end, Some(Ended::Left | Ended::Told(..))) {
                break;
            }
            let wakes = self.wakes();
            tokio::select! {
                Some((leg, heard)) = self.heard.recv() => self.hear(leg, heard),
                () = clock::sleep_until(wakes) => self.session.handle_timeout(now()),
            }
        }
        self.duplex.clear();
        let has_opened = self.identity.is_some();
        if has_opened && matches!(self.end, Some(Ended::Closed)) && self.random.bool() {
            self.open_late().await;
        }
    }

    fn wakes(&self) -> Duration {
        let session = self.session.poll_timeout();
        let session = session.map(|at| Duration::from_millis(at.as_millis()));
        let must_wait = self.retry_at > clock::now();
        let is_cut_off = !self.has_leg() || self.polling.is_some();
        let retry = (must_wait && is_cut_off).then_some(self.retry_at);
        [session, retry, self.plan.next()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(clock::now() + Duration::from_secs(1))
            .max(clock::now() + Duration::from_millis(1))
    }

    /// Does what is due of the plan.
    fn follow_plan(&mut self) {
        if self.end.is_some() {
            return;
        }
        if self.plan.takes_send(&mut self.random) {
            let message = up(self.number, self.sent);
            if self.session.send(message.into(), now()).is_ok() {
                self.sent += 1;
                let sent = self.sent;
                self.ledger.client(self.number, |client| client.sent = sent);
            }
        }
        if self.plan.takes_switch(&mut self.random) {
            match self.random.u8(0..3) {
                0 => self.start_polling(),
                1 => self.start_duplex(),
                _ => self.drop_legs(),
            }
        }
        if self.plan.takes_close() {
            self.session.close(CloseCode::NORMAL.into(), now());
        }
        if self.plan.takes_leave() {
            self.ends(Ended::Left);
        }
    }

    fn ends(&mut self, end: Ended) {
        if self.end.is_none() {
            self.ledger.client_ends(self.number, end.clone());
            self.end = Some(end);
        }
    }

    /// The session is over, as a node or the session itself says.
    fn told(&mut self, reason: &CloseReason) {
        self.ends(match self.session.is_open() && !self.plan.has_closed() {
            true => Ended::Told(reason.clone(), clock::now()),
            // It has closed, and whether that was heard is not known any more.
            false => Ended::Closed,
        });
    }

    /// A request whose open was long on its way: the session must not rise.
    async fn open_late(&mut self) {
        let pause = Duration::from_millis(self.random.u64(0..15_000));
        clock::sleep_until(clock::now() + pause).await;
        self.identity = None;
        let generation = self.next_generation();
        let head = self.head(generation, Some(Duration::ZERO));
        let leg = self
            .legs
            .request(Ask::poll(head, self.session.limits().hold));
        while let Some((answered, heard)) = self.heard.recv().await {
            if answered == leg {
                if let Heard::Said(Down::Packets(_)) = heard {
                    // The app sees another begin, unless the end was not heard.
                    let text = format!("client {}: a late open is let in", self.number);
                    self.ledger.note(text);
                }
                return;
            }
        }
    }
}

// Legs.
impl Client {
    fn has_leg(&self) -> bool {
        self.polling.is_some() || !self.duplex.is_empty()
    }

    fn start_duplex(&mut self) {
        let generation = self.next_generation();
        let entry = Entry {
            head: self.head(generation, None),
            packets: Vec::new(),
            transport: Transport::WebSocket,
            intent: Intent::Carry(ConnectionMode::Duplex),
        };
        let (leg, up) = self.legs.duplex(entry);
        let attached = None;
        self.duplex.insert(leg, Duplex { up, attached });
    }

    fn start_polling(&mut self) {
        self.polling = Some(self.next_generation());
        (self.poll, self.sending) = (None, None);
    }

    fn drop_legs(&mut self) {
        for duplex in std::mem::take(&mut self.duplex).into_values() {
            if let Some(id) = duplex.attached {
                self.session.handle_detach(id, now());
            }
        }
        self.polling = None;
        self.retry_later();
    }

    fn drop_duplex(&mut self, leg: LegId) {
        if let Some(id) = self.duplex.remove(&leg).and_then(|duplex| duplex.attached) {
            self.session.handle_detach(id, now());
        }
    }

    fn retry_later(&mut self) {
        self.retry_at = clock::now() + Duration::from_millis(self.random.u64(100..1_000));
    }

    fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        Generation::new(self.generation)
    }

    fn head(&self, generation: Generation, hold: Option<Duration>) -> Head {
        let received = self.session.received();
        match self.identity {
            None => Head::Open(Box::new(Open {
                key: self.key,
                generation,
                received,
                hold,
                protocols: Vec::new(),
                can: Can::NONE,
                credential: None,
            })),
            Some((session, secret)) => Head::Attach(Box::new(Attach {
                session,
                secret,
                generation,
                received,
                hold,
            })),
        }
    }
}

// What the session wants done.
impl Client {
    fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Message(message) => self.ledger.client_heard(self.number, &message),
                Event::Closed(reason) => {
                    let is_broken = reason.code.disposition() == Disposition::GiveUp;
                    match self.plan.has_closed() && !is_broken {
                        true => self.ends(Ended::Closed),
                        false => self.ends(Ended::Told(reason, clock::now())),
                    }
                }
            }
        }
        let acknowledged = self.session.acknowledged().as_u64();
        self.ledger
            .client(self.number, |client| client.acknowledged = acknowledged);
        let attached: Vec<_> = self
            .duplex
            .iter()
            .filter_map(|(leg, duplex)| Some((*leg, duplex.attached?)))
            .collect();
        for (leg, id) in attached {
            self.drain_duplex(leg, id);
        }
        let must_retry = clock::now() >= self.retry_at;
        if !self.has_leg() && must_retry {
            match self.plan.style {
                Style::Polling => self.start_polling(),
                Style::Duplex => self.start_duplex(),
                Style::Both if self.random.bool() => self.start_duplex(),
                Style::Both => self.start_polling(),
            }
        }
        if let Some(generation) = self.polling
            && must_retry
        {
            self.drain_polling(generation);
        }
    }

    fn drain_duplex(&mut self, leg: LegId, id: ConnectionId) {
        let mut packets = Vec::new();
        let has_ended = self.transmit(id, &mut packets);
        if let Some(duplex) = self.duplex.get(&leg)
            && !packets.is_empty()
        {
            // Its leg may be gone.
            let _ = duplex.up.send(packets);
        }
        if has_ended {
            self.drop_duplex(leg);
        }
    }

    /// Takes what there is to send; `true` if the connection has ended with it.
    fn transmit(&mut self, id: ConnectionId, packets: &mut Vec<Packet>) -> bool {
        loop {
            match self.session.poll_transmit(id, now()) {
                Transmit::Packet(packet) => packets.push(packet),
                Transmit::Message(message) => packets.push(Packet::Message(message.clone())),
                Transmit::Idle => return false,
                Transmit::Finished | Transmit::Superseded | Transmit::Stalled => return true,
            }
        }
    }

    fn drain_polling(&mut self, generation: Generation) {
        if self.session.is_finished() {
            return;
        }
        if self.poll.is_none() && !self.session.is_ended() {
            let head = self.head(generation, Some(self.session.limits().hold));
            self.poll = Some(self.ask(generation, Ask::poll(head, self.session.limits().hold)));
        }
        let has_news = self.session.sent() > self.session.acknowledged();
        let must_send = has_news || !self.session.is_open();
        if self.identity.is_some() && self.sending.is_none() && must_send {
            let hold = Duration::ZERO;
            let mode = ConnectionMode::Exchange { hold };
            let acknowledged = self.session.acknowledged();
            let attached = self
                .session
                .handle_attach(generation, acknowledged, mode, now());
            let Ok(at) = attached else {
                return self.start_polling();
            };
            let mut packets = Vec::new();
            self.transmit(at.id, &mut packets);
            self.session.handle_detach(at.id, now());
            let head = self.head(generation, None);
            self.sending = Some(self.ask(generation, Ask::send(head, packets)));
        }
    }

    fn ask(&mut self, generation: Generation, ask: Ask) -> LegId {
        let leg = self.legs.request(ask);
        self.requests.insert(leg, generation);
        leg
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(clock::now().as_millis() as u64)
}
