//! Facts about a grant that runs out, and its renewal (PROTOCOL §10.11).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn session(role: Role, can: Can) -> Session {
    let mut session = Session::new(role, Arc::new(Limits::default()), at(0));
    session.agree(can);
    session
}

fn attach(session: &mut Session, generation: u64, mode: ConnectionMode, now: u64) -> ConnectionId {
    let generation = Generation::new(generation);
    let attached = session.handle_attach(generation, Offset::new(0), mode, at(now));
    attached.unwrap().id
}

/// The credential packets that go out now; the rest does not matter here.
fn says(session: &mut Session, id: ConnectionId, now: u64) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        match session.poll_transmit(id, at(now)) {
            Transmit::Packet(Packet::Credential(content)) => said.push(content.as_str().to_owned()),
            Transmit::Packet(_) | Transmit::Message(_) => {}
            _ => return said,
        }
    }
}

/// Lets time pass to this moment, deadline by deadline, and says what is asked meanwhile on this connection, and when.
fn pass(session: &mut Session, id: ConnectionId, now: u64) -> Vec<(u64, String)> {
    let mut asked = Vec::new();
    loop {
        let due = session.poll_timeout().filter(|due| *due <= at(now));
        let moment = due.unwrap_or(at(now));
        session.handle_timeout(moment);
        session.handle_alive(id, moment);
        let said = says(session, id, moment.as_millis());
        asked.extend(said.into_iter().map(|text| (moment.as_millis(), text)));
        if due.is_none() || session.is_ended() {
            return asked;
        }
    }
}

fn credential(text: &str) -> Packet {
    Packet::Credential(Credential::new(text))
}

/// The code that it ended with.
fn end(session: &Session) -> Option<u16> {
    let reason = session.close_reason().filter(|_| session.is_ended());
    reason.map(|reason| reason.code.as_u16())
}

const HELD: ConnectionMode = ConnectionMode::Exchange {
    hold: Duration::from_secs(25),
};

#[test]
fn the_client_is_asked_before_the_grant_runs_out_and_the_session_ends_with_it() {
    for mode in [ConnectionMode::Duplex, ConnectionMode::Stream] {
        let mut session = session(Role::Server, Can::CREDENTIAL);
        session.grant(Some(at(40_000)), at(0));
        let id = attach(&mut session, 1, mode, 0);
        let asked = pass(&mut session, id, 60_000);
        // Half of the time, which is less than 30 s.
        assert_eq!(asked, [(20_000, "ask 20000".to_owned())], "{mode:?}");
        assert_eq!(end(&session), Some(4935), "{mode:?}");
    }
}

#[test]
fn a_held_exchange_is_answered_to_ask_and_every_answer_asks() {
    let mut session = session(Role::Server, Can::CREDENTIAL);
    session.grant(Some(at(100_000)), at(0));
    let id = attach(&mut session, 1, HELD, 60_000);
    assert_eq!(session.poll_timeout(), Some(at(70_000)));
    assert!(says(&mut session, id, 69_999).is_empty());
    assert_eq!(says(&mut session, id, 70_000), ["ask 30000"]);
    assert_eq!(session.poll_transmit(id, at(70_000)), Transmit::Finished);
    // The next one is not answered for it at once, but when it is, it asks too.
    let id = attach(&mut session, 1, HELD, 71_000);
    assert!(says(&mut session, id, 71_000).is_empty());
    assert_eq!(session.poll_timeout(), Some(at(75_000)));
    assert_eq!(says(&mut session, id, 75_000), ["ask 25000"]);
    let soon = ConnectionMode::Exchange {
        hold: Duration::ZERO,
    };
    let id = attach(&mut session, 1, soon, 75_100);
    assert_eq!(says(&mut session, id, 75_100), ["ask 24900"]);
    let asked = session.poll_answer(at(76_000)).credential.unwrap();
    assert_eq!(asked.as_str(), "ask 24000");
}

#[test]
fn what_comes_is_judged_once_and_confirmed() {
    let mut session = session(Role::Server, Can::CREDENTIAL);
    session.grant(Some(at(100_000)), at(0));
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0);
    let fence = Fence::Connection(id);
    let come = |session: &mut Session, text: &str, now: u64| {
        session
            .handle_packet(fence, credential(text), at(now))
            .unwrap();
    };
    come(&mut session, "one", 75_000);
    assert_eq!(session.poll_credential(), Some(Credential::new("one")));
    // Meanwhile the client is neither asked nor heard.
    come(&mut session, "one", 75_100);
    assert_eq!(session.poll_credential(), None);
    assert!(says(&mut session, id, 75_200).is_empty());

    session.ask_again(Duration::from_secs(2), at(76_000));
    assert_eq!(
        pass(&mut session, id, 79_000),
        [(78_000, "ask 22000".to_owned())]
    );
    come(&mut session, "two", 79_000);
    assert_eq!(session.poll_credential(), Some(Credential::new("two")));
    session.grant(Some(at(200_000)), at(79_000));
    session.confirm_credential();
    assert_eq!(says(&mut session, id, 79_000), ["ok"]);
    assert_eq!(pass(&mut session, id, 169_000), []);
    assert_eq!(
        pass(&mut session, id, 171_000),
        [(170_000, "ask 30000".to_owned())]
    );
    session.grant(None, at(171_000));
    assert_eq!(pass(&mut session, id, 1_000_000), []);
    assert_eq!(end(&session), None);
}

#[test]
fn a_client_that_cannot_is_not_asked_and_a_detached_one_ends_in_time() {
    let mut lone = session(Role::Server, Can::NONE);
    lone.grant(Some(at(60_000)), at(0));
    let id = attach(&mut lone, 1, ConnectionMode::Duplex, 0);
    assert_eq!(pass(&mut lone, id, 59_999), []);
    assert_eq!(end(&lone), None);
    pass(&mut lone, id, 60_000);
    assert_eq!(end(&lone), Some(4935));

    let mut gone = session(Role::Server, Can::CREDENTIAL);
    gone.grant(Some(at(60_000)), at(0));
    let id = attach(&mut gone, 1, ConnectionMode::Duplex, 0);
    gone.handle_detach(id, at(10_000));
    pass(&mut gone, id, 60_000);
    assert_eq!(end(&gone), Some(4935));
    // A client that comes back is told.
    let id = attach(&mut gone, 2, ConnectionMode::Duplex, 61_000);
    let told = gone.poll_transmit(id, at(61_000));
    let Transmit::Packet(Packet::Close(reason)) = told else {
        panic!("{told:?}");
    };
    assert_eq!(reason.code, CloseCode::CREDENTIAL_EXPIRED);
}

#[test]
fn a_credential_without_a_content_is_no_packet_of_a_connection() {
    let mut session = session(Role::Server, Can::CREDENTIAL);
    let id = attach(&mut session, 1, ConnectionMode::Duplex, 0);
    let taken = session.handle_packet(Fence::Connection(id), credential(""), at(0));
    assert!(
        matches!(taken, Err(AttachError::Protocol(error)) if error.code() == CloseCode::PROTOCOL_ERROR)
    );
}

#[test]
fn a_client_says_its_credential_on_each_connection_until_it_is_confirmed() {
    let mut client = session(Role::Client, Can::CREDENTIAL);
    let id = attach(&mut client, 1, ConnectionMode::Duplex, 0);
    let come = |client: &mut Session, id, text: &str| {
        client.handle_packet(Fence::Connection(id), credential(text), at(10))
    };
    come(&mut client, id, "ask 30000").unwrap();
    assert_eq!(client.poll_ask(), Some(Duration::from_secs(30)));
    assert_eq!(client.poll_ask(), None);
    client.renew(Credential::new("token"));
    assert_eq!(says(&mut client, id, 20), ["token"]);
    assert!(says(&mut client, id, 30).is_empty());
    let id = attach(&mut client, 2, ConnectionMode::Duplex, 40);
    assert_eq!(says(&mut client, id, 40), ["token"]);
    come(&mut client, id, "ok").unwrap();
    let id = attach(&mut client, 3, ConnectionMode::Duplex, 50);
    assert!(says(&mut client, id, 50).is_empty());
    assert!(come(&mut client, id, "what").is_err());
    assert_eq!(end(&client), Some(4960));
}

#[test]
fn a_grant_that_runs_out_leaves_the_reason_that_the_app_has_given() {
    let mut session = session(Role::Server, Can::NONE);
    session.grant(Some(at(10_000)), at(0));
    session.send("unread".into(), at(0)).unwrap();
    let banned = CloseCode::application(3_001).unwrap();
    session.close(banned.into(), at(9_000));
    assert!(!session.is_ended());
    session.handle_timeout(at(10_000));
    assert_eq!(end(&session), Some(3_001));
}
