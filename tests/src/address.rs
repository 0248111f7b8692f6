//! Addresses for what is told where to listen, and for what must keep its address while nothing listens there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// A loopback address that nobody uses.
///
/// It lies below the ports that systems hand out, so that nobody is given it before its owner has bound it, and
/// the process's id keeps two test processes apart.
pub fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(process::id() % 500).expect("it is below 500") * 20;
    loop {
        let number = (own + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST_PORT + number));
        if TcpListener::bind(addr).is_ok() {
            return addr;
        }
    }
}

const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;
