//! What goes wrong in a run, and when: all of it follows from the seed.

use std::time::Duration;

use anywire_protocol::Limits;
use fastrand::Rng;

use super::machines::{CLIENTS, Machine, NODES, STORE};

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    /// What passes takes so long at least, and up to as long again.
    pub(super) latency: Duration,
    /// When nothing passes between two machines; connections outlive it.
    cuts: Vec<Spell>,
    /// When what passes takes longer.
    slow: Vec<(Spell, Duration)>,
    pub(super) faults: Vec<Fault>,
    /// How long nothing may be heard on a connection before its end is asked.
    heartbeat: Duration,
    /// When all that goes wrong is over.
    pub(super) clears: Duration,
    /// When little happens any more, and steps may be long.
    pub(super) calms: Duration,
}

/// A time in which something is wrong between two machines.
#[derive(Clone, Debug)]
struct Spell {
    between: [Machine; 2],
    from: Duration,
    until: Duration,
}

/// What befalls the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A node stands still.
    Pause {
        node: Machine,
        from: Duration,
        until: Duration,
    },
    /// A node's process is gone, and perhaps another begins.
    Crash {
        node: Machine,
        at: Duration,
        next: Option<Next>,
    },
    /// Nothing passes between two nodes.
    Cut { from: Duration, until: Duration },
    /// One node cannot reach the store.
    Away { from: Duration, until: Duration },
    /// The store refuses all.
    Down { from: Duration, until: Duration },
    /// The store has forgotten all, and is another one from then on.
    Loss { at: Duration },
}

/// The process after one that has crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) at: Duration,
    /// It takes links where the one before did.
    pub(super) has_same_address: bool,
}

/// What no rule of the cluster holds at: the model of it has a test of each. All else must hold. So must a cut between two nodes
/// of which one cannot reach the store, where the model's two nodes have no third that is linked to both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excuses {
    /// A home and the store are lost together, or a home says nothing for longer than the barrier holds: what only these two
    /// knew is lost, so a session may begin again.
    pub(super) may_begin_again: bool,
}

impl Weather {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let latency = ms(random.choice([5, 10, 20, 40]).unwrap_or(20));
        let mut weather = Self {
            latency,
            cuts: Vec::new(),
            slow: Vec::new(),
            faults: Vec::new(),
            heartbeat: ms(random.choice([5_000, 60_000]).unwrap_or(5_000)),
            clears: ms(14_000),
            calms: Duration::MAX,
        };
        for _ in 0..random.choice([0, 1, 1, 2, 2, 2]).unwrap_or(1) {
            weather.add_fault(&mut random);
        }
        for _ in 0..random.u8(0..4) {
            let (from, until) = spell(&mut random, 5_000);
            let between = [random.usize(0..NODES), CLIENTS];
            weather.cut(between, from, until);
        }
        for _ in 0..random.u8(0..3) {
            let (from, until) = spell(&mut random, 10_000);
            let first = random.usize(0..NODES);
            let between = [first, random.usize(first + 1..CLIENTS + 1)];
            let spell = Spell {
                between,
                from,
                until,
            };
            weather.slow.push((spell, ms(random.u64(50..400))));
            weather.clears = weather.clears.max(until);
        }
        weather.calms = weather.clears + CALMS_WITHIN;
        weather
    }

    /// What passes takes so long at least.
    pub(super) fn least(&self, at: Duration) -> Duration {
        match at < self.calms {
            true => self.latency,
            false => CALM_LATENCY,
        }
    }

    fn add_fault(&mut self, random: &mut Rng) {
        let node = random.usize(0..NODES);
        let other = (node + random.usize(1..NODES)) % NODES;
        let (mut from, mut until) = spell(random, 15_000);
        // Faults that come close to each other show most.
        if let Some(first) = self.faults.first()
            && random.u8(0..3) > 0
        {
            let long = until - from;
            from = first.moment() + ms(random.u64(0..4_000));
            until = from + long;
        }
        let (fault, ends) = match random.u8(0..6) {
            0 => {
                let until = from + ms(random.u64(200..20_000));
                (Fault::Pause { node, from, until }, until)
            }
            1 => {
                let has_same_address = random.bool();
                let next = random.bool().then(|| Next {
                    at: from + ms(random.u64(100..8_000)),
                    has_same_address,
                });
                let at = from;
                (
                    Fault::Crash { node, at, next },
                    next.map_or(at, |next| next.at),
                )
            }
            2 => {
                self.cut([node, other], from, until);
                (Fault::Cut { from, until }, until)
            }
            3 => {
                self.cut([node, STORE], from, until);
                (Fault::Away { from, until }, until)
            }
            4 => (Fault::Down { from, until }, until),
            _ => (Fault::Loss { at: from }, from),
        };
        // One process at a time: a crash of one that stands still, or is gone, is no second fault.
        let is_same = |fault: &Fault| matches!(fault, Fault::Pause { node: n, .. } | Fault::Crash { node: n, .. } if *n == node);
        if is_same(&fault) && self.faults.iter().any(is_same) {
            return;
        }
        self.faults.push(fault);
        self.clears = self.clears.max(ends);
    }

    fn cut(&mut self, between: [Machine; 2], from: Duration, until: Duration) {
        self.cuts.push(Spell {
            between,
            from,
            until,
        });
        self.clears = self.clears.max(until);
    }

    /// When something arrives that leaves then. What meets a cut is sent again after it.
    pub(super) fn arrival(
        &self,
        from: Machine,
        to: Machine,
        at: Duration,
        random: &mut Rng,
    ) -> Duration {
        let is_between = |spell: &Spell| spell.between == [from, to] || spell.between == [to, from];
        let mut leaves = at;
        loop {
            let is_slow = |(spell, _): &&(Spell, Duration)| is_between(spell) && spell.has(leaves);
            let longer: Duration = self.slow.iter().filter(is_slow).map(|(_, by)| *by).sum();
            let least = self.least(at);
            let way = least + longer + ms(random.u64(0..=least.as_millis() as u64));
            let arrives = leaves + way;
            let meets =
                |spell: &&Spell| is_between(spell) && spell.from <= arrives && leaves < spell.until;
            match self.cuts.iter().filter(meets).map(|cut| cut.until).max() {
                Some(clear) => leaves = clear,
                None => return arrives,
            }
        }
    }

    /// A moment at which something changes, or shortly before or after it.
    pub(super) fn moment(&self, random: &mut Rng) -> Option<Duration> {
        let fault = random.choice(&self.faults)?;
        let moment = match *fault {
            Fault::Pause { until, .. }
            | Fault::Cut { until, .. }
            | Fault::Away { until, .. }
            | Fault::Down { until, .. }
                if random.bool() =>
            {
                until
            }
            _ => fault.moment(),
        };
        Some(moment + ms(random.u64(0..3_000)) - ms(1_000))
    }

    /// Times are short, so that what they lead to comes within a run.
    pub(super) fn limits(&self) -> Limits {
        Limits::default()
            .heartbeat(self.heartbeat)
            .heartbeat_timeout(ms(3_000))
            .hold(ms(6_000))
            .resume_window(ms(40_000))
            // Longer than the longest time on the way.
            .open_window(ms(90_000))
    }

    /// Whether a cut between two machines is on.
    pub(super) fn is_cut(&self, one: Machine, other: Machine, at: Duration) -> bool {
        let is_between = |cut: &&Spell| cut.between == [one, other] || cut.between == [other, one];
        self.cuts.iter().filter(is_between).any(|cut| cut.has(at))
    }

    pub(super) fn excuses(&self) -> Excuses {
        let has = |is: fn(&Fault) -> bool| self.faults.iter().any(is);
        let is_silent = has(|fault| match fault {
            Fault::Crash { .. } => true,
            Fault::Pause { from, until, .. } => *until - *from > WRITES_BACK_WITHIN,
            _ => false,
        });
        Excuses {
            may_begin_again: is_silent && has(|fault| matches!(fault, Fault::Loss { .. })),
        }
    }

    /// Whether a machine has stood still for so long that others take it for dead, or has gone on not long ago.
    pub(super) fn looks_dead(&self, machine: Machine, at: Duration) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::Pause { node, from, until } => {
                let silent = *from + WRITES_BACK_WITHIN..*until + IS_BACK_WITHIN;
                *node == machine && silent.contains(&at)
            }
            _ => false,
        })
    }
}

impl Fault {
    /// When it begins.
    fn moment(&self) -> Duration {
        match *self {
            Self::Pause { from, .. }
            | Self::Cut { from, .. }
            | Self::Away { from, .. }
            | Self::Down { from, .. } => from,
            Self::Crash { at, .. } | Self::Loss { at } => at,
        }
    }
}

impl Spell {
    fn has(&self, at: Duration) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// A time from when clients come until so much later.
fn spell(random: &mut Rng, longest: u64) -> (Duration, Duration) {
    let from = random.u64(1_500..15_000);
    (ms(from), ms(from + random.u64(200..longest)))
}

/// For so long apps and clients talk on when all is well again.
const CALMS_WITHIN: Duration = Duration::from_secs(10);

/// What passes takes so long in the end.
const CALM_LATENCY: Duration = Duration::from_millis(100);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A node that has stood still for no longer beats and writes back while the barrier still holds, and before its lease has run
/// out and others have waited for it.
const WRITES_BACK_WITHIN: Duration = Duration::from_secs(3);

/// After it has gone on, others have linked to it by then, and what was asked before has been answered.
const IS_BACK_WITHIN: Duration = Duration::from_secs(5);
