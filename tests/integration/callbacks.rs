//! Both kinds of callbacks: state, order, and what becomes of them when clients go.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anywire::{
    AsyncHandler, Attachment, CloseReason, Config, Denied, Grant, Handler, Limits, Message, Sender,
    Server, Visitor,
};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::wire::{ALL, Variant, Wire, every};

/// What was called, in order.
type Log = Arc<Mutex<Vec<String>>>;

const DEADLINE: Duration = Duration::from_secs(10);

async fn serve(server: &Server) -> SocketAddr {
    let serving = anywire::serve(server.routes())
        .bind(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let addr = serving.local_addr();
    tokio::spawn(serving.run());
    addr
}

fn config() -> Config {
    let limits = Limits::default().detached_after(Duration::from_millis(300));
    every()
        .limits(limits)
        .authorize(|visitor: Visitor| async move {
            let name = visitor
                .credential
                .map(|credential| credential.as_str().to_owned());
            match name.as_deref() {
                Some(name) => Ok(Grant::to("ada").with(name.to_owned())),
                None => Err(Denied::unauthenticated("send a token")),
            }
        })
}

async fn wait_for(log: &Log, what: &str) {
    let there = async {
        while !log.lock().unwrap().iter().any(|entry| entry == what) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(DEADLINE, there).await;
    waited.unwrap_or_else(|_| panic!("{what}: {:?}", log.lock().unwrap()));
}

/// Counts a session's messages.
struct Counting(Log);

impl Counting {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl Handler for Counting {
    type State = u32;

    fn on_open(&self, sender: &Sender) -> u32 {
        self.note(format!("open {}", sender.grant().get::<String>().unwrap()));
        0
    }

    fn on_message(&self, count: &mut u32, sender: &Sender, message: Message) {
        *count += 1;
        let text = message.as_text().unwrap_or_default();
        assert_ne!(text, "panic", "as the test asks");
        self.note(format!("{count} {text}"));
        let _ = sender.try_send(format!("{count}"));
    }

    fn on_attachment(&self, count: &mut u32, _: &Sender, now: &Attachment) {
        self.note(format!("{count} attached {}", now.is_attached()));
    }

    fn on_grant(&self, count: &mut u32, _: &Sender, grant: &Grant) {
        self.note(format!("{count} grant {}", grant.get::<String>().unwrap()));
    }

    fn on_close(&self, count: u32, _: &Sender, reason: &CloseReason) {
        self.note(format!("{count} close {}", reason.code.as_u16()));
    }
}

/// The same, with pauses between.
struct Waiting {
    counting: Counting,
    /// What a call with a message waits for.
    permits: Arc<Semaphore>,
}

impl AsyncHandler for Waiting {
    type State = u32;

    async fn on_open(&self, sender: &Sender) -> u32 {
        tokio::task::yield_now().await;
        self.counting.on_open(sender)
    }

    async fn on_message(&self, count: &mut u32, sender: &Sender, message: Message) {
        self.permits.acquire().await.unwrap().forget();
        self.counting.on_message(count, sender, message);
    }

    async fn on_attachment(&self, count: &mut u32, sender: &Sender, now: &Attachment) {
        tokio::task::yield_now().await;
        self.counting.on_attachment(count, sender, now);
    }

    async fn on_grant(&self, count: &mut u32, sender: &Sender, grant: &Grant) {
        self.counting.on_grant(count, sender, grant);
    }

    async fn on_close(&self, count: u32, sender: &Sender, reason: &CloseReason) {
        tokio::task::yield_now().await;
        self.counting.on_close(count, sender, reason);
    }
}

/// A server of each kind, and what it calls.
fn each() -> [(Server, Log); 2] {
    let (one, other) = (Log::default(), Log::default());
    let permits = Arc::new(Semaphore::new(1_000));
    let waiting = Waiting {
        counting: Counting(other.clone()),
        permits,
    };
    let build = || Server::builder(config()).unwrap();
    [
        (build().handler(Counting(one.clone())), one),
        (build().async_handler(waiting), other),
    ]
}

#[tokio::test]
async fn a_session_has_its_state_from_its_open_to_its_close_over_every_transport() {
    for variant in ALL {
        for (server, log) in each() {
            let addr = serve(&server).await;
            let mut wire = Wire::present(addr, variant, "a").await.unwrap();
            for number in 1..=3 {
                wire.send("m").await;
                assert_eq!(wire.recv_text().await, number.to_string());
            }
            wire.let_go();
            wait_for(&log, "3 attached false").await;
            wire.switch(Variant::WebSocket).await;
            wait_for(&log, "3 attached true").await;
            wire.renew("b").await;
            wait_for(&log, "3 grant b").await;
            assert_eq!(wire.said().await, "ok");
            wire.close(anywire::CloseCode::NORMAL.into()).await;
            wait_for(&log, "3 close 1000").await;
            let mut calls = log.lock().unwrap().clone();
            // What opened it by an exchange goes on by another transport, which is told.
            calls.retain(|call| call != "1 attached true");
            let expected = [
                "open a",
                "1 m",
                "2 m",
                "3 m",
                "3 attached false",
                "3 attached true",
                "3 grant b",
                "3 close 1000",
            ];
            assert_eq!(calls, expected, "{variant:?}");
        }
    }
}

#[tokio::test]
async fn a_panic_ends_one_session_with_1011_and_calls_nothing_more() {
    for (server, log) in each() {
        let addr = serve(&server).await;
        let mut other = Wire::present(addr, Variant::WebSocket, "other")
            .await
            .unwrap();
        let mut wire = Wire::present(addr, Variant::WebSocket, "a").await.unwrap();
        wire.send("panic").await;
        assert_eq!(wire.ended().await, 1011);
        other.send("m").await;
        assert_eq!(other.recv_text().await, "1");
        assert!(
            !log.lock()
                .unwrap()
                .iter()
                .any(|call| call.contains("close"))
        );
    }
}

#[tokio::test]
async fn a_client_that_goes_cancels_no_call_and_the_inbox_holds_the_rest_back() {
    let log = Log::default();
    let permits = Arc::new(Semaphore::new(0));
    let waiting = Waiting {
        counting: Counting(log.clone()),
        permits: permits.clone(),
    };
    let config = config().limits(
        Limits::default()
            .detached_after(Duration::from_millis(300))
            .max_inbox_messages(4),
    );
    let server = Server::builder(config).unwrap().async_handler(waiting);
    let addr = serve(&server).await;
    let mut wire = Wire::present(addr, Variant::PollText, "a").await.unwrap();
    // One is being handled, four wait, and no more are taken.
    for _ in 0..5 {
        wire.send("m").await;
    }
    let offset = anywire_protocol::Packet::Offset(anywire_protocol::Offset::new(5).into());
    let sixth = [
        wire.attach_packet(None),
        offset,
        anywire_protocol::Packet::Message("m".into()),
    ];
    let answer = wire.exchange(&sixth).await;
    assert_eq!(answer.text(), "1:a5", "left out");
    // Its connections are long gone when the calls go on.
    permits.add_permits(5);
    wait_for(&log, "5 m").await;
    let calls = log.lock().unwrap().clone();
    assert_eq!(calls[..6], ["open a", "1 m", "2 m", "3 m", "4 m", "5 m"]);
}
