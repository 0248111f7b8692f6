//! Facts about what a client had sent when its session ended (NEGOTIATION §12.6).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A session that can part, has sent three messages over exchanges, and has heard that the first has arrived.
fn session(role: Role) -> Session {
    let mut session = Session::new(role, Arc::new(Limits::default()), at(0));
    session.agree(Can::PART);
    for text in ["one", "two", "three"] {
        session.send(text.into(), at(0)).unwrap();
    }
    let mode = ConnectionMode::Exchange {
        hold: Duration::ZERO,
    };
    let attached = session.handle_attach(Generation::new(1), Offset::new(0), mode, at(0));
    let id = attached.unwrap().id;
    let mut has_more = true;
    while has_more {
        has_more = matches!(
            session.poll_transmit(id, at(0)),
            Transmit::Packet(_) | Transmit::Message(_)
        );
    }
    take(&mut session, Packet::Ack(Offset::new(1).into()));
    session
}

fn take(session: &mut Session, packet: Packet) {
    let fence = Fence::Generation(Generation::new(1));
    session.handle_packet(fence, packet, at(1)).unwrap();
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::as_text).collect()
}

#[test]
fn whatever_ends_it_the_client_keeps_what_was_not_acknowledged() {
    let reason = || CloseReason::new(CloseCode::RESTART, "");
    let ends: [fn(&mut Session, CloseReason); 3] = [
        |session, reason| take(session, Packet::Close(reason)),
        |session, reason| session.abort(reason, at(1)),
        |session, _| session.handle_timeout(at(1_000_000)),
    ];
    for end in ends {
        let mut session = session(Role::Client);
        assert!(session.take_unacknowledged().is_empty());
        end(&mut session, reason());
        assert!(session.is_ended());
        assert_eq!(session.buffered_messages(), 0);
        assert_eq!(texts(&session.take_unacknowledged()), ["two", "three"]);
        assert!(session.take_unacknowledged().is_empty());
    }
}

#[test]
fn a_message_that_arrived_in_part_is_whole_in_it() {
    let mut session = session(Role::Client);
    take(&mut session, Packet::Ack(Position::new(Offset::new(2), 2)));
    session.abort(CloseCode::UNKNOWN_SESSION.into(), at(1));
    assert_eq!(texts(&session.take_unacknowledged()), ["three"]);
}

#[test]
fn a_server_keeps_nothing() {
    let mut session = session(Role::Server);
    session.abort(CloseCode::RESTART.into(), at(1));
    assert!(session.take_unacknowledged().is_empty());
}
