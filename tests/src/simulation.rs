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
