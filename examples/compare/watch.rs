//! One connection as it passes through a relay: what is written down of it, and whether it may pass.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Kind;
use crate::event::now_ms;
use crate::http_reader::{HttpReader, Part, Side, header};
use crate::record::{Activity, Record, Tape, What};

/// What is seen of one connection.
pub(crate) struct Watch {
    kind: Kind,
    record: Arc<Mutex<Record>>,
    requests: HttpReader,
    answers: HttpReader,
    exchange: Option<Exchange>,
    /// Whether its bytes are frames now.
    is_websocket: bool,
}

struct Exchange {
    number: u64,
    /// Whether it is of those that bring the lane's events.
    brings_events: bool,
    tape: Tape,
}

impl Watch {
    pub(crate) fn new(kind: Kind, record: Arc<Mutex<Record>>) -> Self {
        let watch = Self {
            kind,
            record,
            requests: HttpReader::new(Side::Requests),
            answers: HttpReader::new(Side::Answers),
            exchange: None,
            is_websocket: false,
        };
        watch.record().totals.connections += 1;
        watch
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.is_websocket
    }

    /// Bytes have left the client.
    ///
    /// # Errors
    /// They ask for a WebSocket, and none is let through: drop the connection.
    pub(crate) fn up(&mut self, bytes: &[u8], is_websocket_broken: bool) -> io::Result<()> {
        let mut parts = Vec::new();
        self.requests.push(bytes, &mut parts);
        let record = self.record.clone();
        let mut record = lock(&record);
        record.totals.bytes_up += bytes.len() as u64;
        record.pass(now_ms());
        for part in parts {
            match part {
                Part::Head(head) => {
                    let asks_upgrade = header(&head, "upgrade").is_some();
                    self.begin(&head, &mut record);
                    if asks_upgrade && is_websocket_broken {
                        let number = record_number(&self.exchange);
                        record.note(Activity(What::Cut, number, now_ms(), "".into()));
                        return Err(io::ErrorKind::ConnectionRefused.into());
                    }
                }
                Part::Body(bytes) => {
                    if let Some(exchange) = &mut self.exchange {
                        Tape::extend(&mut exchange.tape.request, &bytes);
                    }
                }
                Part::Piece(_) if self.is_websocket => {
                    let number = record_number(&self.exchange);
                    record.note(Activity(What::Up, number, now_ms(), "".into()));
                }
                Part::Piece(_) | Part::End => {}
            }
        }
        Ok(())
    }

    /// Bytes from the server are on their way, and will arrive after `delay`.
    pub(crate) fn down(&mut self, bytes: &[u8], delay: Duration) {
        let mut parts = Vec::new();
        self.answers.push(bytes, &mut parts);
        let record = self.record.clone();
        let mut record = lock(&record);
        record.totals.bytes_down += bytes.len() as u64;
        record.pass(now_ms());
        let at = now_ms() + delay.as_secs_f64() * 1_000.0;
        for part in parts {
            let Some(exchange) = &mut self.exchange else {
                continue;
            };
            let number = exchange.number;
            match part {
                Part::Head(head) => {
                    if head.starts_with("HTTP/1.1 101") {
                        self.is_websocket = true;
                        self.requests.upgrade();
                    }
                    exchange.tape.answer = Tape::text(head.as_bytes());
                    record.note(Activity(What::Answer, number, at, "".into()));
                }
                Part::Body(bytes) => Tape::extend(&mut exchange.tape.answer, &bytes),
                Part::Piece(piece) => {
                    exchange.tape.piece = Tape::text(&piece.begin);
                    exchange.tape.piece_length = piece.length;
                    exchange.show(&mut record);
                }
                Part::End => {
                    exchange.show(&mut record);
                    record.note(Activity(What::End, number, at, "".into()));
                    self.exchange = None;
                }
            }
        }
    }

    /// The connection is no more, however it ended.
    pub(crate) fn end(&mut self, what: What) {
        let exchange = self.exchange.take();
        if exchange.is_some() || what == What::Cut {
            let activity = Activity(what, record_number(&exchange), now_ms(), "".into());
            self.record().note(activity);
        }
    }

    fn begin(&mut self, head: &str, record: &mut Record) {
        let mut words = head.split([' ', '?']);
        let method = words.next().unwrap_or_default();
        let endpoint = words.next().unwrap_or_default().rsplit('/').next();
        let endpoint = endpoint.unwrap_or_default();
        let number = record.begin();
        let brings_events = method != "OPTIONS"
            && (endpoint == self.kind.endpoint() || self.kind == Kind::WebSocket);
        let label = if method == "OPTIONS" {
            "preflight"
        } else {
            endpoint
        };
        record.note(Activity(What::Request, number, now_ms(), label.into()));
        self.exchange = Some(Exchange {
            number,
            brings_events,
            tape: Tape {
                request: Tape::text(head.as_bytes()),
                ..Tape::default()
            },
        });
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }
}

impl Exchange {
    /// Lays its bytes out for people, if they are of those that matter.
    fn show(&self, record: &mut Record) {
        if self.brings_events {
            record.tape = self.tape.clone();
        }
    }
}

/// Nobody panics while holding it; if somebody did, its numbers would still be sound.
pub(crate) fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record_number(exchange: &Option<Exchange>) -> u64 {
    exchange.as_ref().map_or(0, |exchange| exchange.number)
}
