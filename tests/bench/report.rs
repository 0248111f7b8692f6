//! What the benchmark prints.

use std::io::{IsTerminal, Write};

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
