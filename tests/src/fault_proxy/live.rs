//! The upgraded connections of a proxy, so that all can be told at once what becomes of them. Doing it is left
//! to `tunnel`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// What an upgraded connection does with its bytes. It only ever moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// Passes them.
    Passing,
    /// Swallows them, and hides from either side that the other has closed.
    Muted,
    /// Resets both sides.
    Killed,
}

/// The upgraded connections that live.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<Registry>);

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    modes: HashMap<u64, watch::Sender<Mode>>,
}

/// The place of one connection among the living; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    live: &'a Live,
    number: u64,
    pub(super) mode: watch::Receiver<Mode>,
}

impl Live {
    /// Enters a connection that begins in `mode`.
    pub(super) fn enter(&self, mode: Mode) -> Place<'_> {
        let (sender, mode) = watch::channel(mode);
        let mut registry = self.registry();
        registry.next += 1;
        let number = registry.next;
        registry.modes.insert(number, sender);
        Place {
            live: self,
            number,
            mode,
        }
    }

    /// Tells every connection its new mode, and how many were told. The killed live no longer.
    pub(super) fn order(&self, mode: Mode) -> usize {
        let mut registry = self.registry();
        let told = if mode == Mode::Killed {
            std::mem::take(&mut registry.modes).into_values().collect()
        } else {
            registry.modes.values().cloned().collect::<Vec<_>>()
        };
        drop(registry);
        for sender in &told {
            sender.send_modify(|now| *now = mode.max(*now));
        }
        told.len()
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.live.registry().modes.remove(&self.number);
    }
}
