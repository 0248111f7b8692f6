//! Facts about whether a peer is there, as apps are told (`Session::contact`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn server() -> Session {
    let mut session = Session::new(Role::Server, Arc::new(Limits::default()), at(0));
    session.agree(Can::LEAVE);
    session
}

fn attach(session: &mut Session, generation: u64, mode: ConnectionMode, now: u64) -> ConnectionId {
    let generation = Generation::new(generation);
    let attached = session.handle_attach(generation, Offset::new(0), mode, at(now));
    attached.unwrap().id
}

/// An exchange that only sends.
fn send(session: &mut Session, packets: Vec<Packet>, now: u64) {
    let (generation, received) = (Generation::new(1), Offset::new(0));
    session
        .handle_request(generation, received, packets, None, at(now))
        .unwrap();
}

/// Lets time pass to this moment, deadline by deadline.
fn pass(session: &mut Session, now: u64) {
    let mut last = None;
    while let Some(due) = session.poll_timeout().filter(|due| *due <= at(now)) {
        if last == Some(due) {
            // What is due is to be transmitted, which is not looked at here.
            break;
        }
        session.handle_timeout(due);
        last = Some(due);
    }
    session.handle_timeout(at(now));
}

fn attached(since: u64) -> Contact {
    Contact::Attached { since: at(since) }
}

fn detached(since: u64, why: Detach) -> Contact {
    Contact::Detached {
        since: at(since),
        why,
    }
}

/// Ten minutes of polls that are held for so long, with such pauses between.
fn poll(hold: u64, pause: u64) {
    let mut session = server();
    let mut now = 0;
    while now < 600_000 {
        let hold = ConnectionMode::Exchange {
            hold: Duration::from_millis(hold),
        };
        let id = attach(&mut session, 1, hold, now);
        now += 25_000.min(pause.max(1));
        pass(&mut session, now);
        session.handle_detach(id, at(now));
        now += pause;
        pass(&mut session, now);
        assert_eq!(session.contact(), attached(0), "at {now}");
    }
    assert_eq!(session.contact_version(), 0);
}

#[test]
fn ten_minutes_of_polling_are_one_attachment() {
    poll(25_000, 30);
    poll(0, 2_000);
    // Such as only send, each two seconds.
    let mut session = server();
    for now in (0..600_000).step_by(2_000) {
        pass(&mut session, now);
        send(&mut session, vec![], now);
    }
    assert_eq!(
        (session.contact(), session.contact_version()),
        (attached(0), 0)
    );
    pass(&mut session, 602_999);
    assert_eq!(session.contact(), attached(0));
    pass(&mut session, 603_000);
    assert_eq!(session.contact(), detached(598_000, Detach::Lost));
}

#[test]
fn a_lost_connection_counts_after_a_while_and_a_new_one_at_once() {
    let mut session = server();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0);
    session.handle_detach(id, at(10_000));
    pass(&mut session, 14_999);
    assert_eq!(session.contact(), attached(0));
    pass(&mut session, 15_000);
    assert_eq!(session.contact(), detached(10_000, Detach::Lost));
    assert_eq!(session.contact_version(), 1);
    attach(&mut session, 2, ConnectionMode::Duplex, 20_000);
    assert_eq!(session.contact(), attached(20_000));
    assert_eq!(session.contact_version(), 2);
    // What comes back in time is no news.
    let id = attach(&mut session, 3, ConnectionMode::Duplex, 30_000);
    session.handle_detach(id, at(40_000));
    attach(&mut session, 4, ConnectionMode::Stream, 44_000);
    pass(&mut session, 60_000);
    assert_eq!(session.contact(), attached(20_000));
    assert_eq!(session.contact_version(), 2);
}

#[test]
fn a_silent_connection_has_stalled_and_a_page_that_left_is_gone_at_once() {
    let mut session = server();
    attach(&mut session, 1, ConnectionMode::Duplex, 0);
    pass(&mut session, 25_000);
    while !matches!(
        session.poll_transmit(session_id(&session), at(25_000)),
        Transmit::Idle
    ) {}
    pass(&mut session, 60_000);
    assert_eq!(session.contact(), detached(33_000, Detach::Stalled));

    let mut session = server();
    attach(&mut session, 1, ConnectionMode::Duplex, 0);
    send(&mut session, vec![Packet::Leave(None)], 5_000);
    assert_eq!(session.contact(), detached(5_000, Detach::Left));
    // What set out before does not bring it back.
    send(&mut session, vec![], 5_500);
    assert_eq!(session.contact(), detached(5_000, Detach::Left));
    attach(&mut session, 2, ConnectionMode::Duplex, 6_000);
    assert_eq!(session.contact(), attached(6_000));
}

/// The connection that carries it: the first.
fn session_id(session: &Session) -> ConnectionId {
    let mut probe = server();
    let id = attach(&mut probe, 1, ConnectionMode::Duplex, 0);
    assert!(session.is_current(id));
    id
}

#[test]
fn a_long_answer_on_a_slow_line_is_no_absence() {
    let mut session = server();
    // 16 bytes a millisecond: 12.5 s.
    let long = Message::from("x".repeat(200_000));
    session.send(long, at(0)).unwrap();
    let hold = ConnectionMode::Exchange {
        hold: Duration::from_secs(25),
    };
    let id = attach(&mut session, 1, hold, 0);
    while !matches!(session.poll_transmit(id, at(0)), Transmit::Finished) {}
    session.handle_detach(id, at(0));
    pass(&mut session, 16_900);
    assert_eq!(session.contact(), attached(0));
    // What else the page sends meanwhile changes nothing.
    send(&mut session, vec![], 16_900);
    pass(&mut session, 25_000);
    assert_eq!(session.contact_version(), 0);
    pass(&mut session, 34_000);
    assert_eq!(session.contact(), detached(16_900, Detach::Lost));
    // A WebSocket that is lost has no answer on its way, however much waits.
    let id = attach(&mut session, 2, ConnectionMode::Duplex, 40_000);
    session.handle_detach(id, at(40_000));
    pass(&mut session, 45_000);
    assert_eq!(session.contact(), detached(40_000, Detach::Lost));
}

#[test]
fn a_connection_that_takes_nothing_has_stalled() {
    let mut session = server();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0);
    session.handle_stall(id, at(1_000));
    pass(&mut session, 6_000);
    assert_eq!(session.contact(), detached(1_000, Detach::Stalled));
    // One that is not the newest says nothing.
    let newer = attach(&mut session, 2, ConnectionMode::Duplex, 7_000);
    session.handle_stall(id, at(8_000));
    pass(&mut session, 13_000);
    assert_eq!(session.contact(), attached(7_000));
    session.handle_detach(newer, at(13_000));
}

#[test]
fn nobody_is_at_a_session_that_has_ended() {
    let mut session = server();
    attach(&mut session, 1, ConnectionMode::Duplex, 0);
    session.abort(CloseCode::REVOKED.into(), at(1_000));
    assert_eq!(session.contact(), detached(0, Detach::Closed));
    // The app hears of that as the end, and of no change beside it.
    assert_eq!(session.contact_version(), 0);
}
