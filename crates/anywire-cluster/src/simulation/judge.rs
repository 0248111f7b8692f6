//! The verdict: what must hold of what has been seen, and what is excused by what befell the cluster.

use anywire_protocol::CloseCode;

use super::ledger::{ClientSeen, Ended, Process, Run, Seen};
use super::machines::NODES;
use super::weather::Weather;

/// Some time after all is well again: who is not told of an end is served, and nothing is missing.
pub(super) fn look(seen: &mut Seen, lives: &[Process]) {
    let mut wrong = Vec::new();
    for (number, client) in seen.clients.iter().enumerate() {
        if client.end.is_some() {
            continue;
        }
        let Some(run) = client.run.map(|run| &seen.runs[run]) else {
            wrong.push(format!("client {number} is not served"));
            continue;
        };
        if !lives.contains(&run.process) {
            wrong.push(format!("client {number} is not told that its home is gone"));
            continue;
        }
        let ClientSeen {
            sent,
            acknowledged,
            heard,
            ..
        } = *client;
        if [acknowledged, run.heard] != [sent; 2] || run.sent != heard {
            wrong.push(format!(
                "client {number}: sent {sent}, of which the app has {} and acknowledged are {acknowledged}; heard {heard} of {}",
                run.heard, run.sent
            ));
        }
        wrong.extend(miss(seen, number, client, run));
    }
    for text in wrong {
        seen.wrong(text);
    }
}

/// What a follower of the topic has missed without its node being told.
fn miss(seen: &Seen, number: usize, client: &ClientSeen, run: &Run) -> Option<String> {
    let Some(first) = client.topic.first() else {
        return Some(format!("client {number} has heard nothing of the topic"));
    };
    let missing = (seen.published.len() - first - client.topic.len()) as u64;
    let own = seen
        .gaps
        .iter()
        .filter(|(process, _)| *process == run.process);
    let mut told: Vec<_> = own.map(|(_, missing)| *missing).collect();
    // What a store has forgotten is not counted.
    let is_excused =
        told.iter().any(Option::is_none) || missing <= told.drain(..).flatten().sum::<u64>();
    (!is_excused).then(|| {
        let mut places = *first..seen.published.len();
        let lost = places.find(|place| !client.topic.contains(place));
        format!("client {number}: {missing} of the topic are missing since {first}, and no gap was told: {lost:?} of {}", seen.published.len())
    })
}

/// At the end.
pub(super) fn judge(seen: &mut Seen, weather: &Weather, lives: &[Process]) {
    let excuses = weather.excuses();
    let mut wrong = Vec::new();
    for (number, client) in seen.clients.iter().enumerate() {
        let runs: Vec<_> = seen
            .runs
            .iter()
            .filter(|run| run.client == number)
            .collect();
        if runs.len() > 1 && !excuses.may_begin_again {
            wrong.push(format!(
                "client {number}: its session began {} times",
                runs.len()
            ));
        }
        match &client.end {
            None => wrong.push(format!("client {number} has not ended")),
            Some(Ended::Closed | Ended::Left) => {}
            Some(Ended::Told(reason, at)) => {
                let looks_dead = match runs.first() {
                    Some(run) => {
                        let is_gone = !lives.contains(&run.process);
                        is_gone || weather.looks_dead(run.process.machine, *at)
                    }
                    // The home is not known that had begun to open it.
                    None => (0..NODES).any(|node| {
                        let lives = lives
                            .iter()
                            .any(|process| process.machine == node && process.number == node);
                        !lives || weather.looks_dead(node, *at)
                    }),
                };
                let is_excused = match reason.code {
                    CloseCode::UNKNOWN_SESSION => looks_dead || excuses.may_begin_again,
                    // Another one has begun, and the client or the home has seen that.
                    CloseCode::STATE_LOST | CloseCode::GAP | CloseCode::BAD_ACK => {
                        excuses.may_begin_again
                    }
                    _ => false,
                };
                if !is_excused {
                    wrong.push(format!(
                        "client {number}: told {reason}, and its home lives"
                    ));
                }
            }
        }
    }
    for (number, run) in seen.runs.iter().enumerate() {
        let (client, count) = (run.client, run.ends.len());
        let is_first = seen.runs[..number]
            .iter()
            .all(|other| other.client != client);
        // One that begins again may do so shortly before the end.
        let must_have_ended = is_first && lives.contains(&run.process);
        if count > 1 || (count == 0 && must_have_ended) {
            wrong.push(format!(
                "run {number} of client {client} has ended {count} times"
            ));
        }
    }
    for text in wrong {
        seen.wrong(text);
    }
}
