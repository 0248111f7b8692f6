//! The simulated network between one client and one server: dialling, and what the weather makes of it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anywire::Accept;
use anywire_client::Connector;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::stream::{Cable, SimStream, pair};
use super::weather::Weather;

/// What all connections share.
pub(super) struct Sky {
    began: Instant,
    weather: Weather,
    random: Mutex<fastrand::Rng>,
}

/// The way to whichever server runs now.
#[derive(Clone)]
pub(super) struct Net {
    sky: Arc<Sky>,
    server: Arc<Mutex<Process>>,
}

/// The server's process, as the network sees it.
#[derive(Default)]
struct Process {
    listener: Option<mpsc::Sender<SimStream>>,
    cables: Vec<Cable>,
}

/// A server's end of the network.
pub(super) struct SimListener(mpsc::Receiver<SimStream>);

impl Sky {
    pub(super) fn weather(&self) -> &Weather {
        &self.weather
    }

    /// When the partition that is on now ends.
    pub(super) fn clears_at(&self) -> Option<Instant> {
        let clears = self.weather.clears_at(self.began.elapsed())?;
        Some(self.began + clears)
    }

    /// When something that leaves now is there.
    pub(super) fn arrival(&self) -> Instant {
        let Weather {
            latency, jitter, ..
        } = self.weather;
        let now = Instant::now().max(self.clears_at().unwrap_or(self.began));
        now + latency + jitter.mul_f64(self.random().f64())
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Net {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            sky: Arc::new(Sky {
                began: Instant::now(),
                weather,
                random: Mutex::new(fastrand::Rng::with_seed(seed)),
            }),
            server: Arc::default(),
        }
    }

    /// From now on connections come here.
    pub(super) fn listen(&self) -> SimListener {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.lock().listener = Some(sender);
        SimListener(receiver)
    }

    /// How many connections there have been to this process.
    pub(super) fn dials(&self) -> usize {
        self.lock().cables.len()
    }

    /// The server's process ends: its connections are reset, and new ones refused.
    pub(super) fn end_process(&self) {
        let process = std::mem::take(&mut *self.lock());
        process.cables.iter().for_each(Cable::reset);
    }

    /// How a client dials.
    pub(super) fn connector(&self) -> Connector {
        let net = self.clone();
        Connector::new(move |_| {
            let net = net.clone();
            async move { net.dial().await }
        })
    }

    /// Makes a connection to the server.
    pub(super) async fn dial(&self) -> io::Result<SimStream> {
        // Nothing gets through a partition, and the first packet is sent again after it.
        if let Some(clear) = self.sky.clears_at() {
            sleep_until(clear).await;
        }
        sleep(self.sky.weather.latency * 2).await;
        let (cut, mute) = {
            let weather = &self.sky.weather;
            let mut random = self.sky.random();
            let within = weather.cut_within_bytes;
            let mut fate =
                |percent: u8| (random.u8(0..100) < percent).then(|| random.u64(1..within.max(2)));
            (fate(weather.cut_percent), fate(weather.mute_percent))
        };
        let (client, server, cable) = pair(&self.sky, cut, mute);
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = {
            let mut process = self.lock();
            process.cables.push(cable);
            process.listener.clone().ok_or_else(refused)?
        };
        listener.send(server).await.map_err(|_| refused())?;
        Ok(client)
    }

    fn lock(&self) -> MutexGuard<'_, Process> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accept for SimListener {
    type Stream = SimStream;

    async fn accept(&mut self) -> io::Result<(SimStream, SocketAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, SocketAddr::from(([192, 0, 2, 1], 1)))),
            // The process has ended; its loop is about to.
            None => std::future::pending().await,
        }
    }
}

const BACKLOG: usize = 64;
