//! Peers that stop taking bytes: they are left, and the kernel keeps nothing for them; a close in order keeps its last bytes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anywire::{CloseCode, Config, Limits};
use anywire_tests::host::Host;
use anywire_tests::http::upgrade_by_hand;
use anywire_tests::server::TestServer;
use anywire_websocket::frame::{Decoder, Encoder, Frame, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

const READERS: usize = 20;

/// Twice what the server allows a peer that takes nothing, and its farewell.
const DEADLINE: Duration = Duration::from_secs(44);

/// What the kernel holds at this server's port: whether a process still has it, and how many bytes were not taken.
fn held(server: SocketAddr) -> Vec<(bool, usize)> {
    let port = format!(":{:04X}", server.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the tests run on Linux");
    let read = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        // Not LISTEN, nor TIME_WAIT, which holds nothing.
        let is_held = words[1].ends_with(&port) && !["0A", "06"].contains(&words[3]);
        // FIN_WAIT1, LAST_ACK and CLOSING: closed, and not all of it was taken.
        let is_owned = !["04", "09", "0B"].contains(&words[3]);
        let waiting = usize::from_str_radix(&words[4][..8], 16).expect("a number");
        is_held.then_some((is_owned, waiting))
    };
    table.lines().skip(1).filter_map(read).collect()
}

/// A plain WebSocket whose kernel keeps little for it.
async fn upgrade(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(addr).await.unwrap();
    upgrade_by_hand(stream, "h", "raw", "").await.unwrap()
}

async fn say(stream: &mut TcpStream, text: &str) {
    let mut out = Vec::new();
    Encoder::client(|| [7; 4]).raw_message(&mut out, &text.into());
    stream.write_all(&out).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_leaves_nothing_in_the_kernel() {
    tokio::join!(
        leave_stalled_readers(Host::Anywire),
        leave_stalled_readers(Host::Warp)
    );
}

async fn leave_stalled_readers(host: Host) {
    let server = TestServer::start_under(host, Config::new()).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = upgrade(server.addr).await;
        say(&mut reader, "topic:news").await;
        readers.push(reader);
    }
    while server.server.followers("news") < READERS {
        tokio::task::yield_now().await;
    }
    let piece = "x".repeat(65_536);
    let begun = Instant::now();
    while server.server.followers("news") > 0 {
        server.server.publish("news", piece.as_str());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(begun.elapsed() < DEADLINE, "the readers are kept");
    }
    let closed = server.seen.wait_closed(READERS).await;
    assert!(
        closed
            .iter()
            .all(|reason| reason.code == CloseCode::TOO_SLOW)
    );
    // They have not closed, nor read: only the server can end this.
    let (mut orphans, begun) = (0, Instant::now());
    loop {
        let held = held(server.addr);
        let without_owner = held.iter().filter(|(is_owned, _)| !is_owned);
        orphans = orphans.max(without_owner.count());
        if held.is_empty() {
            break;
        }
        assert!(
            begun.elapsed() < DEADLINE,
            "{host:?}: the kernel keeps {held:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("{host:?}: free {:?} after their end", begun.elapsed());
    assert_eq!(
        orphans, 0,
        "{host:?}: closed in order, which leaves it to the kernel"
    );
}

#[tokio::test]
async fn a_close_in_order_keeps_its_last_bytes() {
    let limits = Limits::default()
        .max_outbox_bytes(16_777_216)
        .max_message_bytes(8_388_608);
    let server = TestServer::start(Config::new().limits(limits)).await;
    let mut reader = upgrade(server.addr).await;
    // It comes back whole, more than the kernel holds, and the close behind it.
    say(&mut reader, &"y".repeat(4_194_304)).await;
    say(&mut reader, "close:4000").await;
    let mut decoder = Decoder::new(Role::Client, 8_388_608);
    let (mut length, mut code) = (0, None);
    let read = async {
        let mut bytes = vec![0; 65_536];
        while code.is_none() {
            let count = reader.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "{length} bytes came, then nothing");
            let mut input = &mut bytes[..count];
            while let Some(frame) = decoder.decode(&mut input).unwrap() {
                match frame {
                    Frame::Message(message) => length += message.len(),
                    Frame::Close(reason) => code = reason.map(|(code, _)| code.as_u16()),
                    _ => {}
                }
            }
        }
    };
    timeout(DEADLINE, read).await.unwrap();
    assert_eq!((length, code), (4_194_304, Some(4000)));
}
