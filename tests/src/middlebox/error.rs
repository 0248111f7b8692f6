//! Why a middlebox does not run, in words that say what to do.

use std::{error::Error, fmt, io};

/// Why a middlebox does not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum MiddleboxError {
    /// The program is not on this machine: install it.
    Missing(&'static str),
    /// It ended, or did not listen in time: read what it printed.
    Start {
        /// The program.
        program: &'static str,
        /// What it printed.
        printed: String,
    },
    /// A file or a process could not be used.
    Io(io::Error),
}

impl fmt::Display for MiddleboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(program) => write!(
                f,
                "no {program} found: run `tests/install-middleboxes.sh`, which says or does what is needed"
            ),
            Self::Start { program, printed } => write!(f, "{program} did not start: {printed}"),
            Self::Io(error) => write!(f, "cannot run a middlebox: {error}"),
        }
    }
}

impl Error for MiddleboxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Missing(_) | Self::Start { .. } => None,
        }
    }
}

impl From<io::Error> for MiddleboxError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
