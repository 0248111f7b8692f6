//! The load: clients of as little cost as possible, the same for every server.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anywire_protocol::{
    Encoding, Message, Offset, Packet, PayloadWriter, decode_frame, decode_payload, encode_control,
};
use anywire_websocket::frame::{Decoder, Frame, Role, encode_message};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use crate::measure::Server;
use crate::peers::JOIN;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Frames over naked TCP, to a server that does not look at them.
    Tcp,
    /// Bare WebSocket messages.
    Bare,
    /// Bare WebSocket messages in a room.
    Room,
    /// Anywire over WebSocket.
    WebSocket,
    /// Anywire over polling.
    Poll,
}

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
const BODY: &str = "0123456789abcdef0123456789abcdef";
/// The load runs a little before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// One client connection.
pub struct Client {
    stream: TcpStream,
    wire: Wire,
    decoder: Decoder,
    received: u64,
    acked: u64,
    sent: u64,
    /// `id secret generation` of an Anywire session.
    credential: String,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn open(addr: SocketAddr, wire: Wire, number: u64) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let decoder = Decoder::new(Role::Client, 1 << 20);
        let buffer = Vec::with_capacity(512);
        let mut client = Self {
            stream,
            wire,
            decoder,
            received: 0,
            acked: 0,
            sent: 0,
            credential: String::new(),
            buffer,
        };
        match wire {
            Wire::Tcp => {}
            Wire::Bare => client.upgrade("/ws", "").await?,
            Wire::Room => client.upgrade("/room", "").await?,
            Wire::WebSocket => {
                let offer =
                    format!("Sec-WebSocket-Protocol: anywire.v1, anywire.open.{number:032x}.1\r\n");
                client.upgrade("/anywire/websocket", &offer).await?;
                let mut scratch = vec![0; 4_096];
                while client.received == 0 && client.credential.is_empty() {
                    client.read_frames(&mut scratch).await?;
                }
            }
            Wire::Poll => {
                let open = format!(r#"{{"version":1,"key":"{number:032x}","generation":1}}"#);
                let answer = client
                    .post(format!("{}:o{open}", open.len()).as_bytes(), "text/plain")
                    .await?;
                let packets = decode_payload(Encoding::Text, answer).map_err(io::Error::other)?;
                client.note(packets);
            }
        }
        Ok(client)
    }

    async fn upgrade(&mut self, path: &str, extra: &str) -> io::Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await?);
        }
        if head.starts_with(b"HTTP/1.1 101") {
            Ok(())
        } else {
            Err(io::Error::other("no upgrade"))
        }
    }

    /// Sends `count` messages as one burst and waits until as many have come back.
    pub async fn echo(&mut self, count: usize, scratch: &mut [u8]) -> io::Result<()> {
        if self.wire == Wire::Poll {
            return self.echo_by_poll(count).await;
        }
        let goal = self.received + count as u64;
        self.send(BODY, count).await?;
        while self.received < goal {
            self.read_frames(scratch).await?;
        }
        Ok(())
    }

    /// Sends messages as one burst.
    pub async fn send(&mut self, text: &str, count: usize) -> io::Result<()> {
        if self.wire == Wire::Poll {
            let body = self.payload(&vec![text.into(); count], None);
            self.post(&body, "application/octet-stream").await?;
            return Ok(());
        }
        self.buffer.clear();
        if self.wire == Wire::WebSocket && self.received - self.acked >= 64 {
            self.push_ack()?;
        }
        for _ in 0..count {
            let mask = if self.wire == Wire::Tcp {
                None
            } else {
                Some(MASK)
            };
            encode_message(&mut self.buffer, &text.into(), mask);
        }
        self.stream.write_all(&self.buffer).await
    }

    async fn echo_by_poll(&mut self, count: usize) -> io::Result<()> {
        let goal = self.received + count as u64;
        let mut messages = vec![BODY.into(); count];
        while self.received < goal {
            let body = self.payload(&messages, Some(20_000));
            messages.clear();
            let answer = self.post(&body, "application/octet-stream").await?;
            let packets = decode_payload(Encoding::Binary, answer).map_err(io::Error::other)?;
            self.note(packets);
        }
        Ok(())
    }

    /// Starts a poll and leaves its answer to [`Client::finish_poll`].
    pub async fn begin_poll(&mut self) -> io::Result<()> {
        let body = self.payload(&[], Some(25_000));
        self.write_post(&body, "application/octet-stream").await
    }

    pub async fn finish_poll(&mut self) -> io::Result<()> {
        let answer = self.read_answer().await?;
        let packets = decode_payload(Encoding::Binary, answer).map_err(io::Error::other)?;
        self.note(packets);
        Ok(())
    }

    /// Acknowledges what has come, where that is a frame of its own.
    pub async fn ack(&mut self) -> io::Result<()> {
        if self.wire == Wire::WebSocket {
            self.buffer.clear();
            self.push_ack()?;
            self.stream.write_all(&self.buffer).await?;
        }
        Ok(())
    }

    fn push_ack(&mut self) -> io::Result<()> {
        self.acked = self.received;
        let mut ack = Vec::new();
        encode_control(&Packet::Ack(Offset::new(self.received)), &mut ack);
        let ack = Message::from_utf8(ack.into()).map_err(io::Error::other)?;
        encode_message(&mut self.buffer, &ack, Some(MASK));
        Ok(())
    }

    /// Reads frames once.
    pub async fn read_frames(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        let count = self.stream.read(scratch).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut input = &mut scratch[..count];
        while let Some(frame) = self.decoder.decode(&mut input).map_err(io::Error::other)? {
            match frame {
                Frame::Message(message) if self.wire == Wire::WebSocket => {
                    let packet = decode_frame(message).map_err(io::Error::other)?;
                    self.note(vec![packet]);
                }
                Frame::Message(_) => self.received += 1,
                _ => {}
            }
        }
        Ok(())
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    fn note(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            match packet {
                Packet::Message(_) => self.received += 1,
                Packet::Opened(opened) => {
                    self.credential = format!("{} {} 1", opened.session, opened.secret);
                }
                _ => {}
            }
        }
    }

    fn payload(&mut self, messages: &[Message], hold_ms: Option<u32>) -> Bytes {
        let mut head = format!("{} {}", self.credential, self.received);
        if let Some(hold) = hold_ms {
            head += &format!(" {hold}");
        }
        let attach = decode_payload(Encoding::Text, format!("{}:x{head}", head.len()).into());
        let mut writer = PayloadWriter::new(Encoding::Binary);
        attach
            .expect("an attach packet")
            .iter()
            .for_each(|packet| writer.push(packet));
        if !messages.is_empty() {
            writer.push(&Packet::Offset(Offset::new(self.sent)));
        }
        for message in messages {
            writer.push(&Packet::Message(message.clone()));
            self.sent += 1;
        }
        writer.finish()
    }

    async fn post(&mut self, body: &[u8], content_type: &str) -> io::Result<Bytes> {
        self.write_post(body, content_type).await?;
        self.read_answer().await
    }

    async fn write_post(&mut self, body: &[u8], content_type: &str) -> io::Result<()> {
        let head = format!(
            "POST /anywire/poll HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.buffer.clear();
        self.buffer.extend_from_slice(head.as_bytes());
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer).await
    }

    async fn read_answer(&mut self) -> io::Result<Bytes> {
        let mut answer = Vec::with_capacity(1_024);
        loop {
            if self.stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&answer[..end]).map_err(io::Error::other)?;
            if !head.starts_with("HTTP/1.1 200") {
                return Err(io::Error::other(head.to_owned()));
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            while answer.len() < end + 4 + length {
                if self.stream.read_buf(&mut answer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok(Bytes::from(answer).slice(end + 4..));
        }
    }
}

/// Opens clients one after the other.
pub async fn open_all(server: &Server, wire: Wire, count: usize) -> Vec<Client> {
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        clients.push(
            Client::open(server.addr, wire, number as u64 + 1)
                .await
                .expect("a client opens"),
        );
    }
    clients
}

/// Server CPU-µs per echoed message.
pub async fn echo(
    server: &Server,
    wire: Wire,
    connections: usize,
    in_flight: usize,
    round: Duration,
) -> f64 {
    let clients = open_all(server, wire, connections).await;
    let (done, stop) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(false)));
    let local = LocalSet::new();
    for mut client in clients {
        let (done, stop) = (done.clone(), stop.clone());
        local.spawn_local(async move {
            let mut scratch = vec![0; 16_384];
            while !stop.get() {
                client
                    .echo(in_flight, &mut scratch)
                    .await
                    .expect("the server echoes");
                done.set(done.get() + in_flight as u64);
            }
        });
    }
    local
        .run_until(async {
            sleep(WARM_UP).await;
            let (cpu, count) = (server.cpu(), done.get());
            sleep(round).await;
            let figure = micros(server.cpu() - cpu) / (done.get() - count) as f64;
            stop.set(true);
            figure
        })
        .await
}

/// Server CPU-µs per delivery to each of `followers`.
pub async fn fanout(server: &Server, wire: Wire, followers: usize, round: Duration) -> f64 {
    let mut clients = open_all(server, wire, followers).await;
    for client in &mut clients {
        client.send(JOIN, 1).await.expect("a client joins");
    }
    let publisher_wire = if wire == Wire::Room {
        Wire::Room
    } else {
        Wire::WebSocket
    };
    let publisher = Client::open(server.addr, publisher_wire, u64::MAX).await;
    let mut publisher = publisher.expect("the publisher opens");
    sleep(WARM_UP).await;
    let (cpu, begin, mut deliveries) = (server.cpu(), Instant::now(), 0);
    let mut scratch = vec![0; 16_384];
    while begin.elapsed() < round {
        if wire == Wire::Poll {
            for client in &mut clients {
                client.begin_poll().await.expect("a poll begins");
            }
        }
        publisher
            .send("!123456789abcdef0123456789abcdef", 1)
            .await
            .expect("a message is published");
        for client in &mut clients {
            let before = client.received();
            while client.received() == before {
                let got = async {
                    if wire == Wire::Poll {
                        client.finish_poll().await
                    } else {
                        client.read_frames(&mut scratch).await
                    }
                };
                timeout(Duration::from_secs(10), got)
                    .await
                    .expect("in time")
                    .expect("a delivery");
            }
            if client.received - client.acked >= 64 {
                client.ack().await.expect("an ack goes out");
            }
        }
        deliveries += followers as u64;
    }
    micros(server.cpu() - cpu) / deliveries as f64
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
