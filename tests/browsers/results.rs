//! What came of the runs: lines as tests print them, a file for programs, and the table of docs/browsers.md.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use crate::journal::Record;
use crate::matrix::{Origin, Run};
use crate::roster::{Engine, Lack, REQUESTS_ACROSS, TRANSPORTS};
use crate::verdict::Verdict;

/// A run and what came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub run: Run,
    /// How it ended.
    pub verdict: Verdict,
    /// What was told of it.
    pub record: Record,
    /// How long it took.
    pub seconds: f64,
}

impl Outcome {
    /// Prints its line.
    pub fn print(&self) {
        let word = match &self.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed(_) => "FAILED",
            Verdict::NotRun(_) => "not run",
        };
        println!(
            "test {} ... {word} ({:.1} s)",
            self.run.fact(),
            self.seconds
        );
    }

    fn json(&self) -> Value {
        let (verdict, problems) = match &self.verdict {
            Verdict::Passed => ("passed", Vec::new()),
            Verdict::Failed(problems) => ("failed", problems.clone()),
            Verdict::NotRun(why) => ("not run", vec![why.clone()]),
        };
        let steps: Vec<_> = self
            .record
            .steps
            .iter()
            .map(|step| {
                json!({"name": step.name, "result": step.result, "ms": step.ms,
                    "transport": step.transport, "detail": step.detail})
            })
            .collect();
        json!({
            "fact": self.run.fact(), "engine": self.run.engine.name, "year": self.run.engine.year,
            "transport": self.run.transport, "verdict": verdict, "problems": problems,
            "userAgent": self.record.user_agent, "connectionsCut": self.record.cut,
            "seconds": (self.seconds * 10.0).round() / 10.0, "steps": steps,
        })
    }
}

/// Prints what failed and why, what was not run and why, and the totals. Tells whether all is well: nothing failed, and
/// unless engines `may_be_missing`, all were run.
pub fn print_summary(outcomes: &[Outcome], may_be_missing: bool, seconds: f64) -> bool {
    let (mut passed, mut failed, mut not_run) = (0, 0, 0);
    for outcome in outcomes {
        match &outcome.verdict {
            Verdict::Passed => passed += 1,
            Verdict::Failed(problems) => {
                failed += 1;
                println!("\n---- {} ----", outcome.run.fact());
                problems.iter().for_each(|problem| println!("{problem}"));
            }
            Verdict::NotRun(why) => {
                not_run += 1;
                println!("\n{} was not run: {why}", outcome.run.fact());
            }
        }
    }
    println!("\n{}", table(outcomes));
    let is_well = failed == 0 && (may_be_missing || not_run == 0);
    let word = if is_well { "ok" } else { "FAILED" };
    println!(
        "test result: {word}. {passed} passed; {failed} failed; {not_run} ignored; 0 measured; \
         0 filtered out; finished in {seconds:.2}s"
    );
    is_well
}

/// Writes `target/browsers/results.json`.
///
/// # Errors
/// It cannot be written.
pub fn write_json(outcomes: &[Outcome]) -> io::Result<()> {
    let directory = root().join("target/browsers");
    fs::create_dir_all(&directory)?;
    let all: Vec<_> = outcomes.iter().map(Outcome::json).collect();
    fs::write(
        directory.join("results.json"),
        serde_json::to_string_pretty(&all)?,
    )
}

/// Puts the table into docs/browsers.md, between its marks.
///
/// # Errors
/// It cannot be read or written, or has no marks.
pub fn write_page(outcomes: &[Outcome]) -> io::Result<()> {
    let path = root().join("docs/browsers.md");
    let text = fs::read_to_string(&path)?;
    let without_marks = || io::Error::other("docs/browsers.md has no marks for the table");
    let (before, rest) = text.split_once(BEGIN).ok_or_else(without_marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(without_marks)?;
    fs::write(
        path,
        format!("{before}{BEGIN}\n{}{END}{after}", table(outcomes)),
    )
}

/// One row for each engine, and under them what engines cannot do, and why.
fn table(outcomes: &[Outcome]) -> String {
    let mut table = String::from("| engine | year | reaches |");
    TRANSPORTS
        .iter()
        .for_each(|transport| table += &format!(" {transport} |"));
    table += " other origin | says what is missing | verdict |\n|---|---|---|";
    table += &"---|".repeat(TRANSPORTS.len() + 3);
    table += "\n";
    let mut engines: Vec<&Engine> = outcomes.iter().map(|outcome| outcome.run.engine).collect();
    engines.dedup_by_key(|engine| engine.name);
    for engine in &engines {
        let of_engine: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.run.engine.name == engine.name)
            .collect();
        table += &row(engine, &of_engine);
    }
    table + &reasons(&engines)
}

fn row(engine: &Engine, outcomes: &[&Outcome]) -> String {
    let of = |wanted: &dyn Fn(&Run) -> bool| {
        let wanted = outcomes.iter().filter(|outcome| wanted(&outcome.run));
        in_a_word(wanted.map(|outcome| &outcome.verdict))
    };
    let mut row = format!(
        "| {} | {} | {} |",
        engine.title,
        engine.year,
        reached(outcomes)
    );
    for transport in TRANSPORTS {
        // Of those that carry a session over it, the first does all steps.
        let is_it = |run: &Run| run.transport == Some(transport) && !run.is_refused();
        let first = outcomes.iter().find(|outcome| is_it(&outcome.run));
        row += &format!(" {} |", in_a_word(first.iter().map(|first| &first.verdict)));
    }
    let crosses = |run: &Run| run.origin != Origin::Same && !run.is_refused();
    let by_jsonp = match engine.can(REQUESTS_ACROSS) || !engine.can("jsonp") {
        true => "",
        false => ", jsonp alone",
    };
    row += &format!(" {}{by_jsonp} | {} |", of(&crosses), of(&Run::is_refused));
    let passed = outcomes
        .iter()
        .filter(|outcome| matches!(outcome.verdict, Verdict::Passed))
        .count();
    let verdict = match of(&|_| true) {
        PASSED => "passed",
        verdict => verdict,
    };
    row + &format!(" {verdict} ({passed} of {}) |\n", outcomes.len())
}

/// What the client came to by itself.
fn reached<'a>(outcomes: &[&'a Outcome]) -> &'a str {
    outcomes
        .iter()
        .find(|outcome| outcome.run.origin == Origin::Same && outcome.run.transport.is_none())
        .and_then(|climb| climb.record.reached())
        .unwrap_or_default()
}

/// The worst of them; a dash where there are none.
fn in_a_word<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> &'static str {
    let words = ["–", PASSED, "not run", "**failed**"];
    let worst = verdicts
        .map(|verdict| match verdict {
            Verdict::Passed => 1,
            Verdict::NotRun(_) => 2,
            Verdict::Failed(_) => 3,
        })
        .max();
    words[worst.unwrap_or(0)]
}

/// Why there are dashes: each reason once, with the engines that have it.
fn reasons(engines: &[&Engine]) -> String {
    let mut reasons: Vec<(&Lack, Vec<&str>)> = Vec::new();
    for engine in engines {
        let (title, _) = engine
            .title
            .split_once(['(', ','])
            .unwrap_or((engine.title, ""));
        for lack in engine.lacks {
            match reasons.iter_mut().find(|(known, _)| *known == lack) {
                Some((_, titles)) => titles.push(title.trim()),
                None => reasons.push((lack, vec![title.trim()])),
            }
        }
    }
    reasons.sort_by_key(|(lack, _)| lack.0);
    let lines: String = reasons
        .iter()
        .map(|((what, why), titles)| format!("- {what}: {why} ({}).\n", titles.join("; ")))
        .collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\nWhat engines lack, and why:\n\n{lines}"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

const PASSED: &str = "✓";

const BEGIN: &str = "<!-- browsers:begin -->";
const END: &str = "<!-- browsers:end -->";
