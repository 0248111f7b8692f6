//! Opens by the number, for tests that make many.

use anywire_protocol::*;

/// An open with a key of its own for each number.
pub fn open(number: u64, can: Can) -> Open {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Open {
        key: OpeningKey::from_bytes(key),
        generation: Generation::new(1),
        received: Offset::default(),
        hold: None,
        protocols: Vec::new(),
        can,
        credential: None,
    }
}
