//! The floods, each from one address unless it says otherwise. They go on until their time is over.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anywire_protocol::Packet;
use anywire_tests::http::upgrade_by_hand;
use anywire_websocket::frame::Encoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::visitors::{At, connect, key, post};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Sessions are opened by 16 connections as fast as they can be.
    Opens,
    /// 200 sessions ask for a megabyte each, acknowledge nothing and leave; over and over.
    NeverAcks,
    /// 200 WebSockets send most of a message of 1 MB, and a pong now and then.
    Unfinished,
    /// 60 readers follow a topic and read nothing.
    Stalled,
    /// WebSockets full of pings.
    Pings,
}

pub const ALL: [Flood; 5] = [
    Flood::Opens,
    Flood::NeverAcks,
    Flood::Unfinished,
    Flood::Stalled,
    Flood::Pings,
];

impl Flood {
    pub fn name(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::NeverAcks => "never-acks",
            Self::Unfinished => "unfinished",
            Self::Stalled => "stalled",
            Self::Pings => "pings",
        }
    }

    pub fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let found = ALL.into_iter().find(|flood| flood.name() == name);
        found.ok_or_else(|| {
            format!("{name}: the floods are {}", ALL.map(Self::name).join(", ")).into()
        })
    }

    fn width(self) -> usize {
        match self {
            Self::Opens => 16,
            Self::NeverAcks | Self::Unfinished => 200,
            Self::Stalled => 60,
            Self::Pings => 4,
        }
    }
}

const FROM: [u8; 4] = [127, 0, 1, 1];

pub async fn run(flood: Flood, at: At, how_long: Duration) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + how_long;
    let mut all = JoinSet::new();
    for _ in 0..flood.width() {
        let at = at.clone();
        all.spawn(async move {
            while Instant::now() < until {
                let once = async {
                    // Whatever the server says to it, it comes again.
                    let _ = match flood {
                        Flood::Opens => opens(&at).await,
                        Flood::NeverAcks => never_acks(&at).await,
                        Flood::Unfinished => unfinished(&at).await,
                        Flood::Stalled => stalled(&at).await,
                        Flood::Pings => pings(&at).await,
                    };
                };
                let _ = timeout(until - Instant::now(), once).await;
            }
        });
    }
    all.join_all().await;
    // What it holds open stays so, until the one that started it ends it.
    sleep(Duration::from_secs(60)).await;
    Ok(())
}

type Done = Result<(), Box<dyn Error>>;

async fn opens(at: &At) -> Done {
    let mut stream = connect(at.addr, FROM).await?;
    loop {
        let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, key());
        if let Err(error) = post(&mut stream, &at.host, &format!("{}:o{open}", open.len())).await
            && !error.to_string().starts_with("HTTP/1.1 ")
        {
            return Err(error);
        }
    }
}

async fn upgrade(at: &At, receive_buffer: Option<u32>) -> Result<TcpStream, Box<dyn Error>> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(SocketAddr::from((FROM, 0)))?;
    let stream = socket.connect(at.addr).await?;
    let protocols = format!("anywire.v1, anywire.open.{}.1", key());
    Ok(upgrade_by_hand(stream, &at.host, "websocket", &protocols).await?)
}

fn client() -> Encoder {
    Encoder::client(|| [1, 2, 3, 4])
}

async fn never_acks(at: &At) -> Done {
    let mut stream = upgrade(at, None).await?;
    let mut out = Vec::new();
    let message = "x".repeat(10_000).into();
    for _ in 0..104 {
        client().message(&mut out, &message);
    }
    stream.write_all(&out).await?;
    // It reads, so that all of it is sent to it.
    let mut bytes = vec![0; 65_536];
    let mut count = 0;
    while count < 1_000_000 {
        count += stream
            .read(&mut bytes)
            .await
            .ok()
            .filter(|count| *count > 0)
            .ok_or("it ended")?;
    }
    Ok(())
}

async fn unfinished(at: &At) -> Done {
    let mut stream = upgrade(at, None).await?;
    // A text of 1,048,576 bytes begins as a fragment of 1,000,000.
    let mut out = vec![0x01, 0xff];
    out.extend(1_000_000_u64.to_be_bytes());
    out.extend([0; 4]);
    out.extend([b'y'; 1_000_000]);
    stream.write_all(&out).await?;
    loop {
        sleep(Duration::from_secs(5)).await;
        let mut pong = Vec::new();
        client().pong(&mut pong, b"");
        stream.write_all(&pong).await?;
    }
}

async fn stalled(at: &At) -> Done {
    let mut stream = upgrade(at, Some(4_096)).await?;
    let mut out = Vec::new();
    client().message(&mut out, &"follow".into());
    stream.write_all(&out).await?;
    sleep(Duration::from_secs(60)).await;
    Ok(())
}

async fn pings(at: &At) -> Done {
    let mut stream = upgrade(at, None).await?;
    let mut out = Vec::new();
    for _ in 0..2_000 {
        client().packet(&mut out, &Packet::Padding(0));
        client().ping(&mut out, b"");
    }
    loop {
        stream.write_all(&out).await?;
    }
}
