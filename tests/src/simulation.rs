//! The Rust client and the server, whole, over a simulated network in virtual time: a run of minutes takes
//! milliseconds, and follows from its seed. Bytes on their way are left to `net` and `stream`, what goes wrong when to
//! `weather`.

mod connecting;
mod late_proof;
mod net;
mod reading;
mod scenario;
mod stream;
mod weather;

pub use self::connecting::{Cost, connect};
pub use self::late_proof::{LateProof, prove_late};
pub use self::reading::{Read, read_after, sent};
pub use self::scenario::{Outcome, run};

/// Runs it to its end in a runtime of its own, whose time is virtual.
fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime needs nothing rare")
        .block_on(run)
}
