//! The comparison as a picture: bars for what each lane's event costs.

use std::fmt::Write;

use anywire_compare::Settings;

use crate::table::Row;

/// What is drawn: a heading, and each row's number.
type Panel = (&'static str, fn(&Row) -> Option<f64>);

/// Draws three panels side by side: latency, bytes and CPU.
pub fn draw(rows: &[Row], settings: &Settings) -> String {
    let panels: [Panel; 3] = [
        ("median latency, ms", |row| row.median_ms),
        ("bytes per event", |row| row.bytes_per_event),
        ("server CPU per delivery, µs", |row| {
            row.cpu_us_per_delivery
        }),
    ];
    let height = TOP + rows.len() as u32 * ROW + 24;
    let width = NAMES + panels.len() as u32 * PANEL;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"28\" fill=\"#5f636b\">{} events/s of {} bytes, short poll every {} ms, {} ms added round trip, {} cuts/min</text>\n",
        settings.events_per_second,
        settings.size_bytes,
        settings.interval_ms,
        settings.added_rtt_ms,
        settings.cuts_per_minute,
    );
    for (line, row) in rows.iter().enumerate() {
        let y = TOP + line as u32 * ROW;
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{}\" font-weight=\"600\" fill=\"{}\">{}</text>",
            y + 22,
            COLOURS[line % COLOURS.len()],
            row.kind.name()
        );
    }
    for (column, (heading, number)) in panels.iter().enumerate() {
        let x = NAMES + column as u32 * PANEL;
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"60\" font-weight=\"600\" fill=\"#1d2025\">{heading}</text>"
        );
        let most = rows
            .iter()
            .filter_map(number)
            .fold(f64::MIN_POSITIVE, f64::max);
        for (line, row) in rows.iter().enumerate() {
            let Some(value) = number(row) else { continue };
            let y = TOP + line as u32 * ROW;
            let bar = (value / most * f64::from(PANEL - 90)).max(2.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{}\" width=\"{bar:.1}\" height=\"20\" rx=\"4\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{}\" fill=\"#1d2025\">{value:.1}</text>",
                y + 7,
                COLOURS[line % COLOURS.len()],
                f64::from(x) + bar + 6.0,
                y + 22
            );
        }
    }
    svg + "</svg>\n"
}

const NAMES: u32 = 120;
const PANEL: u32 = 280;
const TOP: u32 = 72;
const ROW: u32 = 36;
/// The page's, in the order of the lanes.
const COLOURS: [&str; 5] = ["#c0392b", "#b7660a", "#7d3fc0", "#0a6c96", "#157a3c"];
