//! The key that programs show which publish from outside.

use sha2::{Digest, Sha256};

/// What is kept of a key: two of them are compared in the same time, whatever they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublishKey([u8; 32]);

impl PublishKey {
    pub(crate) fn new(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }
}

/// 32 bytes: a shorter key can be guessed.
pub(crate) const MIN_KEY_BYTES: usize = 32;
