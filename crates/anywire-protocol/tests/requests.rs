//! What requests of HTTP may hold, and what one does to a session: all that it says, or nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/alone.rs"]
mod alone;

use std::sync::Arc;
use std::time::Duration;

use alone::at;
use anywire_protocol::*;
use proptest::prelude::*;

const HOLD: ConnectionMode = ConnectionMode::Exchange {
    hold: Duration::from_millis(1_500),
};

fn server_with(limits: Limits) -> Session {
    Session::new(Role::Server, Arc::new(limits), at(0))
}

fn server() -> Session {
    server_with(Limits::default())
}

/// A request of generation 1 unless said otherwise.
fn request(
    session: &mut Session,
    generation: u64,
    packets: Vec<Packet>,
    mode: Option<ConnectionMode>,
) -> Result<Option<Attached>, AttachError> {
    let received = session.acknowledged();
    session.handle_request(Generation::new(generation), received, packets, mode, at(1))
}

fn messages(offset: u64, texts: &[&str]) -> Vec<Packet> {
    let offset = Packet::Offset(Offset::new(offset).into());
    let texts = texts.iter().map(|text| Packet::Message((*text).into()));
    std::iter::once(offset).chain(texts).collect()
}

fn transmit(session: &mut Session, id: ConnectionId, now: u64) -> Vec<Packet> {
    alone::drain(session, id, now).0
}

fn heard(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn ping(text: &str) -> Packet {
    Packet::Ping(text.into())
}

fn close(code: u16) -> Packet {
    Packet::Close(CloseCode::from_u16(code).into())
}

/// What the answer to an exchange that only sends says.
fn answer(session: &mut Session) -> (Position, Option<CloseReason>) {
    let answer = session.poll_answer(Timestamp::default());
    (answer.received, answer.close)
}

#[test]
fn an_exchange_that_only_sends_is_told_of_a_close_once_nothing_is_to_come_before_it() {
    let mut session = server();
    session.send("last".into(), at(0)).unwrap();
    let reason = CloseReason::new(CloseCode::from_u16(3_003), "x");
    session.close(reason.clone(), at(0));
    assert_eq!(
        answer(&mut session),
        (Offset::new(0).into(), None),
        "a message is to come"
    );
    let id = request(&mut session, 1, vec![], Some(HOLD))
        .unwrap()
        .unwrap()
        .id;
    transmit(&mut session, id, 1);
    session.handle_detach(id, at(1));
    let told = session.handle_request(Generation::new(1), Offset::new(1), vec![], None, at(2));
    assert_eq!(told, Ok(None));
    assert_eq!(
        answer(&mut session),
        (Offset::new(0).into(), Some(reason.clone()))
    );
    // Again, until the client answers.
    assert_eq!(answer(&mut session).1, Some(reason.clone()));
    request(&mut session, 1, vec![close(3_003)], None).unwrap();
    assert_eq!(heard(&mut session), [Event::Closed(reason)]);
}

#[test]
fn a_drain_is_told_to_an_exchange_that_only_sends_too() {
    let mut session = server();
    session.close(CloseCode::RESTART.into(), at(0));
    request(&mut session, 1, messages(0, &["up"]), None).unwrap();
    let told = (Offset::new(1).into(), Some(CloseCode::RESTART.into()));
    assert_eq!(answer(&mut session), told);
}

#[test]
fn a_full_inbox_leaves_out_messages_and_their_close_and_nothing_else() {
    let limits = Limits::default().max_inbox_messages(1);
    let mut session = server_with(limits);
    request(&mut session, 1, messages(0, &["a", "b", "c"]), None).unwrap();
    assert_eq!(
        session.received(),
        Offset::new(3),
        "all of a request, while there is room"
    );
    session.send("down".into(), at(1)).unwrap();
    let id = request(&mut session, 1, vec![], Some(HOLD))
        .unwrap()
        .unwrap()
        .id;
    transmit(&mut session, id, 1);
    assert_eq!(session.buffered_messages(), 1);

    let mut packets = vec![ping("hello")];
    packets.extend(messages(3, &["d"]));
    packets.extend([Packet::Ack(Offset::new(1).into()), close(1_000)]);
    let id = request(&mut session, 1, packets, Some(HOLD))
        .unwrap()
        .unwrap()
        .id;
    let said = transmit(&mut session, id, 1);
    assert_eq!(
        said,
        [
            Packet::Pong("hello".into()),
            Packet::Ack(Offset::new(3).into())
        ],
        "at once, not when the hold is over"
    );
    assert_eq!(session.buffered_messages(), 0, "the ack counts");
    assert!(session.is_open(), "the close follows the message");

    // A close that follows no message is not left out.
    session.handle_detach(id, at(1));
    request(&mut session, 1, vec![close(1_000)], None).unwrap();
    assert!(session.is_ended());
}

#[test]
fn what_only_sends_neither_detaches_nor_raises_whatever_carries_the_session() {
    for mode in [ConnectionMode::Duplex, ConnectionMode::Stream, HOLD] {
        for generation in [3, 4] {
            let mut session = server();
            let id = request(&mut session, 3, vec![], Some(mode))
                .unwrap()
                .unwrap()
                .id;
            request(&mut session, generation, messages(0, &["a", "b"]), None).unwrap();
            assert!(session.is_current(id), "{mode:?}");
            assert_eq!(session.generation(), Generation::new(3), "{mode:?}");
            assert_eq!(session.received(), Offset::new(2), "{mode:?}");
            let lower = request(&mut session, 2, messages(2, &["c"]), None);
            assert_eq!(lower, Err(AttachError::Superseded), "{mode:?}");
            assert_eq!(session.received(), Offset::new(2), "{mode:?}");
        }
    }
}

#[test]
fn messages_of_an_exchange_do_not_move_the_count_of_the_websocket_beside_it() {
    let mut session = server();
    let id = request(&mut session, 1, vec![], Some(ConnectionMode::Duplex))
        .unwrap()
        .unwrap()
        .id;
    let fence = Fence::Connection(id);
    request(&mut session, 1, messages(0, &["a", "b"]), None).unwrap();
    for text in ["a", "b", "c"] {
        session
            .handle_packet(fence, Packet::Message(text.into()), at(1))
            .unwrap();
    }
    request(&mut session, 1, messages(1, &["b", "c", "d"]), None).unwrap();
    for text in ["d", "e"] {
        session
            .handle_packet(fence, Packet::Message(text.into()), at(1))
            .unwrap();
    }
    let expected = ["a", "b", "c", "d", "e"].map(|text| Event::Message(text.into()));
    assert_eq!(heard(&mut session), expected);
}

/// A WebSocket has no offset packet: its receiver counts every message, so none may be left out.
#[test]
fn an_ack_of_what_a_websocket_has_not_carried_yet_leaves_nothing_out_on_it() {
    for beside in [false, true] {
        let mut session = server();
        for text in ["a", "b", "c"] {
            session.send(text.into(), at(0)).unwrap();
        }
        let first = request(&mut session, 1, vec![], Some(HOLD))
            .unwrap()
            .unwrap()
            .id;
        transmit(&mut session, first, 1);
        // The client attaches before that answer has reached it.
        let id = request(&mut session, 2, vec![], Some(ConnectionMode::Duplex))
            .unwrap()
            .unwrap()
            .id;
        let Transmit::Message(message) = session.poll_transmit(id, at(1)) else {
            panic!("the socket takes one message and no more for now");
        };
        assert_eq!(message, &Message::from("a"));
        let ack = Offset::new(3);
        if beside {
            let only_sends = session.handle_request(Generation::new(2), ack, vec![], None, at(1));
            assert_eq!(only_sends, Ok(None));
        } else {
            session
                .handle_packet(Fence::Connection(id), Packet::Ack(ack.into()), at(1))
                .unwrap();
        }
        assert_eq!(
            session.acknowledged(),
            Offset::new(1),
            "what it has carried"
        );
        session.send("d".into(), at(1)).unwrap();
        let said = transmit(&mut session, id, 1);
        let expected = ["b", "c", "d"].map(|text| Packet::Message(text.into()));
        assert_eq!(said, expected, "beside: {beside}");
        session
            .handle_packet(
                Fence::Connection(id),
                Packet::Ack(Offset::new(4).into()),
                at(1),
            )
            .unwrap();
        assert_eq!(session.buffered_messages(), 0);
    }
}

#[test]
fn an_attach_acknowledges_what_the_websocket_before_had_not_carried() {
    let mut session = server();
    for text in ["a", "b"] {
        session.send(text.into(), at(0)).unwrap();
    }
    let first = request(&mut session, 1, vec![], Some(HOLD))
        .unwrap()
        .unwrap()
        .id;
    transmit(&mut session, first, 1);
    request(&mut session, 2, vec![], Some(ConnectionMode::Duplex)).unwrap();
    let attached = session
        .handle_attach(
            Generation::new(3),
            Offset::new(2),
            ConnectionMode::Duplex,
            at(1),
        )
        .unwrap();
    assert_eq!(attached.first, Offset::new(2));
    assert_eq!(session.buffered_messages(), 0);
}

#[test]
fn a_message_that_an_exchange_brought_before_is_acknowledged_on_the_websocket() {
    let mut session = server();
    let id = request(&mut session, 1, vec![], Some(ConnectionMode::Duplex))
        .unwrap()
        .unwrap()
        .id;
    // The answer to this exchange, which acknowledges, is lost.
    request(&mut session, 1, messages(0, &["a"]), None).unwrap();
    answer(&mut session);
    assert_eq!(transmit(&mut session, id, 1), []);
    session
        .handle_packet(Fence::Connection(id), Packet::Message("a".into()), at(1))
        .unwrap();
    let due = session.poll_timeout().unwrap();
    assert_eq!(due, at(1) + Limits::default().ack_delay);
    session.handle_timeout(due);
    let said = transmit(&mut session, id, due.as_millis());
    assert_eq!(said, [Packet::Ack(Offset::new(1).into())]);
}

#[test]
fn an_exchange_beside_a_websocket_is_no_sign_of_life_of_it() {
    let mut session = server();
    let id = request(&mut session, 1, vec![], Some(ConnectionMode::Duplex))
        .unwrap()
        .unwrap()
        .id;
    session.send("a".into(), at(1)).unwrap();
    transmit(&mut session, id, 1);
    assert_eq!(transmit(&mut session, id, 2_001), [ping("")]);
    for now in [4_000, 8_000] {
        let only_sends =
            session.handle_request(Generation::new(1), Offset::new(0), vec![], None, at(now));
        assert_eq!(only_sends, Ok(None));
    }
    session.handle_timeout(at(10_100));
    assert_eq!(session.connection_mode(), None, "the ping was not answered");
}

#[test]
fn an_attach_of_an_equal_generation_takes_over_on_every_transport() {
    for mode in [ConnectionMode::Duplex, ConnectionMode::Stream, HOLD] {
        let mut session = server();
        let first = request(&mut session, 1, vec![], Some(ConnectionMode::Duplex))
            .unwrap()
            .unwrap()
            .id;
        let second = request(&mut session, 1, vec![], Some(mode))
            .unwrap()
            .unwrap()
            .id;
        assert!(!session.is_current(first) && session.is_current(second));
        assert!(matches!(
            session.poll_transmit(first, at(1)),
            Transmit::Superseded
        ));
    }
}

/// What a request is refused for, whatever the session.
fn broken() -> impl Strategy<Value = (CloseCode, Vec<Packet>)> {
    let long = |bytes| ".".repeat(bytes);
    let sizes = Limits::default();
    let cases: Vec<(CloseCode, Vec<Packet>)> = vec![
        (CloseCode::PROTOCOL_ERROR, vec![ping(""), ping("")]),
        (
            CloseCode::PROTOCOL_ERROR,
            vec![Packet::Message("no offset".into())],
        ),
        (
            CloseCode::PROTOCOL_ERROR,
            [messages(0, &["a"]), messages(1, &["b"])].concat(),
        ),
        (
            CloseCode::PROTOCOL_ERROR,
            [vec![close(1_000)], messages(0, &["a"])].concat(),
        ),
        (CloseCode::PROTOCOL_ERROR, vec![close(1_000), close(1_000)]),
        (CloseCode::PROTOCOL_ERROR, vec![Packet::Pong("".into())]),
        (CloseCode::PROTOCOL_ERROR, vec![Packet::Superseded]),
        (
            CloseCode::TOO_LARGE,
            vec![ping(&long(sizes.max_ping_bytes + 1))],
        ),
        (
            CloseCode::TOO_LARGE,
            messages(0, &[&long(sizes.max_message_bytes + 1)]),
        ),
    ];
    prop::sample::select(cases)
}

#[derive(Clone, Debug)]
enum Step {
    Send,
    Attach(u64, u8),
    Detach,
    Request(u64, u8),
    Take,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Send),
        2 => (1..6_u64, 0..3_u8).prop_map(|(generation, kind)| Step::Attach(generation, kind)),
        1 => Just(Step::Detach),
        3 => (1..6_u64, 0..4_u8).prop_map(|(generation, count)| Step::Request(generation, count)),
        1 => Just(Step::Take),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..20)
}

/// A session that has seen something, and the connection that it may have.
fn lived(steps: Vec<Step>) -> Session {
    let limits = Limits::default().max_inbox_messages(6);
    let mut session = server_with(limits);
    let mut current = None;
    for step in steps {
        match step {
            Step::Send => drop(session.send("down".into(), at(1))),
            Step::Attach(generation, kind) => {
                let mode =
                    [ConnectionMode::Duplex, ConnectionMode::Stream, HOLD][usize::from(kind)];
                let attached = request(&mut session, generation, vec![], Some(mode));
                if let Ok(Some(attached)) = attached {
                    transmit(&mut session, attached.id, 1);
                    current = Some(attached.id);
                }
            }
            Step::Detach => {
                if let Some(id) = current.take() {
                    session.handle_detach(id, at(1));
                }
            }
            Step::Request(generation, count) => {
                let texts = vec!["up"; usize::from(count)];
                let first = session.received().as_u64();
                let _ = request(&mut session, generation, messages(first, &texts), None);
            }
            Step::Take => drop(session.poll_event()),
            Step::Close => session.close(CloseCode::NORMAL.into(), at(1)),
        }
    }
    session
}

proptest! {
    /// All that a session is shows in its `Debug`: so equal texts mean that nothing at all has changed.
    #[test]
    fn what_is_refused_changes_nothing(
        steps in steps(),
        (code, packets) in broken(),
        below in 1..6_u64,
        up in 0..5_usize,
        hold in any::<bool>(),
    ) {
        let limits = Limits::default();
        let refused = check_request(&packets, false, &limits).unwrap_err();
        prop_assert_eq!(refused.code(), code, "{}", refused);

        let mut session = lived(steps);
        let before = format!("{session:?}");
        let mode = hold.then_some(HOLD);
        let texts = vec!["late"; up];
        let first = session.received().as_u64();
        if below < session.generation().as_u64() {
            let late = request(&mut session, below, messages(first, &texts), mode);
            prop_assert_eq!(late, Err(AttachError::Superseded));
            prop_assert_eq!(&format!("{session:?}"), &before);
        }

        // A gap or a bad ack closes the session, and takes nothing else.
        if session.is_ended() {
            return Ok(());
        }
        let generation = session.generation();
        let (received, sent) = (session.received(), session.sent());
        let mut waiting = 0;
        let mut session = {
            let mut other = session;
            while let Some(Event::Message(_)) = other.poll_event() {
                waiting += 1;
            }
            other
        };
        prop_assert!(waiting <= 6 + 4);
        let (bad, code) = if up % 2 == 0 {
            let ack = Packet::Ack(sent.after(1).into());
            ([messages(first, &["new"]), vec![ack]].concat(), CloseCode::BAD_ACK)
        } else {
            (messages(first + 1, &["new"]), CloseCode::GAP)
        };
        let acknowledged = session.acknowledged();
        let refused = session.handle_request(generation, acknowledged, bad, mode, at(2));
        let Err(AttachError::Protocol(error)) = refused else {
            panic!("{refused:?}");
        };
        prop_assert_eq!(error.code(), code);
        prop_assert_eq!(session.received(), received);
        let events = heard(&mut session);
        prop_assert!(matches!(&events[..], [Event::Closed(_)]), "{:?}", events);
    }
}

#[test]
fn both_sides_report_the_servers_close_where_two_cross() {
    let limits = Arc::new(Limits::default());
    let mut client = Session::new(Role::Client, limits, at(0));
    let mut session = server();
    let id = request(&mut session, 1, vec![], Some(ConnectionMode::Duplex))
        .unwrap()
        .unwrap()
        .id;
    let own = client
        .handle_attach(
            Generation::new(1),
            Offset::new(0),
            ConnectionMode::Duplex,
            at(0),
        )
        .unwrap()
        .id;
    let away = CloseReason::new(CloseCode::GOING_AWAY, "the server first");
    session.close(away.clone(), at(1));
    client.close(CloseReason::new(CloseCode::NORMAL, "the page"), at(1));
    let down = transmit(&mut session, id, 1);
    let up = transmit(&mut client, own, 1);
    for packet in down {
        client
            .handle_packet(Fence::Connection(own), packet, at(2))
            .unwrap();
    }
    for packet in up {
        session
            .handle_packet(Fence::Connection(id), packet, at(2))
            .unwrap();
    }
    for side in [&mut client, &mut session] {
        assert_eq!(heard(side), [Event::Closed(away.clone())]);
        assert!(side.is_finished(), "neither waits for an answer any more");
    }
}

#[test]
fn a_close_that_had_not_gone_out_when_the_other_came_is_told_as_an_answer() {
    let away = CloseReason::new(CloseCode::GOING_AWAY, "the server first");
    let own = CloseReason::new(CloseCode::NORMAL, "the page");

    let mut client = Session::new(Role::Client, Arc::new(Limits::default()), at(0));
    client.close(own.clone(), at(1));
    client
        .handle_packet(
            Fence::Generation(Generation::new(1)),
            Packet::Close(away.clone()),
            at(1),
        )
        .unwrap();
    assert_eq!(heard(&mut client), [Event::Closed(away.clone())]);
    assert!(!client.is_finished(), "the server waits for the answer");
    let id = client
        .handle_attach(Generation::new(1), Offset::new(0), HOLD, at(1))
        .unwrap()
        .id;
    let said = transmit(&mut client, id, 1);
    assert_eq!(
        said,
        [
            Packet::Ack(Offset::new(0).into()),
            Packet::Close(away.clone())
        ]
    );
    assert!(client.is_finished());

    // A poll was told, but its answer was lost.
    let mut session = server();
    session.close(away.clone(), at(1));
    let id = request(&mut session, 1, vec![], Some(HOLD))
        .unwrap()
        .unwrap()
        .id;
    transmit(&mut session, id, 1);
    session.handle_detach(id, at(1));
    request(&mut session, 1, vec![Packet::Close(own.clone())], None).unwrap();
    assert!(!session.is_finished(), "the client asks how it ended");
    assert_eq!(answer(&mut session).1, Some(away.clone()));

    // By a form, whose answer nobody reads: the next poll tells.
    let mut session = server();
    session.close(away.clone(), at(1));
    request(&mut session, 1, vec![Packet::Close(own)], None).unwrap();
    assert_eq!(heard(&mut session), [Event::Closed(away.clone())]);
    assert!(!session.is_finished(), "the client asks how it ended");
    assert_eq!(answer(&mut session).1, Some(away));
    assert!(session.is_finished());
}

#[test]
fn a_client_waits_for_the_answer_while_the_server_shows_life_but_not_beyond_the_resume_window() {
    let limits = Arc::new(Limits::default());
    let mut client = Session::new(Role::Client, limits, at(0));
    let id = client
        .handle_attach(
            Generation::new(1),
            Offset::new(0),
            ConnectionMode::Duplex,
            at(0),
        )
        .unwrap()
        .id;
    client.close(CloseCode::NORMAL.into(), at(0));
    assert_eq!(transmit(&mut client, id, 0), [close(1_000)]);
    let mut now = 0;
    let mut pings = 0;
    while !client.is_ended() {
        now = client.poll_timeout().unwrap().as_millis();
        client.handle_timeout(at(now));
        for packet in transmit(&mut client, id, now) {
            assert_eq!(packet, ping(""));
            pings += 1;
            client
                .handle_packet(Fence::Connection(id), Packet::Pong("".into()), at(now))
                .unwrap();
        }
    }
    assert_eq!(now, 120_000);
    assert!(pings > 20, "{pings}");

    // A server that shows none is waited for as long as a close takes.
    let mut client = Session::new(Role::Client, Arc::new(Limits::default()), at(0));
    client.close(CloseCode::NORMAL.into(), at(0));
    client.handle_timeout(at(9_999));
    assert!(!client.is_ended());
    client.handle_timeout(at(10_000));
    assert!(client.is_ended());
}

#[test]
fn a_client_repeats_its_close_where_the_exchange_with_it_was_lost() {
    let away = CloseReason::new(CloseCode::GOING_AWAY, "the server first");
    for is_lost in [false, true] {
        let mut client = Session::new(Role::Client, Arc::new(Limits::default()), at(0));
        client.close(CloseCode::NORMAL.into(), at(1));
        let generation = Generation::new(1);
        let id = client
            .handle_attach(generation, Offset::new(0), HOLD, at(1))
            .unwrap()
            .id;
        transmit(&mut client, id, 1);
        client.handle_detach(id, at(1));
        if is_lost {
            client.handle_close_lost();
        }
        let close = Packet::Close(away.clone());
        client
            .handle_packet(Fence::Generation(generation), close, at(1))
            .unwrap();
        assert_eq!(client.is_finished(), !is_lost);
    }
}

#[test]
fn a_client_closes_where_opened_leaves_messages_out() {
    let mut client = Session::new(Role::Client, Arc::new(Limits::default()), at(0));
    let id = client
        .handle_attach(
            Generation::new(1),
            Offset::new(0),
            ConnectionMode::Duplex,
            at(0),
        )
        .unwrap()
        .id;
    client.seek(Offset::new(1), at(0));
    let said = transmit(&mut client, id, 1);
    assert!(matches!(&said[..], [Packet::Close(reason)] if reason.code == CloseCode::GAP));
}

#[test]
fn a_client_whose_server_has_lost_what_it_acknowledged_closes() {
    let open = || {
        let mut client = Session::new(Role::Client, Arc::new(Limits::default()), at(0));
        client.send("a".into(), at(0)).unwrap();
        let id = client
            .handle_attach(
                Generation::new(1),
                Offset::new(0),
                ConnectionMode::Duplex,
                at(0),
            )
            .unwrap()
            .id;
        transmit(&mut client, id, 0);
        client
            .handle_packet(
                Fence::Connection(id),
                Packet::Ack(Offset::new(1).into()),
                at(0),
            )
            .unwrap();
        client
    };
    for (received, code) in [(0, CloseCode::STATE_LOST), (2, CloseCode::BAD_ACK)] {
        let mut client = open();
        let attached = client
            .handle_attach(
                Generation::new(2),
                Offset::new(received),
                ConnectionMode::Duplex,
                at(1),
            )
            .unwrap();
        assert_eq!(client.close_reason().unwrap().code, code);
        let said = transmit(&mut client, attached.id, 1);
        assert!(
            matches!(&said[..], [Packet::Close(reason)] if reason.code == code),
            "the server is told: {said:?}"
        );
    }
}

#[test]
fn an_application_closes_with_a_code_that_a_close_may_carry() {
    for (code, sent) in [
        (1_005, 1_000),
        (1_006, 1_000),
        (2_999, 1_000),
        (999, 1_000),
        (3_000, 3_000),
    ] {
        let mut session = server();
        let id = request(&mut session, 1, vec![], Some(ConnectionMode::Duplex))
            .unwrap()
            .unwrap()
            .id;
        session.close(CloseCode::from_u16(code).into(), at(1));
        assert_eq!(transmit(&mut session, id, 1), [close(sent)], "{code}");
    }
}
