//! What a hub refuses leaves no byte. Alone in its process, since it counts all that is allocated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{HOLD, Scene, Way, in_virtual_time, refused_by};

#[global_allocator]
static ALLOCATED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_hundred_thousand_refusals_leave_no_byte() {
    in_virtual_time(|| {
        // One that has a place left, one that has none, and one that drains.
        let scene = Scene::new(2);
        let full = Scene::new(1);
        let draining = Scene::new(2);
        draining.drain();
        let every = |number: u64| {
            [
                Way::OpenReceived(number),
                Way::OpenGap(number),
                Way::OpenAck(number),
                Way::OpenEnded,
                Way::OpenForeign,
                Way::OpenOlder(1),
                Way::WrongSecret,
                Way::UnknownSession,
                Way::AttachForeign,
                Way::AttachOlder(2),
                Way::SendOlder(3),
            ]
        };
        // What the threads' own buffers need, they get before.
        let refuse = |number| {
            for way in every(number) {
                refused_by(&scene, way, 2, HOLD);
            }
            for scene in [&full, &draining] {
                refused_by(scene, Way::OpenNew, 2, HOLD);
            }
        };
        refuse(1);
        let bytes = || {
            let stats = ALLOCATED.stats();
            stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
        };
        let state = scene.state();
        let before = bytes();
        for number in 1..10_000 {
            refuse(number);
        }
        let grown = bytes() - before;
        assert_eq!(scene.state(), state);
        println!("{grown} bytes after {} refusals", 9_999 * 13);
        assert!(grown.abs() < 1_024, "{grown}");
    });
}
