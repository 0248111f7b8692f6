//! Whether a run went well: what the page says, what the app says, and whether both have seen the same.

use crate::app::{APP_CLOSE, CREDENTIALS, PAGE_CLOSE, RESTART, REVOKED};
use crate::journal::Record;
use crate::matrix::{Origin, Run};
use crate::samples;

/// How a run ended.
#[derive(Debug)]
pub enum Verdict {
    /// Both sides agree that all went well.
    Passed,
    /// Why it did not.
    Failed(Vec<String>),
    /// The engine could not be had or started, and why.
    NotRun(String),
}

/// Judges what was told of a run.
pub fn judge(run: &Run, record: &Record) -> Verdict {
    let mut problems = record.errors.clone();
    match run.origin {
        Origin::WithoutHeader { header, .. } => {
            let why = format!("missing or wrong header: {header}");
            judge_refused(&why, record, &mut problems);
        }
        Origin::OutOfReach => judge_refused(CANNOT_CROSS, record, &mut problems),
        Origin::Same | Origin::Other { .. } => {
            judge_page(run, record, &mut problems);
            judge_app(run, record, &mut problems);
        }
    }
    if let Origin::Other { credentials } = run.origin {
        let wrong = if credentials {
            record.without_cookies
        } else {
            record.with_cookies
        };
        if wrong > 0 || record.with_cookies + record.without_cookies == 0 {
            problems.push(format!(
                "{} requests with cookies, {} without",
                record.with_cookies, record.without_cookies
            ));
        }
    }
    if problems.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Failed(problems)
    }
}

/// The page must fail, and say why.
fn judge_refused(why: &str, record: &Record, problems: &mut Vec<String>) {
    match record.steps.as_slice() {
        [step] if step.result == "failed" && step.detail.contains(why) => {}
        [step] => problems.push(format!(
            "instead of \"{why}\" the page says: {} {}",
            step.result, step.detail
        )),
        steps => problems.push(format!("the page's steps were {steps:?}")),
    }
    if record.opened > 0 {
        problems.push(format!("{} sessions opened", record.opened));
    }
}

fn judge_page(run: &Run, record: &Record, problems: &mut Vec<String>) {
    let names: Vec<_> = record.steps.iter().map(|step| step.name.as_str()).collect();
    if names != run.steps() {
        problems.push(format!("the page's steps were {names:?}"));
    }
    for step in &record.steps {
        let expected = match run.engine.can(&step.name) {
            true => "ok",
            false => "skipped",
        };
        if step.result != expected {
            problems.push(format!("{} {}: {}", step.name, step.result, step.detail));
        }
    }
    match &record.end {
        Some(end) if end.is_passed => {}
        Some(end) => problems.push(format!("the page failed; {}", end.trace)),
        None => problems.push("the page did not end".into()),
    }
    if record.reached() != Some(run.reached()) {
        problems.push(format!("reached {:?}", record.reached()));
    }
}

fn judge_app(run: &Run, record: &Record, problems: &mut Vec<String>) {
    let expected: Vec<_> = run
        .steps()
        .iter()
        .copied()
        .filter(|name| samples::of(name).is_some() && run.engine.can(name))
        .collect();
    let heard: Vec<_> = record
        .heard
        .iter()
        .map(|heard| heard.step.as_str())
        .collect();
    if heard != expected {
        problems.push(format!("the app heard {heard:?} whole"));
    }
    for heard in record.heard.iter().filter(|heard| !heard.wrong.is_empty()) {
        problems.push(format!(
            "{}: {} of the messages came up changed, first {}",
            heard.step,
            heard.wrong.len(),
            heard.wrong[..heard.wrong.len().min(3)].join("; ")
        ));
    }
    if record.abandoned > 0 {
        problems.push(format!("{} abandoned sessions live", record.abandoned));
    }
    let meets_refusals = matches!(run.transport, Some("stream" | "events" | "poll"));
    if meets_refusals && record.refused.contains(&0) {
        problems.push(format!("bodies refused: {:?}", record.refused));
    }
    if run.steps().contains(&"resumed") && record.cut == 0 {
        problems.push("no connection was cut".into());
    }
    if run.steps().contains(&"renewed") && record.credentials != CREDENTIALS {
        problems.push(format!("credentials: {:?}", record.credentials));
    }
    let closes: Vec<_> = closes(run);
    let closed: Vec<_> = record
        .closed
        .iter()
        .map(|(_, reason)| (reason.code.as_u16(), reason.text()))
        .collect();
    if closed != closes || record.opened != closes.len() {
        problems.push(format!(
            "{} sessions, closed with {closed:?}",
            record.opened
        ));
    }
}

/// How the sessions of a run must end, each of them.
pub fn closes(run: &Run) -> Vec<(u16, &'static str)> {
    let ends = [
        ("closedByPage", PAGE_CLOSE),
        ("closedByApp", APP_CLOSE),
        // It closes at open, and so first.
        ("closedByBoth", APP_CLOSE),
        ("subProtocols", PAGE_CLOSE),
        ("revoked", (REVOKED.0.as_u16(), REVOKED.1)),
        ("reopened", (RESTART.0.as_u16(), RESTART.1)),
        ("reopened", PAGE_CLOSE),
    ];
    ends.into_iter()
        .filter(|(step, _)| run.steps().contains(step))
        .map(|(_, close)| close)
        .collect()
}

/// What the page says of an engine whose requests do not cross origins.
const CANNOT_CROSS: &str = "the XMLHttpRequest of this browser cannot cross origins";
