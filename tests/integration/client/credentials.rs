//! What lets a client in, and for how long: credentials that are renewed, refused and taken back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anywire::{Asks, Config, Denied, Grant, Visitor};
use anywire_client::{
    Client, ClientBuilder, CloseCode, ConnectError, OriginMemory, Transport, Why,
};
use anywire_tests::server::TestServer;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

const DEADLINE: Duration = Duration::from_secs(20);
const ALL: [Transport; 2] = [Transport::WebSocket, Transport::Poll];

/// How long a grant holds that is to be renewed soon.
const SHORT: Duration = Duration::from_millis(1_600);

fn builder(server: &TestServer, transport: Transport) -> ClientBuilder {
    let url = format!("ws://{}/anywire", server.addr);
    let builder = Client::builder(&url).memory(OriginMemory::default());
    builder.only(transport)
}

/// Lets ada in for a short time, by her credential or by her header.
fn short_grants(visitor: &Visitor) -> Result<Grant, Denied> {
    let header = visitor.headers.get("authorization");
    let header = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let token = visitor.credential.as_ref().map(|said| said.as_str());
    match token.or(header) {
        Some("ada") => Ok(Grant::to("ada").until(SystemTime::now() + SHORT)),
        Some("bob") => Err(Denied::forbidden("bob may not")),
        _ => Err(Denied::unauthenticated("say who you are")),
    }
}

async fn start() -> TestServer {
    let config = Config::new().authorize(|visitor| {
        let granted = short_grants(&visitor);
        async move { granted }
    });
    TestServer::start(config).await
}

/// Whether the session goes on.
async fn echoes(client: &mut Client) {
    client.send("here").await.unwrap();
    let echo = timeout(DEADLINE, client.recv()).await.unwrap();
    let echo = echo.ok_or_else(|| client.close_reason().cloned());
    assert_eq!(echo.unwrap().as_text(), Some("here"));
}

/// The code of the end, and how long it took.
async fn end(client: &mut Client) -> (CloseCode, Duration) {
    let began = Instant::now();
    let ended = timeout(DEADLINE, async { while client.recv().await.is_some() {} }).await;
    ended.expect("an end in time");
    (client.close_reason().unwrap().code, began.elapsed())
}

#[tokio::test]
async fn a_credential_that_runs_out_is_renewed_while_the_session_goes_on() {
    for transport in ALL {
        let server = start().await;
        let (asked, mut asks) = mpsc::unbounded_channel();
        let builder = builder(&server, transport).credential(move |why| {
            asked.send(why).unwrap();
            async { Ok("ada".to_owned()) }
        });
        let mut client = builder.connect().await.unwrap();
        let id = client.id();
        for expected in [Why::Open, Why::Expiring, Why::Expiring, Why::Expiring] {
            let why = timeout(DEADLINE, asks.recv()).await.unwrap();
            assert_eq!(why, Some(expected), "{transport}");
        }
        echoes(&mut client).await;
        assert_eq!(client.id(), id);
        client.close(CloseCode::NORMAL).await;
    }
}

#[tokio::test]
async fn a_client_without_a_credential_shows_its_headers_again() {
    for transport in ALL {
        let renewals = Arc::new(AtomicUsize::new(0));
        let seen = renewals.clone();
        let config = Config::new().authorize(move |visitor| {
            if visitor.asks == Asks::Renew {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            let granted = short_grants(&visitor);
            async move { granted }
        });
        let server = TestServer::start(config).await;
        let (asked, mut asks) = mpsc::unbounded_channel();
        let builder = builder(&server, transport).authorize(move || {
            asked.send(()).unwrap();
            async { Ok("ada".to_owned()) }
        });
        let mut client = builder.connect().await.unwrap();
        let began = Instant::now();
        // Each renewal asks for another token.
        while began.elapsed() < 3 * SHORT {
            timeout(DEADLINE, asks.recv()).await.unwrap().unwrap();
        }
        echoes(&mut client).await;
        assert!(renewals.load(Ordering::SeqCst) > 1, "{transport}");
        client.close(CloseCode::NORMAL).await;
    }
}

#[tokio::test]
async fn a_credential_that_is_not_renewed_ends_the_session() {
    for transport in ALL {
        let server = start().await;
        let builder = builder(&server, transport).credential(async |why| match why {
            Why::Open => Ok("ada".to_owned()),
            _ => Err("the identity service is away".into()),
        });
        let mut client = builder.connect().await.unwrap();
        let (code, after) = end(&mut client).await;
        assert_eq!(code, CloseCode::CREDENTIAL_EXPIRED, "{transport}");
        assert!(
            after < SHORT + Duration::from_secs(1),
            "{transport}: {after:?}"
        );
    }
}

#[tokio::test]
async fn what_the_app_says_to_a_renewal_ends_the_session() {
    for transport in ALL {
        for (token, code) in [
            ("nobody", CloseCode::UNAUTHORIZED),
            ("bob", CloseCode::FORBIDDEN),
        ] {
            let server = start().await;
            let builder = builder(&server, transport).credential(move |why| async move {
                Ok(if why == Why::Open { "ada" } else { token }.to_owned())
            });
            let mut client = builder.connect().await.unwrap();
            assert_eq!(end(&mut client).await.0, code, "{transport}");
        }
    }
}

#[tokio::test]
async fn who_may_not_come_in_is_refused() {
    for transport in ALL {
        let server = start().await;
        for (token, code) in [
            ("nobody", CloseCode::UNAUTHORIZED),
            ("bob", CloseCode::FORBIDDEN),
        ] {
            let said = builder(&server, transport).credential(async move |_| Ok(token.to_owned()));
            let shown = builder(&server, transport).authorize(async move || Ok(token.to_owned()));
            for builder in [said, shown] {
                let refused = timeout(DEADLINE, builder.connect()).await.unwrap();
                let Err(ConnectError::Refused(reason)) = refused else {
                    panic!("{transport} {token}: {refused:?}");
                };
                assert_eq!(reason.code, code, "{transport}");
            }
        }
    }
}

#[tokio::test]
async fn a_revoked_session_ends_at_once() {
    for transport in ALL {
        let server = TestServer::start(Config::new()).await;
        let mut client = builder(&server, transport).connect().await.unwrap();
        echoes(&mut client).await;
        server
            .server
            .session(client.id())
            .await
            .unwrap()
            .revoke("out");
        let (code, after) = end(&mut client).await;
        assert_eq!(code, CloseCode::REVOKED, "{transport}");
        assert!(after < Duration::from_secs(1), "{transport}: {after:?}");
    }
}

#[tokio::test]
async fn an_app_that_cannot_tell_now_is_asked_again() {
    for transport in ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let config = Config::new().authorize(move |visitor| {
            // The first of the open, and the first of the renewal.
            let is_away = [0, 2].contains(&count.fetch_add(1, Ordering::SeqCst));
            let granted = match is_away {
                true => Err(Denied::unavailable("away", Duration::ZERO)),
                false => short_grants(&visitor),
            };
            async move { granted }
        });
        let server = TestServer::start(config).await;
        let credential = async |_| Ok("ada".to_owned());
        let client = builder(&server, transport).credential(credential).connect();
        let mut client = timeout(DEADLINE, client).await.unwrap().unwrap();
        let began = Instant::now();
        while began.elapsed() < 2 * SHORT {
            echoes(&mut client).await;
        }
        assert!(asked.load(Ordering::SeqCst) > 3, "{transport}");
    }
}

#[tokio::test]
async fn a_credential_that_cannot_be_had_is_a_failed_attempt() {
    for transport in ALL {
        let server = start().await;
        let tries = Arc::new(Mutex::new(Vec::new()));
        let seen = tries.clone();
        let builder = builder(&server, transport).credential(move |why| {
            let mut tries = seen.lock().unwrap();
            tries.push(why);
            let answer = match tries.len() {
                1 => Err("away".into()),
                2 => Ok(String::new()),
                3 => Ok("long".repeat(3_000)),
                _ => Ok("ada".to_owned()),
            };
            async move { answer }
        });
        let client = timeout(DEADLINE, builder.connect()).await.unwrap().unwrap();
        assert_eq!(*tries.lock().unwrap(), [Why::Open; 4], "{transport}");
        let attempts = client.attempts();
        let shown = format!("{attempts:?}");
        assert!(shown.contains("credential: away"), "{shown}");

        let never = builder_that_never_knows(&server, transport);
        let refused = timeout(DEADLINE, never.connect()).await.unwrap();
        let is_unreachable = matches!(refused, Err(ConnectError::Unreachable { .. }));
        assert!(is_unreachable, "{transport}: {refused:?}");
    }
}

fn builder_that_never_knows(server: &TestServer, transport: Transport) -> ClientBuilder {
    let builder = builder(server, transport).connect_timeout(Duration::from_secs(2));
    builder.credential(async |_| Err("away".into()))
}

#[tokio::test]
async fn nothing_that_is_shown_tells_a_credential() {
    let server = TestServer::start(Config::new()).await;
    let builder = builder(&server, Transport::Poll).credential(async |_| Ok("hush".to_owned()));
    let shown = format!("{builder:?}");
    let client = builder.connect().await.unwrap();
    let shown = format!("{shown} {client:?} {:?}", client.attempts());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn a_token_that_comes_late_is_asked_for_once() {
    // A WebSocket that says nothing is given up before.
    const LATE: Duration = Duration::from_secs(6);
    let mut clients = tokio::task::JoinSet::new();
    for transport in ALL {
        clients.spawn(async move {
            let server = start().await;
            let asked = Arc::new(AtomicUsize::new(0));
            let count = asked.clone();
            let builder = builder(&server, transport).credential(move |why| {
                if why == Why::Open {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                async {
                    tokio::time::sleep(LATE).await;
                    Ok("ada".to_owned())
                }
            });
            let client = timeout(DEADLINE, builder.connect()).await.unwrap();
            assert!(client.is_ok(), "{transport}: {client:?}");
            assert_eq!(asked.load(Ordering::SeqCst), 1, "{transport}");
        });
    }
    clients.join_all().await;
}

#[tokio::test]
async fn an_app_that_panics_over_its_token_is_asked_again() {
    for transport in ALL {
        for is_header in [false, true] {
            let server = start().await;
            let asked = Arc::new(AtomicUsize::new(0));
            let token = move || {
                let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                async move {
                    assert!(!is_first, "as the test asks");
                    Ok("ada".to_owned())
                }
            };
            let builder = builder(&server, transport);
            let builder = match is_header {
                true => builder.authorize(token),
                false => builder.credential(move |_| token()),
            };
            let client = timeout(DEADLINE, builder.connect()).await;
            let client = client.unwrap_or_else(|_| panic!("{transport} {is_header}"));
            assert!(client.is_ok(), "{transport} {is_header}: {client:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_gives_up_before_it_is_open_leaves_no_session_behind() {
    for transport in ALL {
        let config = Config::new().authorize(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Denied>(Grant::anonymous())
        });
        let server = TestServer::start(config).await;
        let connecting = builder(&server, transport).connect();
        let given_up = timeout(Duration::from_millis(300), connecting).await;
        assert!(given_up.is_err(), "{transport}");
        let began = Instant::now();
        let closed = timeout(DEADLINE, server.seen.wait_closed(1)).await;
        let reasons = closed.unwrap_or_else(|_| panic!("{transport}: it stays"));
        assert_eq!(reasons[0].code, CloseCode::NORMAL, "{transport}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{transport}: {took:?}");
    }
}

#[tokio::test]
async fn an_app_that_asks_early_gets_a_fresh_token_soon() {
    for transport in ALL {
        let config = Config::new().authorize(|_| async {
            Ok::<_, Denied>(Grant::to("ada").lasting(Duration::from_secs(36_000)))
        });
        let server = TestServer::start(config).await;
        let (asked, mut asks) = mpsc::unbounded_channel();
        let builder = builder(&server, transport).credential(move |why| {
            asked.send(why).unwrap();
            async { Ok("ada".to_owned()) }
        });
        let client = builder.connect().await.unwrap();
        assert_eq!(asks.recv().await, Some(Why::Open));
        let session = server.server.session(client.id()).await.unwrap();
        session.renew();
        let began = Instant::now();
        let why = timeout(DEADLINE, asks.recv()).await.unwrap();
        assert_eq!(why, Some(Why::Expiring), "{transport}");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(12), "{transport}: {took:?}");
        client.close(CloseCode::NORMAL).await;
    }
}

#[tokio::test]
async fn the_app_is_asked_once_about_a_client_that_it_refuses() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let config = Config::new().authorize(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Err::<Grant, _>(Denied::forbidden("not you")) }
    });
    let server = TestServer::start(config).await;
    let url = format!("ws://{}/anywire", server.addr);
    let refused = Client::builder(&url)
        .memory(OriginMemory::default())
        .credential(|_| async { Ok("ada".to_owned()) })
        .connect()
        .await;
    let Err(ConnectError::Refused(reason)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(reason.code, CloseCode::FORBIDDEN);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
