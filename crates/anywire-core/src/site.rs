//! What counts as one place on the network: shares and connections are counted by it.

use std::net::IpAddr;

/// An address of IPv4, or the /64 of one of IPv6, which is what one household or office has. Eight bytes, since each connection
/// keeps one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site(u64);

impl Site {
    /// Its number, which is never 0.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl From<IpAddr> for Site {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            // No address of IPv6 that connects begins so: it would be one of many receivers.
            IpAddr::V4(address) => Self(0xffff_0000_0000_0000 | u64::from(address.to_bits())),
            IpAddr::V6(address) => Self(((address.to_bits() >> 64) as u64).max(1)),
        }
    }
}
