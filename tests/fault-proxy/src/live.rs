//! What lives in a proxy, connections or the upgraded ones among them, so that all can be told at once what becomes
//! of them. Doing it is left to `line` and `tunnel`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Those that live, each in a state that only ever grows.
#[derive(Debug)]
pub(super) struct Live<S>(Mutex<Registry<S>>);

#[derive(Debug)]
struct Registry<S> {
    next: u64,
    states: HashMap<u64, watch::Sender<S>>,
}

/// The place of one among the living; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a, S> {
    live: &'a Live<S>,
    number: u64,
    state: watch::Sender<S>,
}

impl<S: Copy + Ord> Live<S> {
    /// Enters one that begins in `state`.
    pub(super) fn enter(&self, state: S) -> Place<'_, S> {
        let state = watch::Sender::new(state);
        let mut registry = self.registry();
        registry.next += 1;
        let number = registry.next;
        registry.states.insert(number, state.clone());
        drop(registry);
        Place {
            live: self,
            number,
            state,
        }
    }

    /// Tells all their new state, and how many were told.
    pub(super) fn tell(&self, state: S) -> usize {
        let told: Vec<_> = self.registry().states.values().cloned().collect();
        raise_all(&told, state)
    }

    /// The same for a state that is the last one: they live no longer.
    pub(super) fn end(&self, state: S) -> usize {
        let told = std::mem::take(&mut self.registry().states);
        raise_all(&told.into_values().collect::<Vec<_>>(), state)
    }
}

impl<S> Live<S> {
    fn registry(&self) -> MutexGuard<'_, Registry<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Default for Live<S> {
    fn default() -> Self {
        Self(Mutex::new(Registry {
            next: 0,
            states: HashMap::new(),
        }))
    }
}

impl<S> Place<'_, S> {
    /// Its state, to be read, waited for, or raised by itself.
    pub(super) fn state(&self) -> watch::Sender<S> {
        self.state.clone()
    }
}

impl<S> Drop for Place<'_, S> {
    fn drop(&mut self) {
        self.live.registry().states.remove(&self.number);
    }
}

/// Moves a state on, never back.
pub(super) fn raise<S: Copy + Ord>(sender: &watch::Sender<S>, state: S) {
    sender.send_if_modified(|now| {
        let is_news = *now < state;
        *now = state.max(*now);
        is_news
    });
}

fn raise_all<S: Copy + Ord>(told: &[watch::Sender<S>], state: S) -> usize {
    for sender in told {
        raise(sender, state);
    }
    told.len()
}
