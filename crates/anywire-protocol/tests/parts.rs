//! Long messages in parts, by the pure session (PROTOCOL §4.9 to §4.12). How parts join is in the vectors, and schedules
//! over a hostile network are in `schedules.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/alone.rs"]
mod alone;

use std::sync::Arc;
use std::time::Duration;

use alone::{at, drain};
use anywire_protocol::{
    Attached, Can, CloseCode, ConnectionId, ConnectionMode, Fence, Generation, Limits, Message,
    Offset, Packet, Position, Role, Session, Transmit, TrySendError,
};

fn limits() -> Limits {
    Limits::default()
        .max_message_bytes(8_388_608)
        .max_part_bytes(1_024)
}

fn server_that(can: Can, limits: Limits) -> Session {
    let mut session = Session::new(Role::Server, Arc::new(limits), at(0));
    session.agree(can);
    session
}

fn server() -> Session {
    server_that(Can::PART, limits())
}

fn attach(session: &mut Session, generation: u64, mode: ConnectionMode, now: u64) -> Attached {
    let acknowledged = session.acknowledged();
    let generation = Generation::new(generation);
    session
        .handle_attach(generation, acknowledged, mode, at(now))
        .unwrap()
}

const POLL: ConnectionMode = ConnectionMode::Exchange {
    hold: Duration::from_secs(25),
};

fn part(text: &str) -> Packet {
    Packet::Part(text.into())
}

fn place(offset: u64, bytes: u64) -> Position {
    Position::new(Offset::new(offset), bytes)
}

#[test]
fn a_message_longer_than_a_part_goes_in_parts_to_a_peer_that_can() {
    let text = "é".repeat(1_300);
    for can in [Can::NONE, Can::PART] {
        let mut session = server_that(can, limits());
        session.send(text.as_str().into(), at(0)).unwrap();
        let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
        let (packets, _) = drain(&mut session, id, 0);
        let joined: String = packets
            .iter()
            .map(|packet| match packet {
                Packet::Part(piece) | Packet::Message(piece) => piece.as_text().unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(joined, text);
        assert_eq!(packets.len(), if can == Can::PART { 3 } else { 1 });
        assert!(matches!(packets.last(), Some(Packet::Message(_))));
    }
}

#[test]
fn a_session_that_cannot_part_takes_no_message_longer_than_a_body() {
    let limits = limits().max_payload_bytes(5_120);
    let longest = 3_072;
    let mut whole = server_that(Can::NONE, limits.clone());
    let message = |bytes| Message::binary(vec![0; bytes]);
    assert!(matches!(
        whole.send(message(longest + 1), at(0)),
        Err(TrySendError::TooLarge(_))
    ));
    whole.send(message(longest), at(0)).unwrap();
    let mut parted = server_that(Can::PART, limits);
    parted.send(message(8_388_608), at(0)).unwrap();
}

#[test]
fn a_new_exchange_goes_on_where_the_peer_is_and_a_websocket_begins_anew() {
    let mut session = server();
    let text = "x".repeat(3_000);
    session.send(text.as_str().into(), at(0)).unwrap();
    let id = attach(&mut session, 1, POLL, 0).id;
    assert_eq!(
        drain(&mut session, id, 0).0.len(),
        5,
        "ack, offset, three pieces"
    );
    session.handle_detach(id, at(1));
    // The answer was cut: the client has the first part.
    let acks = vec![Packet::Ack(place(0, 1_024))];
    let attached = session
        .handle_request(Generation::new(1), Offset::new(0), acks, Some(POLL), at(2))
        .unwrap();
    let (packets, _) = drain(&mut session, attached.unwrap().id, 2);
    let end = Message::text("x".repeat(952));
    assert_eq!(packets[1], Packet::Offset(place(0, 1_024)));
    assert_eq!(
        packets[2..],
        [part(&"x".repeat(1_024)), Packet::Message(end)]
    );
    let at = attach(&mut session, 2, ConnectionMode::Duplex, 3);
    assert_eq!(at.first, Offset::new(0));
    assert_eq!(drain(&mut session, at.id, 3).0.len(), 3);
}

#[test]
fn an_attach_says_nothing_of_bytes_and_an_ack_may_take_them_back() {
    let mut session = server();
    session.send("x".repeat(2_000).into(), at(0)).unwrap();
    let id = attach(&mut session, 1, POLL, 0).id;
    drain(&mut session, id, 0);
    let fence = Fence::Connection(id);
    session
        .handle_packet(fence, Packet::Ack(place(0, 1_024)), at(0))
        .unwrap();
    assert_eq!(session.acknowledged_position(), place(0, 1_024));
    let id = attach(&mut session, 1, POLL, 1).id;
    assert_eq!(session.acknowledged_position(), place(0, 1_024));
    let forgotten = Packet::Ack(Offset::new(0).into());
    session
        .handle_packet(Fence::Connection(id), forgotten, at(1))
        .unwrap();
    assert_eq!(session.acknowledged_position(), place(0, 0));
    let packets = drain(&mut session, id, 1).0;
    assert_eq!(packets[1], Packet::Offset(Offset::new(0).into()));
}

#[test]
fn an_ack_of_bytes_that_were_not_sent_is_fatal() {
    let mut session = server();
    session.send("x".repeat(2_000).into(), at(0)).unwrap();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    assert!(matches!(
        session.poll_transmit(id, at(0)),
        Transmit::Packet(Packet::Part(_))
    ));
    let fence = Fence::Connection(id);
    session
        .handle_packet(fence, Packet::Ack(place(0, 1_024)), at(0))
        .unwrap();
    session
        .handle_packet(fence, Packet::Ack(place(0, 1_025)), at(0))
        .unwrap_err();
    assert_eq!(session.close_reason().unwrap().code, CloseCode::BAD_ACK);
}

#[test]
fn a_pong_and_an_ack_pass_between_parts() {
    let mut session = server();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    let fence = Fence::Connection(id);
    session.send("x".repeat(9_000).into(), at(0)).unwrap();
    assert!(matches!(
        session.poll_transmit(id, at(0)),
        Transmit::Packet(Packet::Part(_))
    ));
    session
        .handle_packet(fence, Packet::Ping("?".into()), at(1))
        .unwrap();
    session
        .handle_packet(fence, Packet::Message("up".into()), at(1))
        .unwrap();
    assert_eq!(
        session.poll_transmit(id, at(1)),
        Transmit::Packet(Packet::Pong("?".into()))
    );
    assert!(matches!(
        session.poll_transmit(id, at(2)),
        Transmit::Packet(Packet::Part(_))
    ));
    let ack = Packet::Ack(Offset::new(1).into());
    assert_eq!(session.poll_transmit(id, at(1_001)), Transmit::Packet(ack));
    assert!(matches!(
        session.poll_transmit(id, at(1_001)),
        Transmit::Packet(Packet::Part(_))
    ));
}

#[test]
fn parts_are_acknowledged_by_their_bytes_before_the_message_is_whole() {
    let mut session = server();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    let fence = Fence::Connection(id);
    session.handle_packet(fence, part("héé"), at(10)).unwrap();
    assert_eq!(drain(&mut session, id, 10), (vec![], "idle"));
    assert_eq!(session.poll_timeout(), Some(at(1_010)));
    let ack = Packet::Ack(place(0, 5));
    assert_eq!(drain(&mut session, id, 1_010), (vec![ack], "idle"));
    // So many bytes are acknowledged at once.
    let part = Packet::Part(Message::text("x".repeat(131_072)));
    session.handle_packet(fence, part, at(1_011)).unwrap();
    let ack = Packet::Ack(place(0, 131_077));
    assert_eq!(drain(&mut session, id, 1_011), (vec![ack], "idle"));
}

#[test]
fn a_message_that_grows_no_more_drops_its_connection_and_nothing_else() {
    let mut session = server();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    session
        .handle_packet(Fence::Connection(id), part("abc"), at(1_000))
        .unwrap();
    session
        .handle_packet(Fence::Connection(id), Packet::Ping("".into()), at(20_000))
        .unwrap();
    session.handle_timeout(at(20_999));
    assert_eq!(drain(&mut session, id, 20_999).1, "idle");
    session.handle_timeout(at(21_000));
    assert_eq!(drain(&mut session, id, 21_000), (vec![], "stalled"));
    assert!(session.is_open());
    // What came of it is kept, and its time begins anew with a connection.
    let id = attach(&mut session, 2, ConnectionMode::Duplex, 30_000).id;
    let fence = Fence::Connection(id);
    session.handle_timeout(at(49_999));
    for packet in [part("ab"), Packet::Message("cd".into())] {
        session.handle_packet(fence, packet, at(49_999)).unwrap();
    }
    session.handle_timeout(at(50_000));
    assert!(session.is_current(id));
    let event = session.poll_event();
    assert_eq!(event, Some(anywire_protocol::Event::Message("abcd".into())));
}

#[test]
fn a_message_may_wait_while_the_app_takes_none() {
    let mut session = server_that(Can::PART, limits().max_inbox_messages(1));
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    let fence = Fence::Connection(id);
    for packet in [Packet::Message("a".into()), part("b")] {
        session.handle_packet(fence, packet, at(0)).unwrap();
    }
    session.handle_timeout(at(24_000));
    assert!(session.is_current(id), "we are the ones who do not read");
    session.poll_event().unwrap();
    session.handle_timeout(at(43_999));
    assert!(session.is_current(id), "its time begins anew");
    session.handle_timeout(at(44_000));
    assert!(!session.is_current(id));
}

#[test]
fn an_unfinished_message_counts_in_the_inbox_and_never_blocks_its_own_rest() {
    let limits = limits().max_inbox_bytes(10);
    let mut session = server_that(Can::PART, limits);
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    let fence = Fence::Connection(id);
    session
        .handle_packet(fence, part("0123456789"), at(0))
        .unwrap();
    assert!(session.has_inbox_room(), "nothing else is waited for");
    session
        .handle_packet(fence, Packet::Message("x".into()), at(0))
        .unwrap();
    assert!(!session.has_inbox_room());
    session.poll_event().unwrap();
    session
        .handle_packet(fence, Packet::Message("a".into()), at(0))
        .unwrap();
    session
        .handle_packet(fence, part("0123456789"), at(0))
        .unwrap();
    assert!(!session.has_inbox_room());
    session.poll_event().unwrap();
    assert!(session.has_inbox_room());
}

/// A server whose streams are old after one second, with a message of nine parts, and its stream.
fn stream_of_a_second() -> (Session, ConnectionId) {
    let limits = limits().stream_age(Duration::from_secs(1));
    let mut session = server_that(Can::PART, limits);
    let id = attach(&mut session, 1, ConnectionMode::Stream, 0).id;
    session.send("x".repeat(9_000).into(), at(0)).unwrap();
    (session, id)
}

#[test]
fn a_stream_ends_between_messages_and_when_twice_as_old_between_parts() {
    let (mut session, id) = stream_of_a_second();
    session.poll_transmit(id, at(0));
    session.poll_transmit(id, at(0));
    assert!(matches!(
        session.poll_transmit(id, at(0)),
        Transmit::Packet(Packet::Part(_))
    ));
    assert!(matches!(
        session.poll_transmit(id, at(1_999)),
        Transmit::Packet(Packet::Part(_))
    ));
    assert_eq!(session.poll_transmit(id, at(2_000)), Transmit::Finished);
    let id = attach(&mut session, 2, ConnectionMode::Stream, 3_000).id;
    drain(&mut session, id, 3_000);
    assert_eq!(session.poll_transmit(id, at(4_000)), Transmit::Finished);
}

#[test]
fn a_stream_that_ends_inside_a_message_says_no_close() {
    let (mut session, id) = stream_of_a_second();
    session.close(CloseCode::NORMAL.into(), at(0));
    for _ in 0..3 {
        session.poll_transmit(id, at(0));
    }
    assert_eq!(session.poll_transmit(id, at(2_000)), Transmit::Finished);
    session.handle_detach(id, at(2_000));
    // The next brings the rest, and then the close.
    let id = attach(&mut session, 2, ConnectionMode::Stream, 3_000).id;
    let (packets, _) = drain(&mut session, id, 3_000);
    assert!(matches!(packets.last(), Some(Packet::Close(_))));
    assert!(matches!(packets[packets.len() - 2], Packet::Message(_)));
}

#[test]
fn a_websocket_that_brings_again_what_is_known_moves() {
    let mut session = server();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    session
        .handle_packet(Fence::Connection(id), part(&"x".repeat(3_000)), at(0))
        .unwrap();
    let id = attach(&mut session, 2, ConnectionMode::Duplex, 1_000).id;
    for (now, bytes) in [(15_000, 1_000), (30_000, 1_000), (45_000, 1_001)] {
        let again = part(&"x".repeat(bytes));
        session
            .handle_packet(Fence::Connection(id), again, at(now))
            .unwrap();
        session.handle_timeout(at(now));
        assert!(session.is_current(id), "{now}");
    }
    assert_eq!(session.received_position(), place(0, 3_001));
}

#[test]
fn an_unfinished_message_of_exchanges_is_forgotten_with_the_resume_window() {
    let mut session = server();
    let begin = vec![Packet::Offset(place(0, 0)), part("abc")];
    let (generation, received) = (Generation::new(1), Offset::new(0));
    let request = |session: &mut Session, packets, now| {
        session.handle_request(generation, received, packets, None, at(now))
    };
    request(&mut session, begin, 0).unwrap();
    for now in [60_000, 119_999] {
        request(&mut session, vec![], now).unwrap();
        session.handle_timeout(at(now));
    }
    assert_eq!(session.received_position(), place(0, 3));
    session.handle_timeout(at(120_000));
    assert_eq!(session.received_position(), place(0, 0));
    // What goes on with it is left out and answered, and it comes anew.
    let on = vec![Packet::Offset(place(0, 3)), Packet::Message("d".into())];
    request(&mut session, on, 120_001).unwrap();
    assert_eq!(session.poll_answer(at(120_001)).received, place(0, 0));
    assert!(session.is_open());
}

#[test]
fn a_long_message_that_moves_does_not_grow_too_old() {
    let limits = limits().max_outbox_age(Duration::from_secs(10));
    let mut session = server_that(Can::PART, limits);
    session.send("x".repeat(9_000).into(), at(0)).unwrap();
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).id;
    drain(&mut session, id, 0);
    let fence = Fence::Connection(id);
    for (now, bytes) in [
        (9_000, 1_024),
        (18_000, 2_048),
        (19_000, 0),
        (20_000, 2_048),
    ] {
        session
            .handle_packet(fence, Packet::Ack(place(0, bytes)), at(now))
            .unwrap();
        session.handle_timeout(at(now));
        assert!(session.is_open(), "{now}");
    }
    // What falls and rises again is no progress.
    session.handle_timeout(at(28_000));
    assert_eq!(session.close_reason().unwrap().code, CloseCode::TOO_OLD);
}

#[test]
fn parts_in_a_session_that_cannot_part_are_refused() {
    for packet in [
        part("x"),
        Packet::Ack(place(0, 1)),
        Packet::Offset(place(0, 1)),
    ] {
        let mut session = server_that(Can::LEAVE, limits());
        let id = attach(&mut session, 1, POLL, 0).id;
        session
            .handle_packet(Fence::Connection(id), packet, at(0))
            .unwrap_err();
        assert_eq!(
            session.close_reason().unwrap().code,
            CloseCode::PROTOCOL_ERROR
        );
    }
}
