//! What can go wrong with a browser, in words that say what to do.

use std::{error::Error, fmt, io, time::Duration};

/// Why the browser or a page did not do what a test asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrowserError {
    /// There is no Chromium on this machine, or `CHROMIUM` names none: install one.
    Missing,
    /// Chromium started and never answered: read what it printed.
    Launch(String),
    /// A file or a process could not be used.
    Io(io::Error),
    /// The browser has ended: launch another one.
    Gone,
    /// No answer came in time: the page or the browser hangs.
    Deadline {
        /// The method that was called.
        method: String,
        /// How long its answer was waited for.
        waited: Duration,
    },
    /// The browser refused a command: correct the call.
    Refused {
        /// The method that was called.
        method: String,
        /// What the browser says about it.
        text: String,
    },
    /// An address could not be loaded.
    Navigation {
        /// The address.
        url: String,
        /// Chromium's name for the error, such as `net::ERR_CONNECTION_REFUSED`.
        text: String,
    },
    /// The script of the test threw, with this text.
    Thrown(String),
    /// An answer is not of the type that the test asked for.
    Answer(serde_json::Error),
}

impl fmt::Display for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "no Chromium found: run `apt-get install chromium`, or set CHROMIUM to its path",
            ),
            Self::Launch(text) => write!(f, "Chromium did not start: {text}"),
            Self::Io(error) => write!(f, "cannot run Chromium: {error}"),
            Self::Gone => f.write_str("the browser has ended"),
            Self::Deadline { method, waited } => {
                write!(f, "{method} was not answered within {waited:?}")
            }
            Self::Refused { method, text } => write!(f, "{method} was refused: {text}"),
            Self::Navigation { url, text } => write!(f, "cannot load {url}: {text}"),
            Self::Thrown(text) => write!(f, "the script threw: {text}"),
            Self::Answer(error) => write!(f, "an answer of another type: {error}"),
        }
    }
}

impl Error for BrowserError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Answer(error) => Some(error),
            Self::Missing
            | Self::Launch(_)
            | Self::Gone
            | Self::Deadline { .. }
            | Self::Refused { .. }
            | Self::Navigation { .. }
            | Self::Thrown(_) => None,
        }
    }
}

impl From<io::Error> for BrowserError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<serde_json::Error> for BrowserError {
    fn from(error: serde_json::Error) -> Self {
        Self::Answer(error)
    }
}
