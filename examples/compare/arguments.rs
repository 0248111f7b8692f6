//! The command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anywire_compare::Settings;

/// What is wanted.
pub struct Arguments {
    pub port: u16,
    pub headless: bool,
    pub duration: Duration,
    pub settings: Settings,
    pub csv: Option<PathBuf>,
    pub svg: Option<PathBuf>,
}

impl Arguments {
    /// Reads what stands after the program's name; none if help is wanted. An error says what to write instead.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            port: 3030,
            headless: false,
            duration: Duration::from_secs(10),
            settings: Settings::default(),
            csv: None,
            svg: None,
        };
        if let Ok(port) = std::env::var("PORT") {
            arguments.port = number("PORT", &port)?;
        }
        while let Some(option) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{option} needs a value"));
            let settings = &mut arguments.settings;
            match option.as_str() {
                "--help" | "-h" => return Ok(None),
                "--headless" => arguments.headless = true,
                "--csv" => arguments.csv = Some(value()?.into()),
                "--svg" => arguments.svg = Some(value()?.into()),
                "--seconds" => {
                    let seconds: u64 = number(&option, &value()?)?;
                    arguments.duration = Duration::from_secs(seconds.clamp(1, 3_600));
                }
                "--port" => arguments.port = number(&option, &value()?)?,
                "--rate" => settings.events_per_second = number(&option, &value()?)?,
                "--size" => settings.size_bytes = number(&option, &value()?)?,
                "--interval" => settings.interval_ms = number(&option, &value()?)?,
                "--rtt" => settings.added_rtt_ms = number(&option, &value()?)?,
                "--cuts" => settings.cuts_per_minute = number(&option, &value()?)?,
                "--clients" => settings.extra_clients = number(&option, &value()?)?,
                _ => return Err(format!("there is no {option}; --help lists what there is")),
            }
        }
        if !arguments.headless && (arguments.csv.is_some() || arguments.svg.is_some()) {
            return Err("--csv and --svg go with --headless".to_owned());
        }
        arguments.settings = arguments.settings.bounded();
        Ok(Some(arguments))
    }
}

fn number<T: FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{option} {text}: write a whole number"))
}

pub const USAGE: &str = "\
Five ways to get events to a client, side by side.

  cargo run --release --example compare                  a page; the address is printed
  cargo run --release --example compare -- --headless    a table in the terminal

  --port 3030       of the page; the variable PORT does the same
  --seconds 10      how long the table is measured
  --csv FILE        the table's numbers
  --svg FILE        a picture of the latencies and the bytes

What is compared; the page has sliders for it:
  --rate 4          events in a second, 1 to 100
  --size 128        bytes of an event, 64 to 4096
  --interval 1000   ms between two short polls, 50 to 3000
  --rtt 40          ms added to each round trip, 0 to 1000
  --cuts 0          times in a minute that all connections are cut, 0 to 60
  --clients 0       more clients for each server, 0 to 50
";
