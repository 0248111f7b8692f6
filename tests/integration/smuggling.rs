//! Requests whose framing is ambiguous, or whose upgrade is refused, with another request behind them on the same
//! connection: nothing may answer that one. `abuse.rs` and `proxies.rs` test what a refusal says.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anywire::{Config, Server};
use anywire_tests::host::Host;
use anywire_tests::http::request;
use anywire_tests::middlebox::{Middlebox, Product};
use anywire_tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use warp::Filter;

use crate::clauses::start;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_behind_an_ambiguous_request_is_answered() {
    let names: HashSet<_> = rows().iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().len(), "each row has its own name");
    assert!(names.len() >= 64, "{} rows", names.len());
    let mut wrong = Vec::new();
    for host in [Host::Anywire, Host::Warp] {
        let server = TestServer::start_under(host, Config::new()).await;
        let second = |_: &Row| format!("/anywire/client.js{MARK}");
        let is_enough = |heads: &[String]| heads.iter().any(|head| is_script(head));
        for (row, sending, came) in send_all(server.addr, second, is_enough).await {
            let expected = match host {
                Host::Warp => row.under_warp,
                Host::Anywire | Host::Axum | Host::Hyper | Host::Edge => row.ours,
            };
            if !expected.is_met_by(&came) {
                let (name, statuses, end) = (row.name, came.statuses(), came.end);
                wrong.push(format!(
                    "{host:?}, {sending:?}, {name}: expected {expected:?}, came {statuses:?}, then {end:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} exchanges:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_a_deny_rule_of_a_proxy() {
    let reached = Arc::<Mutex<Vec<String>>>::default();
    let upstream = upstream(reached.clone()).await;
    for product in [Product::Nginx, Product::Haproxy] {
        let site = |listen| denying(product, listen, upstream);
        let proxy = Middlebox::start_with(product, PATIENCE, site).await;
        let proxy = proxy.unwrap_or_else(|error| panic!("{error}"));
        for (path, status) in [("/", 200), ("/smuggled/control", 403)] {
            let answer = request(proxy.addr(), "GET", path, &[], b"").await;
            assert_eq!(answer.status, status, "{product:?} {path}");
        }
        send_all(proxy.addr(), Row::smuggled, |heads| heads.len() >= 2).await;
        // It still serves, and its connections to the server hold nothing that is left over.
        let answer = request(proxy.addr(), "GET", "/", &[], b"").await;
        assert_eq!(answer.status, 200, "{product:?}");
        let reached = reached.lock().unwrap().clone();
        assert!(reached.is_empty(), "through {product:?}: {reached:?}");
    }
    let direct = request(upstream, "GET", "/smuggled/control", &[], b"").await;
    assert_eq!(direct.status, 200);
    assert_eq!(*reached.lock().unwrap(), ["control"]);
}

/// What must come of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// One answer of 4xx or none, then the end.
    Refused,
    /// The first request is answered, then the end.
    Last,
    /// A legal request: both are answered.
    Plain,
    /// The second request is taken for a part of the first one, which is not whole, or has swallowed it.
    Waits,
    /// A 101: what follows is the WebSocket's.
    Upgraded,
}

impl Expected {
    fn is_met_by(self, came: &Came) -> bool {
        let is_closed = came.end == End::Closed;
        let is_second_answered =
            came.heads.iter().any(|head| is_script(head)) || came.text.contains(MARK);
        let statuses = came.statuses();
        match self {
            Self::Refused => {
                let is_refusal = |status: &u16| (400..500).contains(status);
                let is_at_most_one = statuses.len() <= 1 && statuses.iter().all(is_refusal);
                is_closed && is_at_most_one && !is_second_answered
            }
            Self::Last => is_closed && !statuses.is_empty() && !is_second_answered,
            Self::Plain => came.heads.len() == 2 && is_script(&came.heads[1]),
            Self::Waits => came.end == End::Silent && statuses.len() <= 1 && !is_second_answered,
            Self::Upgraded => statuses == [101] && !is_second_answered,
        }
    }
}

/// A first request, and what must come of it with another one behind it.
#[derive(Clone)]
struct Row {
    name: &'static str,
    /// `<host>` is the address, `<inner>` a whole request, `<hex>` its length, `<length>` that of what follows the head.
    first: String,
    ours: Expected,
    under_warp: Expected,
}

impl Row {
    /// The path of which no request may come.
    fn smuggled(&self) -> String {
        format!("/smuggled/{}", self.name.replace(' ', "-"))
    }

    fn bytes(&self, addr: SocketAddr) -> Vec<u8> {
        let inner = get_of(&self.smuggled(), addr);
        let text = self
            .first
            .replace("<inner>", &inner)
            .replace("<hex>", &format!("{:x}", inner.len()))
            .replace("<host>", &addr.to_string());
        let length = text
            .split_once("\r\n\r\n")
            .map_or(0, |(_, body)| body.len());
        text.replace("<length>", &length.to_string()).into_bytes()
    }
}

/// A row a line: what must come under our own loop, and under `warp::serve` where that differs; the name; the request.
macro_rules! rows {
    (@warp $ours:ident) => { Expected::$ours };
    (@warp $ours:ident $warp:ident) => { Expected::$warp };
    ($($ours:ident $(/ $warp:ident)?, $name:literal: $first:expr;)*) => {
        vec![$(Row {
            name: $name,
            first: $first.into(),
            ours: Expected::$ours,
            under_warp: rows!(@warp $ours $($warp)?),
        }),*]
    };
}

fn rows() -> Vec<Row> {
    const BOTH: &str = "Content-Length: 3\r\nTransfer-Encoding: chunked";
    const LENGTH: &str = "Content-Length: <length>";
    const TOO_LONG: &str = "Content-Length: 100000000";
    const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";
    const POLL: &str = "POST /anywire/poll HTTP/1.1";
    const WEBSOCKET: &str = "GET /anywire/websocket HTTP/1.1";
    let line = |line: &str| text(line, "X: y", "");
    let get = |lines: &str| text("GET / HTTP/1.1", lines, "");
    // The page answers 200 and reads no body; the endpoint reads it, and answers 400 to what these rows send.
    let page = |lines: &str, body: &str| text("POST / HTTP/1.1", lines, body);
    let post = |lines: &str, body: &str| text(POLL, lines, body);
    let length = |value: &str| post(&format!("Content-Length:{value}"), "hello");
    let coding = |value: &str| post(&format!("Transfer-Encoding:{value}"), CHUNKS);
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    let host = |value: &str| format!("GET / HTTP/1.1\r\nHost:{value}\r\n\r\n");
    let upgrade = |more: &str| text(WEBSOCKET, &format!("{UPGRADE}\r\n{more}"), "");
    let changed = |from: &str, to: &str| text(WEBSOCKET, &UPGRADE.replace(from, to), "");
    rows! {
        // Content-Length and Transfer-Encoding.
        Refused / Last, "length before coding":
            page(&format!("{LENGTH}\r\nTransfer-Encoding: chunked"), "0\r\n\r\n<inner>");
        Refused / Last, "coding before length":
            page(&format!("Transfer-Encoding: chunked\r\n{LENGTH}"), "0\r\n\r\n<inner>");
        Refused / Last, "short length beside a chunk": page(BOTH, "<hex>\r\n<inner>\r\n0\r\n\r\n");
        Refused / Last, "length and coding in odd cases":
            page("cOnTeNt-LeNgTh: 3\r\nTRANSFER-encoding: Chunked", "0\r\n\r\n");
        Refused / Last, "length of zero beside a coding":
            page("Content-Length: 0\r\nTransfer-Encoding: chunked", "0\r\n\r\n");
        Refused / Last, "length between two codings":
            page(&format!("Transfer-Encoding: chunked\r\n{BOTH}"), "0\r\n\r\n");
        Last, "length and coding behind a request": get("X: y") + &page(BOTH, "0\r\n\r\n");
        Last, "length and coding behind a body": post("Content-Length: 5", "hello") + &page(BOTH, "0\r\n\r\n");

        // Content-Length.
        Refused, "two lengths that differ": length(" 5\r\nContent-Length: 6");
        Plain, "two equal lengths": length(" 5\r\nContent-Length: 5");
        Refused, "length with a plus": length(" +5");
        Refused, "length below zero": length(" -1");
        Refused, "list of equal lengths": length(" 5, 5");
        Refused, "list of lengths that differ": length(" 5, 6");
        Refused, "length in hexadecimal": length(" 0x5");
        Refused, "length in wide digits": length(" \u{ff15}");
        Refused, "length with a vertical tab": length(" 5\x0b");
        Refused, "length without a number": length("");
        Refused, "length too long for 64 bits": length(" 18446744073709551616");
        Refused, "space before the colon of a length": post("Content-Length : 5", "hello");
        Plain, "length between tabs": length(" \t5\t ");
        Plain, "request as a body": post(LENGTH, "<inner>");
        Waits, "length of more than comes": length(" 1000");

        // Transfer-Encoding.
        Refused, "space before the colon of a coding": post("Transfer-Encoding : chunked", CHUNKS);
        Refused, "coding of HTTP 1.0": text("POST /anywire/poll HTTP/1.0", "Transfer-Encoding: chunked", CHUNKS);
        Refused, "unknown coding": coding(" xchunked");
        Refused, "identity": coding(" identity");
        Refused, "chunked, then identity": coding(" chunked, identity");
        Refused, "chunked, then identity in another line": coding(" chunked\r\nTransfer-Encoding: identity");
        Refused, "coding in quotes": coding(" \"chunked\"");
        Refused, "coding with a letter that looks alike": coding(" chun\u{212a}ed");
        Refused, "coding behind a vertical tab": coding("\x0bchunked");
        Refused, "coding with a NUL": coding(" chunked\0");
        Refused, "coding in a folded line": coding("\r\n chunked");
        Refused, "coding without a name": coding("");
        Plain, "coding behind a tab": coding("\tchunked");
        Plain, "gzip, then chunked": coding(" gzip, chunked");
        Plain, "chunked twice": coding(" chunked, chunked");
        Plain, "identity, then chunked in another line": coding(" identity\r\nTransfer-Encoding: chunked");

        // Chunks.
        Refused, "chunk size with 0x": chunked("0x5\r\nhello\r\n0\r\n\r\n");
        Refused, "chunk size below zero": chunked("-5\r\nhello\r\n0\r\n\r\n");
        Refused, "chunk size behind a space": chunked(" 5\r\nhello\r\n0\r\n\r\n");
        Refused, "chunk size too long for 64 bits": chunked("10000000000000005\r\nhello\r\n0\r\n\r\n");
        Refused, "LF alone behind a chunk size": chunked("5\nhello\r\n0\r\n\r\n");
        Refused, "LF in a chunk extension": chunked("5;a\nb\r\nhello\r\n0\r\n\r\n");
        Refused, "CR in a chunk extension": chunked("5;a\rb\r\nhello\r\n0\r\n\r\n");
        Refused, "chunk without a line end": chunked("5\r\nhello0\r\n\r\n");
        Refused, "LF alone behind a chunk": chunked("5\r\nhello\n0\r\n\r\n");
        Refused, "empty line between chunks": chunked("5\r\nhello\r\n\r\n0\r\n\r\n");
        Refused, "trailer without a colon": chunked("5\r\nhello\r\n0\r\nnonsense\r\n\r\n");
        Refused, "last chunk without its end": chunked("5\r\nhello\r\n0\r\n");
        // hyper reads on for the CR, and so takes the second request for trailers.
        Waits, "LF alone behind a trailer": chunked("5\r\nhello\r\n0\r\nX: y\n\r\n");
        Waits, "longest chunk of 64 bits": chunked("FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n");
        Plain, "chunk size before a space": chunked("5 \r\nhello\r\n0\r\n\r\n");
        Plain, "quoted chunk extension": chunked("5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n");
        Plain, "trailers of a head": chunked("5\r\nhello\r\n0\r\nContent-Length: 50\r\nHost: evil.example\r\n\r\n");
        Plain, "request as a chunk": chunked("<hex>\r\n<inner>\r\n0\r\n\r\n");

        // Lines of headers.
        Refused, "CR alone in a value": get("X: a\rTransfer-Encoding: chunked");
        Refused, "two CR before the LF": get("X: a\r\r\nA: b");
        Refused, "NUL in a value": get("X: a\0b");
        Refused, "space in a name": get("X y: z");
        Refused, "line without a name": get(": z");
        Refused, "line without a colon": get("nonsense");
        Refused, "folded first header": get(" folded");
        Refused, "space before the first header": "GET / HTTP/1.1\r\n Host: <host>\r\n\r\n";
        Last, "close": get("Connection: close");
        Last, "keep-alive, then close in another line": get("Connection: keep-alive\r\nConnection: close");
        Plain, "LF alone behind every line": "GET / HTTP/1.1\nHost: <host>\n\n";
        Plain, "empty lines before the request": "\r\n\r\nGET / HTTP/1.1\r\nHost: <host>\r\n\r\n";

        // The line of the request.
        Refused, "two spaces behind the method": line("GET  / HTTP/1.1");
        Refused, "tab behind the method": line("GET\t/ HTTP/1.1");
        Refused, "space in the target": line("GET /a b HTTP/1.1");
        Refused, "CR alone behind the target": line("GET /\r HTTP/1.1");
        Refused, "space behind the version": line("GET / HTTP/1.1 ");
        Refused, "HTTP 1.2": line("GET / HTTP/1.2");
        Refused, "HTTP 0.9": "GET /\r\n";
        Refused, "preface of HTTP 2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        Refused / Plain, "address of another host": line("GET http://evil.example/ HTTP/1.1");
        Refused / Plain, "another host alone": line("GET evil.example:80 HTTP/1.1");
        Refused / Last, "tunnel to another host": line("CONNECT evil.example:443 HTTP/1.1");
        Last, "HTTP 1.0": "GET / HTTP/1.0\r\n\r\n";
        Plain, "HTTP 1.0 with keep-alive": text("GET / HTTP/1.0", "Connection: keep-alive", "");
        Plain, "address of the host": line("GET http://<host>/ HTTP/1.1");
        Plain, "asterisk": line("GET * HTTP/1.1");
        Plain, "method in lower case": line("get / HTTP/1.1");

        // Host.
        Refused / Plain, "no host": "GET / HTTP/1.1\r\n\r\n";
        Refused / Plain, "no host beside an address": "GET http://<host>/ HTTP/1.1\r\n\r\n";
        Refused / Plain, "two hosts": host(" <host>\r\nHost: evil.example");
        Refused / Plain, "two equal hosts": host(" <host>\r\nHost: <host>");
        Refused / Plain, "empty host": host("");
        Refused / Plain, "host with a space": host(" a b");
        Refused / Plain, "host with a user": host(" x@evil.example");
        Refused / Plain, "host with a port too large": host(" evil.example:99999");
        Refused / Plain, "host with half a bracket": host(" [::1");
        Refused / Plain, "host with a path": host(" a/b");
        Plain, "host of IPv6": host(" [::1]:80");

        // Upgrades.
        Upgraded, "upgrade": upgrade("X: y");
        Upgraded, "upgrade with a length of zero": upgrade("Content-Length: 0");
        Refused, "upgrade with a request as its body": upgrade(LENGTH) + "<inner>";
        Refused, "upgrade with a request as its chunk":
            upgrade("Transfer-Encoding: chunked") + "<hex>\r\n<inner>\r\n0\r\n\r\n";
        Refused, "upgrade with length and coding": upgrade(BOTH) + "0\r\n\r\n";
        Refused, "upgrade by a foreign page": upgrade("Origin: https://evil.example");
        Refused, "upgrade with two keys": upgrade("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==");
        Refused, "upgrade without a key": changed("Sec-WebSocket-Key", "X-Key");
        Refused, "upgrade of another version": changed("Version: 13", "Version: 8");
        Refused, "upgrade without our protocol": changed("anywire.v1", "chat");
        Refused, "upgrade of the endpoint to h2c": changed("websocket", "h2c");
        Refused, "upgrade by POST": text("POST /anywire/websocket HTTP/1.1", UPGRADE, "");
        Refused, "upgrade of HTTP 1.0": text("GET /anywire/websocket HTTP/1.0", UPGRADE, "");
        Refused, "upgrade of a poll": text(POLL, &format!("{UPGRADE}\r\nContent-Length: 5"), "hello");
        Refused / Plain, "upgrade of no endpoint": text("GET /anywire/nowhere HTTP/1.1", UPGRADE, "");
        Last / Plain, "upgrade to h2c":
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__");
        Last / Plain, "upgrade to an unknown protocol": get("Connection: Upgrade\r\nUpgrade: tunnel");
        Last / Plain, "upgrade that the connection does not name": get("Upgrade: websocket");

        // Answers that do not wait for the body.
        Refused, "body that is too long": post(TOO_LONG, "hello");
        Refused, "body that is too long and waits for leave": post(&format!("Expect: 100-continue\r\n{TOO_LONG}"), "");
        Plain, "body that waits for leave": post("Expect: 100-continue\r\nContent-Length: 5", "hello");
        Plain, "body of a GET": text("GET / HTTP/1.1", LENGTH, "<inner>");
        Plain, "body of a poll by GET": text("GET /anywire/poll HTTP/1.1", LENGTH, "<inner>");
        Plain, "body of a foreign page": post(&format!("Origin: https://evil.example\r\n{LENGTH}"), "<inner>");
        Plain, "body of another type": post(&format!("Content-Type: image/png\r\n{LENGTH}"), "<inner>");
    }
}

/// A request with these lines behind `Host`.
fn text(line: &str, lines: &str, body: &str) -> String {
    format!("{line}\r\nHost: <host>\r\n{lines}\r\n\r\n{body}")
}

fn get_of(path: &str, addr: SocketAddr) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n")
}

/// When the second request is written.
#[derive(Clone, Copy, Debug)]
enum Sending {
    /// With the first one.
    Together,
    /// When the first one is answered, or its answer does not come.
    Apart,
}

/// What came of a connection.
struct Came {
    /// The heads of the answers, in lower case.
    heads: Vec<String>,
    text: String,
    end: End,
}

impl Came {
    fn statuses(&self) -> Vec<u16> {
        self.heads.iter().filter_map(|head| status(head)).collect()
    }
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Silent,
    Enough,
}

/// Sends each row on connections of its own, with a request for the path `second` behind it.
async fn send_all(
    addr: SocketAddr,
    second: fn(&Row) -> String,
    is_enough: fn(&[String]) -> bool,
) -> Vec<(Row, Sending, Came)> {
    let mut all = Vec::new();
    let mut tasks = JoinSet::new();
    for row in rows() {
        for sending in [Sending::Together, Sending::Apart] {
            if tasks.len() == AT_ONCE
                && let Some(done) = tasks.join_next().await
            {
                all.push(done.unwrap());
            }
            let row = row.clone();
            tasks.spawn(async move {
                let first = row.bytes(addr);
                let second = get_of(&second(&row), addr).into_bytes();
                let came = exchange(addr, first, second, sending, is_enough).await;
                (row, sending, came)
            });
        }
    }
    all.extend(tasks.join_all().await);
    all
}

async fn exchange(
    addr: SocketAddr,
    first: Vec<u8>,
    second: Vec<u8>,
    sending: Sending,
    is_enough: fn(&[String]) -> bool,
) -> Came {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut bytes = Vec::new();
    // A server that refuses early may not take it all.
    match sending {
        Sending::Together => {
            let _ = stream.write_all(&[first, second].concat()).await;
        }
        Sending::Apart => {
            let _ = stream.write_all(&first).await;
            read(&mut stream, &mut bytes, PAUSE, |heads| !heads.is_empty()).await;
            let _ = stream.write_all(&second).await;
        }
    }
    let end = read(&mut stream, &mut bytes, SILENCE, is_enough).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let heads = heads(&bytes);
    Came { heads, text, end }
}

/// Reads until enough answers have come, the server closes, or nothing comes for so long.
async fn read(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    silence: Duration,
    is_enough: fn(&[String]) -> bool,
) -> End {
    while !is_enough(&heads(bytes)) {
        bytes.reserve(16_384);
        match timeout(silence, stream.read_buf(bytes)).await {
            Ok(Ok(0) | Err(_)) => return End::Closed,
            Ok(Ok(_)) => {}
            Err(_) => return End::Silent,
        }
    }
    End::Enough
}

/// The heads of the answers that have begun, in lower case, but for interim ones. What follows a 101 is no HTTP.
fn heads(mut bytes: &[u8]) -> Vec<String> {
    let mut heads = Vec::new();
    while let Some(end) = find(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let body = &bytes[end + 4..];
        let length = match status(&head) {
            None => break,
            Some(100 | 204 | 304) => Some(0),
            Some(101) => None,
            Some(_) => body_length(&head, body),
        };
        if status(&head) != Some(100) {
            heads.push(head);
        }
        let Some(length) = length else { break };
        bytes = &body[length..];
    }
    heads
}

/// How long the body at the beginning of `bytes` is; none if it is not whole, or ends with the connection.
fn body_length(head: &str, bytes: &[u8]) -> Option<usize> {
    let value = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    if value("transfer-encoding") != Some("chunked") {
        let length: usize = value("content-length")?.parse().ok()?;
        return (length <= bytes.len()).then_some(length);
    }
    let mut whole = 0;
    loop {
        let rest = bytes.get(whole..)?;
        let line = find(rest, b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        whole += line + 2 + size + 2;
        if size == 0 {
            return (whole <= bytes.len()).then_some(whole);
        }
    }
}

fn status(head: &str) -> Option<u16> {
    head.strip_prefix("http/1.")?.get(2..5)?.parse().ok()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}

/// Whether this is the answer to the second request, which asks a server for its script.
fn is_script(head: &str) -> bool {
    head.contains("content-type: text/javascript")
}

/// Our own loop, with a path more that writes down which requests reach it.
async fn upstream(reached: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let smuggled =
        warp::path("smuggled")
            .and(warp::path::tail())
            .map(move |tail: warp::path::Tail| {
                reached.lock().unwrap().push(tail.as_str().to_owned());
                "reached"
            });
    let page = warp::path::end().map(|| "a page");
    let server = Server::builder(Config::new()).unwrap();
    let server = server.on_socket(|_| async {});
    start(anywire::serve(smuggled.or(page).or(server.routes()))).await
}

/// A proxy that keeps connections to the server, passes upgrades, and denies one path.
fn denying(product: Product, listen: SocketAddr, upstream: SocketAddr) -> String {
    if product == Product::Haproxy {
        return format!(
            "frontend clients\n bind {listen}\n http-request deny if {{ path_beg /smuggled }}\n \
             default_backend servers\n\
             backend servers\n http-reuse always\n server one {upstream}\n"
        );
    }
    format!(
        "map $http_upgrade $hop {{ default upgrade; '' ''; }}
        upstream servers {{ server {upstream}; keepalive 16; }}
        server {{
            listen {listen};
            location /smuggled {{ return 403; }}
            location / {{
                proxy_pass http://servers;
                proxy_http_version 1.1;
                proxy_request_buffering off;
                proxy_set_header Host $http_host;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $hop;
            }}
        }}"
    )
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: anywire.v1";

/// The query of the second request, which no answer repeats.
const MARK: &str = "?smuggled";

/// How many connections there are at once.
const AT_ONCE: usize = 32;

/// How long the second request waits for the answer to the first one.
const PAUSE: Duration = Duration::from_millis(300);

/// How long a connection says nothing before no more is expected of it: less than the server waits for a slow body.
const SILENCE: Duration = Duration::from_secs(3);

/// How long a proxy waits for the server.
const PATIENCE: Duration = Duration::from_secs(10);
