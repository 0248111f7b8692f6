//! Facts about one session: who may carry it, what survives, how it ends. The random schedules show that they hold
//! together.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/alone.rs"]
mod alone;

use std::sync::Arc;
use std::time::Duration;

use alone::{at, drain};
use anywire_protocol::*;

const HOLD: ConnectionMode = ConnectionMode::Exchange {
    hold: Duration::from_secs(20),
};

fn server() -> Session {
    Session::new(Role::Server, Arc::new(Limits::default()), at(0))
}

fn attach(
    session: &mut Session,
    generation: u64,
    received: u64,
    mode: ConnectionMode,
    now: u64,
) -> Attached {
    let (generation, received) = (Generation::new(generation), Offset::new(received));
    session
        .handle_attach(generation, received, mode, at(now))
        .unwrap()
}

fn message(text: &str) -> Packet {
    Packet::Message(text.into())
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut session = server();
    session.send("a".into(), at(0)).unwrap();
    let expected = [
        Packet::Ack(Offset::new(0).into()),
        Packet::Offset(Offset::new(0).into()),
        message("a"),
    ];
    for now in [1, 2, 3] {
        let id = attach(&mut session, 1, 0, HOLD, now).id;
        assert_eq!(
            drain(&mut session, id, now),
            (expected.to_vec(), "finished")
        );
        session.handle_detach(id, at(now));
    }
    let id = attach(&mut session, 1, 1, HOLD, 4).id;
    assert_eq!(drain(&mut session, id, 4), (vec![], "idle"));
}

#[test]
fn the_second_poll_supersedes_the_first() {
    let mut session = server();
    let first = attach(&mut session, 1, 0, HOLD, 0).id;
    let second = attach(&mut session, 1, 0, HOLD, 1).id;
    session.send("a".into(), at(2)).unwrap();
    assert_eq!(drain(&mut session, first, 2), (vec![], "superseded"));
    assert_eq!(drain(&mut session, second, 2).1, "finished");
}

#[test]
fn a_stale_generation_is_refused_and_changes_nothing() {
    let mut session = server();
    let id = attach(&mut session, 5, 0, ConnectionMode::Duplex, 0).id;
    let stale = session.handle_attach(Generation::new(4), Offset::new(0), HOLD, at(1));
    assert_eq!(stale, Err(AttachError::Superseded));
    let fence = Fence::Generation(Generation::new(4));
    assert_eq!(
        session.handle_packet(fence, message("x"), at(1)),
        Err(AttachError::Superseded)
    );
    assert_eq!(session.received(), Offset::new(0));
    assert!(session.is_current(id));
}

#[test]
fn a_superseded_connection_may_not_deliver() {
    let mut session = server();
    let old = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    attach(&mut session, 2, 0, ConnectionMode::Duplex, 1);
    let late = session.handle_packet(Fence::Connection(old), message("late"), at(2));
    assert_eq!(late, Err(AttachError::Superseded));
    assert_eq!(session.poll_event(), None);
}

#[test]
fn a_held_poll_is_answered_when_its_hold_is_over() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, HOLD, 0).id;
    assert_eq!(drain(&mut session, id, 19_999), (vec![], "idle"));
    assert_eq!(session.poll_timeout(), Some(at(20_000)));
    assert_eq!(
        drain(&mut session, id, 20_000),
        (vec![Packet::Ack(Offset::new(0).into())], "finished")
    );
}

#[test]
fn a_silent_connection_is_pinged_then_dropped_and_the_session_resumes() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    session.send("a".into(), at(0)).unwrap();
    assert_eq!(drain(&mut session, id, 0), (vec![message("a")], "idle"));
    // Twice the ack delay without a sign of life.
    assert_eq!(session.poll_timeout(), Some(at(2_000)));
    assert_eq!(
        drain(&mut session, id, 2_000),
        (vec![Packet::Ping("".into())], "idle")
    );
    session.handle_timeout(at(9_999));
    assert!(session.is_current(id));
    session.handle_timeout(at(10_000));
    assert_eq!(drain(&mut session, id, 10_000), (vec![], "stalled"));
    let id = attach(&mut session, 2, 0, ConnectionMode::Duplex, 11_000).id;
    assert_eq!(
        drain(&mut session, id, 11_000),
        (vec![message("a")], "idle")
    );
}

#[test]
fn an_idle_connection_is_pinged_after_the_heartbeat_and_a_pong_keeps_it() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    assert_eq!(drain(&mut session, id, 24_999), (vec![], "idle"));
    assert_eq!(
        drain(&mut session, id, 25_000),
        (vec![Packet::Ping("".into())], "idle")
    );
    session
        .handle_packet(Fence::Connection(id), Packet::Pong("".into()), at(25_100))
        .unwrap();
    session.handle_timeout(at(40_000));
    assert!(session.is_current(id));
}

#[test]
fn a_session_that_nobody_carries_expires_with_its_window() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    session.handle_detach(id, at(5_000));
    session.handle_timeout(at(124_999));
    assert!(session.is_open());
    session.handle_timeout(at(125_000));
    let Some(Event::Closed(reason)) = session.poll_event() else {
        panic!("not closed")
    };
    assert_eq!(reason.code, CloseCode::EXPIRED);
    assert_eq!(session.poll_event(), None);
    assert!(session.is_finished());
}

#[test]
fn a_message_that_waits_too_long_closes_the_session_and_the_client_is_told() {
    let mut session = server();
    session.send("a".into(), at(0)).unwrap();
    for now in [0, 60_000, 120_000] {
        // A client that comes back and never acknowledges.
        let id = attach(&mut session, 1, 0, HOLD, now).id;
        assert_eq!(drain(&mut session, id, now).1, "finished");
        session.handle_detach(id, at(now));
        session.handle_timeout(at(now));
    }
    session.handle_timeout(at(150_000));
    let Some(Event::Closed(reason)) = session.poll_event() else {
        panic!("not closed")
    };
    assert_eq!(reason.code, CloseCode::TOO_OLD);
    let id = attach(&mut session, 1, 0, HOLD, 151_000).id;
    let told = vec![Packet::Ack(Offset::new(0).into()), Packet::Close(reason)];
    assert_eq!(drain(&mut session, id, 151_000), (told, "finished"));
}

#[test]
fn a_close_follows_the_messages_and_is_repeated_until_answered() {
    let mut session = server();
    let bye = CloseReason::new(CloseCode::NORMAL, "bye");
    session.send("a".into(), at(0)).unwrap();
    session.close(bye.clone(), at(0));
    assert!(matches!(
        session.send("b".into(), at(0)),
        Err(TrySendError::Closed(_))
    ));
    for (generation, mode) in [(1, HOLD), (2, ConnectionMode::Duplex)] {
        let id = attach(&mut session, generation, 0, mode, 1).id;
        let packets = drain(&mut session, id, 1).0;
        assert_eq!(
            packets[packets.len() - 2..],
            [message("a"), Packet::Close(bye.clone())]
        );
        assert_eq!(session.poll_event(), None);
    }
    let fence = Fence::Generation(Generation::new(3));
    session
        .handle_packet(fence, Packet::Close(bye.clone()), at(2))
        .unwrap();
    assert_eq!(session.poll_event(), Some(Event::Closed(bye)));
    assert!(session.is_finished());
}

#[test]
fn a_close_that_nobody_answers_ends_by_itself() {
    let mut session = server();
    attach(&mut session, 1, 0, ConnectionMode::Duplex, 0);
    session.close(CloseCode::NORMAL.into(), at(0));
    session.handle_timeout(at(10_000));
    assert_eq!(
        session.poll_event(),
        Some(Event::Closed(CloseCode::NORMAL.into()))
    );
}

#[test]
fn a_close_waits_for_messages_that_are_still_on_their_way() {
    let mut session = server();
    session.send("a".into(), at(0)).unwrap();
    session.close(CloseCode::NORMAL.into(), at(0));
    session.handle_timeout(at(60_000));
    assert_eq!(
        session.poll_event(),
        None,
        "the client may come back within the resume window"
    );
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 61_000).id;
    drain(&mut session, id, 61_000);
    session
        .handle_packet(
            Fence::Connection(id),
            Packet::Ack(Offset::new(1).into()),
            at(62_000),
        )
        .unwrap();
    session.handle_timeout(at(71_999));
    assert_eq!(session.poll_event(), None);
    session.handle_timeout(at(72_000));
    assert_eq!(
        session.poll_event(),
        Some(Event::Closed(CloseCode::NORMAL.into()))
    );
}

#[test]
fn a_ping_over_its_limit_closes_the_session() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    let ping = Packet::Ping("x".repeat(32_769).into());
    let refused = session.handle_packet(Fence::Connection(id), ping, at(0));
    assert!(
        matches!(refused, Err(AttachError::Protocol(error)) if error.code() == CloseCode::TOO_LARGE)
    );
}

#[test]
fn while_the_inbox_is_full_silence_is_no_death() {
    let limits = Limits::default().max_inbox_messages(1);
    let mut session = Session::new(Role::Server, Arc::new(limits), at(0));
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    session
        .handle_packet(Fence::Connection(id), message("a"), at(0))
        .unwrap();
    assert_eq!(
        drain(&mut session, id, 30_000).0,
        [Packet::Ping("".into())],
        "no ack"
    );
    session.handle_timeout(at(60_000));
    assert!(session.is_current(id));
}

#[test]
fn acks_fall_due_by_time_and_by_count() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, ConnectionMode::Duplex, 0).id;
    session
        .handle_packet(Fence::Connection(id), message("a"), at(100))
        .unwrap();
    assert_eq!(drain(&mut session, id, 1_099), (vec![], "idle"));
    assert_eq!(
        drain(&mut session, id, 1_100),
        (vec![Packet::Ack(Offset::new(1).into())], "idle")
    );
    for _ in 0..128 {
        session
            .handle_packet(Fence::Connection(id), message("a"), at(2_000))
            .unwrap();
    }
    assert_eq!(
        drain(&mut session, id, 2_000),
        (vec![Packet::Ack(Offset::new(129).into())], "idle")
    );
}

#[test]
fn a_raw_session_keeps_nothing_and_ends_with_its_connection() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, ConnectionMode::Raw, 0).id;
    session.send("a".into(), at(0)).unwrap();
    assert_eq!(drain(&mut session, id, 0), (vec![message("a")], "idle"));
    assert_eq!(session.buffered_bytes(), 0);
    session.handle_detach(id, at(1));
    assert!(
        matches!(session.poll_event(), Some(Event::Closed(reason)) if reason.code == CloseCode::ABNORMAL)
    );
}

#[test]
fn errors_stay_small() {
    assert!(size_of::<ProtocolError>() <= 24);
    assert!(size_of::<AttachError>() <= 32);
    assert!(size_of::<TrySendError>() <= 48);
    assert!(
        size_of::<Session>() <= 440,
        "every idle session pays for it"
    );
}

#[test]
fn a_client_that_no_server_knows_has_no_window_that_ends() {
    let mut client = Session::new(Role::Client, Arc::default(), at(0));
    // A poll leg attaches its first exchange before that is answered.
    let hold = ConnectionMode::Exchange {
        hold: Duration::ZERO,
    };
    let attached = client.handle_attach(Generation::new(1), Offset::new(0), hold, at(0));
    client.handle_detach(attached.unwrap().id, at(10));
    client.handle_timeout(at(10_000_000));
    assert!(!client.is_ended());
    client.adopt(Arc::default());
    client.handle_timeout(at(10_000_000));
    assert!(client.is_ended());
}
