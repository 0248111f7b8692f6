//! The three views of the comparison, and which lanes run in each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Kind, Settings};

/// What a comparison is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// Events from the server, at the rate of the settings.
    News,
    /// Questions from the client, and their answers.
    Questions,
    /// Clients that are left alone, without any message and with one a minute.
    Phone,
}

/// What a lane carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The events that the server makes.
    Events,
    /// What the client asks.
    Questions,
    /// No message at all.
    Nothing,
}

impl View {
    /// Its lanes, from the oldest to the best way.
    pub fn lanes(self) -> Vec<(Kind, Load)> {
        let all = |load| Kind::SESSIONS.map(move |kind| (kind, load));
        match self {
            Self::News => all(Load::Events).into(),
            Self::Questions => std::iter::once((Kind::Fetch, Load::Questions))
                .chain(all(Load::Questions))
                .collect(),
            Self::Phone => [all(Load::Nothing), all(Load::Events)].concat(),
        }
    }

    /// The settings that it begins with.
    pub fn settings(self) -> Settings {
        let settings = Settings::default();
        match self {
            Self::News | Self::Questions => settings,
            Self::Phone => Settings {
                interval_ms: 10_000,
                ..settings
            },
        }
    }

    /// The pause before the first event, and that between two; none if the server makes none.
    pub(crate) fn event_pauses(self, settings: &Settings) -> Option<(Duration, Duration)> {
        match self {
            Self::News => Some((Duration::ZERO, settings.event_period())),
            Self::Questions => None,
            Self::Phone => Some((MINUTE / 2, MINUTE)),
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
