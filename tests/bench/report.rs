//! What the benchmark prints.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

#[derive(Default)]
pub struct Report {
    tables: Vec<(String, Vec<(&'static str, f64)>)>,
}

impl Report {
    pub fn table(&mut self, title: String, rows: Vec<(&'static str, f64)>) {
        self.tables.push((title, rows));
    }

    /// Prints each table; the first row is what the others are compared to.
    pub fn print(&self) {
        progress("");
        for (title, rows) in &self.tables {
            let base = rows[0].1;
            println!("\n{title}");
            for (name, figure) in rows {
                println!(
                    "  {name:<22}{figure:>12.3}   {:>8.2} times cheaper than {}",
                    base / figure,
                    rows[0].0
                );
            }
        }
    }
}

impl Report {
    /// Writes the tables into `docs/performance.md`, between its markers.
    pub fn write_page(&self) -> io::Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        let page = fs::read_to_string(&path)?;
        let outside = page.split_once(BEGIN).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some((before, after))
        });
        let (before, after) = outside.ok_or(io::ErrorKind::InvalidData)?;
        fs::write(
            path,
            format!("{before}{BEGIN}\n{}{END}{after}", self.markdown()),
        )
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        for (title, rows) in &self.tables {
            let base = rows[0];
            text += &format!(
                "| {title} | figure | times cheaper than `{}` |\n|---|---|---|\n",
                base.0
            );
            for (name, figure) in rows {
                let digits = if *figure < 100.0 { 2 } else { 0 };
                text += &format!("| {name} | {figure:.digits$} | {:.2} |\n", base.1 / figure);
            }
            text += "\n";
        }
        text
    }
}

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Says what goes on, in one line, if anybody is looking.
pub fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
        let _ = std::io::stderr().flush();
    } else if !what.is_empty() {
        eprintln!("{what}");
    }
}
