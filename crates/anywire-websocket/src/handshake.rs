//! The upgrade, on both sides (RFC 6455 §4). The gate judges origin and authorisation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha1::{Digest, Sha1};

/// What is wrong with an upgrade request: answer 400 and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HandshakeError(&'static str);

/// A request that may be upgraded.
#[derive(Clone, Debug)]
pub struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Checks a request's method and headers.
    ///
    /// # Errors
    /// Says which header to mend.
    pub fn check(method: &Method, headers: &HeaderMap) -> Result<Self, HandshakeError> {
        if method != Method::GET {
            return Err(HandshakeError(
                "a WebSocket upgrade by a method other than GET",
            ));
        }
        if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade")
        {
            return Err(HandshakeError(
                "a request without `Connection: Upgrade` and `Upgrade: websocket`: this endpoint speaks WebSocket, \
                 and a proxy in between may have to pass them on",
            ));
        }
        if headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_none_or(|version| version != "13")
        {
            return Err(HandshakeError("a Sec-WebSocket-Version other than 13"));
        }
        let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(HandshakeError("no Sec-WebSocket-Key, or more than one"));
        };
        match BASE64.decode(key.as_bytes()) {
            Ok(nonce) if nonce.len() == 16 => {}
            _ => {
                return Err(HandshakeError(
                    "a Sec-WebSocket-Key that is not 16 bytes in base64",
                ));
            }
        }
        Ok(Self {
            accept: accept(key.as_bytes()),
        })
    }

    /// The value of `Sec-WebSocket-Accept`.
    pub fn accept(&self) -> &HeaderValue {
        &self.accept
    }
}

/// A client's upgrade (RFC 6455 §4.1).
#[derive(Clone, Debug)]
pub struct Upgrade {
    key: HeaderValue,
}

impl Upgrade {
    /// An upgrade with 16 random bytes, fresh for each.
    pub fn new(nonce: [u8; 16]) -> Self {
        let key = HeaderValue::from_str(&BASE64.encode(nonce)).expect("base64 is a header value");
        Self { key }
    }

    /// What the request's head needs beside `Host`.
    ///
    /// # Errors
    /// A protocol is not a token.
    pub fn headers(&self, protocols: &[String]) -> Result<HeaderMap, HandshakeError> {
        let protocols = HeaderValue::from_str(&protocols.join(", "))
            .map_err(|_| HandshakeError("a sub-protocol that is no token of RFC 9110"))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, self.key.clone());
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        Ok(headers)
    }

    /// Checks the head of a 101 for what it must say, and that it names no protocol but the one that was asked for. It may
    /// name none: something in between may have taken that out, and what follows shows who speaks.
    ///
    /// # Errors
    /// Something in between answers in the server's stead: fail the connection.
    pub fn check(&self, headers: &HeaderMap, protocol: &str) -> Result<(), HandshakeError> {
        if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade")
        {
            return Err(HandshakeError("a 101 that does not upgrade to a WebSocket"));
        }
        if headers.get(SEC_WEBSOCKET_ACCEPT) != Some(&accept(self.key.as_bytes())) {
            return Err(HandshakeError(
                "a 101 whose Sec-WebSocket-Accept does not match the key",
            ));
        }
        if headers
            .get(SEC_WEBSOCKET_PROTOCOL)
            .is_some_and(|chosen| chosen != protocol)
        {
            return Err(HandshakeError(
                "a 101 with another sub-protocol than the one offered",
            ));
        }
        Ok(())
    }
}

/// The tokens of `Sec-WebSocket-Protocol`, in order.
pub fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
}

/// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2).
fn accept(key: &[u8]) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64.encode(hash.finalize());
    HeaderValue::from_str(&accept).expect("base64 is a header value")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut HeaderMap)) -> Result<Handshake, HandshakeError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(
            SEC_WEBSOCKET_KEY,
            HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="),
        );
        change(&mut headers);
        Handshake::check(&Method::GET, &headers)
    }

    #[test]
    fn accepts_the_sample_of_the_rfc() {
        let handshake = request(|_| ()).unwrap();
        assert_eq!(handshake.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_client_checks_who_answers() {
        let upgrade = Upgrade::new(*b"the sample nonce");
        let sent = upgrade.headers(&["anywire.v1".to_owned()]).unwrap();
        let handshake = Handshake::check(&Method::GET, &sent).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("anywire.v1"),
        );
        headers.insert(SEC_WEBSOCKET_ACCEPT, handshake.accept().clone());
        upgrade.check(&headers, "anywire.v1").unwrap();
        assert!(upgrade.check(&headers, "chat").is_err());
        let named = headers.remove(SEC_WEBSOCKET_PROTOCOL);
        assert!(named.is_some() && upgrade.check(&headers, "anywire.v1").is_ok());
        assert!(Upgrade::new([0; 16]).check(&headers, "anywire.v1").is_err());
    }

    #[test]
    fn refuses_what_is_not_an_upgrade() {
        let value = HeaderValue::from_static;
        assert!(request(|headers| drop(headers.remove(UPGRADE))).is_err());
        assert!(request(|headers| drop(headers.remove(CONNECTION))).is_err());
        assert!(
            request(|headers| drop(headers.insert(SEC_WEBSOCKET_VERSION, value("8")))).is_err()
        );
        assert!(
            request(|headers| drop(headers.insert(SEC_WEBSOCKET_KEY, value("short")))).is_err()
        );
        let again = value("dGhlIHNhbXBsZSBub25jZQ==");
        assert!(request(|headers| assert!(headers.append(SEC_WEBSOCKET_KEY, again))).is_err());
        assert!(Handshake::check(&Method::POST, &HeaderMap::new()).is_err());
    }
}
