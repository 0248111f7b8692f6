//! Grants that run out: renewed while their sessions go on, or the end of these (PROTOCOL §10.11).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anywire::{Asks, Config, Denied, Grant, Limits, Visitor};
use anywire_protocol::{Credential, Offset, Packet};
use anywire_tests::http::request;
use anywire_tests::server::TestServer;
use tokio::time::{sleep, timeout};

use crate::wire::{ALL, Got, Variant, Wire, every, exchange, packet, unpack};

/// How long the first grant holds, and how long before its end the client is asked.
const TERM: Duration = Duration::from_millis(2_400);

/// A token is `NAME for MS`, `away`, or what the app does not let in.
fn config() -> Config {
    let limits = Limits::default().renewal(Duration::from_millis(1_400));
    every()
        .limits(limits)
        .authorize(|visitor: Visitor| async move {
            let said = visitor.credential.as_ref().map(Credential::as_str);
            match said {
                Some("away") => Err(Denied::unavailable("who knows", Duration::from_millis(100))),
                Some("forbidden") => Err(Denied::forbidden("no more")),
                Some(token) => match token.split_once(" for ") {
                    Some((name, ms)) => {
                        let ms = ms.parse().expect("a number");
                        Ok(Grant::to(name).lasting(Duration::from_millis(ms)))
                    }
                    None => Err(Denied::unauthenticated("an unknown token")),
                },
                // A cookie's.
                None => match visitor.cookie("login") {
                    Some(name) => Ok(Grant::to(name).lasting(TERM)),
                    None => Err(Denied::unauthenticated("send a token")),
                },
            }
        })
}

fn first_token() -> String {
    format!("ada for {}", TERM.as_millis())
}

#[tokio::test]
async fn a_grant_is_renewed_in_time_over_every_transport() {
    for variant in ALL {
        let server = TestServer::start(config()).await;
        let begun = Instant::now();
        let mut wire = Wire::present(server.addr, variant, &first_token())
            .await
            .unwrap();
        let asked = wire.said().await;
        let left: u64 = asked.strip_prefix("ask ").unwrap().parse().unwrap();
        assert!((1..=1_400).contains(&left), "{variant:?}: {asked}");
        assert!(begun.elapsed() < TERM, "{variant:?}");
        wire.renew("ada for 60000").await;
        loop {
            let said = wire.said().await;
            if said == "ok" {
                break;
            }
            assert!(said.starts_with("ask "), "{variant:?}: {said}");
        }
        sleep(TERM.saturating_sub(begun.elapsed()) + Duration::from_millis(300)).await;
        wire.send("still here").await;
        assert_eq!(wire.recv_text().await, "still here", "{variant:?}");
        let session = server.server.session(wire.opened.session).await.unwrap();
        let left = session.grant().expires_in().unwrap();
        assert!(left > Duration::from_secs(50), "{variant:?}: {left:?}");
    }
}

#[tokio::test]
async fn an_app_may_ask_before_a_grant_runs_out_over_every_transport() {
    for variant in ALL {
        let server = TestServer::start(config()).await;
        let mut wire = Wire::present(server.addr, variant, "ada for 60000")
            .await
            .unwrap();
        let session = server.server.session(wire.opened.session).await.unwrap();
        let asks = async {
            // While what carries the session is idle.
            sleep(Duration::from_millis(300)).await;
            session.renew();
            Instant::now()
        };
        let (asked_at, asked) = tokio::join!(asks, wire.said());
        assert!(asked.starts_with("ask "), "{variant:?}: {asked}");
        assert!(asked_at.elapsed() < Duration::from_secs(2), "{variant:?}");
        wire.renew("ada for 90000").await;
        while wire.said().await != "ok" {}
        let left = session.grant().expires_in().unwrap();
        assert!(left > Duration::from_secs(80), "{variant:?}: {left:?}");
        // Asked is asked: the next time is long before the end again.
        wire.send("on").await;
        assert_eq!(wire.recv_text().await, "on", "{variant:?}");
    }
}

#[tokio::test]
async fn one_that_is_not_renewed_ends_its_session_within_a_second_on_every_transport() {
    for variant in ALL {
        let server = TestServer::start(config()).await;
        let begun = Instant::now();
        let mut wire = Wire::present(server.addr, variant, &first_token())
            .await
            .unwrap();
        assert_eq!(wire.ended().await, 4935, "{variant:?}");
        let late = begun.elapsed().saturating_sub(TERM);
        println!("{variant:?}: told {late:?} after the end");
        assert!(late < Duration::from_secs(2), "{variant:?}: {late:?}");
    }
}

#[tokio::test]
async fn a_detached_session_ends_too_and_its_client_is_told_when_it_comes() {
    for variant in ALL {
        let server = TestServer::start(config()).await;
        let mut wire = Wire::present(server.addr, variant, &first_token())
            .await
            .unwrap();
        wire.let_go();
        let ended = timeout(Duration::from_secs(4), server.seen.wait_closed(1)).await;
        let reasons = ended.expect("it ends without its client");
        assert_eq!(reasons[0].code.as_u16(), 4935, "{variant:?}");
        let poll = [wire.attach_packet(Some(Duration::ZERO))];
        let answer = exchange(server.addr, Variant::PollText, &poll).await;
        let told = unpack(Variant::PollText, answer);
        let Some(Packet::Close(reason)) = told.last() else {
            panic!("{told:?}");
        };
        assert_eq!(reason.code.as_u16(), 4935, "{variant:?}");
    }
}

#[tokio::test]
async fn what_cannot_renew_ends_with_its_code_on_every_transport() {
    for variant in ALL {
        for (token, code) in [("bob for 60000", 4935), ("forbidden", 4969), ("what", 4966)] {
            let server = TestServer::start(config()).await;
            let opened = Wire::present(server.addr, variant, "ada for 60000").await;
            let mut wire = opened.unwrap();
            let begun = Instant::now();
            wire.renew(token).await;
            assert_eq!(wire.ended().await, code, "{variant:?} {token}");
            assert!(
                begun.elapsed() < Duration::from_secs(2),
                "{variant:?} {token}"
            );
        }
    }
}

#[tokio::test]
async fn an_identity_service_that_is_away_ends_nothing_before_its_time() {
    for variant in [Variant::WebSocket, Variant::PollText, Variant::StreamText] {
        let server = TestServer::start(config()).await;
        let mut wire = Wire::present(server.addr, variant, &first_token())
            .await
            .unwrap();
        assert!(wire.said().await.starts_with("ask "));
        wire.renew("away").await;
        assert!(wire.said().await.starts_with("ask "), "{variant:?}");
        wire.renew("ada for 60000").await;
        while wire.said().await != "ok" {}
        wire.send("on").await;
        assert_eq!(wire.recv_text().await, "on", "{variant:?}");
    }
}

#[tokio::test]
async fn whoever_is_put_out_hears_it_within_a_second_on_every_transport() {
    for variant in ALL {
        let server = TestServer::start(every()).await;
        let mut wire = Wire::open(server.addr, variant).await;
        let session = server.server.session(wire.opened.session).await.unwrap();
        let put_out = async {
            // While a poll is held and a stream is idle.
            sleep(Duration::from_millis(300)).await;
            session.revoke("not any more");
            Instant::now()
        };
        let (put_out, got) = tokio::join!(put_out, wire.recv());
        let Got::Closed(reason) = got else {
            panic!("{got:?}")
        };
        assert_eq!(reason.code.as_u16(), 4970, "{variant:?}");
        assert_eq!(reason.text(), "not any more");
        assert!(put_out.elapsed() < Duration::from_secs(2), "{variant:?}");
    }
}

#[tokio::test]
async fn whoever_is_put_out_hears_so_though_nobody_lets_them_in_any_more() {
    let may = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = may.clone();
    let config = every().authorize(move |_| {
        let may = asked.load(Ordering::Relaxed);
        async move {
            may.then(|| Grant::to("ada"))
                .ok_or_else(|| Denied::unauthenticated("no"))
        }
    });
    let server = TestServer::start(config).await;
    let wire = Wire::open(server.addr, Variant::PollText).await;
    may.store(false, Ordering::Relaxed);
    let reach = server.server.principal("ada").revoke("out").await;
    assert_eq!(reach.sessions, 1);
    let poll = [wire.attach_packet(Some(Duration::ZERO))];
    let told = unpack(
        Variant::PollText,
        exchange(server.addr, Variant::PollText, &poll).await,
    );
    let Some(Packet::Close(reason)) = told.last() else {
        panic!("{told:?}");
    };
    assert_eq!(reason.code.as_u16(), 4970);
}

/// A request of a session that was opened by a cookie.
async fn with_cookie(server: &TestServer, cookie: &str, body: &str) -> (u16, String) {
    let headers = [
        &format!("Cookie: login={cookie}")[..],
        &format!("Origin: http://{}", server.addr),
    ];
    let answer = request(
        server.addr,
        "POST",
        "/anywire/poll",
        &headers,
        body.as_bytes(),
    )
    .await;
    (answer.status, answer.text().to_owned())
}

#[tokio::test]
async fn a_request_renews_by_its_cookie_also_beside_a_websocket() {
    let server = TestServer::start(config()).await;
    let key = crate::wire::new_key();
    let open = format!(r#"{{"version":1,"key":"{key}","generation":1,"can":["credential"]}}"#);
    let (status, text) = with_cookie(&server, "ada", &packet('o', &open)).await;
    assert_eq!(status, 200, "{text}");
    let session = server.server.sessions().next().expect("it is open");
    let opened = text
        .split_once('{')
        .map(|(_, rest)| format!("{{{rest}"))
        .unwrap();
    let value: serde_json::Value = serde_json::Deserializer::from_str(&opened)
        .into_iter()
        .next()
        .unwrap()
        .unwrap();
    let attach = format!(
        "{} {} 1 0",
        value["session"].as_str().unwrap(),
        value["secret"].as_str().unwrap()
    );
    sleep(TERM / 2).await;
    let body = packet('x', &attach) + &packet('k', "");
    let (status, text) = with_cookie(&server, "ada", &body).await;
    assert_eq!((status, text.as_str()), (200, "1:a02:kok"));
    let left = session.grant().expires_in().unwrap();
    assert!(left > TERM * 3 / 4, "{left:?}");
    // Somebody else's cookie finds no session, as ever.
    let (status, _) = with_cookie(&server, "bob", &packet('x', &attach)).await;
    assert_eq!(status, 404);
}

/// What the app says of everybody.
type Opinion = Arc<Mutex<Result<&'static str, Denied>>>;

#[tokio::test]
async fn a_request_that_cannot_renew_ends_its_session_on_every_transport() {
    let cases = [
        (Ok("bob"), 4935),
        (Err(Denied::forbidden("no more")), 4969),
        (Err(Denied::unauthenticated("who")), 4966),
    ];
    for variant in ALL {
        for (then, code) in cases.clone() {
            let opinion = Opinion::new(Mutex::new(Ok("ada")));
            let said = opinion.clone();
            let config = every().authorize(move |_| {
                let said = said.lock().unwrap().clone();
                async move { Ok(Grant::to(said?).lasting(Duration::from_secs(60))) }
            });
            let server = TestServer::start(config).await;
            let mut wire = Wire::open(server.addr, variant).await;
            let renewal = [
                wire.attach_packet(None),
                Packet::Offset(Offset::default().into()),
                Packet::Message("by nobody".into()),
                Packet::Credential(Credential::new("")),
            ];
            let refuse = async {
                // While what carries the session is idle.
                sleep(Duration::from_millis(300)).await;
                *opinion.lock().unwrap() = then.clone();
                let begun = Instant::now();
                let answer = exchange(server.addr, Variant::PollText, &renewal).await;
                (unpack(Variant::PollText, answer), begun)
            };
            let ((told, begun), ended) = tokio::join!(refuse, wire.ended());
            let took = begun.elapsed();
            assert_eq!(ended, code, "{variant:?}");
            assert!(took < Duration::from_secs(2), "{variant:?} {took:?}");
            let told = told.iter().find_map(|packet| match packet {
                Packet::Close(reason) => Some(reason.code.as_u16()),
                _ => None,
            });
            assert_eq!(told, Some(code), "{variant:?}");
            let reasons = server.seen.wait_closed(1).await;
            assert_eq!(reasons[0].code.as_u16(), code, "{variant:?}");
            assert!(server.seen.heard().is_empty(), "{variant:?}");
        }
    }
}

#[tokio::test]
async fn one_credential_of_a_session_is_judged_at_a_time() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let config = every().authorize(move |visitor: Visitor| {
        let count = count.clone();
        async move {
            if visitor.asks == Asks::Renew {
                count.fetch_add(1, Ordering::Relaxed);
                let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
                MOST.fetch_max(now, Ordering::SeqCst);
                sleep(Duration::from_millis(100)).await;
                NOW.fetch_sub(1, Ordering::SeqCst);
            }
            Ok::<_, Denied>(Grant::to("ada"))
        }
    });
    let server = TestServer::start(config).await;
    let opened = Wire::present(server.addr, Variant::WebSocket, "t").await;
    let mut wire = opened.unwrap();
    for _ in 0..50 {
        wire.renew("again").await;
    }
    assert_eq!(wire.said().await, "ok");
    assert_eq!(MOST.load(Ordering::SeqCst), 1);
    assert!(asked.load(Ordering::Relaxed) <= 2);
}

#[tokio::test]
async fn an_app_that_panics_over_a_credential_is_asked_again() {
    let first = Arc::new(AtomicUsize::new(0));
    let config = config().authorize(move |visitor: Visitor| {
        let first = first.clone();
        async move {
            let is_first =
                visitor.asks == Asks::Renew && first.fetch_add(1, Ordering::Relaxed) == 0;
            assert!(!is_first, "as the test asks");
            Ok::<_, Denied>(Grant::to("ada").lasting(Duration::from_secs(3)))
        }
    });
    let server = TestServer::start(config).await;
    let opened = Wire::present(server.addr, Variant::WebSocket, "t").await;
    let mut wire = opened.unwrap();
    wire.renew("one").await;
    assert!(wire.said().await.starts_with("ask "));
    wire.renew("two").await;
    assert_eq!(wire.said().await, "ok");
}

#[tokio::test]
async fn a_session_of_an_app_that_asks_nobody_takes_any_credential() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::WebSocket).await;
    wire.renew("whatever").await;
    assert_eq!(wire.said().await, "ok");
}
