//! The comparison as a table and as CSV.

use std::fmt::Write;
use std::time::Duration;

use anywire_compare::{Kind, Reading, Settings, Tally};

/// One lane's numbers over the time of the measurement.
pub struct Row {
    pub kind: Kind,
    pub events: u64,
    pub median_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub requests_per_second: f64,
    pub bytes_per_event: Option<f64>,
    pub cpu_us_per_delivery: Option<f64>,
    pub waiting: u64,
    pub gaps: u64,
    pub repeats: u64,
}

impl Row {
    pub fn new(
        kind: Kind,
        tally: &Tally,
        waiting: u64,
        (before, after): (Reading, Reading),
        elapsed: Duration,
    ) -> Self {
        let per = |sum: u64, count: u64| (count > 0).then(|| sum as f64 / count as f64);
        let bytes = |reading: Reading| reading.totals.bytes_up + reading.totals.bytes_down;
        let requests = after.totals.requests - before.totals.requests;
        let deliveries = after.deliveries - before.deliveries;
        let cpu_ns = after.cpu_ns - before.cpu_ns;
        Self {
            kind,
            events: tally.received,
            median_ms: tally.latency_ms(0.5),
            p95_ms: tally.latency_ms(0.95),
            requests_per_second: requests as f64 / elapsed.as_secs_f64(),
            bytes_per_event: per(bytes(after) - bytes(before), tally.received),
            cpu_us_per_delivery: per(cpu_ns, deliveries).map(|ns| ns / 1_000.0),
            waiting,
            gaps: tally.gaps,
            repeats: tally.repeats,
        }
    }

    /// The numbers as words, in the order of [`COLUMNS`]; what cannot be said is `missing`.
    fn words(&self, missing: &str) -> Vec<String> {
        let word = |number: Option<f64>, digits: usize| {
            number.map_or(missing.to_owned(), |number| format!("{number:.digits$}"))
        };
        vec![
            self.kind.name().to_owned(),
            self.events.to_string(),
            word(self.median_ms, 1),
            word(self.p95_ms, 1),
            word(Some(self.requests_per_second), 2),
            word(self.bytes_per_event, 0),
            word(self.cpu_us_per_delivery, 1),
            self.waiting.to_string(),
            self.gaps.to_string(),
            self.repeats.to_string(),
        ]
    }
}

/// The table for a terminal.
pub fn print(rows: &[Row], settings: &Settings) -> String {
    let mut table = format!(
        "{} events/s of {} B; short poll every {} ms; {} ms added to each round trip; {} cuts/min; {} extra clients\n\n",
        settings.events_per_second,
        settings.size_bytes,
        settings.interval_ms,
        settings.added_rtt_ms,
        settings.cuts_per_minute,
        settings.extra_clients,
    );
    let heads = COLUMNS.map(|(_, head)| head.to_owned()).to_vec();
    for words in std::iter::once(heads).chain(rows.iter().map(|row| row.words("–"))) {
        let mut line = String::new();
        for (column, (word, (_, head))) in words.iter().zip(COLUMNS).enumerate() {
            let width = head.chars().count().max(if column == 0 { 10 } else { 7 });
            if column == 0 {
                let _ = write!(line, "{word:<width$}");
            } else {
                let _ = write!(line, "  {word:>width$}");
            }
        }
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table.push_str(
        "\nbytes: both ways at the sockets, HTTP heads and frame headers included. cpu: the server's thread, per delivery.\n",
    );
    table
}

/// The same for programs; what cannot be said is empty.
pub fn csv(rows: &[Row]) -> String {
    let mut text = COLUMNS.map(|(name, _)| name).join(",") + "\n";
    for row in rows {
        text += &(row.words("").join(",") + "\n");
    }
    text
}

/// The names in CSV and in the terminal.
const COLUMNS: [(&str, &str); 10] = [
    ("lane", "lane"),
    ("events", "events"),
    ("median_ms", "median ms"),
    ("p95_ms", "p95 ms"),
    ("requests_per_second", "requests/s"),
    ("bytes_per_event", "bytes/event"),
    ("cpu_us_per_delivery", "cpu µs"),
    ("waiting", "waiting"),
    ("gaps", "gaps"),
    ("repeats", "repeats"),
];

#[cfg(test)]
mod tests {
    use anywire_compare::{Event, Totals};

    use super::*;

    #[test]
    fn numbers_are_what_came_between_two_readings() {
        let reading = |bytes, requests, cpu_ns, deliveries| Reading {
            totals: Totals {
                bytes_up: bytes,
                bytes_down: bytes,
                requests,
                connections: 1,
                ..Totals::default()
            },
            cpu_ns,
            deliveries,
        };
        let mut tally = Tally::default();
        (1..=4).for_each(|number| tally.take(Event { number, at_ms: 0.0 }));
        let readings = (reading(100, 1, 1_000, 0), reading(500, 21, 9_000, 4));
        let row = Row::new(Kind::Stream, &tally, 0, readings, Duration::from_secs(10));
        assert_eq!(row.bytes_per_event, Some(200.0));
        assert_eq!(row.cpu_us_per_delivery, Some(2.0));
        let csv = csv(&[row]);
        let line = csv.lines().nth(1).expect("there is a row");
        assert!(line.starts_with("stream,4,"), "{line}");
        assert!(line.ends_with(",2.00,200,2.0,0,0,0"), "{line}");
    }
}
