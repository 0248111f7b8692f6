#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
//! The traces that this negotiation and the browser client's answer to alike (`tests/vectors/negotiation.json`), and
//! what holds whatever happens.

use std::time::Duration;

use anywire_protocol::{
    Decision, Generation, Loss, Memory, Negotiation, NegotiationSettings, Outcome, Timestamp,
    Transport,
};
use serde_json::{Value, json};

#[path = "support/random.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod random;
use random::Random;

const VECTORS: &str = include_str!("../../../tests/vectors/negotiation.json");

fn leg(name: &str) -> Transport {
    Transport::from_name(name).unwrap_or_else(|| panic!("no leg {name}"))
}

fn outcome(name: &str) -> Outcome {
    Outcome::from_name(name).unwrap_or_else(|| panic!("no outcome {name}"))
}

fn memory(value: &Value) -> Option<Memory> {
    match value {
        Value::Null => None,
        Value::Number(ms) => Some(Memory::Works {
            attached_after: Duration::from_millis(ms.as_u64().unwrap()),
        }),
        _ => Some(Memory::Fails),
    }
}

fn say(decision: Decision) -> String {
    match decision {
        Decision::StartWebSocket(Some(generation)) => format!("start websocket {generation}"),
        Decision::StartWebSocket(None) => "start websocket later".to_owned(),
        Decision::StartPoll(generation) => format!("start poll {generation}"),
        Decision::ProveWebSocket => "prove websocket".to_owned(),
        Decision::ProvePoll => "prove poll".to_owned(),
        Decision::AttachWebSocket(generation) => format!("attach {generation}"),
        Decision::DropWebSocket => "drop websocket".to_owned(),
        Decision::DropPoll => "drop poll".to_owned(),
        Decision::CheckWebSocket => "check websocket".to_owned(),
        Decision::Carrier(Some(leg)) => format!("carrier {leg}"),
        Decision::Carrier(None) => "carrier none".to_owned(),
        Decision::Remember(Memory::Works { attached_after }) => {
            format!("remember works {}", attached_after.as_millis())
        }
        Decision::Remember(Memory::Fails) => "remember fails".to_owned(),
        Decision::Forget => "forget".to_owned(),
        Decision::GiveUp => "give up".to_owned(),
        Decision::Missing => "missing".to_owned(),
    }
}

fn feed(negotiation: &mut Negotiation, event: &str, now: Timestamp) {
    let words: Vec<_> = event.split(' ').collect();
    match words[..] {
        ["start"] => negotiation.start(now),
        ["connected"] => negotiation.handle_connected(now),
        ["proven", name] => negotiation.handle_proven(leg(name), now),
        ["attached", name] => negotiation.handle_attached(leg(name), now),
        ["stalled"] => negotiation.handle_stalled(now),
        ["heard"] => negotiation.handle_heard(),
        ["held"] => negotiation.handle_held(),
        ["lost", name, how, ref rest @ ..] => {
            let mut loss = Loss::new(outcome(how), "");
            loss.retry_after = rest
                .first()
                .map(|ms| Duration::from_millis(ms.parse().unwrap()));
            loss.is_missing = rest.get(1) == Some(&"404");
            negotiation.handle_lost(leg(name), &loss, now);
        }
        ["returned"] => negotiation.handle_returned(false, now),
        ["network"] => negotiation.handle_returned(true, now),
        ["forbid", name] => negotiation.allow(leg(name), false, now),
        ["allow", name] => negotiation.allow(leg(name), true, now),
        _ => panic!("no event {event}"),
    }
}

/// Runs a trace: what was decided when, and the attempts at the end.
fn run(trace: &Value) -> (Vec<String>, Vec<String>) {
    let settings = NegotiationSettings {
        websocket: trace["without"] != "websocket",
        poll: trace["without"] != "poll",
        ..NegotiationSettings::default()
    };
    let mut negotiation = Negotiation::new(settings, memory(&trace["memory"]), || 0.5);
    let mut decisions = Vec::new();
    let mut drain = |negotiation: &mut Negotiation, at: u64| {
        while let Some(decision) = negotiation.poll_decision() {
            decisions.push(format!("{at} {}", say(decision)));
        }
    };
    let end = json!([trace["until"], ""]);
    for event in trace["events"].as_array().unwrap().iter().chain([&end]) {
        let at = event[0].as_u64().unwrap();
        while let Some(due) = negotiation
            .poll_timeout()
            .filter(|due| due.as_millis() <= at)
        {
            negotiation.handle_timeout(due);
            drain(&mut negotiation, due.as_millis());
        }
        if event != &end {
            let now = Timestamp::from_millis(at);
            feed(&mut negotiation, event[1].as_str().unwrap(), now);
            drain(&mut negotiation, at);
        }
    }
    let attempts = negotiation
        .trace()
        .map(|attempt| {
            let ms = attempt.after.as_millis();
            format!("{} {} {ms} {}", attempt.leg, attempt.phase, attempt.outcome)
        })
        .collect();
    (decisions, attempts)
}

#[test]
fn traces_are_as_the_vectors_say() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut wrong = 0;
    for trace in vectors["traces"].as_array().unwrap() {
        let (decisions, attempts) = run(trace);
        if json!(decisions) != trace["decisions"] || json!(attempts) != trace["attempts"] {
            wrong += 1;
            println!(
                "{}: {}\n{}",
                trace["name"],
                json!(decisions),
                json!(attempts)
            );
        }
    }
    assert_eq!(wrong, 0, "traces differ; what was decided is printed above");
}

/// How the one server of many clients goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Going {
    /// It tells its clients, whose sessions end.
    Drained,
    /// The connections break, and the server that returns knows no session.
    Killed,
}

/// One client of a server that is away from [`LOST_AT`] until `back_at`, in virtual time.
struct Lonely {
    negotiation: Negotiation,
    back_at: Timestamp,
    /// The way to the server and back.
    round: Duration,
    /// Whether the session is the first one, and not over.
    is_first: bool,
    opens_at: Option<Timestamp>,
    /// What becomes of the legs, and when.
    coming: Vec<(Timestamp, Transport, Coming)>,
}

#[derive(Clone, Copy)]
enum Coming {
    Connected,
    Proven,
    /// The server answers what attaches.
    Answer,
    Refused,
}

const LOST_AT: Timestamp = Timestamp::from_millis(60_000);
const EVERY: Duration = Duration::from_secs(5);

impl Lonely {
    fn new(going: Going, away: Duration, seed: u64) -> Self {
        let mut random = Random::new(seed + 1);
        let round = Duration::from_millis(5 + random.below(60));
        let draw = move || random.below(1 << 32) as f64 / (1_u64 << 32) as f64;
        let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, draw);
        negotiation.take_turns(EVERY, u32::MAX);
        negotiation.start(Timestamp::default());
        negotiation.handle_attached(Transport::WebSocket, Timestamp::from_millis(50));
        negotiation.handle_proven(Transport::WebSocket, Timestamp::from_millis(70));
        negotiation.handle_timeout(Timestamp::from_millis(30_000));
        while negotiation.poll_decision().is_some() {}
        let mut client = Self {
            negotiation,
            back_at: LOST_AT + away,
            round,
            is_first: true,
            opens_at: None,
            coming: Vec::new(),
        };
        match going {
            Going::Drained => client.end(LOST_AT),
            Going::Killed => {
                let loss = Loss::new(Outcome::Closed, "");
                let negotiation = &mut client.negotiation;
                negotiation.handle_lost(Transport::WebSocket, &loss, LOST_AT);
            }
        }
        client
    }

    fn end(&mut self, now: Timestamp) {
        self.is_first = false;
        self.coming.clear();
        self.opens_at = self.negotiation.handle_ended(now);
    }

    /// When the next session is open.
    fn opened_at(mut self) -> Timestamp {
        let mut now = LOST_AT;
        loop {
            if self.opens_at.is_none() {
                self.decide(now);
            }
            let coming = self.coming.iter().map(|coming| coming.0);
            let timeout = self.negotiation.poll_timeout();
            let timeout = timeout.filter(|_| self.opens_at.is_none());
            let next = coming.chain(timeout).chain(self.opens_at).min();
            now = next.expect("it goes on");
            assert!(now.since(LOST_AT) < Duration::from_secs(300));
            if self.opens_at.take_if(|at| *at <= now).is_some() {
                self.negotiation.reopen(now);
            } else if let Some(index) = self.coming.iter().position(|coming| coming.0 <= now) {
                let (_, leg, what) = self.coming.swap_remove(index);
                if self.comes(leg, what, now) {
                    return now;
                }
            } else {
                self.negotiation.handle_timeout(now);
            }
        }
    }

    fn decide(&mut self, now: Timestamp) {
        while let Some(decision) = self.negotiation.poll_decision() {
            let later = now + self.round;
            let is_back = now >= self.back_at;
            let (leg, what) = match decision {
                Decision::StartWebSocket(None) => (Transport::WebSocket, Coming::Connected),
                Decision::StartWebSocket(Some(_)) => (Transport::WebSocket, Coming::Answer),
                Decision::StartPoll(_) => (Transport::Poll, Coming::Answer),
                Decision::ProveWebSocket => (Transport::WebSocket, Coming::Proven),
                Decision::AttachWebSocket(_) => (Transport::WebSocket, Coming::Answer),
                _ => continue,
            };
            self.coming.push(match is_back {
                true => (later, leg, what),
                false => (now + Duration::from_millis(1), leg, Coming::Refused),
            });
        }
    }

    /// Whether a session is open now.
    fn comes(&mut self, leg: Transport, what: Coming, now: Timestamp) -> bool {
        match what {
            Coming::Connected => self.negotiation.handle_connected(now),
            Coming::Proven => self.negotiation.handle_proven(leg, now),
            Coming::Answer if !self.is_first => return true,
            Coming::Answer => {
                let loss = Loss::new(Outcome::Refused, "4930");
                self.negotiation.handle_lost(leg, &loss, now);
                self.end(now);
            }
            Coming::Refused => {
                let loss = Loss::new(Outcome::Failed, "connection refused");
                self.negotiation.handle_lost(leg, &loss, now);
            }
        }
        false
    }
}

#[test]
fn a_thousand_clients_of_one_server_come_back_within_a_turn_and_evenly() {
    for going in [Going::Drained, Going::Killed] {
        for away in [2, 20].map(Duration::from_secs) {
            let client = |seed| Lonely::new(going, away, seed);
            let mut opens: Vec<_> = (0..1_000).map(|seed| client(seed).opened_at()).collect();
            opens.sort_unstable();
            let late = opens.last().unwrap().since(LOST_AT + away);
            let in_time = Duration::from_millis(5_500);
            assert!(
                late <= in_time,
                "{going:?} {away:?}: the last after {late:?}"
            );
            let at_once = (0..opens.len()).map(|index| {
                let until = opens[index] + Duration::from_millis(100);
                opens[index..].iter().take_while(|at| **at < until).count()
            });
            let most = at_once.max().unwrap();
            assert!(most <= 45, "{going:?} {away:?}: {most} within 100 ms");
        }
    }
}

#[test]
fn a_session_that_is_to_follow_is_tried_at_turns_and_not_for_ever() {
    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.take_turns(EVERY, 2);
    negotiation.start(Timestamp::default());
    negotiation.handle_attached(Transport::WebSocket, Timestamp::from_millis(50));
    negotiation.handle_proven(Transport::WebSocket, Timestamp::from_millis(70));
    let mut now = Timestamp::from_millis(20_000);
    negotiation.handle_timeout(now);
    now = negotiation.handle_ended(now).unwrap();
    assert_eq!(now, Timestamp::from_millis(22_500));
    negotiation.reopen(now);
    let mut said = Vec::new();
    loop {
        while let Some(decision) = negotiation.poll_decision() {
            said.push(format!("{} {}", now.as_millis(), say(decision)));
            let leg = match decision {
                Decision::StartWebSocket(_) => Transport::WebSocket,
                Decision::StartPoll(_) => Transport::Poll,
                _ => continue,
            };
            negotiation.handle_lost(leg, &Loss::new(Outcome::Failed, ""), now);
        }
        let Some(next) = negotiation.poll_timeout() else {
            break;
        };
        now = next;
        negotiation.handle_timeout(now);
    }
    let expected = [
        "22500 carrier none",
        "22500 start websocket 2",
        "22500 start poll 3",
        "27500 start websocket 4",
        "27500 start poll 5",
        "27500 give up",
    ];
    assert_eq!(said, expected);
    assert_eq!(negotiation.handle_ended(now), None);
}

#[test]
fn a_server_that_names_a_time_is_asked_at_the_first_turn_behind_it() {
    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.take_turns(EVERY, u32::MAX);
    negotiation.start(Timestamp::default());
    negotiation.handle_attached(Transport::WebSocket, Timestamp::from_millis(50));
    let ended = Timestamp::from_millis(1_000);
    let now = negotiation.handle_ended(ended).unwrap();
    assert_eq!(now, Timestamp::from_millis(3_500));
    negotiation.reopen(now);
    let mut loss = Loss::new(Outcome::Refused, "http 503");
    loss.retry_after = Some(Duration::from_secs(7));
    negotiation.handle_lost(Transport::WebSocket, &loss, now);
    negotiation.handle_lost(Transport::Poll, &loss, now);
    let next = negotiation.poll_timeout();
    assert_eq!(next, Some(Timestamp::from_millis(13_500)));
}

#[test]
fn a_pause_ends_with_a_turn_while_nothing_carries_the_session() {
    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.take_turns(EVERY, u32::MAX);
    negotiation.start(Timestamp::default());
    negotiation.handle_attached(Transport::WebSocket, Timestamp::from_millis(50));
    let mut now = Timestamp::from_millis(1_000);
    negotiation.handle_lost(Transport::WebSocket, &Loss::new(Outcome::Closed, ""), now);
    let mut polls = Vec::new();
    while now.as_millis() < 20_000 {
        while let Some(decision) = negotiation.poll_decision() {
            let leg = match decision {
                Decision::StartWebSocket(_) => Transport::WebSocket,
                Decision::StartPoll(_) => Transport::Poll,
                _ => continue,
            };
            if leg == Transport::Poll {
                polls.push(now.as_millis());
            }
            negotiation.handle_lost(leg, &Loss::new(Outcome::Failed, ""), now);
        }
        now = negotiation.poll_timeout().unwrap();
        negotiation.handle_timeout(now);
    }
    for turn in [3_500, 8_500, 13_500, 18_500] {
        assert!(polls.contains(&turn), "{polls:?}");
    }
}

#[test]
fn an_open_that_is_refused_is_not_repeated_before_the_next_turn() {
    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.take_turns(EVERY, u32::MAX);
    negotiation.start(Timestamp::default());
    negotiation.handle_attached(Transport::WebSocket, Timestamp::from_millis(50));
    let turn = negotiation.handle_ended(Timestamp::from_millis(1_000));
    let turn = turn.unwrap();
    negotiation.reopen(turn);
    let loss = Loss::new(Outcome::Refused, "4936");
    negotiation.handle_lost(Transport::WebSocket, &loss, turn);
    assert_eq!(negotiation.handle_ended(turn), Some(turn + EVERY));
    let late = turn + Duration::from_millis(300);
    assert_eq!(negotiation.handle_ended(late), Some(turn + EVERY));
}

#[test]
fn an_end_that_an_attach_at_a_turn_shows_is_followed_at_once() {
    let at = Timestamp::from_millis;
    for (shown_after, opens_after) in [(2_900, 2_900), (3_001, 5_000)] {
        let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
        negotiation.take_turns(EVERY, u32::MAX);
        negotiation.start(at(0));
        negotiation.handle_attached(Transport::WebSocket, at(50));
        let lost = Loss::new(Outcome::Closed, "");
        negotiation.handle_lost(Transport::WebSocket, &lost, at(1_000));
        // Polling starts at once, fails, and goes again before the turn at 3.5 s.
        let mut now = at(1_000);
        while now < at(3_500) {
            negotiation.handle_lost(Transport::Poll, &lost, now);
            negotiation.handle_lost(Transport::WebSocket, &lost, now);
            now = negotiation.poll_timeout().unwrap();
            negotiation.handle_timeout(now);
        }
        assert_eq!(now, at(3_500));
        let shown = now + Duration::from_millis(shown_after);
        let unknown = Loss::new(Outcome::Refused, "4930");
        negotiation.handle_lost(Transport::Poll, &unknown, shown);
        let opens = now + Duration::from_millis(opens_after);
        assert_eq!(negotiation.handle_ended(shown), Some(opens));
    }
}

/// When a WebSocket starts that never answers and is alone, until 40 s have passed.
fn starts_of_a_silent_websocket(negotiation: &mut Negotiation, mut now: Timestamp) -> Vec<u64> {
    let mut starts = Vec::new();
    while now.as_millis() < 40_000 {
        while let Some(decision) = negotiation.poll_decision() {
            if matches!(decision, Decision::StartWebSocket(_)) {
                starts.push(now.as_millis());
            }
        }
        // Timers are a little late.
        let next = negotiation.poll_timeout().unwrap();
        now = next.max(now) + Duration::from_millis(3);
        negotiation.handle_timeout(now);
    }
    starts
}

#[test]
fn a_websocket_that_is_silent_since_the_turn_before_is_tried_anew_at_each() {
    let at = Timestamp::from_millis;
    for ends in [false, true] {
        let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
        negotiation.allow(Transport::Poll, false, at(0));
        negotiation.take_turns(EVERY, u32::MAX);
        negotiation.start(at(0));
        negotiation.handle_attached(Transport::WebSocket, at(50));
        let now = match ends {
            true => {
                let turn = negotiation.handle_ended(at(1_000)).unwrap();
                negotiation.reopen(turn);
                turn
            }
            false => {
                let lost = Loss::new(Outcome::Closed, "");
                negotiation.handle_lost(Transport::WebSocket, &lost, at(1_000));
                at(1_000)
            }
        };
        let starts = starts_of_a_silent_websocket(&mut negotiation, now);
        for turn in [8_500, 13_500, 18_500, 23_500, 28_500, 33_500] {
            let is_there = starts.iter().any(|start| start.abs_diff(turn) <= 10);
            assert!(is_there, "none at {turn}, ends: {ends}: {starts:?}");
        }
    }
}

#[test]
fn an_app_that_leaves_before_it_is_open_starts_no_leg_and_drops_none_for_its_silence() {
    let at = Timestamp::from_millis;
    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.start(at(0));
    assert_eq!(
        negotiation.poll_decision(),
        Some(Decision::StartWebSocket(Some(Generation::new(2))))
    );
    negotiation.handle_left();
    negotiation.handle_timeout(at(15_000));
    assert_eq!(negotiation.poll_decision(), None);
    // It may show until the budget is over.
    negotiation.handle_timeout(at(20_000));
    assert_eq!(negotiation.poll_decision(), Some(Decision::GiveUp));
}

#[test]
fn no_turn_tries_what_the_server_wants_later_or_what_was_tried_enough() {
    let at = Timestamp::from_millis;
    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.take_turns(EVERY, u32::MAX);
    negotiation.start(at(0));
    negotiation.handle_timeout(at(300));
    negotiation.handle_attached(Transport::Poll, at(400));
    // The WebSocket says nothing yet, and the server wants no attempt.
    let mut loss = Loss::new(Outcome::Refused, "http 503");
    loss.retry_after = Some(Duration::from_secs(60));
    negotiation.handle_lost(Transport::Poll, &loss, at(1_000));
    while negotiation.poll_decision().is_some() {}
    let mut now = at(1_000);
    while now < at(60_900) {
        now = negotiation.poll_timeout().unwrap().min(at(60_900));
        negotiation.handle_timeout(now);
        while let Some(decision) = negotiation.poll_decision() {
            let is_start = matches!(
                decision,
                Decision::StartWebSocket(_) | Decision::StartPoll(_)
            );
            assert!(!is_start, "{decision:?} at {now:?}");
        }
    }

    let mut negotiation = Negotiation::new(NegotiationSettings::default(), None, || 0.5);
    negotiation.allow(Transport::Poll, false, at(0));
    negotiation.take_turns(EVERY, 2);
    negotiation.start(at(0));
    negotiation.handle_attached(Transport::WebSocket, at(50));
    let turn = negotiation.handle_ended(at(1_000)).unwrap();
    while negotiation.poll_decision().is_some() {}
    negotiation.reopen(turn);
    let mut said = Vec::new();
    let mut now = turn;
    for _ in 0..20 {
        while let Some(decision) = negotiation.poll_decision() {
            match decision {
                Decision::StartWebSocket(_) => said.push(format!("start {}", now.as_millis())),
                Decision::GiveUp => said.push(format!("give up {}", now.as_millis())),
                _ => {}
            }
        }
        let Some(next) = negotiation.poll_timeout() else {
            break;
        };
        now = next;
        negotiation.handle_timeout(now);
    }
    assert_eq!(said, ["start 3500", "start 8500", "give up 13500"]);
}
