//! An Anywire client for tests: one session over any transport, with a WebSocket codec that is not ours.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anywire::Config;
use anywire_protocol::{
    Attach, Can, CloseReason, Credential, Encoding, FrameReader, Generation, Message, MessageKind,
    Offer, Offset, Open, Opened, OpeningKey, Packet, PayloadWriter, Position, decode_payload,
    encode_control,
};
use anywire_tests::http::{Answer, request};
use anywire_tests::open_answer::End;
use anywire_tests::server::TestServer;
use futures_util::{Sink, Stream};
use std::future::poll_fn;
use std::pin::Pin;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::line::StreamLine;

/// A transport in one of its encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    WebSocket,
    PollText,
    PollBinary,
    /// Text whose bodies are escaped (PROTOCOL §4.7).
    PollEscaped,
    StreamText,
    StreamBinary,
    Events,
    /// Script tags, and forms for what is too long for them.
    Jsonp,
}

pub const ALL: [Variant; 8] = [
    Variant::WebSocket,
    Variant::PollText,
    Variant::PollBinary,
    Variant::PollEscaped,
    Variant::StreamText,
    Variant::StreamBinary,
    Variant::Events,
    Variant::Jsonp,
];

/// All but the WebSocket.
pub const HTTP: &[Variant] = (&ALL as &[Variant]).split_at(1).1;

/// A config that offers every transport.
pub fn every() -> Config {
    Config::new().allow_jsonp()
}

impl Variant {
    fn is_stream(self) -> bool {
        matches!(self, Self::StreamText | Self::StreamBinary | Self::Events)
    }

    pub fn encoding(self) -> Encoding {
        match self {
            Self::PollBinary | Self::StreamBinary => Encoding::Binary,
            Self::WebSocket
            | Self::PollText
            | Self::PollEscaped
            | Self::StreamText
            | Self::Events
            | Self::Jsonp => Encoding::Text,
        }
    }
}

/// What a receiver gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Message(Message),
    /// What the server says of credentials.
    Said(String),
    Closed(CloseReason),
}

pub struct Wire {
    addr: SocketAddr,
    pub opened: Opened,
    pub generation: u64,
    pub received: u64,
    pub sent: u64,
    /// What the server has acknowledged on a WebSocket.
    pub acked: u64,
    /// What has come of a message that is not whole, with its kind.
    unfinished: Option<(MessageKind, Vec<u8>)>,
    /// How many parts have come.
    pub parts: usize,
    variant: Variant,
    socket: Option<WebSocketStream<TcpStream>>,
    stream: Option<StreamLine>,
    queue: VecDeque<Packet>,
}

const DEADLINE: Duration = Duration::from_secs(20);

impl Wire {
    pub async fn open(addr: SocketAddr, variant: Variant) -> Self {
        Self::open_with(addr, variant, new_key(), 1, &[]).await
    }

    /// One whose client can so much beyond version 1.
    pub async fn open_that_can(addr: SocketAddr, variant: Variant, can: Can) -> Self {
        Self::begin(addr, variant, new_key(), 1, &[], can).await
    }

    pub async fn open_with(
        addr: SocketAddr,
        variant: Variant,
        key: OpeningKey,
        generation: u64,
        protocols: &[&str],
    ) -> Self {
        Self::begin(addr, variant, key, generation, protocols, Can::SPOKEN).await
    }

    async fn begin(
        addr: SocketAddr,
        variant: Variant,
        key: OpeningKey,
        generation: u64,
        protocols: &[&str],
        can: Can,
    ) -> Self {
        let can_token = format!("anywire.can.{}", can.names().collect::<Vec<_>>().join("."));
        let can_token = (!can.is_none()).then_some(&can_token[..]);
        match variant {
            Variant::WebSocket => {
                let mut offer = format!("anywire.v1, anywire.open.{key}.{generation}");
                for protocol in can_token.iter().chain(protocols) {
                    offer += &format!(", {protocol}");
                }
                let mut socket = upgrade(addr, "/anywire/websocket", &offer).await.unwrap();
                let Packet::Opened(opened) = read(&mut socket).await else {
                    panic!("not opened")
                };
                Self::new(addr, *opened, variant, Some(socket))
            }
            Variant::PollText
            | Variant::PollBinary
            | Variant::PollEscaped
            | Variant::StreamText
            | Variant::StreamBinary
            | Variant::Events
            | Variant::Jsonp => {
                let open = Open {
                    key,
                    generation: Generation::new(generation),
                    received: Offset::default(),
                    hold: None,
                    protocols: protocols.iter().map(ToString::to_string).collect(),
                    can,
                    credential: None,
                };
                let open = Packet::Open(Box::new(open));
                if variant.is_stream() {
                    let mut line = if variant == Variant::Events {
                        let offer = format!("anywire.open.{key}.{generation}");
                        let tokens = [&offer[..]]
                            .into_iter()
                            .chain(can_token)
                            .chain(protocols.iter().copied());
                        StreamLine::events(addr, &tokens.collect::<Vec<_>>().join(",")).await
                    } else {
                        StreamLine::begin(addr, variant.encoding(), &[open]).await
                    };
                    let Some(Packet::Opened(opened)) = line.next().await else {
                        panic!("not opened")
                    };
                    let mut wire = Self::new(addr, *opened, variant, None);
                    wire.stream = Some(line);
                    return wire;
                }
                let answer = exchange(addr, variant, &[open]).await;
                let mut packets = VecDeque::from(unpack(variant, answer));
                let Some(Packet::Opened(opened)) = packets.pop_front() else {
                    panic!("not opened")
                };
                let mut wire = Self::new(addr, *opened, variant, None);
                wire.queue = packets;
                wire
            }
        }
    }

    fn new(
        addr: SocketAddr,
        opened: Opened,
        variant: Variant,
        socket: Option<WebSocketStream<TcpStream>>,
    ) -> Self {
        let generation = opened.generation.as_u64();
        Self {
            addr,
            opened,
            generation,
            received: 0,
            sent: 0,
            acked: 0,
            unfinished: None,
            parts: 0,
            variant,
            socket,
            stream: None,
            queue: VecDeque::new(),
        }
    }

    /// Opens with a credential, as a client of this transport does: an event stream opens by an exchange, a script tag by a form.
    /// `Err` is the status of the refusal, 101 where it came behind an upgrade, and its code.
    pub async fn present(
        addr: SocketAddr,
        variant: Variant,
        token: &str,
    ) -> Result<Self, (u16, u64)> {
        let open = open_by(token);
        let refused = |answer: &Answer| (answer.status, answer.code());
        match variant {
            Variant::WebSocket => {
                let offer = Offer::Open(open).tokens().join(", ");
                let mut socket = upgrade(addr, "/anywire/websocket", &offer).await.unwrap();
                match read(&mut socket).await {
                    Packet::Opened(opened) => Ok(Self::new(addr, *opened, variant, Some(socket))),
                    Packet::Close(reason) => Err((101, reason.code.as_u16().into())),
                    other => panic!("{other:?}"),
                }
            }
            Variant::StreamText | Variant::StreamBinary => {
                let open = [Packet::Open(Box::new(open))];
                let mut line = StreamLine::try_begin(addr, variant.encoding(), &open).await?;
                let Some(Packet::Opened(opened)) = line.next().await else {
                    panic!("not opened")
                };
                let mut wire = Self::new(addr, *opened, variant, None);
                wire.stream = Some(line);
                Ok(wire)
            }
            Variant::Jsonp => {
                let form = form(addr, &[Packet::Open(Box::new(open.clone()))]).await;
                let again = Open {
                    credential: None,
                    ..open
                };
                let answer = exchange(addr, variant, &[Packet::Open(Box::new(again))]).await;
                if form.status != 200 {
                    // A page cannot read it, and hears the same by the script.
                    let told = argument_code(&answer);
                    return Err((form.status, told));
                }
                Ok(Self::opened_by(addr, variant, answer))
            }
            Variant::PollText | Variant::PollBinary | Variant::PollEscaped | Variant::Events => {
                let carrier = match variant {
                    Variant::Events => Variant::PollText,
                    other => other,
                };
                let answer = exchange(addr, carrier, &[Packet::Open(Box::new(open))]).await;
                match answer.status {
                    200 => Ok(Self::opened_by(addr, variant, answer)),
                    _ => Err(refused(&answer)),
                }
            }
        }
    }

    fn opened_by(addr: SocketAddr, variant: Variant, answer: Answer) -> Self {
        let mut packets = VecDeque::from(unpack(variant, answer));
        let Some(Packet::Opened(opened)) = packets.pop_front() else {
            panic!("not opened")
        };
        let mut wire = Self::new(addr, *opened, variant, None);
        wire.queue = packets;
        wire
    }

    /// Says a credential.
    pub async fn renew(&mut self, token: &str) {
        let packet = Packet::Credential(Credential::new(token));
        if let Some(socket) = &mut self.socket {
            return write(socket, control(&packet)).await;
        }
        let packets = [self.attach_packet(None), packet];
        if self.variant == Variant::Jsonp {
            let answer = form(self.addr, &packets).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            return;
        }
        let answer = self.exchange(&packets).await;
        let said = unpack(self.variant, answer).into_iter();
        self.queue
            .extend(said.filter(|packet| matches!(packet, Packet::Credential(_))));
    }

    /// Waits until the server says something of credentials.
    pub async fn said(&mut self) -> String {
        match self.recv().await {
            Got::Said(said) => said,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the end, whatever is said before; returns its code.
    pub async fn ended(&mut self) -> u16 {
        loop {
            if let Got::Closed(reason) = self.recv().await {
                return reason.code.as_u16();
            }
        }
    }

    /// Lets go of the connection, and carries on over none.
    pub fn let_go(&mut self) {
        (self.socket, self.stream) = (None, None);
    }

    /// Lets go of the connection and carries on over another.
    pub async fn switch(&mut self, variant: Variant) {
        self.generation += 1;
        self.variant = variant;
        self.socket = None;
        self.stream = None;
        if variant == Variant::WebSocket {
            // It begins each message anew.
            self.unfinished = None;
        }
        if variant == Variant::WebSocket {
            let offer = format!("anywire.v1, {}", self.attach_token(self.generation));
            let mut socket = upgrade(self.addr, "/anywire/websocket", &offer)
                .await
                .unwrap();
            let Packet::Opened(opened) = read(&mut socket).await else {
                panic!("not opened")
            };
            assert_eq!(
                opened.received.as_u64(),
                self.sent,
                "what was sent has arrived"
            );
            assert_eq!(opened.first.as_u64(), self.received);
            self.socket = Some(socket);
        }
    }

    /// From now on this comes to another node.
    pub fn go_to(&mut self, addr: SocketAddr) {
        self.addr = addr;
    }

    /// Waits until the server's app has everything, then switches.
    pub async fn switch_after_settling(&mut self, variant: Variant, server: &TestServer) {
        // The first message was the command; the others are recorded.
        server.seen.wait_heard(self.sent as usize - 1).await;
        self.switch(variant).await;
    }

    /// Acknowledges what has come, where nothing else does.
    async fn ack(&mut self) {
        if self.variant.is_stream() {
            let answer = self.exchange(&[self.attach_packet(None)]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            return;
        }
        let ack = control(&Packet::Ack(Offset::new(self.received).into()));
        write(self.socket.as_mut().expect("a WebSocket"), ack).await;
    }

    pub fn is_websocket(&self) -> bool {
        self.socket.is_some()
    }

    /// Says a packet on the WebSocket.
    pub async fn say(&mut self, packet: &Packet) {
        self.say_frame(control(packet)).await;
    }

    pub async fn say_frame(&mut self, frame: WsMessage) {
        write(self.socket.as_mut().expect("a WebSocket"), frame).await;
    }

    /// Waits until the server closes the WebSocket, whatever it says before.
    pub async fn is_let_go(&mut self) {
        let socket = self.socket.as_mut().expect("a WebSocket");
        let closed = async {
            while !matches!(read_frame(socket).await, None | Some(WsMessage::Close(_))) {}
        };
        timeout(DEADLINE, closed).await.expect("the server closes");
    }

    pub fn attach_token(&self, generation: u64) -> String {
        let Opened {
            session, secret, ..
        } = &self.opened;
        format!(
            "anywire.attach.{session}.{secret}.{generation}.{}",
            self.received
        )
    }

    pub fn attach_packet(&self, hold: Option<Duration>) -> Packet {
        Packet::Attach(Box::new(Attach {
            session: self.opened.session,
            secret: self.opened.secret,
            generation: Generation::new(self.generation),
            received: Offset::new(self.received),
            hold,
        }))
    }

    /// Sends one exchange and returns the raw answer.
    pub async fn exchange(&self, packets: &[Packet]) -> Answer {
        exchange(self.addr, self.variant, packets).await
    }

    pub async fn send(&mut self, message: impl Into<Message>) {
        let message = message.into();
        match &mut self.socket {
            Some(socket) => write(socket, frame(&message)).await,
            None => {
                let offset = Packet::Offset(Offset::new(self.sent).into());
                let packets = [self.attach_packet(None), offset, Packet::Message(message)];
                let answer = self.exchange(&packets).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
        self.sent += 1;
    }

    /// The next packet on a WebSocket, counted, and acknowledged now and then.
    pub async fn next_packet(&mut self) -> Packet {
        let socket = self.socket.as_mut().expect("a WebSocket");
        let packet = timeout(DEADLINE, read(socket))
            .await
            .expect("something comes");
        match packet {
            Packet::Ack(offset) => self.acked = offset.offset.as_u64(),
            Packet::Message(_) => {
                self.received += 1;
                if self.received.is_multiple_of(64) {
                    self.ack().await;
                }
            }
            _ => {}
        }
        packet
    }

    /// The next message or the end, skipping acks.
    pub async fn recv(&mut self) -> Got {
        timeout(DEADLINE, self.next())
            .await
            .expect("something comes")
    }

    async fn next(&mut self) -> Got {
        loop {
            let packet = match (self.queue.pop_front(), &mut self.socket) {
                (Some(packet), _) => packet,
                (None, Some(socket)) => read(socket).await,
                (None, None) if self.variant.is_stream() => match self.next_on_stream().await {
                    Some(packet) => packet,
                    None => continue,
                },
                (None, None) => {
                    let answer = self
                        .exchange(&self.attaching(Some(Duration::from_secs(5))))
                        .await;
                    self.queue = unpack(self.variant, answer).into();
                    continue;
                }
            };
            match packet {
                Packet::Part(part) => {
                    self.parts += 1;
                    let (kind, bytes) = self
                        .unfinished
                        .get_or_insert_with(|| (part.kind(), Vec::new()));
                    assert_eq!(*kind, part.kind());
                    bytes.extend_from_slice(part.as_bytes());
                }
                Packet::Message(end) => {
                    let message = self.finish(end);
                    self.received += 1;
                    if self.socket.is_some() || self.variant.is_stream() {
                        self.ack().await;
                    }
                    return Got::Message(message);
                }
                Packet::Close(reason) => return Got::Closed(reason),
                Packet::Credential(said) => return Got::Said(said.as_str().to_owned()),
                Packet::Offset(at) => {
                    assert_eq!(at.offset.as_u64(), self.received);
                    assert_eq!(at.bytes, self.position().bytes, "it goes on where we are");
                }
                Packet::Ack(offset) => self.acked = offset.offset.as_u64(),
                Packet::Ping(_) | Packet::Padding(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// A message whose end came, with the parts before it.
    fn finish(&mut self, end: Message) -> Message {
        let Some((kind, mut bytes)) = self.unfinished.take() else {
            return end;
        };
        assert_eq!(kind, end.kind());
        bytes.extend_from_slice(end.as_bytes());
        match kind {
            MessageKind::Text => Message::from_utf8(bytes.into()).unwrap(),
            _ => Message::binary(bytes),
        }
    }

    /// What has been received.
    pub fn position(&self) -> Position {
        let bytes = self.unfinished.as_ref().map_or(0, |(_, bytes)| bytes.len());
        Position::new(Offset::new(self.received), bytes as u64)
    }

    /// What a request begins with that attaches.
    fn attaching(&self, hold: Option<Duration>) -> Vec<Packet> {
        let position = self.position();
        let ack = position.is_inside().then_some(Packet::Ack(position));
        std::iter::once(self.attach_packet(hold))
            .chain(ack)
            .collect()
    }

    /// Sends a message in parts, each on its own where an exchange carries it.
    pub async fn send_in_parts(&mut self, message: impl Into<Message>, parts: &[usize]) {
        let message = message.into();
        let cut = |range: std::ops::Range<usize>| match message.as_text() {
            Some(text) => Message::text(&text[range]),
            None => Message::binary(message.as_bytes().slice(range)),
        };
        let mut at = 0;
        for end in parts.iter().copied().chain([message.len()]) {
            let piece = cut(at..end);
            let is_last = end == message.len();
            match &mut self.socket {
                Some(socket) if is_last => write(socket, frame(&piece)).await,
                Some(socket) => {
                    let is_text = piece.kind() == MessageKind::Text;
                    let bytes = WsMessage::binary(piece.as_bytes().to_vec());
                    write(socket, control(&Packet::Part(piece))).await;
                    if !is_text {
                        write(socket, bytes).await;
                    }
                }
                None => {
                    let place = Position::new(Offset::new(self.sent), at as u64);
                    let piece = match is_last {
                        true => Packet::Message(piece),
                        false => Packet::Part(piece),
                    };
                    let packets = [self.attach_packet(None), Packet::Offset(place), piece];
                    let answer = self.exchange(&packets).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            }
            at = end;
        }
        self.sent += 1;
    }

    /// The next packet of the stream; `None` when it has rotated.
    async fn next_on_stream(&mut self) -> Option<Packet> {
        if self.stream.is_none() {
            let line = if self.variant == Variant::Events {
                StreamLine::events(self.addr, &self.attach_token(self.generation)).await
            } else {
                StreamLine::begin(self.addr, self.variant.encoding(), &self.attaching(None)).await
            };
            self.stream = Some(line);
        }
        let packet = self.stream.as_mut().expect("it was made").next().await;
        if let Some(line) = self.stream.take_if(|_| packet.is_none()) {
            assert_eq!(line.answer.end(), Some(End::Whole), "it rotates");
        }
        packet
    }

    pub async fn recv_text(&mut self) -> String {
        match self.recv().await {
            Got::Message(message) => message.as_text().expect("text").to_owned(),
            Got::Closed(reason) => panic!("closed: {reason}"),
            Got::Said(said) => panic!("{said}"),
        }
    }

    pub async fn close(&mut self, reason: CloseReason) {
        match &mut self.socket {
            Some(socket) => write(socket, control(&Packet::Close(reason))).await,
            None => {
                let answer = self
                    .exchange(&[self.attach_packet(None), Packet::Close(reason)])
                    .await;
                assert_eq!(answer.status, 200);
            }
        }
    }
}

/// An open with a credential.
pub fn open_by(token: &str) -> Open {
    Open {
        key: new_key(),
        generation: Generation::new(1),
        received: Offset::default(),
        hold: None,
        protocols: Vec::new(),
        can: Can::SPOKEN,
        credential: Some(Credential::new(token)),
    }
}

pub fn new_key() -> OpeningKey {
    let mut bytes = [0; 16];
    for (byte, index) in bytes.iter_mut().zip(0_u64..) {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        *byte = (now.as_nanos() as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15 + index)
            .to_be_bytes()[2];
    }
    OpeningKey::from_bytes(bytes)
}

/// A foreign WebSocket client's handshake; `protocols` as the header has it.
pub async fn upgrade(
    addr: SocketAddr,
    path: &str,
    protocols: &str,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{addr}{path}").into_client_request()?;
    if !protocols.is_empty() {
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    let stream = TcpStream::connect(addr).await.unwrap();
    timeout(DEADLINE, client_async(request, stream))
        .await
        .unwrap()
        .map(|(socket, _)| socket)
}

pub fn control(packet: &Packet) -> WsMessage {
    let mut bytes = Vec::new();
    encode_control(packet, &mut bytes);
    WsMessage::text(String::from_utf8(bytes).unwrap())
}

/// A message as a frame.
fn frame(message: &Message) -> WsMessage {
    match message.as_text() {
        Some(text) if text.starts_with('\u{10}') => WsMessage::text(format!("\u{10}{text}")),
        Some(text) => WsMessage::text(text.to_owned()),
        None => WsMessage::binary(message.as_bytes().to_vec()),
    }
}

/// The next packet on a WebSocket.
pub async fn read(socket: &mut WebSocketStream<TcpStream>) -> Packet {
    let mut reader = FrameReader::default();
    loop {
        let frame = match read_frame(socket).await {
            Some(WsMessage::Text(text)) => Message::text(text.as_str()),
            Some(WsMessage::Binary(bytes)) => Message::binary(bytes),
            Some(WsMessage::Ping(_) | WsMessage::Pong(_)) => continue,
            other => panic!("{other:?}"),
        };
        if let Some(packet) = reader.read(frame).unwrap() {
            return packet;
        }
    }
}

/// The next frame on a WebSocket, `None` at its end.
pub async fn read_frame(socket: &mut WebSocketStream<TcpStream>) -> Option<WsMessage> {
    let next = poll_fn(|cx| Pin::new(&mut *socket).poll_next(cx));
    timeout(DEADLINE, next)
        .await
        .expect("a frame comes")
        .and_then(Result::ok)
}

pub async fn write(socket: &mut WebSocketStream<TcpStream>, frame: WsMessage) {
    poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx))
        .await
        .unwrap();
    Pin::new(&mut *socket).start_send(frame).unwrap();
    poll_fn(|cx| Pin::new(&mut *socket).poll_flush(cx))
        .await
        .unwrap();
}

pub async fn exchange(addr: SocketAddr, variant: Variant, packets: &[Packet]) -> Answer {
    let encoding = variant.encoding();
    let mut writer = PayloadWriter::new(encoding);
    packets.iter().for_each(|packet| writer.push(packet));
    if variant == Variant::Jsonp {
        return call(addr, packets, &writer.finish()).await;
    }
    let (content_type, body) = match variant {
        Variant::PollEscaped => (
            "application/x-www-form-urlencoded",
            escape(&writer.finish()).into(),
        ),
        _ => (encoding.content_type(), writer.finish()),
    };
    let content_type = format!("Content-Type: {content_type}");
    let mut answer = request(addr, "POST", "/anywire/poll", &[&content_type], &body).await;
    if variant == Variant::PollEscaped && answer.status == 200 {
        answer.body = unescape_answer(&answer.body);
    }
    answer
}

/// As `decodeURIComponent`, of an answer that must be one line without a NUL (PROTOCOL §4.7).
fn unescape_answer(line: &[u8]) -> Vec<u8> {
    let line = str::from_utf8(line).expect("an answer is UTF-8");
    assert!(!line.contains(['\0', '\r', '\n']), "{line}");
    // Unlike `decodeURIComponent`, the server's reader knows forms.
    let form = format!("b={}", line.replace('+', "%2B").replace('&', "%26"));
    anywire_protocol::unescape(form.into())
        .expect("it is well escaped")
        .to_vec()
}

/// An exchange by a script tag, or by a form if it is too long and only sends. A refusal comes as over other transports.
async fn call(addr: SocketAddr, packets: &[Packet], payload: &[u8]) -> Answer {
    let escaped = escape(payload);
    if escaped.len() > 1_500
        && matches!(&packets[0], Packet::Attach(attach) if attach.hold.is_none())
    {
        let form = ["Content-Type: application/x-www-form-urlencoded"];
        let body = escape(escaped.as_bytes());
        return request(addr, "POST", "/anywire/form", &form, body.as_bytes()).await;
    }
    let path = format!("/anywire/jsonp?anywire.c=7&anywire.{escaped}");
    let mut answer = request(addr, "GET", &path, &[], b"").await;
    match argument(&answer, 7) {
        serde_json::Value::String(payload) => answer.body = unescape_answer(payload.as_bytes()),
        refusal => {
            answer.body = refusal.to_string().into_bytes();
            answer.status = match answer.code() {
                4900 => 409,
                4930 => 404,
                4964 => 413,
                _ => 400,
            };
        }
    }
    answer
}

/// Sends by a form, as pages of script tags do.
pub async fn form(addr: SocketAddr, packets: &[Packet]) -> Answer {
    let mut writer = PayloadWriter::new(Encoding::Text);
    packets.iter().for_each(|packet| writer.push(packet));
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let body = escape(escape(&writer.finish()).as_bytes());
    request(addr, "POST", "/anywire/form", &form, body.as_bytes()).await
}

/// The code of a refusal that [`exchange`] has taken out of a script.
fn argument_code(answer: &Answer) -> u64 {
    assert_ne!(answer.status, 200, "{answer:?}");
    answer.code()
}

/// What a script tag's answer calls the page with.
pub fn argument(answer: &Answer, number: u64) -> serde_json::Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    let begin = format!("/**/anywire_jsonp({number},");
    let rest = answer.text().strip_prefix(&begin);
    let json = rest
        .and_then(|rest| rest.strip_suffix(");"))
        .expect("one call");
    assert!(
        !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']),
        "{json}"
    );
    serde_json::from_str(json).expect("one argument")
}

/// As `encodeURIComponent`, behind the mark.
pub fn escape(payload: &[u8]) -> String {
    let mut escaped = String::from("b=");
    for byte in payload {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte) {
            escaped.push(char::from(*byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

pub fn unpack(variant: Variant, answer: Answer) -> Vec<Packet> {
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    decode_payload(variant.encoding(), answer.body.into()).unwrap()
}

pub fn packet(letter: char, content: &str) -> String {
    format!("{}:{letter}{content}", content.encode_utf16().count())
}
