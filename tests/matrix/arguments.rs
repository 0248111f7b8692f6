//! The command line of `anywire-matrix`.

use crate::Side;

/// What is to be run.
pub struct Arguments {
    pub sides: Vec<Side>,
    /// Only modes whose words contain this.
    pub only: Option<String>,
    /// How many runs at once.
    pub at_once: u32,
}

impl Arguments {
    /// Reads what stands after the program's name; none if help is wanted. An error says what to write instead.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut told = Self {
            sides: vec![Side::Rust, Side::Browser],
            only: None,
            at_once: 3,
        };
        while let Some(option) = args.next() {
            match option.as_str() {
                "--help" | "-h" => return Ok(None),
                "--rust" => told.sides = vec![Side::Rust],
                "--browser" => told.sides = vec![Side::Browser],
                "--only" => told.only = Some(args.next().ok_or("--only needs a word, as silent")?),
                "--at-once" => {
                    let number = args.next().and_then(|text| text.parse().ok());
                    told.at_once = number
                        .filter(|number| *number > 0)
                        .ok_or("--at-once needs a number, as 3")?;
                }
                _ => return Err(format!("there is no {option}; --help lists what there is")),
            }
        }
        Ok(Some(told))
    }

    pub fn wants(&self, mode: &str) -> bool {
        self.only.as_ref().is_none_or(|only| mode.contains(only))
    }
}

pub const USAGE: &str = "\
Every mode of the lab × both clients × every workload, each judged by the oracle, as a table.

  anywire-matrix [--rust | --browser] [--only WORD] [--at-once 3]

A row that is not as it should be is told with the client's attempts, and makes the run fail.
";
