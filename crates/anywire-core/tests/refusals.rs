//! What a hub refuses leaves nothing: no session, key, call or count. (That it leaves no byte has a test of its own.)

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use anywire_protocol::*;
use proptest::prelude::*;

use support::{HOLD, NEW, Scene, Way, in_virtual_time, messages, open, refused_by};

fn ways() -> impl Strategy<Value = Vec<(Way, usize)>> {
    let number = 1..100_u64;
    let older = 1..5_u64;
    let way = prop_oneof![
        number.clone().prop_map(Way::OpenReceived),
        number.clone().prop_map(Way::OpenGap),
        number.prop_map(Way::OpenAck),
        Just(Way::OpenEnded),
        Just(Way::OpenForeign),
        older.clone().prop_map(Way::OpenOlder),
        Just(Way::WrongSecret),
        Just(Way::UnknownSession),
        Just(Way::AttachForeign),
        older.clone().prop_map(Way::AttachOlder),
        older.prop_map(Way::SendOlder),
    ];
    prop::collection::vec((way, 0..4_usize), 1..12)
}

#[test]
fn what_is_refused_for_want_of_room_or_of_time_changes_nothing() {
    in_virtual_time(|| {
        // The one place is taken.
        let scene = Scene::new(1);
        let before = scene.state();
        let refused = refused_by(&scene, Way::OpenNew, 2, HOLD);
        assert_eq!(refused.reason().code, CloseCode::OVERLOADED);
        assert_eq!(scene.state(), before);

        let scene = Scene::new(2);
        scene.drain();
        let before = scene.state();
        let refused = refused_by(&scene, Way::OpenNew, 2, HOLD);
        assert_eq!(refused.reason().code, CloseCode::DRAINING);
        assert_eq!(scene.state(), before);
    });
}

proptest! {
    #[test]
    fn whatever_is_refused_changes_nothing(
        ways in ways(),
        mode in prop::sample::select(&[HOLD, ConnectionMode::Stream, ConnectionMode::Duplex][..]),
    ) {
        in_virtual_time(|| {
            let scene = Scene::new(10);
            let before = scene.state();
            let refusals = scene.hub.metrics().refused;
            for (way, count) in &ways {
                refused_by(&scene, *way, *count, mode);
                assert_eq!(scene.state(), before, "{way:?}");
            }
            assert_eq!(scene.hub.metrics().refused, refusals + ways.len() as u64);
            // Nothing is taken: the key, the place, the session's counts.
            let visit = scene.hub.open(&open(NEW, 1, 0), &[], &scene.owner).unwrap();
            visit.attach(Offset::default(), messages(0, 1), Transport::Poll, HOLD).unwrap();
            let visit = scene.hub.find(&scene.attach(scene.opened.secret, 5, 0), &[], &scene.owner);
            visit.unwrap().receive(Offset::default(), messages(0, 1), Transport::Poll).unwrap();
            assert_eq!(scene.hub.metrics().messages_up, before.0.messages_up + 2);
        });
    }
}
