//! How long what passes between two machines is on its way, and which processes the store hears of.

use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock;
use super::machines::{Machine, STORE};
use super::weather::Weather;
use crate::store::NodeId;

/// What all that passes meets.
pub(super) struct Sky {
    weather: Weather,
    random: Mutex<fastrand::Rng>,
    /// When the store hears that a process is gone; those that it has not heard of are connected to it.
    gone: Mutex<HashMap<NodeId, Option<Duration>>>,
}

impl Debug for Sky {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sky").finish_non_exhaustive()
    }
}

impl Sky {
    pub(super) fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            gone: Mutex::default(),
        }
    }

    pub(super) fn weather(&self) -> &Weather {
        &self.weather
    }

    /// When something arrives that leaves then.
    pub(super) fn arrival(&self, from: Machine, to: Machine, at: Duration) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        self.weather.arrival(from, to, at, &mut random)
    }

    /// When an answer comes to something that leaves then.
    pub(super) fn round_trip(&self, from: Machine, to: Machine, at: Duration) -> Duration {
        self.arrival(to, from, self.arrival(from, to, at))
    }

    /// A process has connected to the store.
    pub(super) fn begin(&self, node: NodeId) {
        self.gone().insert(node, None);
    }

    /// A process is gone.
    pub(super) fn end(&self, node: NodeId, machine: Machine) {
        let heard = self.arrival(machine, STORE, clock::now());
        self.gone().insert(node, Some(heard));
    }

    /// Whether a process is connected to the store, as far as that has heard.
    pub(super) fn is_connected(&self, node: NodeId) -> bool {
        match self.gone().get(&node) {
            Some(gone) => gone.is_none_or(|gone| gone > clock::now()),
            None => false,
        }
    }

    fn gone(&self) -> MutexGuard<'_, HashMap<NodeId, Option<Duration>>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
