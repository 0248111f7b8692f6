//! What a hub counts is what it takes, and what is closed is freed at once. Alone in its process, since it counts all that is
//! allocated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/opens.rs"]
mod opens;

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr};

use anywire_core::{App, Budgets, Caller, Connection, Flow, Handler, Hub, Sender, Share};
use anywire_protocol::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocated() -> i64 {
    let stats = ALLOCATED.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

/// Sends back what it gets, which nobody acknowledges here.
struct Echo;

impl Handler for Echo {
    type State = ();

    fn on_open(&self, _: &Sender) {}

    fn on_message(&self, _: &mut (), sender: &Sender, message: Message) {
        let _ = sender.try_send(message);
    }
}

/// A session on an address of its own, with so many messages of so many bytes that wait.
fn open(hub: &Hub, number: u64, messages: usize, bytes: usize) -> Connection {
    let address = Ipv4Addr::from(0x0a00_0000 + (number % 50_000) as u32);
    let caller = Caller {
        address: Some(IpAddr::from(address)),
        ..Caller::default()
    };
    let visit = hub
        .open(&opens::open(number, Can::NONE), &[], &caller)
        .unwrap();
    let (transport, mode) = (Transport::WebSocket, ConnectionMode::Duplex);
    let (connection, _) = visit
        .attach(Offset::default(), Vec::new(), transport, mode)
        .unwrap();
    let message = |_| Packet::Message("x".repeat(bytes).into());
    connection
        .receive((0..messages).map(message), messages)
        .unwrap();
    connection
}

fn close(connection: &Connection) {
    let close = Packet::Close(CloseCode::NORMAL.into());
    connection.receive([close].into_iter(), 1).unwrap();
    let cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(connection.poll_transmit(&cx, |_| Flow::Continue).is_ready());
}

#[test]
fn the_count_agrees_with_the_allocator_over_a_million_sessions() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // Without a window for late repeats, an end leaves nothing that is to be remembered.
        let limits = Limits::default().open_window(std::time::Duration::ZERO);
        let budgets = Budgets::unlimited().of_address(Share::unlimited());
        let hub = Hub::new(limits, budgets, Vec::new(), App::callbacks(Echo));
        drop(open(&hub, 0, 1, 10));
        let (began, mut number) = (allocated(), 1);
        let counted_at_first = hub.metrics().held_bytes as i64;
        let mut worst: f64 = 0.0;
        for round in 0..20 {
            let (messages, bytes) = [(0, 0), (3, 200), (20, 60), (1, 4_000)][round % 4];
            let held: Vec<_> = (0..50_000)
                .map(|_| {
                    number += 1;
                    open(&hub, number, messages, bytes)
                })
                .collect();
            let of_test = (size_of::<Connection>() * held.capacity()) as i64;
            let grown = allocated() - began - of_test;
            let counted = hub.metrics().held_bytes as i64 - counted_at_first;
            let error = (counted - grown) as f64 / grown as f64;
            println!("50,000 with {messages} of {bytes} B: {counted} counted, {grown} allocated, {:+.1} %", error * 100.0);
            worst = if error.abs() > worst.abs() { error } else { worst };
            held.iter().for_each(close);
            drop(held);
            let left = allocated() - began;
            let counted = hub.metrics().held_bytes as i64 - counted_at_first;
            assert_eq!(hub.metrics().sessions, 1);
            println!("all closed: {counted} counted, {left} allocated");
            assert!(left.abs() < 1_000_000, "{left} bytes stay");
        }
        assert_eq!(number, 1_000_001);
        assert!(worst.abs() < 0.05, "{worst}");
    });
}
