//! The verdict, from the files alone: each life's messages are equal at both ends, or its end was told and something had happened
//! to its home.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::{fs, io};

/// What one life was, at both ends.
#[derive(Default)]
struct Life {
    opened: Option<u64>,
    /// How many numbers its client sent.
    sent: u64,
    got: Vec<u64>,
    topic: Vec<u64>,
    /// When and how its client was done with it.
    end: Option<(u64, End)>,
    /// The nodes at which a handler ran for it, and what that heard.
    homes: Vec<Home>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// All had come back, and it said goodbye.
    Done,
    /// It was told that the session is over.
    Told(u16),
    /// Neither.
    Stuck,
}

struct Home {
    node: String,
    heard: Vec<u64>,
    has_ended: bool,
}

/// All that was written down.
#[derive(Default)]
pub struct Verdict {
    lives: BTreeMap<String, Life>,
    refused: usize,
    /// When something was done to a node that its sessions need not survive.
    struck: HashMap<String, u64>,
    killed: HashSet<String>,
    /// What a node told of topics: when, and how many messages were missing, if it could say so.
    gaps: HashMap<String, Vec<(u64, Option<u64>)>>,
    published: BTreeSet<u64>,
    unsure: HashSet<u64>,
    to_home: u64,
    elsewhere: u64,
    /// What is wrong.
    pub troubles: Vec<String>,
}

impl Verdict {
    /// Reads all files of a directory, and judges.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut verdict = Self::default();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy());
            let name = name.unwrap_or_default();
            let node = name.strip_prefix("node-").unwrap_or_default();
            for line in fs::read_to_string(&path)?.lines() {
                verdict.hear(node, line);
            }
        }
        verdict.judge();
        Ok(verdict)
    }

    fn hear(&mut self, node: &str, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let Some((Ok(at), words)) = words.split_first().map(|(at, rest)| (at.parse(), rest)) else {
            return self
                .troubles
                .push(format!("a line without its time: {line}"));
        };
        let number = |word: &str| word.parse().unwrap_or(u64::MAX);
        match *words {
            ["opens", life] => drop(self.life(life)),
            ["opened", life] => self.life(life).opened = Some(at),
            ["refused", ..] => self.refused += 1,
            ["sent", life, n] => self.life(life).sent = number(n) + 1,
            ["unsent", life, n] => self.life(life).sent = number(n),
            ["got", life, "home", _] => drop(self.life(life)),
            ["got", life, word] => match word.strip_prefix('t') {
                Some(n) => self.life(life).topic.push(number(n)),
                None => self.life(life).got.push(number(word)),
            },
            ["ended", life, code] => {
                let code = code.parse().unwrap_or_default();
                self.life(life).end = Some((at, End::Told(code)));
            }
            ["done", life, _] => self.life(life).end = Some((at, End::Done)),
            ["stuck", life, ..] => self.life(life).end = Some((at, End::Stuck)),
            ["begins", life] => {
                let node = node.to_owned();
                self.life(life).homes.push(Home {
                    node,
                    heard: Vec::new(),
                    has_ended: false,
                });
            }
            ["heard", life, n] => match self.home(life, node) {
                Some(home) => home.heard.push(number(n)),
                None => self.wrong(life, "was heard before it began"),
            },
            ["ends", life, ..] => match self.home(life, node) {
                Some(home) => home.has_ended = true,
                None => self.wrong(life, "ended before it began"),
            },
            ["kills", node] => {
                self.strike(node, at);
                self.killed.insert(node.to_owned());
            }
            ["drains" | "pauses", node] => self.strike(node, at),
            ["gap", missing] => {
                let gaps = self.gaps.entry(node.to_owned()).or_default();
                gaps.push((at, missing.parse().ok()));
            }
            ["published", n] => drop(self.published.insert(number(n))),
            ["unsure", n] => drop(self.unsure.insert(number(n))),
            ["sends", "home"] => self.to_home += 1,
            ["sends", "elsewhere"] => self.elsewhere += 1,
            ["drains"] | ["drained", _] | ["does", ..] => {}
            _ => self
                .troubles
                .push(format!("a line that says nothing: {line}")),
        }
    }

    fn strike(&mut self, node: &str, at: u64) {
        self.struck.entry(node.to_owned()).or_insert(at);
    }

    fn life(&mut self, name: &str) -> &mut Life {
        self.lives.entry(name.to_owned()).or_default()
    }

    fn home(&mut self, life: &str, node: &str) -> Option<&mut Home> {
        let homes = self.life(life).homes.iter_mut();
        homes.rev().find(|home| home.node == node)
    }

    fn wrong(&mut self, life: &str, what: &str) {
        self.troubles.push(format!("{life}: {what}"));
    }

    fn judge(&mut self) {
        let mut troubles = Vec::new();
        for (name, life) in &self.lives {
            let wrong = self.wrong_with(life);
            troubles.extend(wrong.into_iter().map(|what| format!("{name}: {what}")));
        }
        self.troubles.extend(troubles);
        let all = self.to_home + self.elsewhere;
        if all > 0 && self.to_home * 100 > all {
            let to_home = self.to_home;
            let text = format!("{to_home} of {all} requests went to their session's home");
            self.troubles.push(text);
        }
    }

    fn wrong_with(&self, life: &Life) -> Vec<String> {
        let mut wrong = Vec::new();
        // What a node heard that was killed before its client knew is heard again where the client opened anew.
        if let Some((_, before)) = life.homes.split_last() {
            for home in before
                .iter()
                .filter(|home| !self.struck.contains_key(&home.node))
            {
                wrong.push(format!("its handler ran again, though {} lived", home.node));
            }
        }
        for home in &life.homes {
            if !home.has_ended && !self.killed.contains(&home.node) {
                wrong.push(format!("its handler at {} was not told its end", home.node));
            }
            if !counts(&home.heard) {
                wrong.push(format!("{} heard {:?}", home.node, home.heard));
            }
        }
        let heard = life.homes.last().map_or(0, |home| home.heard.len() as u64);
        let got = life.got.len() as u64;
        if !counts(&life.got) {
            wrong.push(format!("its client got {:?}", life.got));
        }
        if heard > life.sent || got > heard {
            wrong.push(format!("sent {}, heard {heard}, got {got}", life.sent));
        }
        match (life.opened, life.end) {
            (None, _) => {}
            (Some(_), None) => wrong.push("it has no end".to_owned()),
            (Some(_), Some((_, End::Stuck))) => wrong.push(format!(
                "its last words did not come back: sent {}, heard {heard}, got {got}",
                life.sent
            )),
            (Some(_), Some((_, End::Done))) => {
                if got != life.sent {
                    wrong.push(format!("{} were sent, {got} came back", life.sent));
                }
            }
            (Some(_), Some((at, End::Told(code)))) => {
                let struck =
                    |home: &Home| self.struck.get(&home.node).is_some_and(|then| *then <= at);
                if !life.homes.iter().any(struck) {
                    wrong.push(format!(
                        "was told {code}, though nothing had happened to its home"
                    ));
                }
            }
        }
        wrong.extend(self.wrong_with_topic(life));
        wrong
    }

    /// The topic's messages come in order and none twice; those that are missing between two were told as a gap.
    fn wrong_with_topic(&self, life: &Life) -> Option<String> {
        // One whose outcome its publisher does not know may come at any place.
        let sure: Vec<_> = life
            .topic
            .iter()
            .filter(|number| !self.unsure.contains(number))
            .collect();
        if let Some(pair) = sure.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Some(format!("the topic's {} came after {}", pair[1], pair[0]));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = life.topic.iter().find(|number| !seen.insert(**number)) {
            return Some(format!("the topic's {twice} came twice"));
        }
        let (first, last) = (*sure.first()?, *sure.last()?);
        let due = self.published.range(first..=last).count();
        let missing = (due - sure.len()) as u64;
        let opened = life.opened.unwrap_or_default();
        let told = life
            .homes
            .iter()
            .filter_map(|home| self.gaps.get(&home.node));
        let told = told.flatten().filter(|(at, _)| *at >= opened);
        // A store that has forgotten cannot say how many.
        let told: u64 = told
            .map(|(_, missing)| missing.unwrap_or(u64::MAX / 1_000))
            .sum();
        (missing > told)
            .then(|| format!("{missing} of the topic's messages are missing, told are {told}"))
    }

    /// When sessions opened, in milliseconds, the first first.
    pub fn opens(&self) -> Vec<u64> {
        let mut opens: Vec<_> = self.lives.values().filter_map(|life| life.opened).collect();
        opens.sort_unstable();
        opens
    }
}

/// Whether numbers are 0, 1, 2 …
fn counts(numbers: &[u64]) -> bool {
    numbers.iter().zip(0..).all(|(number, due)| *number == due)
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let opened: Vec<_> = self
            .lives
            .values()
            .filter(|life| life.opened.is_some())
            .collect();
        let mut told = BTreeMap::<u16, usize>::new();
        for life in &opened {
            if let Some((_, End::Told(code))) = life.end {
                *told.entry(code).or_default() += 1;
            }
        }
        let sum = |count: fn(&Life) -> usize| opened.iter().map(|life| count(life)).sum::<usize>();
        let heard = |life: &Life| life.homes.iter().map(|home| home.heard.len()).sum();
        let sent: u64 = opened.iter().map(|life| life.sent).sum();
        writeln!(
            f,
            "sessions          {}, {} opens refused",
            opened.len(),
            self.refused
        )?;
        writeln!(
            f,
            "sent, heard, got  {sent}, {}, {}",
            sum(heard),
            sum(|life| life.got.len())
        )?;
        writeln!(f, "ends told         {told:?}")?;
        let gaps = self.gaps.values().map(Vec::len).sum::<usize>();
        writeln!(
            f,
            "topic             {} published, {} unsure, {} got, {gaps} gaps told",
            self.published.len(),
            self.unsure.len(),
            sum(|life| life.topic.len())
        )?;
        let all = self.to_home + self.elsewhere;
        if all > 0 {
            let percent = self.elsewhere as f64 * 100.0 / all as f64;
            writeln!(f, "not to the home   {percent:.2} % of {all} requests")?;
        }
        match self.troubles.len() {
            0 => write!(f, "equal, or told"),
            count => write!(f, "{count} troubles"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A life of three numbers that says goodbye, as its client and its node write it down.
    const CLIENT: &str = "1 opens a.0
2 opened a.0
3 got a.0 home 0.0
4 sent a.0 0
5 sent a.0 1
6 got a.0 0
7 got a.0 1
8 got a.0 t5
9 got a.0 t6
10 sent a.0 2
11 got a.0 2
12 got a.0 t8
13 done a.0 1000";
    const NODE: &str = "2 begins a.0
4 heard a.0 0
5 heard a.0 1
9 gap 1
10 heard a.0 2
13 ends a.0 1000 true";

    /// What is wrong with the life, with lines of one side replaced.
    fn troubles(replaced: &[(&str, &str)], nemesis: &str) -> String {
        let mut verdict = Verdict::default();
        let change = |text: &str| {
            replaced
                .iter()
                .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        };
        let published = "5 published 5\n6 published 6\n7 published 7\n8 published 8";
        for (node, text) in [("", CLIENT), ("0.0", NODE), ("", published), ("", nemesis)] {
            for line in change(text).lines().filter(|line| !line.is_empty()) {
                verdict.hear(node, line);
            }
        }
        verdict.judge();
        verdict.troubles.join("; ")
    }

    #[test]
    fn what_is_equal_or_told_is_well() {
        assert_eq!(troubles(&[], ""), "");
        let killed = [
            ("13 done a.0 1000", "13 ended a.0 4930"),
            ("11 got a.0 2", ""),
        ];
        assert_eq!(troubles(&killed, "9 kills 0.0"), "");
        let drained = [("13 done a.0 1000", "13 ended a.0 1012")];
        assert_eq!(troubles(&drained, "9 drains 0.0"), "");
    }

    #[test]
    fn whatever_is_neither_equal_nor_told_is_found() {
        for (from, to, what) in [
            ("11 got a.0 2", "", "3 were sent, 2 came back"),
            ("7 got a.0 1", "7 got a.0 1\n7 got a.0 1", "its client got"),
            ("10 heard a.0 2", "", "sent 3, heard 2, got 3"),
            ("5 heard a.0 1", "", "0.0 heard [0, 2]"),
            ("5 heard a.0 1", "5 heard a.0 1\n5 heard a.0 1", "0.0 heard"),
            ("13 done a.0 1000", "", "it has no end"),
            (
                "13 done a.0 1000",
                "13 ended a.0 4930",
                "nothing had happened",
            ),
            (
                "13 done a.0 1000",
                "13 stuck a.0 2 of 3",
                "did not come back",
            ),
            ("13 ends a.0 1000 true", "", "was not told its end"),
            (
                "2 begins a.0",
                "2 begins a.0\n3 begins a.0",
                "its handler ran again",
            ),
            ("9 gap 1", "", "1 of the topic's messages are missing"),
            ("9 got a.0 t6", "9 got a.0 t5", "the topic's 5 came after 5"),
            ("8 got a.0 t5", "8 got a.0 t6", "the topic's 6 came after 6"),
            ("6 got a.0 0", "6 got a.0 nonsense", "its client got"),
            ("3 got a.0 home 0.0", "3 shrugs", "says nothing"),
        ] {
            let found = troubles(&[(from, to)], "");
            assert!(found.contains(what), "{from} -> {to}: {found}");
        }
        // What happened after the end does not excuse it.
        let told = [("13 done a.0 1000", "13 ended a.0 4930")];
        assert!(troubles(&told, "14 kills 0.0").contains("nothing had happened"));
        let mut verdict = Verdict::default();
        (0..50).for_each(|_| verdict.hear("", "1 sends elsewhere"));
        verdict.hear("", "1 sends home");
        verdict.judge();
        assert!(verdict.troubles[0].contains("1 of 51 requests"));
    }
}
