//! What is sent: each message follows from its way and its index, here and in `oracle.js` alike.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anywire::Message;

/// Up is client to server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

/// What both sides send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Short texts with all kinds of characters, a few per moment.
    Small,
    /// Two messages of 1 MiB, a text and bytes.
    Large,
    /// Bytes of 0 to 4 KiB.
    Binary,
    /// 5,000 short texts at once.
    Burst,
    /// Short texts for as long as a soak lasts; this many.
    Long(u32),
}

impl Workload {
    /// Those that the lab runs.
    pub const ALL: [Self; 4] = [Self::Small, Self::Large, Self::Binary, Self::Burst];

    /// How many messages each way.
    pub fn count(self) -> usize {
        match self {
            Self::Small => 200,
            Self::Large => 2,
            Self::Binary => 100,
            Self::Burst => 5_000,
            Self::Long(count) => count as usize,
        }
    }

    /// The message in this place.
    pub fn message(self, way: Way, index: usize) -> Message {
        let letter = match way {
            Way::Up => 'u',
            Way::Down => 'd',
        };
        match self {
            Self::Small | Self::Burst | Self::Long(_) => {
                let mark = if index.is_multiple_of(5) {
                    "\u{10}"
                } else {
                    ""
                };
                Message::text(format!("{mark}{letter}{index} é🦀"))
            }
            Self::Large if index.is_multiple_of(2) => {
                let line = format!("{letter}{index} 0123456789 é🦀\n");
                let times = LARGE_BYTES / line.len();
                Message::text(line.repeat(times))
            }
            Self::Large => bytes(index, LARGE_BYTES),
            Self::Binary => bytes(index, index * 97 % 4_096),
        }
    }

    /// After how many messages comes a pause, and how long it is; all else is sent as fast as it is taken.
    pub fn pauses(self) -> Option<(usize, Duration)> {
        match self {
            Self::Small => Some((5, Duration::from_millis(5))),
            Self::Long(_) => Some((10, Duration::from_millis(20))),
            Self::Large | Self::Binary | Self::Burst => None,
        }
    }

    /// Keeps a steady flow steady.
    pub(super) async fn pace(self, index: usize) {
        if let Some((every, pause)) = self.pauses()
            && index.is_multiple_of(every)
        {
            tokio::time::sleep(pause).await;
        }
    }
}

impl Display for Workload {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Small => "small",
            Self::Large => "1 MiB",
            Self::Binary => "binary",
            Self::Burst => "burst",
            Self::Long(_) => "long",
        })
    }
}

fn bytes(index: usize, length: usize) -> Message {
    let byte = |at: usize| (index + at * 7) as u8;
    Message::binary((0..length).map(byte).collect::<Vec<_>>())
}

const LARGE_BYTES: usize = 1_048_576;
