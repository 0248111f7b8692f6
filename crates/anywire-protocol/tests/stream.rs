//! Facts about a session that a stream carries (PROTOCOL §13). The random schedules show that they hold together.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/alone.rs"]
mod alone;

use std::sync::Arc;
use std::time::Duration;

use alone::at;
use anywire_protocol::*;

fn server() -> Session {
    Session::new(Role::Server, Arc::new(Limits::default()), at(0))
}

fn attach(session: &mut Session, generation: u64, received: u64, now: u64) -> ConnectionId {
    let (generation, received) = (Generation::new(generation), Offset::new(received));
    session
        .handle_attach(generation, received, ConnectionMode::Stream, at(now))
        .unwrap()
        .id
}

/// All that a stream is to send now, and what comes after it.
fn drain(session: &mut Session, id: ConnectionId, now: u64) -> (Vec<Packet>, &'static str) {
    session.handle_timeout(at(now));
    alone::drain(session, id, now)
}

fn up(session: &mut Session, generation: u64, packet: Packet, now: u64) -> Result<(), AttachError> {
    let fence = Fence::Generation(Generation::new(generation));
    session.handle_packet(fence, packet, at(now))
}

fn message(text: &str) -> Packet {
    Packet::Message(text.into())
}

fn ack(received: u64) -> Packet {
    Packet::Ack(Offset::new(received).into())
}

fn offset(offset: u64) -> Packet {
    Packet::Offset(Offset::new(offset).into())
}

#[test]
fn a_stream_says_its_offset_once_and_messages_as_they_come() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, 0);
    assert_eq!(drain(&mut session, id, 0), (vec![ack(0)], "idle"));
    session.send("a".into(), at(1)).unwrap();
    session.send("b".into(), at(1)).unwrap();
    assert_eq!(
        drain(&mut session, id, 1),
        (vec![offset(0), message("a"), message("b")], "idle")
    );
    session.send("c".into(), at(2)).unwrap();
    assert_eq!(drain(&mut session, id, 2), (vec![message("c")], "idle"));
}

#[test]
fn exchanges_that_only_send_go_beside_a_stream_unless_they_are_older() {
    let mut session = server();
    let id = attach(&mut session, 3, 0, 0);
    drain(&mut session, id, 0);
    session.send("down".into(), at(1)).unwrap();
    drain(&mut session, id, 1);
    for packet in [offset(0), message("up"), ack(1)] {
        up(&mut session, 3, packet, 2).unwrap();
    }
    assert!(session.is_current(id));
    assert_eq!(session.buffered_messages(), 0);
    assert_eq!(
        session.poll_answer(Timestamp::default()).received,
        Offset::new(1).into()
    );
    assert_eq!(up(&mut session, 2, ack(1), 3), Err(AttachError::Superseded));
    up(&mut session, 4, ack(1), 4).unwrap();
    assert_eq!(session.generation(), Generation::new(3));
    assert_eq!(drain(&mut session, id, 4), (vec![], "idle"));
}

#[test]
fn what_no_answer_acknowledges_in_time_the_stream_does() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, 0);
    drain(&mut session, id, 0);
    for packet in [offset(0), message("up")] {
        up(&mut session, 1, packet, 10).unwrap();
    }
    assert_eq!(session.poll_timeout(), Some(at(1_010)));
    assert_eq!(drain(&mut session, id, 1_009), (vec![], "idle"));
    assert_eq!(drain(&mut session, id, 1_010), (vec![ack(1)], "idle"));
}

#[test]
fn an_idle_stream_pads_and_an_old_one_ends() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, 0);
    drain(&mut session, id, 0);
    assert_eq!(session.poll_timeout(), Some(at(15_000)));
    assert_eq!(drain(&mut session, id, 14_999), (vec![], "idle"));
    let padding = vec![Packet::Padding(0)];
    assert_eq!(drain(&mut session, id, 15_000), (padding.clone(), "idle"));
    session.send("a".into(), at(20_000)).unwrap();
    drain(&mut session, id, 20_000);
    assert_eq!(drain(&mut session, id, 34_999), (vec![], "idle"));
    assert_eq!(drain(&mut session, id, 35_000), (padding.clone(), "idle"));
    assert_eq!(drain(&mut session, id, 50_000), (padding, "idle"));
    assert_eq!(session.poll_timeout(), Some(at(55_000)));
    assert_eq!(drain(&mut session, id, 55_000), (vec![], "finished"));
    // The next one carries on where the client is, with the same generation.
    session.handle_detach(id, at(55_000));
    let id = attach(&mut session, 1, 1, 55_010);
    session.send("b".into(), at(55_020)).unwrap();
    assert_eq!(
        drain(&mut session, id, 55_020),
        (vec![ack(0), offset(1), message("b")], "idle")
    );
}

#[test]
fn a_newer_stream_of_the_same_generation_repeats_what_was_not_acknowledged() {
    let mut session = server();
    let first = attach(&mut session, 1, 0, 0);
    session.send("a".into(), at(0)).unwrap();
    session.send("b".into(), at(0)).unwrap();
    drain(&mut session, first, 0);
    let second = attach(&mut session, 1, 1, 10);
    assert_eq!(drain(&mut session, first, 10), (vec![], "superseded"));
    assert_eq!(
        drain(&mut session, second, 10),
        (vec![ack(0), offset(1), message("b")], "idle")
    );
}

#[test]
fn a_stream_that_skips_what_was_acknowledged_says_its_offset_anew() {
    let mut session = server();
    let first = attach(&mut session, 1, 0, 0);
    for text in ["a", "b", "c", "d"] {
        session.send(text.into(), at(0)).unwrap();
    }
    drain(&mut session, first, 0);
    let second = attach(&mut session, 1, 0, 1);
    let mut said = Vec::new();
    for _ in 0..3 {
        match session.poll_transmit(second, at(1)) {
            Transmit::Packet(packet) => said.push(packet),
            Transmit::Message(message) => said.push(Packet::Message(message.clone())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said, [ack(0), offset(0), message("a")]);
    // What came on the first is acknowledged only now.
    up(&mut session, 1, ack(3), 2).unwrap();
    assert_eq!(
        drain(&mut session, second, 2),
        (vec![offset(3), message("d")], "idle")
    );
}

#[test]
fn a_stream_never_expires_and_what_it_left_does() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, 0);
    drain(&mut session, id, 500_000);
    assert!(session.is_open());
    session.handle_detach(id, at(500_000));
    session.handle_timeout(at(620_000));
    assert_eq!(session.close_reason().unwrap().code, CloseCode::EXPIRED);
}

#[test]
fn a_stream_ends_behind_its_close_which_follows_the_messages() {
    let mut session = server();
    let id = attach(&mut session, 1, 0, 0);
    drain(&mut session, id, 0);
    session.send("last".into(), at(1)).unwrap();
    session.close(CloseCode::NORMAL.into(), at(1));
    let close = Packet::Close(CloseCode::NORMAL.into());
    let said = vec![offset(0), message("last"), close.clone()];
    assert_eq!(drain(&mut session, id, 1), (said, "finished"));
    let padding_is_due = 15_001;
    assert_eq!(
        drain(&mut session, id, padding_is_due),
        (vec![], "finished")
    );
    session.handle_detach(id, at(padding_is_due));
    up(&mut session, 1, ack(1), padding_is_due).unwrap();
    up(&mut session, 1, close, padding_is_due).unwrap();
    session.poll_answer(Timestamp::default());
    assert!(session.is_finished());
}

#[test]
fn a_stream_of_a_session_that_has_ended_says_what_was_received_and_why_it_ended() {
    let mut session = server();
    up(&mut session, 1, offset(0), 0).unwrap();
    up(&mut session, 1, message("up"), 0).unwrap();
    session.abort(CloseCode::RESTART.into(), at(0));
    let id = attach(&mut session, 1, 0, 1);
    let said = vec![ack(1), Packet::Close(CloseCode::RESTART.into())];
    assert_eq!(drain(&mut session, id, 1), (said, "finished"));
}

#[test]
fn a_client_whose_stream_is_half_read_may_send_beside_it() {
    let limits = Arc::new(Limits::default());
    let mut client = Session::new(Role::Client, limits, at(0));
    for packet in [offset(0), message("a"), message("b"), message("c")] {
        up(&mut client, 1, packet, 0).unwrap();
    }
    // A new stream repeats two; between them the client sends.
    for packet in [offset(1), message("b")] {
        up(&mut client, 1, packet, 1).unwrap();
    }
    client.send("up".into(), at(2)).unwrap();
    let hold = ConnectionMode::Exchange {
        hold: Duration::ZERO,
    };
    let id = client
        .handle_attach(Generation::new(1), Offset::default(), hold, at(2))
        .unwrap()
        .id;
    drain(&mut client, id, 2);
    client.handle_detach(id, at(2));
    for packet in [message("c"), message("d")] {
        up(&mut client, 1, packet, 3).unwrap();
    }
    let heard: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert_eq!(
        heard,
        ["a", "b", "c", "d"].map(|text| Event::Message(text.into()))
    );
}
