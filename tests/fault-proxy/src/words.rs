//! Faults as words: how they are read, shown and explained. Which words there are is said by `table`, what the value
//! of one may be by `value`.

mod table;
mod value;

use std::{error::Error, fmt, str::FromStr};

use self::table::WORDS;
use super::faults::Faults;

/// Words that name no faults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultsError {
    /// There is no such word: choose one of those that the message lists.
    Unknown(String),
    /// The word stands there twice, or beside one that contradicts it: take one of them out.
    Twice(String),
    /// The word's value is no value for it: write it as in the second text.
    Value(String, &'static str),
}

impl Faults {
    /// All words with an example of their values, one line each.
    pub fn explain_words() -> String {
        let lines = WORDS
            .iter()
            .map(|word| format!("  {:24}{}\n", word.shape(), word.help));
        lines.collect()
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        let words = text.split(',').map(str::trim);
        for text in words.filter(|word| !word.is_empty() && *word != NONE) {
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            };
            let word = WORDS.iter().find(|word| word.name == name);
            let word = word.ok_or_else(|| FaultsError::Unknown(name.to_owned()))?;
            if word.field.is_taken(&mut faults) {
                return Err(FaultsError::Twice(text.to_owned()));
            }
            word.field
                .read(&mut faults, value)
                .map_err(|shape| FaultsError::Value(text.to_owned(), shape))?;
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults = self.clone();
        let mut words = Vec::new();
        for word in WORDS {
            for value in word.field.show(&mut faults) {
                words.push(match value.as_str() {
                    "" => word.name.to_owned(),
                    value => format!("{}={value}", word.name),
                });
            }
        }
        if words.is_empty() {
            words.push(NONE.to_owned());
        }
        f.write_str(&words.join(","))
    }
}

impl fmt::Display for FaultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let words: Vec<_> = WORDS.iter().map(|word| word.name).collect();
                write!(
                    f,
                    "no fault is called `{name}`; there are {}",
                    words.join(", ")
                )
            }
            Self::Twice(word) => write!(f, "`{word}` and what stands before it exclude each other"),
            Self::Value(word, shape) => write!(f, "`{word}`: write {shape}"),
        }
    }
}

impl Error for FaultsError {}

/// What no faults are called.
const NONE: &str = "none";

#[cfg(test)]
mod tests;
