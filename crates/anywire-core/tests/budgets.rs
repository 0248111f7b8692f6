//! What an address, a principal and all together may ask, in paused time: who is refused, and who is not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/opens.rs"]
mod opens;

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::task::Poll;
use std::time::Duration;

use anywire_core::{
    App, Budgets, Caller, Connection, End, Flow, Grant, Handler, Hub, Measure, Rate, Refusal,
    Scope, Sender, Share, Verdict, Visit,
};
use anywire_protocol::*;
use tokio::time::sleep;

/// Keeps what it is sent, and sends back what it is asked.
struct Quiet;

impl Handler for Quiet {
    type State = ();

    fn on_open(&self, _: &Sender) {}

    fn on_message(&self, _: &mut (), sender: &Sender, message: Message) {
        if message.as_text() == Some("send me much") {
            while sender.try_send("x".repeat(10_000)).is_ok() {}
        }
    }
}

fn hub(budgets: Budgets) -> Hub {
    Hub::new(
        Limits::default(),
        budgets,
        Vec::new(),
        App::callbacks(Quiet),
    )
}

/// The opens of a test, each with a key of its own.
#[derive(Default)]
struct Keys(u64);

impl Keys {
    fn open(&mut self, hub: &Hub, caller: &Caller) -> Result<Visit, Refusal> {
        self.0 += 1;
        hub.open(&opens::open(self.0, Can::SPOKEN), &[], caller)
    }

    /// How many of so many opens are let in.
    fn open_many(&mut self, hub: &Hub, caller: &Caller, count: usize) -> usize {
        (0..count)
            .filter(|_| self.open(hub, caller).is_ok())
            .count()
    }
}

fn at(address: impl Into<IpAddr>) -> Caller {
    Caller {
        address: Some(address.into()),
        ..Caller::default()
    }
}

fn v4(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + number)
}

fn carry(visit: &Visit) -> Connection {
    let (transport, mode) = (Transport::WebSocket, ConnectionMode::Duplex);
    let attached = visit.attach(Offset::default(), Vec::new(), transport, mode);
    attached.unwrap().0
}

/// The same session, come back to by its secret.
fn come_back(hub: &Hub, visit: &Visit, caller: &Caller) -> Result<Visit, Refusal> {
    let opened = visit.opened(None);
    let attach = Attach {
        session: opened.session,
        secret: opened.secret,
        generation: Generation::new(2),
        received: Offset::default(),
        hold: None,
    };
    hub.find(&attach, &[], caller)
}

fn exceeded(hub: &Hub, scope: Scope, measure: Measure) -> u64 {
    hub.metrics()
        .exceeded
        .get(&(scope, measure))
        .copied()
        .unwrap_or_default()
}

/// Has the app send so much that the outbox is full.
fn fill(connection: &Connection) {
    let ask = Packet::Message("send me much".into());
    connection.receive([ask].into_iter(), 1).unwrap();
}

async fn end_of(connection: &Connection) -> Option<End> {
    poll_fn(
        |cx| match connection.poll_transmit(cx, |_| Flow::Continue) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending => Poll::Ready(None),
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn an_address_opens_so_many_at_once_and_then_so_many_a_second() {
    let hub = hub(Budgets::default());
    let (mut keys, flood, other) = (Keys::default(), at(v4(1)), at(v4(2)));
    assert_eq!(keys.open_many(&hub, &flood, 2_500), 2_000);
    let refusal = keys.open(&hub, &flood).err().unwrap();
    assert_eq!(refusal.reason().code, CloseCode::TOO_MANY);
    let text = "this address has used its share of opens: come back in 1 s";
    assert_eq!(refusal.reason().text(), text);
    assert!(
        refusal
            .retry_after()
            .is_some_and(|wait| wait <= Duration::from_millis(20))
    );
    assert_eq!(exceeded(&hub, Scope::Address, Measure::Opens), 501);
    assert_eq!(keys.open_many(&hub, &other, 100), 100, "others are let in");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(keys.open_many(&hub, &flood, 1_000), 50);
    // Ten seconds later 500, and never more than 2,000 at once.
    sleep(Duration::from_secs(10)).await;
    assert_eq!(keys.open_many(&hub, &flood, 1_000), 500);
    assert_eq!(hub.metrics().sessions, 2_650);
}

#[tokio::test(start_paused = true)]
async fn an_address_holds_so_many_sessions_that_it_never_used() {
    let hub = hub(Budgets::default());
    let (mut keys, flood) = (Keys::default(), at(v4(1)));
    let mut visits = Vec::new();
    // As fast as it may: it reaches the other limit, which counts what is not used.
    for _ in 0..4_500 {
        match keys.open(&hub, &flood) {
            Ok(visit) => visits.push(visit),
            Err(refusal) if exceeded(&hub, Scope::Address, Measure::UnusedSessions) > 0 => {
                let text =
                    "this address has used its share of never-used sessions: come back in 10 s";
                assert_eq!(refusal.reason().text(), text);
                break;
            }
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
        // Each lives on, as one does that polls.
        if visits.len() % 1_000 == 0 {
            for visit in &visits {
                visit
                    .receive(Offset::default(), Vec::new(), Transport::Poll)
                    .unwrap();
            }
        }
    }
    assert_eq!(visits.len(), 4_000);
    // One that is used makes room for another.
    let used = come_back(&hub, &visits[0], &flood).unwrap();
    used.receive(Offset::default(), Vec::new(), Transport::Poll)
        .unwrap();
    sleep(Duration::from_millis(500)).await;
    assert!(keys.open(&hub, &flood).is_ok());
    assert!(keys.open(&hub, &flood).is_err());
}

#[tokio::test(start_paused = true)]
async fn addresses_of_ipv6_count_by_their_site() {
    let hub = hub(Budgets::default().of_address(Share::address().sessions(2)));
    let mut keys = Keys::default();
    let six = |text: &str| at(text.parse::<Ipv6Addr>().unwrap());
    assert!(keys.open(&hub, &six("2001:db8::1")).is_ok());
    assert!(keys.open(&hub, &six("2001:db8::2")).is_ok());
    let refused = keys.open(&hub, &six("2001:db8::ffff:3")).err().unwrap();
    let text = "this address has used its share of sessions: come back in 10 s";
    assert_eq!(refused.reason().text(), text);
    assert!(keys.open(&hub, &six("2001:db8:0:1::1")).is_ok());
    // An address of IPv4 is itself also where IPv6 carries it.
    assert!(keys.open(&hub, &at(v4(1))).is_ok());
    assert!(keys.open(&hub, &six("::ffff:10.0.0.1")).is_ok());
    assert!(keys.open(&hub, &at(v4(1))).is_err());
    // Where clients cannot be told apart they have no limits.
    assert_eq!(keys.open_many(&hub, &Caller::default(), 100), 100);
}

#[tokio::test(start_paused = true)]
async fn principals_and_all_together_have_shares_of_their_own() {
    let share = Share::unlimited().sessions(3);
    let process = Share::unlimited().sessions(5);
    let hub = hub(Budgets::default().of_principal(share).of_process(process));
    let mut keys = Keys::default();
    let named = |name: &str, number| Caller {
        verdict: Verdict::Granted(Grant::to(name)),
        ..at(v4(number))
    };
    for number in 0..3 {
        assert!(keys.open(&hub, &named("ada", number)).is_ok());
    }
    let refused = keys.open(&hub, &named("ada", 4)).err().unwrap();
    assert_eq!(refused.reason().code, CloseCode::TOO_MANY);
    assert!(
        refused
            .reason()
            .text()
            .starts_with("this principal has used its share")
    );
    assert!(keys.open(&hub, &named("bob", 4)).is_ok());
    let last = keys.open(&hub, &named("bob", 4)).unwrap();
    let refused = keys.open(&hub, &named("cyd", 9)).err().unwrap();
    assert_eq!(refused.reason().code, CloseCode::OVERLOADED);
    let text = "all clients together have used the server's of sessions: come back in 10 s";
    assert_eq!(refused.reason().text(), text);
    assert_eq!(exceeded(&hub, Scope::Principal, Measure::Sessions), 1);
    assert_eq!(exceeded(&hub, Scope::Process, Measure::Sessions), 1);
    // What was refused took nothing of the other shares.
    let connection = carry(&last);
    let close = Packet::Close(CloseCode::NORMAL.into());
    connection.receive([close].into_iter(), 1).unwrap();
    assert!(matches!(end_of(&connection).await, Some(End::Closed(_))));
    assert!(keys.open(&hub, &named("cyd", 9)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn connections_messages_bytes_and_control_frames_have_limits() {
    let share = Share::unlimited()
        .connections(1)
        .messages(Rate {
            per_second: 10,
            at_once: 100,
        })
        .bytes(Rate {
            per_second: 1_000,
            at_once: 200_000,
        })
        .control_frames(Rate {
            per_second: 10,
            at_once: 300,
        });
    let hub = hub(Budgets::default().of_address(share));
    let (mut keys, caller) = (Keys::default(), at(v4(1)));
    let visit = keys.open(&hub, &caller).unwrap();
    let connection = carry(&visit);
    let second = keys.open(&hub, &caller).unwrap();
    let (transport, mode) = (Transport::WebSocket, ConnectionMode::Duplex);
    let refused = second
        .attach(Offset::default(), Vec::new(), transport, mode)
        .err()
        .unwrap();
    assert_eq!(refused.reason().code, CloseCode::TOO_MANY);
    assert!(refused.reason().text().contains("share of connections"));
    // What came is taken. A little too much slows the connection, more ends it.
    let flood = |packet: Packet, count| std::iter::repeat_n(packet, count);
    let text = Packet::Message("m".into());
    let pause = connection.receive(flood(text.clone(), 101), 101).unwrap();
    assert_eq!(pause, Duration::from_millis(100));
    let told = connection
        .receive(flood(text.clone(), 150), 150)
        .err()
        .unwrap();
    assert_eq!(told.reason().code, CloseCode::TOO_MANY);
    assert!(told.reason().text().contains("share of messages"), "{told}");
    assert_eq!(hub.metrics().messages_up, 251);
    sleep(Duration::from_secs(60)).await;
    let visit = come_back(&hub, &visit, &caller).unwrap();
    drop(connection);
    let connection = carry(&visit);
    let long = Packet::Message("x".repeat(150_000).into());
    connection.receive(flood(long.clone(), 1), 1).unwrap();
    let told = connection.receive(flood(long, 1), 1).err().unwrap();
    assert!(told.reason().text().contains("share of bytes"), "{told}");
    sleep(Duration::from_secs(60)).await;
    let ping = Packet::Ping("".into());
    assert!(connection.receive(flood(ping.clone(), 250), 250).is_ok());
    let told = connection.receive(flood(ping, 250), 250).err().unwrap();
    assert!(
        told.reason().text().contains("share of control frames"),
        "{told}"
    );
    // Pings of WebSocket and fragments are frames without packets.
    sleep(Duration::from_secs(60)).await;
    assert!(connection.receive(std::iter::empty(), 250).is_ok());
    assert!(connection.receive(std::iter::empty(), 250).is_err());
    // A request takes nothing when it is refused.
    let packets = [Packet::Offset(Offset::new(253).into())]
        .into_iter()
        .chain(flood(text, 101));
    let packets: Vec<_> = packets.collect();
    let before = hub.metrics().messages_up;
    let refused = visit
        .receive(Offset::default(), packets, Transport::Poll)
        .err()
        .unwrap();
    assert_eq!(
        (refused.reason().code, hub.metrics().messages_up),
        (CloseCode::TOO_MANY, before)
    );
    for measure in [
        Measure::Connections,
        Measure::Messages,
        Measure::Bytes,
        Measure::ControlFrames,
    ] {
        assert!(exceeded(&hub, Scope::Address, measure) > 0, "{measure:?}");
    }
}

/// A family behind one address, an office of 2,000 with three tabs each, and a fleet of 90,000 that comes back after a deploy.
#[tokio::test(start_paused = true)]
async fn people_do_not_reach_the_limits() {
    let hub = hub(Budgets::default());
    let mut keys = Keys::default();
    // Six people and their devices, all of whose pages reload ten times in a minute.
    for _ in 0..10 {
        assert_eq!(keys.open_many(&hub, &at(v4(1)), 20), 20);
        sleep(Duration::from_secs(6)).await;
    }
    // The office's power is back: all within two minutes, most of them in the first half. Each uses its session.
    let office = at(v4(2));
    for second in 0..120 {
        for _ in 0..if second < 60 { 75 } else { 25 } {
            let visit = keys.open(&hub, &office);
            let visit = visit.unwrap_or_else(|refusal| panic!("after {second} s: {refusal}"));
            let used = come_back(&hub, &visit, &office).unwrap();
            used.receive(Offset::default(), Vec::new(), Transport::Poll)
                .unwrap();
        }
        sleep(Duration::from_secs(1)).await;
    }
    // The fleet comes from everywhere, in the five seconds that clients spread themselves over. Who is told to wait comes again.
    let (mut waiting, mut seconds): (Vec<u32>, _) = ((10..90_010).collect(), 0);
    while !waiting.is_empty() {
        let come: Vec<_> = waiting.drain(..waiting.len().min(18_000)).collect();
        let is_refused = |number: &u32| keys.open(&hub, &at(v4(*number))).is_err();
        waiting.extend(come.into_iter().filter(is_refused));
        sleep(Duration::from_secs(1)).await;
        seconds += 1;
    }
    println!("the fleet is back after {seconds} s");
    assert_eq!(seconds, 5);
    for scope in [Scope::Address, Scope::Principal] {
        for measure in [Measure::Opens, Measure::Sessions, Measure::UnusedSessions] {
            assert_eq!(exceeded(&hub, scope, measure), 0, "{scope:?} {measure:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn shares_come_back_and_who_has_left_is_forgotten() {
    let hub = hub(Budgets::default());
    let (mut keys, caller) = (Keys::default(), at(v4(1)));
    let before = hub.metrics().held_bytes;
    assert_eq!(keys.open_many(&hub, &caller, 2_000), 2_000);
    // Nobody comes back: they end with the resume window, their tombstones and the account a while later.
    sleep(Duration::from_secs(121)).await;
    assert_eq!(hub.metrics().sessions, 0);
    assert_eq!(
        keys.open_many(&hub, &caller, 2_100),
        2_000,
        "what was used has come back"
    );
    sleep(Duration::from_secs(200)).await;
    assert_eq!(hub.metrics().held_bytes, before, "nothing is left");
}

#[tokio::test(start_paused = true)]
async fn under_pressure_goes_first_what_nobody_misses() {
    let hub = hub(Budgets::unlimited().max_bytes(20_000_000));
    let (mut keys, caller) = (Keys::default(), Caller::default());
    // Carried, and it behaves: it has acknowledged all but the last.
    let good = keys.open(&hub, &caller).unwrap();
    let good = carry(&good);
    // An unfinished message of a session that polls.
    let parts = keys.open(&hub, &caller).unwrap();
    let parts = come_back(&hub, &parts, &caller).unwrap();
    let half = |from: u64| {
        let at = Packet::Offset(Position::new(Offset::default(), from));
        vec![at, Packet::Part(Message::text("y".repeat(65_000)))]
    };
    for index in 0..10 {
        parts
            .receive(Offset::default(), half(index * 65_000), Transport::Poll)
            .unwrap();
    }
    assert_eq!(
        parts.answer().received,
        Position::new(Offset::default(), 650_000)
    );
    let used_long_ago = keys.open(&hub, &caller).unwrap();
    let connection = carry(&used_long_ago);
    fill(&connection);
    drop(connection);
    sleep(Duration::from_secs(20)).await;
    let unused = keys.open(&hub, &caller).unwrap();
    sleep(Duration::from_secs(10)).await;
    let used_lately: Vec<_> = (0..12)
        .map(|_| {
            let visit = keys.open(&hub, &caller).unwrap();
            let connection = carry(&visit);
            fill(&connection);
            visit
        })
        .collect();
    let ended = |visit: &Visit| visit.answer().close.map(|reason| reason.code);
    assert_eq!(ended(&used_long_ago), None);
    sleep(Duration::from_secs(10)).await;
    // It polls, so it is there, though between two polls nothing carries it.
    let hold = ConnectionMode::Exchange {
        hold: Duration::ZERO,
    };
    drop(
        parts
            .attach(Offset::default(), Vec::new(), Transport::Poll, hold)
            .unwrap(),
    );
    // 15 MB are held. What comes now is too much.
    let late: Vec<_> = (0..6)
        .map(|_| {
            let connection = carry(&keys.open(&hub, &caller).unwrap());
            fill(&connection);
            connection
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    let held = hub.metrics().held_bytes;
    assert!(held <= 20_000_000, "{held}");
    assert_eq!(
        parts.answer().received,
        Position::new(Offset::default(), 0),
        "acknowledged without bytes"
    );
    for visit in [&unused, &used_long_ago] {
        assert_eq!(ended(visit), Some(CloseCode::EVICTED));
    }
    let evicted = used_lately
        .iter()
        .filter(|visit| ended(visit).is_some())
        .count();
    assert!(evicted < used_lately.len(), "no more than must: {evicted}");
    assert_eq!(end_of(&good).await, None);
    for connection in &late {
        assert_eq!(end_of(connection).await, None, "it is attached");
    }
    println!("{evicted} of those used lately went, {held} bytes are held");
    // A sender begins its message again.
    for index in 0..10 {
        let part = half(index * 65_000);
        parts
            .receive(Offset::default(), part, Transport::Poll)
            .unwrap();
    }
    assert_eq!(
        parts.answer().received,
        Position::new(Offset::default(), 650_000)
    );
}

#[tokio::test(start_paused = true)]
async fn without_memory_nobody_new_comes_in_and_a_deaf_reader_goes() {
    let hub = hub(Budgets::unlimited().max_bytes(5_000_000));
    let (mut keys, caller) = (Keys::default(), Caller::default());
    let first: Vec<_> = (0..5)
        .map(|_| carry(&keys.open(&hub, &caller).unwrap()))
        .collect();
    first.iter().for_each(fill);
    sleep(Duration::from_millis(10)).await;
    let refused = keys.open(&hub, &caller).err().unwrap();
    assert_eq!(refused.reason().code, CloseCode::OVERLOADED);
    assert_eq!(
        refused.reason().text(),
        "the server has no memory left for this: try later"
    );
    // They answer pings, and acknowledge nothing. Whoever comes next has the oldest of them given up.
    for _ in 0..40 {
        sleep(Duration::from_secs(1)).await;
        for connection in &first {
            connection.alive();
            let _ = end_of(connection).await;
        }
    }
    let mut charge = hub.memory().charge();
    charge.set(70_000);
    let poke = first[0].receive([Packet::Message("x".repeat(70_000).into())].into_iter(), 1);
    poke.unwrap();
    sleep(Duration::from_millis(10)).await;
    let mut evicted = 0;
    for connection in &first {
        if let Some(End::Closed(reason)) = end_of(connection).await {
            assert_eq!(reason.code, CloseCode::EVICTED);
            evicted += 1;
        }
    }
    assert!((1..5).contains(&evicted), "{evicted}");
    assert!(keys.open(&hub, &caller).is_ok(), "there is room again");
}
