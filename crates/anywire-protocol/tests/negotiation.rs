#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
//! The traces that this negotiation and the browser client's answer to alike (`tests/vectors/negotiation.json`), and
//! what holds whatever happens.

use std::time::Duration;

use anywire_protocol::{
    Decision, Loss, Memory, Negotiation, NegotiationSettings, Outcome, Timestamp, Transport,
};
use serde_json::{Value, json};

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
