//! Session ids and the secrets that attach to them (PROTOCOL §2.1). Nothing secret is kept per session: a secret is a
//! keyed hash of its id, under a key that only this hub has.

use anywire_protocol::{Secret, SessionId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
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

    /// A new id, from a cryptographic generator.
    pub(crate) fn new_id() -> SessionId {
        SessionId::from_bytes(*Uuid::new_v4().as_bytes())
    }

    pub(crate) fn secret(&self, id: SessionId) -> Secret {
        let mut mac = self.key.clone();
        mac.update(id.as_bytes());
        let hash = mac.finalize().into_bytes();
        let (half, _) = hash.split_at(16);
        Secret::from_bytes(half.try_into().expect("half of 32 bytes is 16"))
    }

    /// Whether the secret is the id's; takes the same time for every wrong one.
    pub(crate) fn is_valid(&self, id: SessionId, secret: &Secret) -> bool {
        let mut mac = self.key.clone();
        mac.update(id.as_bytes());
        mac.verify_truncated_left(secret.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_its_own_session_at_its_own_hub_only() {
        let secrets = Secrets::new();
        let (one, other) = (Secrets::new_id(), Secrets::new_id());
        assert!(secrets.is_valid(one, &secrets.secret(one)));
        assert!(!secrets.is_valid(other, &secrets.secret(one)));
        assert!(!Secrets::new().is_valid(one, &secrets.secret(one)));
    }
}
