//! A client of as little cost as possible, the same for every server.

use std::io;
use std::net::SocketAddr;

use anywire_protocol::{
    Encoding, Message, Offset, Packet, PayloadWriter, decode_frame, decode_payload, encode_control,
};
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn encoder(mask: Option<[u8; 4]>) -> Encoder {
    mask.map_or(Encoder::server(), |mask| Encoder::client(move || mask))
}

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
    /// As `Poll`, until it rests: then a stream carries down.
    Stream,
    /// As `Poll`, until it rests: then an event stream carries down.
    Events,
}

impl Wire {
    /// Whether its messages go by exchanges.
    fn polls(self) -> bool {
        matches!(self, Self::Poll | Self::Stream | Self::Events)
    }
}

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
const BODY: &str = "0123456789abcdef0123456789abcdef";

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
            Wire::Poll | Wire::Stream | Wire::Events => {
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

    /// Goes on with its session at another server.
    pub async fn go_to(&mut self, addr: SocketAddr) -> io::Result<()> {
        self.stream = TcpStream::connect(addr).await?;
        self.stream.set_nodelay(true)?;
        if self.wire == Wire::WebSocket {
            self.decoder = Decoder::new(Role::Client, 1 << 20);
            let credential = self.credential.replace(' ', ".");
            let attach = credential.strip_suffix(".1").map(|id| format!("{id}.2"));
            let attach = attach.expect("the first generation is 1");
            let offer = format!(
                "Sec-WebSocket-Protocol: anywire.v1, anywire.attach.{attach}.{}\r\n",
                self.received
            );
            self.upgrade("/anywire/websocket", &offer).await?;
        }
        Ok(())
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
        if self.wire.polls() {
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
        if self.wire.polls() {
            let body = self.payload(&vec![text.into(); count], None);
            self.post(&body, "application/octet-stream").await?;
            return Ok(());
        }
        self.buffer.clear();
        if self.wire == Wire::WebSocket && self.unacked() >= 64 {
            self.push_ack()?;
        }
        for _ in 0..count {
            let mask = if self.wire == Wire::Tcp {
                None
            } else {
                Some(MASK)
            };
            encoder(mask).raw_message(&mut self.buffer, &text.into());
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
        self.write_request("poll", &body, "application/octet-stream")
            .await
    }

    /// Waits for messages as long as it takes: by a poll or a stream, where the connection itself does not.
    pub async fn rest(&mut self) -> io::Result<()> {
        match self.wire {
            Wire::Tcp | Wire::Bare | Wire::Room | Wire::WebSocket => Ok(()),
            Wire::Poll => self.begin_poll().await,
            Wire::Stream => {
                let body = self.payload(&[], None);
                self.write_request("stream", &body, "application/octet-stream")
                    .await?;
                self.read_head().await.map(drop)
            }
            Wire::Events => {
                let credential = self.credential.replace(' ', ".");
                let offer = format!("anywire.v1%2Canywire.attach.{credential}.{}", self.received);
                let request = format!(
                    "GET /anywire/events?anywire.offer={offer} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                );
                self.stream.write_all(request.as_bytes()).await?;
                self.read_head().await.map(drop)
            }
        }
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
        encode_control(&Packet::Ack(Offset::new(self.received).into()), &mut ack);
        let ack = Message::from_utf8(ack.into()).map_err(io::Error::other)?;
        encoder(Some(MASK)).raw_message(&mut self.buffer, &ack);
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

    /// How many messages have come and are not acknowledged.
    pub fn unacked(&self) -> u64 {
        self.received - self.acked
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
            writer.push(&Packet::Offset(Offset::new(self.sent).into()));
        }
        for message in messages {
            writer.push(&Packet::Message(message.clone()));
            self.sent += 1;
        }
        writer.finish()
    }

    async fn post(&mut self, body: &[u8], content_type: &str) -> io::Result<Bytes> {
        self.write_request("poll", body, content_type).await?;
        self.read_answer().await
    }

    async fn write_request(
        &mut self,
        endpoint: &str,
        body: &[u8],
        content_type: &str,
    ) -> io::Result<()> {
        let head = format!(
            "POST /anywire/{endpoint} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.buffer.clear();
        self.buffer.extend_from_slice(head.as_bytes());
        self.buffer.extend_from_slice(body);
        self.stream.write_all(&self.buffer).await
    }

    async fn read_answer(&mut self) -> io::Result<Bytes> {
        let (mut answer, end) = self.read_head().await?;
        let head = std::str::from_utf8(&answer[..end]).map_err(io::Error::other)?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        while answer.len() < end + length {
            if self.stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Bytes::from(answer).slice(end..))
    }

    /// Reads until an answer's head is there. Says what has come, and where its body begins in it.
    async fn read_head(&mut self) -> io::Result<(Vec<u8>, usize)> {
        let mut answer = Vec::with_capacity(1_024);
        loop {
            if self.stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            if !answer.starts_with(b"HTTP/1.1 200") {
                return Err(io::Error::other(
                    String::from_utf8_lossy(&answer).into_owned(),
                ));
            }
            return Ok((answer, end + 4));
        }
    }
}
