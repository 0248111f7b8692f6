//! Facts about a session whose page leaves (PROTOCOL §8.8).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn server(can: Can) -> Session {
    let mut session = Session::new(Role::Server, Arc::new(Limits::default()), at(0));
    session.agree(can);
    session
}

fn attach(
    session: &mut Session,
    generation: u64,
    mode: ConnectionMode,
    now: u64,
) -> Result<ConnectionId, AttachError> {
    let attached =
        session.handle_attach(Generation::new(generation), Offset::new(0), mode, at(now));
    attached.map(|attachment| attachment.id)
}

/// An exchange that only sends, and leaves.
fn leave(
    session: &mut Session,
    generation: u64,
    mut packets: Vec<Packet>,
    keep: Option<u64>,
    now: u64,
) -> Result<(), AttachError> {
    packets.push(Packet::Leave(keep.map(Duration::from_millis)));
    let (generation, received) = (Generation::new(generation), Offset::new(0));
    let taken = session.handle_request(generation, received, packets, None, at(now));
    taken.map(drop)
}

/// Lets time pass to this moment, deadline by deadline, and says what the app is told until then.
fn pass(session: &mut Session, now: u64) -> Vec<(u64, Event)> {
    let mut told = Vec::new();
    loop {
        let due = session.poll_timeout().filter(|due| *due <= at(now));
        let moment = due.unwrap_or(at(now));
        session.handle_timeout(moment);
        while let Some(event) = session.poll_event() {
            told.push((moment.as_millis(), event));
        }
        if due.is_none() || session.is_ended() {
            return told;
        }
    }
}

fn the_page_left() -> Event {
    Event::Closed(CloseReason::new(CloseCode::GOING_AWAY, "the page left"))
}

const HELD: ConnectionMode = ConnectionMode::Exchange {
    hold: Duration::from_secs(25),
};
const MODES: [ConnectionMode; 3] = [ConnectionMode::Duplex, HELD, ConnectionMode::Stream];

#[test]
fn a_page_that_left_is_told_of_after_the_leave_window() {
    for mode in MODES {
        let mut session = server(Can::LEAVE);
        let id = attach(&mut session, 1, mode, 0).unwrap();
        let goodbye = [
            Packet::Offset(Offset::new(0).into()),
            Packet::Message("bye".into()),
        ];
        leave(&mut session, 1, goodbye.to_vec(), None, 1_000).unwrap();
        assert!(!session.is_current(id), "{mode:?}");
        let told = pass(&mut session, 200_000);
        let expected = [
            (1_000, Event::Message("bye".into())),
            (11_000, the_page_left()),
        ];
        // The message waits for the first moment at which anybody looks.
        let events: Vec<_> = told.iter().map(|(_, event)| event).collect();
        assert_eq!(
            events,
            expected.iter().map(|(_, event)| event).collect::<Vec<_>>()
        );
        assert_eq!(told[1].0, 11_000, "{mode:?}");
        assert!(session.is_finished());
    }
}

#[test]
fn a_packet_and_a_close_of_1001_leave_a_websocket() {
    for by_packet in [true, false] {
        let mut session = server(Can::LEAVE);
        let id = attach(&mut session, 3, ConnectionMode::Duplex, 0).unwrap();
        if by_packet {
            let keep = Some(Duration::from_secs(60));
            let fence = Fence::Connection(id);
            session
                .handle_packet(fence, Packet::Leave(keep), at(500))
                .unwrap();
        }
        // The close that follows a packet says nothing new.
        session.handle_going_away(id, at(500));
        let ends_at = if by_packet { 60_500 } else { 10_500 };
        assert_eq!(pass(&mut session, ends_at - 1), []);
        assert_eq!(pass(&mut session, ends_at), [(ends_at, the_page_left())]);
    }
}

#[test]
fn only_a_higher_generation_undoes_a_leave() {
    for mode in MODES {
        let mut session = server(Can::LEAVE);
        attach(&mut session, 2, mode, 0).unwrap();
        leave(&mut session, 2, Vec::new(), None, 1_000).unwrap();
        for generation in [1, 2] {
            let late = attach(&mut session, generation, mode, 2_000);
            assert_eq!(late, Err(AttachError::Superseded), "{mode:?} {generation}");
        }
        attach(&mut session, 3, mode, 9_000).unwrap();
        assert_eq!(pass(&mut session, 20_000), [], "{mode:?}");
        // One that comes after the attach that it set out before changes nothing.
        let late = leave(&mut session, 2, Vec::new(), None, 21_000);
        assert_eq!(late, Err(AttachError::Superseded));
    }
}

#[test]
fn a_leave_that_overtakes_the_attach_of_its_generation_counts() {
    let mut session = server(Can::LEAVE);
    attach(&mut session, 1, HELD, 0).unwrap();
    leave(&mut session, 2, Vec::new(), None, 1_000).unwrap();
    assert_eq!(
        attach(&mut session, 2, HELD, 1_100),
        Err(AttachError::Superseded)
    );
    assert_eq!(pass(&mut session, 11_000), [(11_000, the_page_left())]);
}

#[test]
fn a_page_may_ask_to_be_kept_but_not_beyond_the_resume_window() {
    for (keep, ends_at) in [
        (0, 1_000),
        (60_000, 61_000),
        (120_000, 121_000),
        (9_000_000, 121_000),
    ] {
        let mut session = server(Can::LEAVE);
        attach(&mut session, 1, HELD, 0).unwrap();
        leave(&mut session, 1, Vec::new(), Some(keep), 1_000).unwrap();
        let mut told = pass(&mut session, 1_000);
        told.extend(pass(&mut session, 300_000));
        assert_eq!(told, [(ends_at, the_page_left())]);
    }
}

#[test]
fn without_an_agreement_a_packet_breaks_the_rules_and_a_close_only_detaches() {
    let mut session = server(Can::NONE);
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).unwrap();
    session.handle_going_away(id, at(10));
    session.handle_detach(id, at(10));
    let told = pass(&mut session, 120_010);
    assert!(
        matches!(&told[..], [(120_010, Event::Closed(reason))] if reason.code == CloseCode::EXPIRED)
    );

    let mut session = server(Can::NONE);
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0).unwrap();
    let broken = session.handle_packet(Fence::Connection(id), Packet::Leave(None), at(10));
    assert!(
        matches!(broken, Err(AttachError::Protocol(error)) if error.code() == CloseCode::PROTOCOL_ERROR)
    );
    assert!(session.is_ended());
}

#[test]
fn a_session_that_closes_keeps_its_reason() {
    let mut session = server(Can::LEAVE);
    attach(&mut session, 1, HELD, 0).unwrap();
    session.send("not read any more".into(), at(100)).unwrap();
    session.close(CloseReason::new(CloseCode::NORMAL, "enough"), at(200));
    leave(&mut session, 1, Vec::new(), None, 1_000).unwrap();
    let told = pass(&mut session, 300_000);
    let reasons: Vec<_> = told.iter().map(|(_, event)| event).collect();
    assert_eq!(
        reasons,
        [&Event::Closed(CloseReason::new(
            CloseCode::NORMAL,
            "enough"
        ))]
    );
}
