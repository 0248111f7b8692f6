//! One hundred good clients, each at an address of its own: they open a session by an exchange, send ten messages a second and
//! wait for each to come back.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anywire_protocol::OpeningKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

const VISITORS: u8 = 100;

/// What the good clients saw.
#[derive(Default)]
pub struct Seen {
    pub refused: usize,
    times: Vec<Duration>,
}

impl Seen {
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    }
}

/// Where a server is, and under which host it is asked for.
#[derive(Clone)]
pub struct At {
    pub addr: SocketAddr,
    pub host: String,
}

pub async fn visit(at: At, how_long: Duration) -> Seen {
    let until = Instant::now() + how_long;
    let mut visitors = JoinSet::new();
    for number in 1..=VISITORS {
        visitors.spawn(one(at.clone(), number, until));
    }
    let mut seen = Seen::default();
    while let Some(one) = visitors.join_next().await {
        let one = one.expect("a visitor ends");
        seen.refused += one.refused;
        seen.times.extend(one.times);
    }
    seen.times.sort_unstable();
    seen
}

/// One client. Every two seconds it begins anew, as pages do.
async fn one(at: At, number: u8, until: Instant) -> Seen {
    let mut seen = Seen::default();
    sleep(Duration::from_millis(u64::from(number) * 10)).await;
    while Instant::now() < until {
        if begin(&at, number, &mut seen).await.is_err() {
            seen.refused += 1;
            sleep(Duration::from_millis(100)).await;
        }
    }
    seen
}

async fn begin(at: &At, number: u8, seen: &mut Seen) -> Result<(), Box<dyn Error>> {
    let mut stream = connect(at.addr, [127, 0, 2, number]).await?;
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, key());
    let begun = Instant::now();
    let answer = post(&mut stream, &at.host, &format!("{}:o{open}", open.len())).await?;
    seen.times.push(begun.elapsed());
    let word = |name: &str| {
        let at = answer
            .find(&format!("\"{name}\":\""))
            .ok_or("no such member")?
            + name.len()
            + 4;
        let end = answer[at..].find('"').ok_or("no end")? + at;
        Ok::<_, Box<dyn Error>>(answer[at..end].to_owned())
    };
    let (id, secret) = (word("session")?, word("secret")?);
    let mut ticks = interval(Duration::from_millis(100));
    for count in 0..20 {
        ticks.tick().await;
        let attach = format!("{id} {secret} 1 {count} 20000");
        let body = format!(
            "{}:x{attach}{}:n{count}4:techo",
            attach.len(),
            count.to_string().len()
        );
        let begun = Instant::now();
        let answer = post(&mut stream, &at.host, &body).await?;
        seen.times.push(begun.elapsed());
        if !answer.contains("4:techo") {
            return Err(answer.into());
        }
    }
    Ok(())
}

/// A fresh opening key.
pub fn key() -> OpeningKey {
    let mut bytes = [0; 16];
    bytes.fill_with(|| fastrand::u8(..));
    OpeningKey::from_bytes(bytes)
}

/// A connection from an address of this machine.
pub async fn connect(addr: SocketAddr, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One exchange; returns the answer's body.
pub async fn post(
    stream: &mut TcpStream,
    host: &str,
    body: &str,
) -> Result<String, Box<dyn Error>> {
    let head = format!(
        "POST /anywire/poll HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    read(stream).await
}

async fn read(stream: &mut TcpStream) -> Result<String, Box<dyn Error>> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 65_536]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or("an answer has a length")?.parse()?;
            if body.len() >= length {
                return match head.contains(" 200 ") {
                    true => Ok(body.to_owned()),
                    false => Err(text.into()),
                };
            }
        }
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err("the connection ended".into());
        }
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// What the server says of itself.
pub async fn stats(addr: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut stream = connect(addr, [127, 0, 0, 1]).await?;
    stream
        .write_all(b"GET /stats HTTP/1.1\r\nHost: h\r\n\r\n")
        .await?;
    read(&mut stream).await
}
