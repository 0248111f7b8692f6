//! The places in the network.

use std::net::{Ipv4Addr, SocketAddr};

/// A place in the network: the nodes' machines come first.
pub(super) type Machine = usize;

/// How many nodes there are.
pub(super) const NODES: usize = 3;

/// Where the store is.
pub(super) const STORE: Machine = NODES;

/// Where the clients are.
pub(super) const CLIENTS: Machine = NODES + 1;

/// Where a machine takes links; a process may listen at another port than the one before.
pub(super) fn address(machine: Machine, port: u16) -> SocketAddr {
    // Links between loopback addresses are plain, which saves time.
    (Ipv4Addr::new(127, 0, 0, machine as u8 + 1), port).into()
}

/// Whose address it is.
pub(super) fn machine_at(address: SocketAddr) -> Machine {
    let SocketAddr::V4(address) = address else {
        unreachable!("machines have addresses of IPv4");
    };
    usize::from(address.ip().octets()[3]) - 1
}
