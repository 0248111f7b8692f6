//! What is remembered of origins, and on which network (NEGOTIATION §6).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use anywire_protocol::{Memory, NegotiationSettings};
use tokio::time::Instant;

/// What clients remember of the origins that they talked to: whether WebSockets work there, and how fast.
///
/// Clones share it. All clients of a process share one unless [`ClientBuilder::memory`](crate::ClientBuilder::memory) says
/// otherwise. It changes only how soon polling starts beside the WebSocket.
#[derive(Clone, Debug, Default)]
pub struct OriginMemory(Arc<Mutex<HashMap<Box<str>, Entry>>>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    memory: Memory,
    network: Option<IpAddr>,
    until: Instant,
}

impl OriginMemory {
    /// The one that all clients of the process share.
    pub(crate) fn shared() -> Self {
        static SHARED: LazyLock<OriginMemory> = LazyLock::new(OriginMemory::default);
        SHARED.clone()
    }

    pub(crate) fn recall(&self, origin: &str, network: Option<IpAddr>) -> Option<Memory> {
        let entry = *self.lock().get(origin)?;
        (entry.network == network && entry.until > Instant::now()).then_some(entry.memory)
    }

    pub(crate) fn remember(&self, origin: &str, memory: Memory, network: Option<IpAddr>) {
        let now = Instant::now();
        let mut entries = self.lock();
        if entries.len() >= MAX_ORIGINS {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() < MAX_ORIGINS || entries.contains_key(origin) {
            let until = now + NegotiationSettings::MEMORY;
            let entry = Entry {
                memory,
                network,
                until,
            };
            entries.insert(origin.into(), entry);
        }
    }

    pub(crate) fn forget(&self, origin: &str) {
        self.lock().remove(origin);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which network this machine is on: its own address on the way out. Nothing is sent for it.
pub(crate) fn network() -> Option<IpAddr> {
    let route = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, DISCARD_PORT)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    // Addresses for documentation: no machine has them.
    let (v4, v6) = (
        Ipv4Addr::new(192, 0, 2, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    );
    route(Ipv4Addr::UNSPECIFIED.into(), v4.into())
        .or_else(|| route(Ipv6Addr::UNSPECIFIED.into(), v6.into()))
}

const DISCARD_PORT: u16 = 9;

/// How many origins are remembered.
const MAX_ORIGINS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_memory_expires_and_does_not_follow_to_another_network() {
        let memory = OriginMemory::default();
        let (here, there) = (Some([10, 0, 0, 1].into()), Some([10, 9, 0, 1].into()));
        memory.remember("http://a", Memory::Fails, here);
        assert_eq!(memory.recall("http://a", here), Some(Memory::Fails));
        assert_eq!(memory.recall("http://a", there), None);
        assert_eq!(memory.recall("http://b", here), None);
        tokio::time::advance(NegotiationSettings::MEMORY + Duration::from_secs(1)).await;
        assert_eq!(memory.recall("http://a", here), None);
    }
}
