//! The rows of the matrix, and what is wrong with them.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anywire_tests::oracle::{Expected, Mode, Verdict, Workload};

use crate::Side;

/// One run.
pub struct Row {
    pub mode: Mode,
    pub side: Side,
    pub workload: Workload,
    pub verdict: Verdict,
}

/// All runs, in the order in which they ended.
pub struct Table {
    expected: usize,
    rows: Vec<Row>,
}

impl Row {
    fn trouble(&self) -> Option<String> {
        self.mode.trouble(self.workload, &self.verdict)
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            mode,
            side,
            workload,
            verdict,
        } = self;
        let side = match side {
            Side::Rust => "rust",
            Side::Browser => "browser",
        };
        let ms = |duration: Option<Duration>| {
            duration.map_or("-".to_owned(), |duration| duration.as_millis().to_string())
        };
        write!(
            f,
            "{mode:<52} {side:<8} {workload:<7} {:>6} {:>6} {:>7} {:<10} ",
            ms(verdict.first()),
            verdict.longest_gap().as_millis(),
            verdict.took.as_millis(),
            verdict.transport,
        )?;
        match (self.trouble(), self.mode.expected) {
            (Some(trouble), _) => write!(f, "WRONG: {trouble}"),
            (None, Expected::Equal) => f.write_str("equal"),
            (None, Expected::Unreachable) => {
                write!(f, "told: {}", verdict.error.as_deref().unwrap_or_default())
            }
        }
    }
}

impl Table {
    pub fn new(expected: usize) -> Self {
        Self {
            expected,
            rows: Vec::new(),
        }
    }

    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The row that came last, with how far the run is.
    pub fn last_words(&self) -> String {
        let (done, all) = (self.rows.len(), self.expected);
        self.rows
            .last()
            .map_or(String::new(), |row| format!("[{done:>3}/{all}] {row}"))
    }

    pub fn has_trouble(&self) -> bool {
        self.rows.iter().any(|row| row.trouble().is_some())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<52} {:<8} {:<7} {:>6} {:>6} {:>7} {:<10} both sides",
            "mode", "client", "work", "first", "gap ms", "took", "transport"
        )?;
        for mode in Mode::all() {
            let of_mode = |row: &&Row| row.mode.between == mode.between;
            for row in self.rows.iter().filter(of_mode) {
                writeln!(f, "{row}")?;
            }
        }
        let troubled: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.trouble().is_some())
            .collect();
        for row in &troubled {
            writeln!(f, "\n{row}")?;
            for attempt in &row.verdict.trace {
                writeln!(f, "    {attempt}")?;
            }
        }
        let worst = self.rows.iter().filter_map(|row| row.verdict.first()).max();
        let gap = self.rows.iter().map(|row| row.verdict.longest_gap()).max();
        writeln!(
            f,
            "\nslowest first message {:?}, longest gap {:?}",
            worst.unwrap_or_default(),
            gap.unwrap_or_default()
        )?;
        let failed = troubled.len();
        write!(f, "{} passed, {failed} failed", self.rows.len() - failed)
    }
}
