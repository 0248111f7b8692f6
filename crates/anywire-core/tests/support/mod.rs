//! A hub in which something lives, and every way to be refused by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anywire_core::{
    App, Budgets, Caller, Connection, Grant, Handler, Hub, Metrics, Refusal, Sender, Verdict,
};
use anywire_protocol::*;

/// Counts the application's calls.
#[derive(Clone, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Handler for Calls {
    type State = ();

    fn on_open(&self, _: &Sender) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn on_message(&self, _: &mut (), _: &Sender, _: Message) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn on_close(&self, _: (), _: &Sender, _: &CloseReason) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A hub with one session that lives, carried by a WebSocket of generation 5, and one that has ended.
pub struct Scene {
    pub hub: Hub,
    calls: Calls,
    pub owner: Caller,
    carried: Connection,
    pub opened: Opened,
}

pub const LIVING: OpeningKey = OpeningKey::from_bytes([1; 16]);
pub const ENDED: OpeningKey = OpeningKey::from_bytes([2; 16]);
pub const NEW: OpeningKey = OpeningKey::from_bytes([3; 16]);

pub fn open(key: OpeningKey, generation: u64, received: u64) -> Open {
    Open {
        key,
        generation: Generation::new(generation),
        received: Offset::new(received),
        hold: None,
        protocols: Vec::new(),
        can: Can::NONE,
        credential: None,
    }
}

/// A caller of this name.
pub fn caller(name: &str) -> Caller {
    Caller {
        verdict: Verdict::Granted(Grant::to(name)),
        ..Caller::default()
    }
}

pub fn messages(offset: u64, count: usize) -> Vec<Packet> {
    let message = Packet::Message("late".into());
    let offset = Packet::Offset(Offset::new(offset).into());
    std::iter::once(offset)
        .chain(vec![message; count])
        .collect()
}

pub const HOLD: ConnectionMode = ConnectionMode::Exchange {
    hold: Duration::from_secs(20),
};

impl Scene {
    pub fn new(max_sessions: usize) -> Self {
        let calls = Calls::default();
        let limits = Limits::default().max_sessions(max_sessions);
        let hub = Hub::new(
            limits,
            Budgets::default(),
            Vec::new(),
            App::callbacks(calls.clone()),
        );
        let owner = caller("ada");
        let attach = |key| {
            let visit = hub.open(&open(key, 5, 0), &[], &owner).unwrap();
            let (transport, mode) = (Transport::WebSocket, ConnectionMode::Duplex);
            let (connection, at) = visit
                .attach(Offset::default(), Vec::new(), transport, mode)
                .unwrap();
            (connection, visit.opened(Some(at)))
        };
        let (ending, _) = attach(ENDED);
        let close = Packet::Close(CloseCode::NORMAL.into());
        ending.receive([close].into_iter(), 1).unwrap();
        let cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(
            ending
                .poll_transmit(&cx, |_| anywire_core::Flow::Continue)
                .is_ready()
        );
        drop(ending);
        let (carried, opened) = attach(LIVING);
        Self {
            hub,
            calls,
            owner,
            carried,
            opened,
        }
    }

    /// Begins to drain: whatever lives is asked to close.
    pub fn drain(&self) {
        let mut drain = std::pin::pin!(self.hub.drain(Duration::from_secs(60)));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(drain.as_mut().poll(&mut cx).is_pending());
    }

    /// All that may not change, but for the count of refusals.
    pub fn state(&self) -> (Metrics, usize, bool) {
        let mut metrics = self.hub.metrics();
        metrics.refused = 0;
        let calls = self.calls.0.load(Ordering::Relaxed);
        (metrics, calls, self.carried.is_over())
    }

    pub fn attach(&self, secret: Secret, generation: u64, received: u64) -> Attach {
        Attach {
            session: self.opened.session,
            secret,
            generation: Generation::new(generation),
            received: Offset::new(received),
            hold: None,
        }
    }
}

/// A way to be refused.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// An open with a new key, at a hub that is full or drains.
    OpenNew,
    /// An open with a new key says that it has received something.
    OpenReceived(u64),
    /// An open with a new key brings a gap.
    OpenGap(u64),
    /// An open with a new key acknowledges something.
    OpenAck(u64),
    /// An open with the key of a session that has ended.
    OpenEnded,
    /// An open by somebody else, with the key of a session that lives.
    OpenForeign,
    /// An open of an older generation, with the key of a session that lives.
    OpenOlder(u64),
    /// An attach with a wrong secret.
    WrongSecret,
    /// An attach to a session that was never there.
    UnknownSession,
    /// An attach by somebody else.
    AttachForeign,
    /// An attach of an older generation.
    AttachOlder(u64),
    /// A send of an older generation.
    SendOlder(u64),
}

pub fn refused_by(scene: &Scene, way: Way, count: usize, mode: ConnectionMode) -> Refusal {
    let (hub, owner) = (&scene.hub, &scene.owner);
    let stranger = caller("mallory");
    let secret = scene.opened.secret;
    let brings = messages(0, count);
    let refused = match way {
        Way::OpenNew => {
            let admitted = hub.admit(&open(NEW, 1, 0)).err();
            let opened = hub.open(&open(NEW, 1, 0), &brings, owner).err();
            assert_eq!(admitted, opened);
            opened
        }
        Way::OpenReceived(received) => hub.open(&open(NEW, 1, received), &brings, owner).err(),
        Way::OpenGap(offset) => {
            let gap = messages(offset, count + 1);
            hub.open(&open(NEW, 1, 0), &gap, owner).err()
        }
        Way::OpenAck(received) => {
            let ack = [brings, vec![Packet::Ack(Offset::new(received).into())]].concat();
            hub.open(&open(NEW, 1, 0), &ack, owner).err()
        }
        Way::OpenEnded => hub.open(&open(ENDED, 9, 0), &brings, owner).err(),
        Way::OpenForeign => hub.open(&open(LIVING, 9, 0), &brings, &stranger).err(),
        Way::OpenOlder(generation) => {
            let visit = hub
                .open(&open(LIVING, generation, 0), &brings, owner)
                .unwrap();
            visit
                .attach(Offset::default(), brings, Transport::Poll, mode)
                .err()
        }
        Way::WrongSecret => {
            let wrong = Secret::from_bytes([9; 16]);
            hub.find(&scene.attach(wrong, 9, 0), &[], owner).err()
        }
        Way::UnknownSession => {
            let attach = Attach {
                session: SessionId::from_bytes([9; 16]),
                ..scene.attach(secret, 9, 0)
            };
            hub.find(&attach, &[], owner).err()
        }
        Way::AttachForeign => hub.find(&scene.attach(secret, 9, 0), &[], &stranger).err(),
        Way::AttachOlder(generation) => {
            let visit = hub
                .find(&scene.attach(secret, generation, 0), &[], owner)
                .unwrap();
            visit
                .attach(Offset::default(), brings, Transport::Poll, mode)
                .err()
        }
        Way::SendOlder(generation) => {
            let visit = hub
                .find(&scene.attach(secret, generation, 0), &[], owner)
                .unwrap();
            visit
                .receive(Offset::default(), brings, Transport::Poll)
                .err()
        }
    };
    refused.unwrap_or_else(|| panic!("{way:?} is taken"))
}

pub fn in_virtual_time(test: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { test() });
}
