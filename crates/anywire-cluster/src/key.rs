//! The cluster's key: what all nodes know and nobody else. Each use has a key of its own, made from it.

use std::fmt::{self, Debug, Formatter};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What all nodes of a cluster know and nobody else: at least 32 bytes that nobody can guess.
///
/// Nodes know each other by it, and clients' sessions by what is made from it. Who has it can take any session over.
#[derive(Clone)]
pub struct ClusterKey([u8; 32]);

impl Debug for ClusterKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey(…)")
    }
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "a cluster key of {0} bytes: give at least 32 that nobody can guess, such as what `openssl rand -hex 32` prints"
)]
pub struct KeyError(usize);

impl ClusterKey {
    /// A key from a secret of at least 32 bytes, of whatever kind: text or bytes.
    ///
    /// # Errors
    /// The secret is shorter.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let secret = secret.as_ref();
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError(secret.len()));
        }
        Ok(Self(derive(secret, "anywire cluster")))
    }

    /// The key that makes the secrets of sessions.
    pub(crate) fn sessions(&self) -> [u8; 32] {
        derive(&self.0, "anywire session secrets")
    }

    /// The key that nodes show each other.
    pub(crate) fn link(&self) -> LinkKey {
        LinkKey(derive(&self.0, "anywire links"))
    }
}

/// What the nodes at both ends of a link know.
#[derive(Clone)]
pub(crate) struct LinkKey([u8; 32]);

impl Debug for LinkKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn derive(key: &[u8], purpose: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

/// 32.
const MIN_SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_refused_and_each_use_has_its_own() {
        let error = ClusterKey::new("secret").unwrap_err();
        assert!(error.to_string().contains("of 6 bytes"), "{error}");
        let key = ClusterKey::new([7; 32]).unwrap();
        assert_ne!(key.sessions(), *key.link().as_bytes());
        let other = ClusterKey::new([8; 32]).unwrap();
        assert_ne!(key.sessions(), other.sessions());
        assert_eq!(format!("{key:?}"), "ClusterKey(…)");
    }
}
