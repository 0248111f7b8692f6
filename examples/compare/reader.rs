//! A small client for the transports that the Rust client leaves out: short polls, streams and event streams. The page
//! has the browser's client for the latter two.
//!
//! It follows PROTOCOL §6, §13 and §14 directly: one session, attached anew with what it has whenever an answer ends.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use anywire_protocol::{
    Attach, Encoding, Generation, Offer, Offset, Open, OpeningKey, Packet, PayloadReader,
    PayloadWriter, Secret, SessionId, decode_payload, unescape,
};
use bytes::Bytes;
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::http::Connection;
use crate::lane_server::MOUNT;
use crate::{Event, Kind, Settings};

pub(crate) type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One session.
pub(crate) struct Reader {
    kind: Kind,
    address: SocketAddr,
    settings: watch::Receiver<Settings>,
    key: OpeningKey,
    identity: Option<(SessionId, Secret)>,
    /// How many messages have come.
    received: u64,
    /// The offset of the next message in what is read now.
    next: u64,
    has_ended: bool,
}

impl Reader {
    pub(crate) fn new(
        kind: Kind,
        address: SocketAddr,
        settings: watch::Receiver<Settings>,
    ) -> Self {
        let mut key = [0; 16];
        // The demo's sessions hold nothing that would be worth a guess.
        key.fill_with(|| fastrand::u8(..));
        Self {
            kind,
            address,
            settings,
            key: OpeningKey::from_bytes(key),
            identity: None,
            received: 0,
            next: 0,
            has_ended: false,
        }
    }

    /// Reads until the session ends; a lost connection only begins another.
    pub(crate) async fn run(mut self, got: &mut (impl FnMut(Event) + Send)) {
        while !self.has_ended {
            let lost = match self.kind {
                Kind::Stream => self.read_stream(got).await,
                Kind::Events => self.read_events(got).await,
                _ => self.poll(got).await,
            };
            if lost.is_err() {
                sleep(RETRY).await;
            }
        }
    }

    /// Asks at the interval, over one connection.
    async fn poll(&mut self, got: &mut impl FnMut(Event)) -> Fallible<()> {
        let mut connection = Connection::open(self.address).await?;
        let mut due = Instant::now();
        while !self.has_ended {
            let body = self.greeting(Some(Duration::ZERO));
            let answer = connection.post(&format!("/{MOUNT}/poll"), body).await?;
            for packet in decode_payload(Encoding::Text, connection.whole(answer).await?)? {
                self.take(packet, got)?;
            }
            due = (due + self.settings.borrow().interval()).max(Instant::now());
            sleep_until(due).await;
        }
        Ok(())
    }

    /// Reads one stream to its end.
    async fn read_stream(&mut self, got: &mut impl FnMut(Event)) -> Fallible<()> {
        let mut connection = Connection::open(self.address).await?;
        let body = self.greeting(None);
        let mut answer = connection.post(&format!("/{MOUNT}/stream"), body).await?;
        let mut reader = PayloadReader::new(Encoding::Text, MAX_PACKET_BYTES);
        let mut acks = Acks::new(self.address);
        while let Some(bytes) = acks.until(self, connection.piece(&mut answer)).await? {
            reader.push(&bytes);
            while let Some(packet) = reader.next_packet()? {
                self.take(packet, got)?;
            }
        }
        Ok(())
    }

    /// Reads one event stream to its end.
    async fn read_events(&mut self, got: &mut impl FnMut(Event)) -> Fallible<()> {
        let mut connection = Connection::open(self.address).await?;
        let offer = match self.identity() {
            None => Offer::Open(self.open(None)),
            Some(attach) => Offer::Attach(attach),
        };
        let offer = offer.tokens().join("%2C");
        let path = format!("/{MOUNT}/events?anywire.offer={offer}");
        let mut answer = connection.get(&path).await?;
        let mut acks = Acks::new(self.address);
        let mut text = Vec::new();
        while let Some(bytes) = acks.until(self, connection.piece(&mut answer)).await? {
            text.extend_from_slice(&bytes);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else {
                    continue;
                };
                let payload = unescape_data(&data[..data.len() - 1])?;
                for packet in decode_payload(Encoding::Text, payload)? {
                    self.take(packet, got)?;
                }
            }
        }
        Ok(())
    }

    /// A packet came.
    fn take(&mut self, packet: Packet, got: &mut impl FnMut(Event)) -> Fallible<()> {
        match packet {
            Packet::Opened(opened) => self.identity = Some((opened.session, opened.secret)),
            Packet::Offset(at) => self.next = at.offset.as_u64(),
            Packet::Message(message) => {
                if self.next > self.received {
                    return Err("a gap".into());
                }
                if self.next == self.received {
                    self.received += 1;
                    message.as_text().and_then(Event::parse).map(got);
                }
                self.next += 1;
            }
            Packet::Close(_) => self.has_ended = true,
            _ => {}
        }
        Ok(())
    }

    /// A payload that opens or attaches.
    fn greeting(&self, hold: Option<Duration>) -> Bytes {
        let packet = match self.identity() {
            None => Packet::Open(Box::new(self.open(hold))),
            Some(attach) => Packet::Attach(Box::new(Attach { hold, ..attach })),
        };
        let mut writer = PayloadWriter::new(Encoding::Text);
        writer.push(&packet);
        writer.finish()
    }

    fn open(&self, hold: Option<Duration>) -> Open {
        Open {
            key: self.key,
            generation: Generation::new(1),
            received: Offset::new(self.received),
            hold,
            protocols: Vec::new(),
            can: anywire_protocol::Can::NONE,
            credential: None,
        }
    }

    fn identity(&self) -> Option<Attach> {
        let (session, secret) = self.identity?;
        Some(Attach {
            session,
            secret,
            generation: Generation::new(1),
            received: Offset::new(self.received),
            hold: None,
        })
    }
}

/// What goes up beside a stream: that messages have come (PROTOCOL §13.3).
struct Acks {
    address: SocketAddr,
    connection: Option<Connection>,
    acknowledged: u64,
    due: Instant,
}

impl Acks {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connection: None,
            acknowledged: 0,
            due: Instant::now() + ACK_DELAY,
        }
    }

    /// Waits for a piece of the stream, and acknowledges meanwhile what has come. A piece that is waited for is not lost:
    /// the future goes on.
    async fn until(
        &mut self,
        reader: &Reader,
        piece: impl Future<Output = Fallible<Option<Bytes>>>,
    ) -> Fallible<Option<Bytes>> {
        let mut piece = std::pin::pin!(piece);
        loop {
            tokio::select! {
                biased;
                piece = &mut piece => return piece,
                () = sleep_until(self.due) => {}
            }
            self.due = Instant::now() + ACK_DELAY;
            if self.acknowledged < reader.received {
                tokio::select! {
                    piece = &mut piece => return piece,
                    sent = self.send(reader) => sent?,
                }
            }
        }
    }

    async fn send(&mut self, reader: &Reader) -> Fallible<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let body = reader.greeting(None);
        let answer = connection.post(&format!("/{MOUNT}/poll"), body).await?;
        connection.whole(answer).await?;
        self.connection = Some(connection);
        self.acknowledged = reader.received;
        Ok(())
    }
}

/// An event's data as the payload that it is (PROTOCOL §14.3): only `%`, CR and LF are escaped in it, so what a form's
/// reader would take for something else is escaped first.
fn unescape_data(data: &[u8]) -> Fallible<Bytes> {
    let mut form = b"b=".to_vec();
    for byte in data {
        match byte {
            b'+' => form.extend_from_slice(b"%2B"),
            b'&' => form.extend_from_slice(b"%26"),
            byte => form.push(*byte),
        }
    }
    Ok(unescape(form.into())?)
}

/// What an answer brings bit by bit.
pub(crate) type Answer = hyper::Response<Incoming>;

const ACK_DELAY: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(200);
const MAX_PACKET_BYTES: usize = 65_536;
