//! How many connections there are: all together, and of each address. Whose a connection is, is for the loop to find out.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anywire_core::Site;
use tokio::sync::Semaphore;

/// The connections of a server loop.
pub(super) struct Connections {
    slots: Semaphore,
    most_of_address: u32,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    by_site: HashMap<u64, u32>,
    /// Proxies: what comes from there is of many.
    exempt: HashSet<u64>,
}

/// A connection's share of the limits, held for as long as it lives, upgraded or not.
#[derive(Clone)]
pub(crate) struct ConnectionPermit(Arc<Slot>);

/// A place for a connection.
pub(super) struct Slot {
    connections: Arc<Connections>,
    /// The [`Site`] that it counts for, or `UNCOUNTED`.
    site: AtomicU64,
}

const UNCOUNTED: u64 = 0;

/// Proxies that are remembered; more have a limit.
const MAX_EXEMPT: usize = 4_096;

impl Connections {
    pub(super) fn new(most: usize, most_of_address: u32) -> Arc<Self> {
        Arc::new(Self {
            slots: Semaphore::new(most.min(Semaphore::MAX_PERMITS)),
            most_of_address,
            count: Mutex::default(),
        })
    }

    /// Waits for a place. Dropping the future takes none.
    pub(super) async fn slot(self: &Arc<Self>) -> Slot {
        let permit = self.slots.acquire().await;
        permit.expect("the semaphore is never closed").forget();
        Slot {
            connections: self.clone(),
            site: AtomicU64::new(UNCOUNTED),
        }
    }

    /// Waits until all places are free again.
    pub(super) async fn all_gone(&self, most: usize) {
        let all = u32::try_from(most).unwrap_or(u32::MAX);
        // Only a closed semaphore gives none.
        let _ = self.slots.acquire_many(all).await;
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn leave(&mut self, site: u64) {
        if let Some(count) = self.by_site.get_mut(&site) {
            *count -= 1;
            if *count == 0 {
                self.by_site.remove(&site);
            }
        }
    }
}

impl Slot {
    /// Counts the connection as one of this address; `None` if that has as many as it may.
    pub(super) fn of(self, address: IpAddr) -> Option<ConnectionPermit> {
        let site = Site::from(address).as_u64();
        let mut count = self.connections.count();
        if !count.exempt.contains(&site) {
            let of_site = count.by_site.entry(site).or_default();
            if *of_site >= self.connections.most_of_address {
                return None;
            }
            *of_site += 1;
            self.site.store(site, Ordering::Relaxed);
        }
        drop(count);
        Some(ConnectionPermit(Arc::new(self)))
    }
}

impl ConnectionPermit {
    /// What is at this address speaks for many: its connections are not limited from now on.
    pub(crate) fn exempt(&self) {
        let site = self.0.site.swap(UNCOUNTED, Ordering::Relaxed);
        if site != UNCOUNTED {
            let mut count = self.0.connections.count();
            count.leave(site);
            if count.exempt.len() < MAX_EXEMPT {
                count.exempt.insert(site);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let site = *self.site.get_mut();
        if site != UNCOUNTED {
            self.connections.count().leave(site);
        }
        self.connections.slots.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_a_proxy_any_number() {
        let connections = Connections::new(100, 2);
        let held = [
            connections.slot().await.of(ip("192.0.2.1")),
            connections.slot().await.of(ip("::ffff:192.0.2.1")),
        ];
        assert!(held.iter().all(Option::is_some));
        assert!(connections.slot().await.of(ip("192.0.2.1")).is_none());
        assert!(connections.slot().await.of(ip("192.0.2.2")).is_some());
        let six = [
            connections.slot().await.of(ip("2001:db8::1")),
            connections.slot().await.of(ip("2001:db8::2")),
        ];
        assert!(
            connections.slot().await.of(ip("2001:db8::3")).is_none(),
            "a /64 is one"
        );
        assert!(connections.slot().await.of(ip("2001:db8:0:1::3")).is_some());
        if let [Some(permit), _] = &six {
            permit.exempt();
            permit.exempt();
        }
        let many: Vec<_> = [0; 10].map(|_| ip("2001:db8::9")).into_iter().collect();
        for address in many {
            assert!(connections.slot().await.of(address).is_some());
        }
        drop((held, six));
        assert!(connections.count().by_site.is_empty());
        assert_eq!(connections.slots.available_permits(), 100);
        connections.all_gone(100).await;
    }
}
