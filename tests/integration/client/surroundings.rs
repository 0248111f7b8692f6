//! How the Rust client gets out: forward proxies, names, headers.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anywire::{Config, Denied, Principal};
use anywire_client::{Client, ClientBuilder, CloseCode, ConnectError, OriginMemory, Transport};
use anywire_fault_proxy::FaultProxy;
use anywire_tests::middlebox::{Middlebox, Product};
use anywire_tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
const ALL: [Transport; 2] = [Transport::WebSocket, Transport::Poll];

fn builder(url: &str) -> ClientBuilder {
    Client::builder(url).memory(OriginMemory::default())
}

/// Whether a message comes back.
async fn echoes(builder: ClientBuilder) -> Result<(), String> {
    let talk = async {
        let mut client = builder.connect().await.map_err(|error| error.to_string())?;
        client
            .send("hello")
            .await
            .map_err(|error| error.to_string())?;
        let message = client.recv().await.ok_or("the session ended")?;
        assert_eq!(message.as_text(), Some("hello"));
        Ok(())
    };
    timeout(DEADLINE, talk).await.map_err(|_| "late")?
}

#[tokio::test]
async fn a_forward_proxy_is_passed_by_connect() {
    let server = TestServer::start(Config::new()).await;
    let patience = Duration::from_secs(30);
    let squid = Middlebox::start(Product::Squid, server.addr, patience)
        .await
        .unwrap();
    for transport in ALL {
        let url = format!("ws://{}/anywire", server.addr);
        let builder = builder(&url).only(transport);
        let proxy = format!("http://{}", squid.addr());
        echoes(builder.proxy(&proxy)).await.unwrap();
    }
}

/// A SOCKS5 proxy (RFC 1928) that wants no credential; it notes the names and ports that it was asked for.
struct Socks {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Socks {
    /// Whatever the name, the way leads to `upstream`.
    async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let names = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let names = names.clone();
                tokio::spawn(async move {
                    // A client that leaves early is its own matter.
                    let _ = Self::carry(client, upstream, &names).await;
                });
            }
        });
        Self { addr, asked, task }
    }

    async fn carry(
        mut client: TcpStream,
        upstream: SocketAddr,
        names: &Mutex<Vec<String>>,
    ) -> io::Result<()> {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await?;
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).await?;
        client.write_all(&[5, 0]).await?;
        let mut head = [0; 4];
        client.read_exact(&mut head).await?;
        let name = match head[3] {
            1 => {
                let mut ip = [0; 4];
                client.read_exact(&mut ip).await?;
                std::net::Ipv4Addr::from(ip).to_string()
            }
            3 => {
                let mut name = vec![0; client.read_u8().await?.into()];
                client.read_exact(&mut name).await?;
                String::from_utf8_lossy(&name).into_owned()
            }
            kind => return Err(io::Error::other(format!("address type {kind}"))),
        };
        let port = client.read_u16().await?;
        names.lock().unwrap().push(format!("{name}:{port}"));
        let mut server = TcpStream::connect(upstream).await?;
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }
}

impl Drop for Socks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_socks_proxy_is_passed_and_looks_names_up_itself() {
    let server = TestServer::start(Config::new()).await;
    let socks = Socks::start(server.addr).await;
    for transport in ALL {
        for url in [
            "ws://server.example/anywire",
            "ws://server.example:80/anywire",
        ] {
            // Only the proxy knows this name.
            let builder = builder(url).only(transport);
            let proxy = format!("socks5h://{}", socks.addr);
            echoes(builder.proxy(&proxy)).await.unwrap();
        }
    }
    let asked = socks.asked.lock().unwrap();
    assert!(
        asked.iter().all(|name| name == "server.example:80"),
        "{asked:?}"
    );
    assert!(asked.len() >= 2);
}

#[tokio::test]
async fn a_connect_proxy_is_asked_for_the_port_of_the_scheme() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    for (url, target) in [
        ("ws://server.example/anywire", "server.example:80"),
        ("ws://server.example:80/anywire", "server.example:80"),
        ("ws://[2001:db8::1]/anywire", "[2001:db8::1]:80"),
        ("wss://server.example/anywire", "server.example:443"),
        ("ws://server.example:8080/anywire", "server.example:8080"),
    ] {
        let connecting = builder(url)
            .proxy(&address)
            .only(Transport::WebSocket)
            .connect();
        let asked = async {
            let (mut client, _) = proxy.accept().await.unwrap();
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(client.read_u8().await.unwrap());
            }
            String::from_utf8(line).unwrap()
        };
        let line = tokio::select! {
            line = timeout(DEADLINE, asked) => line.expect("the proxy is asked"),
            _ = connecting => panic!("there is no server"),
        };
        assert_eq!(line, format!("CONNECT {target} HTTP/1.1\r\n"));
    }
}

#[tokio::test]
async fn a_proxy_that_could_not_be_used_is_refused_and_not_passed_by() {
    let server = TestServer::start(Config::new()).await;
    let url = format!("ws://{}/anywire", server.addr);
    for proxy in [
        "socks5://",
        "socks5:proxy:1080",
        "socks5h://bücher:1080",
        "ftp://proxy",
        "proxy",
    ] {
        let error = echoes(builder(&url).proxy(proxy)).await.unwrap_err();
        assert!(error.contains("proxy"), "{proxy}: {error}");
    }
    assert_eq!(server.server.metrics().opened, 0);
}

#[tokio::test]
async fn the_environment_names_the_proxy() {
    let server = TestServer::start(Config::new()).await;
    let socks = Socks::start(server.addr).await;
    // A process of its own: its environment is set before it starts.
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "client::surroundings::child_of_the_environment",
            "--ignored",
        ])
        .env("ALL_PROXY", format!("socks5h://{}", socks.addr))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .stdout(Stdio::null())
        .status();
    assert!(timeout(DEADLINE, child).await.unwrap().unwrap().success());
    assert_eq!(socks.asked.lock().unwrap()[0], "server.example:80");
}

#[tokio::test]
#[ignore = "run by the test above, in an environment with a proxy"]
async fn child_of_the_environment() {
    echoes(builder("ws://server.example/anywire"))
        .await
        .unwrap();
}

#[tokio::test]
async fn headers_go_with_each_request() {
    let config = Config::new().authorize(|visitor| async move {
        let key = visitor.headers.get("x-api-key");
        match key.and_then(|value| value.to_str().ok()) {
            Some("k1") => Ok(Principal::new("machine")),
            _ => Err(Denied::forbidden("send X-Api-Key")),
        }
    });
    let server = TestServer::start(config).await;
    let url = format!("ws://{}/anywire", server.addr);
    for transport in ALL {
        let builder = builder(&url).only(transport);
        echoes(builder.header("X-Api-Key", "k1")).await.unwrap();
    }
    let error = echoes(builder(&url)).await.unwrap_err();
    assert!(error.contains("send X-Api-Key"), "{error}");
}

#[tokio::test]
async fn no_credential_is_shown() {
    let proxied = |proxy: &str| builder("ws://server.example/anywire").proxy(proxy);
    let shown = format!("{:?}", proxied("http://me:secret@proxy.example:3128"));
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("proxy.example:3128"), "{shown}");
    let of_address = builder("ws://me:secret@server.example/anywire");
    assert!(!format!("{of_address:?}").contains("secret"));
    for wrong in [
        of_address,
        proxied("ftp://me:secret@proxy.example"),
        proxied("http://me:secret /@proxy.example"),
    ] {
        let error = wrong.connect().await.unwrap_err();
        let texts = [error.to_string(), format!("{error:?}")];
        for text in texts {
            assert!(text.contains(".example"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

/// An address that swallows what would connect to it: its queue is full, and nobody accepts.
struct Swallowing {
    addr: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Swallowing {
    async fn start() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(addr)).await {
            queued.push(stream.unwrap());
        }
        Self {
            addr,
            _listener: listener,
            _queued: queued,
        }
    }
}

#[tokio::test]
async fn a_dead_address_of_a_name_does_not_hide_a_good_one() {
    let server = TestServer::start(Config::new()).await;
    let swallowing = [Swallowing::start().await, Swallowing::start().await];
    let [first, second] = [&swallowing[0], &swallowing[1]].map(|swallowing| swallowing.addr);
    let refusing = SocketAddr::from(([127, 0, 0, 1], 1));
    for transport in ALL {
        for (addresses, within) in [
            (vec![first, server.addr], 250),
            (vec![first, second, server.addr], 500),
            (vec![refusing, server.addr], 0),
            (vec![server.addr, first], 0),
        ] {
            let url = format!("ws://many.example:{}/anywire", server.addr.port());
            let builder = builder(&url).no_proxy().only(transport);
            let begun = tokio::time::Instant::now();
            let count = addresses.len();
            echoes(builder.resolve("many.example", addresses))
                .await
                .unwrap();
            let took = begun.elapsed();
            println!("{transport:?}, {count} addresses: {took:?}, {within} ms before the good one");
            // A delay of an attempt is 250 ms; twice that, and what an echo takes.
            assert!(took < Duration::from_millis(2 * within + 1_500), "{took:?}");
        }
    }
    // However the host is written, here and there.
    for (written, resolved) in [
        ("Bücher.example", "bücher.EXAMPLE"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("[0:0::2]", "[::2]"),
        ("[::2]", "0::0:2"),
        ("10.1", "10.0.0.1"),
        ("0x0a000001", "10.1"),
    ] {
        let builder = builder(&format!("ws://{written}/anywire")).no_proxy();
        let echo = echoes(builder.resolve(resolved, [server.addr])).await;
        echo.unwrap_or_else(|error| panic!("{written} {resolved}: {error}"));
    }
    let error = echoes(builder("ws://h/anywire").resolve("a b", [])).await;
    assert!(error.unwrap_err().contains("`a b`"));
    let nobody = builder("ws://many.example/anywire")
        .no_proxy()
        .connect_timeout(Duration::from_millis(500))
        .resolve("many.example", []);
    let error = echoes(nobody).await.unwrap_err();
    assert!(error.contains("no address"), "{error}");
}

#[tokio::test]
async fn addresses_are_written_as_browsers_write_them() {
    let config = Config::new().authorize(|visitor| async move {
        match visitor.query.as_str() {
            "name=J%C3%BCrgen&q=a%20b" => Ok(Principal::new("Jürgen")),
            other => Err(Denied::forbidden(other)),
        }
    });
    let server = TestServer::start(config).await;
    let patience = Duration::from_secs(30);
    let haproxy = Middlebox::start(Product::Haproxy, server.addr, patience)
        .await
        .unwrap();
    for transport in ALL {
        for port in [server.addr.port(), haproxy.addr().port()] {
            let url = format!("WS://LocalHost:{port}/anywire?name=Jürgen&q=a b");
            let builder = builder(&url).no_proxy().only(transport);
            echoes(builder).await.unwrap();
        }
    }
}

/// A server that knows no path, in place of one that has gone.
async fn serve_404(listener: TcpListener) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\nConnection: close\r\n\r\nNot here";
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = [0; 65_536];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(ANSWER).await;
        });
    }
}

#[tokio::test]
async fn a_wrong_path_is_told_soon() {
    let server = TestServer::start(Config::new()).await;
    let begun = Instant::now();
    let url = format!("ws://{}/wrong", server.addr);
    let error = builder(&url).connect().await.unwrap_err();
    println!("told after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("http 404"), "{error}");
}

#[tokio::test]
async fn a_session_whose_server_is_gone_behind_a_page_ends_within_20_s() {
    let server = TestServer::start(Config::new()).await;
    let proxy = FaultProxy::start(server.addr);
    let mut client = builder(&proxy.url("/anywire").replace("http", "ws"))
        .connect()
        .await
        .unwrap();
    let addr = proxy.addr();
    drop(proxy);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = listener.local_addr().unwrap();
    tokio::spawn(serve_404(listener));
    // The first lets go of the address when its task ends.
    let _proxy = loop {
        match FaultProxy::bind(addr, elsewhere.to_string(), 0) {
            Ok(proxy) => break proxy,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let begun = Instant::now();
    let told = timeout(Duration::from_secs(40), client.recv()).await;
    println!("told after {:?}", begun.elapsed());
    assert_eq!(told, Ok(None));
    let reason = client.close_reason().unwrap();
    assert_eq!(reason.code, CloseCode::UNKNOWN_SESSION);
    assert!(reason.text().starts_with("no Anywire at "), "{reason}");
}
