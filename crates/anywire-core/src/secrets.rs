//! Session ids and the secrets that attach to them (PROTOCOL §2.1). Neither is kept in a table: an id is a hash of the
//! opening key, a secret a keyed hash of the id, under a key that only this hub has.

use anywire_protocol::{OpeningKey, Secret, SessionId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) struct Secrets {
    key: Hmac<Sha256>,
}

impl Secrets {
    /// A new key from the system's random source.
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("a server cannot run without a random source");
        Self {
            key: Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"),
        }
    }

    /// The session that a key means.
    pub(crate) fn id(key: &OpeningKey) -> SessionId {
        let hash = Sha256::new()
            .chain_update(b"anywire session")
            .chain_update(key.as_bytes());
        SessionId::from_bytes(first_half(&hash.finalize()))
    }

    /// The id of a session that no key opens, from a cryptographic generator.
    pub(crate) fn raw_id() -> SessionId {
        SessionId::from_bytes(*Uuid::new_v4().as_bytes())
    }

    pub(crate) fn secret(&self, id: SessionId) -> Secret {
        let mut mac = self.key.clone();
        mac.update(id.as_bytes());
        Secret::from_bytes(first_half(&mac.finalize().into_bytes()))
    }

    /// Whether the secret is the id's; takes the same time for every wrong one.
    pub(crate) fn is_valid(&self, id: SessionId, secret: &Secret) -> bool {
        let mut mac = self.key.clone();
        mac.update(id.as_bytes());
        mac.verify_truncated_left(secret.as_bytes()).is_ok()
    }
}

fn first_half(hash: &[u8]) -> [u8; 16] {
    *hash.first_chunk().expect("a hash has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_its_own_session_at_its_own_hub_only() {
        let secrets = Secrets::new();
        let (one, other) = (Secrets::raw_id(), Secrets::raw_id());
        assert!(secrets.is_valid(one, &secrets.secret(one)));
        assert!(!secrets.is_valid(other, &secrets.secret(one)));
        assert!(!Secrets::new().is_valid(one, &secrets.secret(one)));
    }
}
