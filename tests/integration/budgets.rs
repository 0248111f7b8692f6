//! What clients may ask, over the wire: each limit has its code, its status and when to come back, and takes nothing from others.

use std::time::{Duration, Instant};

use anywire::{Budgets, Config, Measure, Rate, Scope, Share};
use anywire_client::{Client, OriginMemory, Transport};
use anywire_protocol::Packet;
use anywire_tests::http::{Answer, poll, raw, request, upgrade_by_hand};
use anywire_tests::server::TestServer;
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::wire::{Variant, Wire, new_key, packet};

const DEADLINE: Duration = Duration::from_secs(40);

fn share(share: Share) -> Config {
    Config::new().budgets(Budgets::default().of_address(share))
}

fn exceeded(server: &TestServer, measure: Measure) -> u64 {
    let counts = server.server.metrics().exceeded;
    counts
        .get(&(Scope::Address, measure))
        .copied()
        .unwrap_or_default()
}

async fn open(server: &TestServer) -> Answer {
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    poll(server.addr, "anywire", &packet('o', &open)).await
}

fn is_refused(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (429, 4904),
        "{}",
        answer.text()
    );
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    assert!(
        answer.text().contains("this address has used its share"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn opens_beyond_the_share_are_refused_on_every_endpoint() {
    let rate = Rate {
        per_second: 1,
        at_once: 2,
    };
    let server = TestServer::start(share(Share::address().opens(rate))).await;
    for _ in 0..2 {
        assert_eq!(open(&server).await.status, 200);
    }
    is_refused(&open(&server).await);
    let offer = format!(
        "/anywire/events?anywire.offer=anywire.v1%2Canywire.open.{}.1",
        new_key()
    );
    is_refused(&request(server.addr, "GET", &offer, &[], b"").await);
    let body = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    let header = ["Content-Type: text/plain"];
    let body = packet('o', &body);
    is_refused(
        &request(
            server.addr,
            "POST",
            "/anywire/stream",
            &header,
            body.as_bytes(),
        )
        .await,
    );
    let upgrade = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let plain = format!("GET /anywire/raw HTTP/1.1\r\n{upgrade}\r\n\r\n");
    is_refused(&raw(server.addr, plain.as_bytes()).await);
    // By a WebSocket it is told after the upgrade.
    let mut socket = upgrade_to(&server, "websocket", &open_token()).await;
    assert_eq!(close_of(&mut socket).await, Some(4904));
    assert!(exceeded(&server, Measure::Opens) >= 5);
    // A client comes back by itself when the server says so.
    let url = format!("ws://{}/anywire", server.addr);
    let begun = Instant::now();
    let client = Client::builder(&url)
        .memory(OriginMemory::default())
        .no_proxy()
        .only(Transport::Poll);
    let mut client = timeout(DEADLINE, client.connect()).await.unwrap().unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(client.recv().await.unwrap().as_text(), Some("hello"));
    println!("let in after {:?}", begun.elapsed());
}

async fn upgrade_to(server: &TestServer, endpoint: &str, protocols: &str) -> TcpStream {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let upgraded = upgrade_by_hand(stream, "h", endpoint, protocols).await;
    upgraded.unwrap()
}

/// What a client offers that opens a session of its own.
fn open_token() -> String {
    format!("anywire.v1, anywire.open.{}.1", new_key())
}

/// The code of the WebSocket's close; `None` if it ends without.
async fn close_of(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<u16> {
    let mut decoder = Decoder::new(Role::Client, 8_388_608);
    let read = async {
        let mut bytes = vec![0; 65_536];
        loop {
            let count = stream
                .read(&mut bytes)
                .await
                .ok()
                .filter(|count| *count > 0)?;
            let mut input = &mut bytes[..count];
            while let Ok(Some(frame)) = decoder.decode(&mut input) {
                if let Frame::Close(reason) = frame {
                    return reason.map(|(code, _)| code.as_u16());
                }
            }
        }
    };
    timeout(DEADLINE, read).await.unwrap()
}

/// Sends what `encode` makes of a batch, over and over, until the server closes; returns with which code, and after how many.
async fn flood(stream: TcpStream, batch: Vec<u8>, frames: u64) -> (Option<u16>, u64) {
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        let mut sent = 0;
        while writer.write_all(&batch).await.is_ok() {
            sent += frames;
        }
        sent
    });
    let code = close_of(&mut reader).await;
    drop(reader);
    let sent = timeout(DEADLINE, writing).await.unwrap().unwrap();
    (code, sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_small_frames_end_their_websocket_and_not_the_session() {
    let server = TestServer::start(Config::new()).await;
    let pings = |_: u32| {
        let mut out = Vec::new();
        for _ in 0..500 {
            Encoder::client(|| [1, 2, 3, 4]).ping(&mut out, b"");
        }
        out
    };
    let anywire_pings = |_: u32| {
        let mut out = Vec::new();
        for _ in 0..500 {
            Encoder::client(|| [1, 2, 3, 4]).packet(&mut out, &Packet::Ping("".into()));
        }
        out
    };
    for (name, batch) in [("ping of WebSocket", pings(0)), ("ping", anywire_pings(0))] {
        let socket = upgrade_to(&server, "websocket", &open_token()).await;
        let (code, sent) = flood(socket, batch, 500).await;
        println!("{name}: closed after about {sent}");
        assert_eq!(code, Some(4904), "{name}");
    }
    let (code, sent) = flood(upgrade_to(&server, "raw", "").await, pings(0), 500).await;
    println!("plain WebSocket: closed after about {sent}");
    assert_eq!(code, Some(1008));
    assert!(exceeded(&server, Measure::ControlFrames) >= 3);
    // The sessions live, but for the plain one: each waits for its client.
    assert!(server.server.metrics().sessions >= 2);
}

#[tokio::test]
async fn before_an_attach_a_client_sends_few_frames() {
    let server = TestServer::start(Config::new()).await;
    let mut out = Vec::new();
    for _ in 0..1_001 {
        Encoder::client(|| [1, 2, 3, 4]).packet(&mut out, &Packet::Ping("".into()));
    }
    let socket = upgrade_to(&server, "websocket", "anywire.v1").await;
    let (code, _) = flood(socket, out, 1_001).await;
    assert_eq!(code, Some(4904));
}

#[tokio::test]
async fn a_request_over_the_share_is_refused_whole_and_others_go_on() {
    let rate = Rate {
        per_second: 1,
        at_once: 50,
    };
    let server = TestServer::start(share(Share::address().messages(rate))).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    let (id, secret) = (wire.opened.session, wire.opened.secret);
    let attach = packet('x', &format!("{id} {secret} 2 0"));
    let many = packet('n', "0") + &packet('t', "u").repeat(51);
    let refused = poll(server.addr, "anywire", &(attach.clone() + &many)).await;
    is_refused(&refused);
    let few = packet('n', "0") + &packet('t', "u").repeat(3);
    let taken = poll(server.addr, "anywire", &(attach + &few)).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(
        server.seen.wait_heard(3).await.len(),
        3,
        "nothing of the first was taken"
    );
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let server =
        TestServer::start_tuned(Config::new(), |serve| serve.max_connections_per_address(3)).await;
    let from = |address: &'static str| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(format!("{address}:0").parse().unwrap())
            .unwrap();
        let mut stream = socket.connect(server.addr).await.unwrap();
        let get = b"GET /anywire/client.js HTTP/1.1\r\nHost: h\r\n\r\n";
        let _ = stream.write_all(get).await;
        let mut first = [0; 12];
        let is_served = timeout(DEADLINE, stream.read_exact(&mut first))
            .await
            .unwrap()
            .is_ok();
        (stream, is_served)
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        let (stream, is_served) = from("127.0.0.5").await;
        assert!(is_served);
        held.push(stream);
    }
    assert!(!from("127.0.0.5").await.1, "it is reset");
    assert!(from("127.0.0.6").await.1);
}

/// A message that never ends, a pong now and then: it held a megabyte for as long as it liked.
#[tokio::test]
async fn a_frame_that_comes_too_slowly_ends_its_websocket() {
    let server = TestServer::start(Config::new()).await;
    let socket = upgrade_to(&server, "websocket", &open_token()).await;
    let (mut reader, mut writer) = socket.into_split();
    let begun = Instant::now();
    let dribbling = tokio::spawn(async move {
        // A head that promises 1 MB, and then a byte each 200 ms.
        let head = [0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0, 0, 1, 2, 3, 4];
        let _ = writer.write_all(&head).await;
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let code = close_of(&mut reader).await;
    println!("cut after {:?}", begun.elapsed());
    dribbling.abort();
    assert_eq!(code, Some(4901));
    assert!(begun.elapsed() < Duration::from_secs(24));
}
