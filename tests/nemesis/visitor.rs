//! A Rust client that visits for as long as the trial lasts: one session after the other, each a *life* with a name of its own.

use std::time::Duration;

use anywire_client::{Client, ClientBuilder, CloseCode, Transport, TrySendError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::balancer::Homes;
use crate::record::Record;

/// Who visits, and how.
pub struct Visitor {
    /// Its name.
    pub name: String,
    /// Makes what it opens a session with, anew for each.
    pub builder: Box<dyn Fn() -> ClientBuilder + Send + Sync>,
    /// The one transport that it may use; all if none.
    pub only: Option<Transport>,
    /// Where it writes.
    pub record: Record,
    /// Where it says where its session lives.
    pub homes: Homes,
    /// How long it lives before it says goodbye; until the trial ends if none.
    pub life: Option<Duration>,
    /// Between two of its messages.
    pub pace: Duration,
    /// At most between two of its lives.
    pub pause: Duration,
}

/// How long the last messages may take to come back: longer than any trouble lasts.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// How long an open may take.
const OPEN: Duration = Duration::from_secs(30);

impl Visitor {
    /// Visits until it is told to stop, and then until all has come back.
    pub async fn visit(self, mut stop: watch::Receiver<bool>) {
        for number in 0.. {
            let life = format!("{}.{number}", self.name);
            self.record.write(format_args!("opens {life}"));
            let mut builder = (self.builder)().connect_timeout(OPEN).first(life.as_str());
            if let Some(transport) = self.only {
                builder = builder.only(transport);
            }
            self.homes.set(&self.name, None);
            match builder.connect().await {
                Ok(client) => self.live(&life, client, &mut stop).await,
                Err(error) => self.record.write(format_args!("refused {life} {error}")),
            }
            if *stop.borrow() {
                break;
            }
            sleep(self.pause.mul_f64(fastrand::f64())).await;
        }
    }

    async fn live(&self, life: &str, mut client: Client, stop: &mut watch::Receiver<bool>) {
        self.record.write(format_args!("opened {life}"));
        let (mut sent, mut returned) = (0, 0);
        let mut next = Instant::now() + self.pace.mul_f64(fastrand::f64());
        let ends = self.life.map(|life| Instant::now() + life);
        loop {
            tokio::select! {
                message = client.recv() => match message {
                    Some(message) => returned += self.take(life, message.as_text()),
                    None => return self.told(life, &client),
                },
                () = sleep_until(next) => {
                    next = Instant::now() + self.pace.mul_f64(0.5 + fastrand::f64());
                    self.record.write(format_args!("sent {life} {sent}"));
                    match client.try_send(sent.to_string()) {
                        Ok(()) => sent += 1,
                        // It is told why by `recv`.
                        Err(TrySendError::Closed(_)) => {}
                        Err(_) => self.record.write(format_args!("unsent {life} {sent}")),
                    }
                }
                () = sleep_until(ends.unwrap_or(next)), if ends.is_some() => break,
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        let last_words = async {
            while returned < sent {
                match client.recv().await {
                    Some(message) => returned += self.take(life, message.as_text()),
                    None => return false,
                }
            }
            true
        };
        match timeout(LAST_WORDS, last_words).await {
            Ok(true) => {
                let reason = client.close(CloseCode::NORMAL).await;
                self.record
                    .write(format_args!("done {life} {}", reason.code.as_u16()));
            }
            Ok(false) => self.told(life, &client),
            Err(_) => self
                .record
                .write(format_args!("stuck {life} {returned} of {sent}")),
        }
    }

    /// Writes down what came; returns how many of its numbers have come back.
    fn take(&self, life: &str, text: Option<&str>) -> u64 {
        let text = text.unwrap_or("binary");
        self.record.write(format_args!("got {life} {text}"));
        if let Some(node) = text.strip_prefix("home ") {
            let place = node.split('.').next().and_then(|place| place.parse().ok());
            self.homes.set(&self.name, place);
        }
        u64::from(text.parse::<u64>().is_ok())
    }

    fn told(&self, life: &str, client: &Client) {
        let code = client
            .close_reason()
            .map_or(0, |reason| reason.code.as_u16());
        self.record.write(format_args!("ended {life} {code}"));
    }
}
