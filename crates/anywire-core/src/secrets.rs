//! Session ids and the secrets that attach to them (PROTOCOL §2.1). Neither is kept in a table: an id is a hash of the
//! opening key, a secret a keyed hash of the id, under a key that only this hub has, or the nodes of its cluster.

use anywire_protocol::{OpeningKey, Secret, SessionId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) struct Secrets {
    /// The first makes secrets, all of them are believed.
    keys: Vec<Hmac<Sha256>>,
}

impl Secrets {
    /// A new key from the system's random source.
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("a server cannot run without a random source");
        Self::shared(&[key])
    }

    /// Keys that other nodes have too: the present one first, then those that were present before.
    pub(crate) fn shared(keys: &[[u8; 32]]) -> Self {
        let keys = keys
            .iter()
            .map(|key| Hmac::new_from_slice(key).expect("HMAC takes keys of any length"));
        Self {
            keys: keys.collect(),
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
        let mut mac = self.keys[0].clone();
        mac.update(id.as_bytes());
        Secret::from_bytes(first_half(&mac.finalize().into_bytes()))
    }

    /// Whether the secret is the id's; takes the same time for every wrong one.
    pub(crate) fn is_valid(&self, id: SessionId, secret: &Secret) -> bool {
        self.keys.iter().any(|key| {
            let mut mac = key.clone();
            mac.update(id.as_bytes());
            mac.verify_truncated_left(secret.as_bytes()).is_ok()
        })
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

    #[test]
    fn nodes_that_share_a_key_believe_each_other_while_it_is_rotated() {
        let id = Secrets::raw_id();
        let (old, new) = ([1; 32], [2; 32]);
        let before = Secrets::shared(&[old]);
        let (rotating, after) = (Secrets::shared(&[new, old]), Secrets::shared(&[new]));
        assert!(rotating.is_valid(id, &before.secret(id)));
        assert!(after.is_valid(id, &rotating.secret(id)));
        assert!(!after.is_valid(id, &before.secret(id)));
    }
}
