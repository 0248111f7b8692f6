//! Clients that the app has let in, and that come in when their principal was put out meanwhile; in paused time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anywire_core::{App, Budgets, Caller, Grant, Hub, Refusal, Verdict};
use anywire_protocol::{Can, CloseCode, Generation, Limits, Offset, Open, OpeningKey};
use tokio::time::{Instant, advance};

fn hub() -> Hub {
    let app = App::task(|mut socket| async move { while socket.recv().await.is_some() {} });
    Hub::new(Limits::default(), Budgets::default(), Vec::new(), app)
}

/// Somebody about whom the app is asked now.
fn asked_now(name: &str) -> Caller {
    Caller {
        verdict: Verdict::Granted(Grant::to(name)),
        asked: Some(Instant::now()),
        ..Caller::default()
    }
}

fn come(hub: &Hub, key: u8, caller: &Caller) -> Result<(), Refusal> {
    let open = Open {
        key: OpeningKey::from_bytes([key; 16]),
        generation: Generation::new(1),
        received: Offset::default(),
        hold: None,
        protocols: Vec::new(),
        can: Can::NONE,
        credential: None,
    };
    hub.open(&open, &[], caller).map(drop)
}

async fn put_out(hub: &Hub, name: &str) {
    advance(Duration::from_millis(1)).await;
    hub.principal(name).revoke("out").await;
    advance(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_before_it_was_put_out_does_not_come_in() {
    let hub = hub();
    let (ada, bob) = (asked_now("ada"), asked_now("bob"));
    put_out(&hub, "ada").await;
    let refusal = come(&hub, 1, &ada).unwrap_err();
    assert_eq!(refusal.reason().code, CloseCode::REVOKED);
    assert_eq!(refusal.reason().text(), "out");
    let raw = hub.open_raw("", &ada).unwrap_err();
    assert_eq!(raw.reason().code, CloseCode::REVOKED);
    assert_eq!(hub.metrics().sessions, 0);
    assert!(hub.principal("ada").sessions().await.is_empty());
    come(&hub, 2, &bob).unwrap();
    // The app was asked after that.
    come(&hub, 1, &asked_now("ada")).unwrap();
    assert_eq!(hub.principal("ada").sessions().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_before_what_is_remembered_is_asked_about_again() {
    let hub = hub();
    let (ada, bob) = (asked_now("ada"), asked_now("bob"));
    put_out(&hub, "ada").await;
    advance(Duration::from_secs(61)).await;
    assert_eq!(
        come(&hub, 1, &ada).unwrap_err().reason().code,
        CloseCode::REVOKED
    );
    // What is remembered for too long is forgotten when there is more.
    let carl = asked_now("carl");
    put_out(&hub, "dora").await;
    for (key, caller) in [(1, &ada), (2, &bob)] {
        let refusal = come(&hub, key, caller).unwrap_err();
        assert_eq!(refusal.reason().code, CloseCode::OVERLOADED);
        assert_eq!(refusal.retry_after(), Some(Duration::from_secs(1)));
    }
    come(&hub, 3, &carl).unwrap();

    // So are the oldest of many.
    let eve = asked_now("eve");
    for _ in 0..10_005 {
        hub.principal("nobody").revoke("out").await;
        advance(Duration::from_micros(1)).await;
    }
    let refusal = come(&hub, 4, &eve);
    assert_eq!(refusal.unwrap_err().reason().code, CloseCode::OVERLOADED);
    come(&hub, 4, &asked_now("eve")).unwrap();
}
