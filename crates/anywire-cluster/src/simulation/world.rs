//! One run: nodes, their store and clients take turns of a step, and what befalls them comes between two steps.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::mpsc::unbounded_channel;

use super::client::Client;
use super::clock::{self, Turns};
use super::judge::{judge, look};
use super::ledger::{Ledger, Process};
use super::machines::{Machine, NODES};
use super::network::Net;
use super::plan::Plan;
use super::process::{Running, World, start};
use super::sky::Sky;
use super::weather::{Fault, Weather};
use crate::memory::MemoryStore;

/// How a run ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What is wrong; nothing is as it should be.
    pub(super) trouble: Vec<String>,
    /// What happened.
    pub(super) trace: Vec<String>,
    /// How long it took, in virtual time.
    pub(super) took: Duration,
}

/// Runs a seed.
pub(super) fn run(seed: u64) -> Outcome {
    // Nodes draw pauses too.
    fastrand::seed(seed);
    clock::stand_at(Duration::ZERO);
    let weather = Weather::of(seed);
    let mut random = Rng::with_seed(seed ^ 0x5eed);
    let checks = weather.calms + RECOVERS_WITHIN;
    let ends = checks + ENDS_WITHIN;
    let net = Arc::new(Net::new(Sky::new(weather, seed)));
    let sky = net.sky.clone();
    let store = MemoryStore::new();
    let (served, mut to_serve) = unbounded_channel();
    let (feeding, mut to_feed) = unbounded_channel();
    let world = World {
        net: net.clone(),
        store,
        ledger: Ledger::default(),
        served,
        feeding,
        quiet: sky.weather().calms,
    };
    let rest = Turns::begin();
    rest.spawn(async move {
        loop {
            tokio::select! {
                Some(served) = to_serve.recv() => drop(tokio::spawn(served.serve())),
                Some(feeding) = to_feed.recv() => drop(tokio::spawn(feeding.run())),
            }
        }
    });
    for _ in 0..CLIENTS {
        let plan = Plan::of(&mut random, sky.weather(), world.quiet, checks);
        let client = Client::new(&net, &world.ledger, plan, random.fork());
        rest.spawn(client.run());
    }
    let mut cluster = Cluster::start(world.clone(), random);
    let mut has_looked = false;
    while clock::now() < ends {
        let now = clock::now();
        cluster.befall(now);
        if now >= checks && !has_looked {
            has_looked = true;
            look(&mut world.ledger.lock(), &cluster.lives());
        }
        let next = now + sky.weather().least(now);
        cluster.run_until(next, &rest);
        clock::stand_at(next);
    }
    let lives = cluster.lives();
    drop((cluster, rest));
    let mut seen = world.ledger.lock();
    judge(&mut seen, sky.weather(), &lives);
    let mut trace = vec![format!("{:#?}", sky.weather())];
    trace.append(&mut seen.trace);
    Outcome {
        trouble: std::mem::take(&mut seen.wrong),
        trace,
        took: ends,
    }
}

/// The nodes, and what is still to befall them.
struct Cluster {
    world: World,
    random: Rng,
    machines: Vec<Place>,
    events: Vec<(Duration, Event)>,
    processes: usize,
}

/// A node's machine.
struct Place {
    running: Option<(Process, Running)>,
    stands_still: bool,
    port: u16,
}

enum Event {
    Pause(Machine),
    Resume(Machine),
    Crash(Machine),
    Begin(Machine, u16),
    SetAway(bool),
    Forget,
}

impl Cluster {
    fn start(world: World, random: Rng) -> Self {
        let mut events = Vec::new();
        for fault in &world.net.sky.weather().faults {
            match *fault {
                Fault::Pause { node, from, until } => {
                    events.push((from, Event::Pause(node)));
                    events.push((until, Event::Resume(node)));
                }
                Fault::Crash { node, at, next } => {
                    events.push((at, Event::Crash(node)));
                    if let Some(next) = next {
                        let port = PORT + u16::from(!next.has_same_address);
                        events.push((next.at, Event::Begin(node, port)));
                    }
                }
                Fault::Down { from, until } => {
                    events.push((from, Event::SetAway(true)));
                    events.push((until, Event::SetAway(false)));
                }
                Fault::Loss { at } => events.push((at, Event::Forget)),
                // The network has these.
                Fault::Cut { .. } | Fault::Away { .. } => {}
            }
        }
        // The last first.
        events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut cluster = Self {
            world,
            random,
            machines: Vec::new(),
            events,
            processes: 0,
        };
        for machine in 0..NODES {
            cluster.machines.push(Place {
                running: None,
                stands_still: false,
                port: PORT,
            });
            cluster.begin(machine);
        }
        cluster
    }

    fn begin(&mut self, machine: Machine) {
        let number = self.processes;
        self.processes += 1;
        let process = Process { machine, number };
        let place = &mut self.machines[machine];
        place.running = Some((process, start(&self.world, process, place.port)));
    }

    /// Does what is due.
    fn befall(&mut self, now: Duration) {
        while let Some((_, event)) = self.events.pop_if(|(at, _)| *at <= now) {
            match event {
                Event::Pause(machine) => {
                    self.note(format!("node {machine} stands still"));
                    self.machines[machine].stands_still = true;
                }
                Event::Resume(machine) => {
                    self.note(format!("node {machine} goes on"));
                    let place = &mut self.machines[machine];
                    place.stands_still = false;
                    if let Some((_, running)) = &place.running {
                        running.turns.jump_to(now);
                    }
                }
                Event::Crash(machine) => {
                    self.note(format!("node {machine} crashes"));
                    if let Some((_, running)) = self.machines[machine].running.take() {
                        self.world.net.sky.end(running.node, machine);
                    }
                }
                Event::Begin(machine, port) => {
                    self.note(format!("node {machine} begins anew"));
                    self.machines[machine].port = port;
                    self.begin(machine);
                }
                Event::SetAway(is_away) => {
                    self.note(format!("the store is away: {is_away}"));
                    self.world.store.set_away(is_away);
                }
                Event::Forget => {
                    self.note("the store forgets all".to_owned());
                    self.world.store.forget();
                }
            }
        }
    }

    fn note(&self, text: String) {
        self.world.ledger.note(text);
    }

    /// Gives all a turn, in an order that changes.
    fn run_until(&mut self, until: Duration, rest: &Turns) {
        let running = |place: &Place| !place.stands_still && place.running.is_some();
        let first = self.random.usize(0..=NODES);
        for index in (0..=NODES).map(|index| (first + index) % (NODES + 1)) {
            match self.machines.get(index) {
                None => rest.run_until(until),
                Some(place) if running(place) => {
                    if let Some((_, process)) = &place.running {
                        process.turns.run_until(until);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// The processes that run.
    fn lives(&self) -> Vec<Process> {
        let running = self
            .machines
            .iter()
            .filter_map(|place| place.running.as_ref());
        running.map(|(process, _)| *process).collect()
    }
}

const CLIENTS: usize = 12;

const PORT: u16 = 7_400;

/// What is on its way to its end when all is well again has ended by then: the barrier, a lease, a request that is held for
/// an answer, and pauses between attempts.
const RECOVERS_WITHIN: Duration = Duration::from_secs(20);

/// Every session has ended then for its app: clients that stayed have closed, the others' resume windows are over.
const ENDS_WITHIN: Duration = Duration::from_secs(25);
