//! TLS in our own server loop: every transport, names, renewal, and what does not shake hands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anywire::{Config, Tls, TlsError};
use anywire_client::{Client, ClientBuilder, OriginMemory, Transport, rustls};
use anywire_tests::certificate::Certificate;
use anywire_tests::http::raw;
use anywire_tests::server::TestServer;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const DEADLINE: Duration = Duration::from_secs(20);

async fn start(tls: Tls) -> TestServer {
    TestServer::start_tuned(Config::new(), |serve| serve.tls_with(tls)).await
}

fn trusting(certificate: &Certificate) -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(certificate.roots())
        .with_no_client_auth()
}

fn client(server: &TestServer, scheme: &str, transport: Transport) -> ClientBuilder {
    let url = format!("{scheme}://localhost:{}/anywire", server.addr.port());
    let builder = Client::builder(&url).memory(OriginMemory::default());
    builder.only(transport).no_proxy()
}

/// Whether a message comes back.
async fn echoes(builder: ClientBuilder) -> Result<(), String> {
    let talk = async {
        let mut client = builder.connect().await.map_err(|error| error.to_string())?;
        let sent = client.send("hello").await;
        sent.map_err(|error| error.to_string())?;
        let message = client.recv().await.ok_or("the session ended")?;
        assert_eq!(message.as_text(), Some("hello"));
        Ok(())
    };
    timeout(DEADLINE, talk).await.map_err(|_| "late")?
}

/// The certificate that the server shows to a client that asks for `name`.
async fn shown(
    addr: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> Result<CertificateDer<'static>, String> {
    let stream = connect(addr, name, config).await?;
    let (_, about) = stream.get_ref();
    let chain = about.peer_certificates().ok_or("no certificate")?;
    Ok(chain[0].clone().into_owned())
}

async fn connect(
    addr: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> Result<TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(addr)
        .await
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let connected = timeout(DEADLINE, connected).await.map_err(|_| "late")?;
    connected.map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_rust_client_is_carried_over_tls_and_trusts_only_what_it_knows() {
    let certificate = Certificate::of(&["localhost"]);
    let server = start(Tls::new(certificate.chain(), certificate.key()).unwrap()).await;
    let ways = [("wss", Transport::WebSocket), ("https", Transport::Poll)];
    for (scheme, transport) in ways {
        let builder = client(&server, scheme, transport).tls(trusting(&certificate));
        echoes(builder).await.unwrap();
    }
    // The platform does not trust a certificate that nobody signed.
    let stranger =
        client(&server, "wss", Transport::WebSocket).connect_timeout(Duration::from_secs(2));
    let error = echoes(stranger).await.unwrap_err();
    assert!(
        error.contains("ertificate") || error.contains("nknownIssuer"),
        "{error}"
    );
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_pages_are_of_https() {
    let certificate = Certificate::of(&["localhost"]);
    let server = start(Tls::new(certificate.chain(), certificate.key()).unwrap()).await;
    let versions: [&'static SupportedProtocolVersion; 2] =
        [&rustls::version::TLS12, &rustls::version::TLS13];
    for version in versions {
        let config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(certificate.roots())
            .with_no_client_auth();
        for (scheme, status) in [("https", "405"), ("http", "403")] {
            let mut stream = connect(server.addr, "localhost", config.clone())
                .await
                .unwrap();
            let page = format!(
                "GET /anywire/poll HTTP/1.1\r\nHost: h\r\nOrigin: {scheme}://h\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(page.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            assert_eq!(
                answer.get(9..12),
                Some(status),
                "{version:?} {scheme}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn each_name_has_its_certificate_and_others_the_first() {
    let (first, second) = (
        Certificate::of(&["one.example"]),
        Certificate::of(&["two.example"]),
    );
    let tls = Tls::new(first.chain(), first.key()).unwrap();
    let tls = tls
        .and("two.example", second.chain(), second.key())
        .unwrap();
    let server = start(tls).await;
    for (name, certificate) in [("one.example", &first), ("two.example", &second)] {
        let shown = shown(server.addr, name, trusting(certificate)).await;
        assert_eq!(shown.as_ref(), Ok(certificate.der()), "{name}");
    }
    let wrong = shown(server.addr, "three.example", trusting(&first)).await;
    assert!(wrong.is_err_and(
        |error| error.contains("NotValidForName") || error.contains("not valid for name")
    ));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_when_its_files_change_or_by_a_call() {
    let mut certificate = Certificate::of(&["localhost"]);
    let tls = Tls::new(certificate.chain(), certificate.key()).unwrap();
    let server = start(tls.clone()).await;
    let old = certificate.der().clone();
    certificate.renew(&["localhost"]);
    assert_ne!(certificate.der(), &old);
    let begun = Instant::now();
    loop {
        // A handshake that shows the old one fails, since only the new one is trusted.
        if let Ok(shown) = shown(server.addr, "localhost", trusting(&certificate)).await {
            assert_eq!(&shown, certificate.der());
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "the old certificate stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("a changed file was seen after {:?}", begun.elapsed());
    certificate.renew(&["localhost"]);
    tls.reload().unwrap();
    let now = shown(server.addr, "localhost", trusting(&certificate)).await;
    assert_eq!(now.as_ref(), Ok(certificate.der()));
    // What cannot be used leaves what there is.
    std::fs::write(certificate.chain(), "nothing").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Empty(_))));
    let now = shown(server.addr, "localhost", trusting(&certificate)).await;
    assert_eq!(now.as_ref(), Ok(certificate.der()));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let (one, other) = (
        Certificate::of(&["localhost"]),
        Certificate::of(&["localhost"]),
    );
    let text = |made: Result<Tls, TlsError>| made.unwrap_err().to_string();
    let mismatch = text(Tls::new(one.chain(), other.key()));
    assert!(
        mismatch.contains("does not go with the certificate"),
        "{mismatch}"
    );
    let missing = text(Tls::new("/nowhere.pem", one.key()));
    assert!(
        missing.contains("`/nowhere.pem` holds no certificate in PEM"),
        "{missing}"
    );
    let swapped = text(Tls::new(one.key(), one.chain()));
    assert!(
        swapped.contains("write the server's own first"),
        "{swapped}"
    );
    let name = Tls::new(one.chain(), one.key())
        .unwrap()
        .and("https://a", one.chain(), one.key());
    assert!(text(name).contains("is no name of a server"));
}

#[tokio::test]
async fn a_client_without_tls_is_told_and_a_silent_one_is_cut() {
    let certificate = Certificate::of(&["localhost"]);
    let tls = Tls::new(certificate.chain(), certificate.key()).unwrap();
    let within = Duration::from_millis(500);
    let server = TestServer::start_tuned(Config::new(), |serve| {
        serve.tls_with(tls).handshake_within(within)
    })
    .await;
    let plain = raw(server.addr, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(plain.status, 400);
    assert!(plain.text().contains("https://"), "{}", plain.text());
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let begun = Instant::now();
    let ended = timeout(DEADLINE, silent.read(&mut [0; 8])).await;
    println!("a silent client was cut after {:?}", begun.elapsed());
    assert!(matches!(ended, Ok(Ok(0) | Err(_))));
}
