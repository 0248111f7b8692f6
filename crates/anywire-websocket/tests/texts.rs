//! What errors say: each text names what came.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use anywire_websocket::frame::{Decoder, Role};
use anywire_websocket::handshake::{Handshake, Upgrade};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method};

#[test]
fn a_violation_names_the_frame_that_came() {
    for (bytes, expected) in [
        (
            &b"\x81\x80\0\0\0\0"[..],
            "a frame from a client without a mask, or from a server with one",
        ),
        (
            b"\xc1\0",
            "a frame with a reserved bit set: no extension was negotiated",
        ),
        (b"\x83\0", "a frame with an unknown opcode"),
        (
            b"\x82\x7e\0\x7d",
            "a frame whose length is not in its shortest form",
        ),
        (
            b"\x80\0",
            "a continuation frame without a message before it",
        ),
        (b"\x01\0\x01\0", "a new message inside a fragmented one"),
        (
            b"\x09\0",
            "a control frame that is fragmented or longer than 125 bytes",
        ),
        (
            b"\x88\x01x",
            "a close frame with a content of one byte: a code has two",
        ),
        (
            b"\x88\x02\x03\xed",
            "a close frame with a code that must not be sent",
        ),
        (b"\x88\x03\x03\xe8\xff", "a close reason that is not UTF-8"),
        (b"\x81\x01\xff", "a text message that is not UTF-8"),
        (
            b"\x82\x7e\xff\xff",
            "a message of more than maxMessageBytes",
        ),
    ] {
        let mut decoder = Decoder::new(Role::Client, 1_000);
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        let violation = loop {
            match decoder.decode(&mut input) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{expected}: it is taken"),
                Err(violation) => break violation,
            }
        };
        assert_eq!(violation.what(), expected);
    }
}

#[test]
fn a_handshake_names_the_header_that_came() {
    let value = HeaderValue::from_static;
    let check = |change: fn(&mut HeaderMap)| {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, value("Upgrade"));
        headers.insert(UPGRADE, value("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, value("13"));
        headers.insert(SEC_WEBSOCKET_KEY, value("dGhlIHNhbXBsZSBub25jZQ=="));
        change(&mut headers);
        Handshake::check(&Method::GET, &headers)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        Handshake::check(&Method::POST, &HeaderMap::new())
            .unwrap_err()
            .to_string(),
        "a WebSocket upgrade by a method other than GET"
    );
    assert_eq!(
        check(|headers| drop(headers.remove(UPGRADE))),
        "a request without `Connection: Upgrade` and `Upgrade: websocket`: this endpoint speaks WebSocket, \
         and a proxy in between may have to pass them on"
    );
    assert_eq!(
        check(|headers| drop(headers.remove(SEC_WEBSOCKET_VERSION))),
        "a Sec-WebSocket-Version other than 13"
    );
    assert_eq!(
        check(|headers| drop(headers.remove(SEC_WEBSOCKET_KEY))),
        "no Sec-WebSocket-Key, or more than one"
    );
    assert_eq!(
        check(|headers| drop(headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("x")))),
        "a Sec-WebSocket-Key that is not 16 bytes in base64"
    );
}

#[test]
fn a_client_names_what_is_wrong_with_the_answer() {
    let upgrade = Upgrade::new([0; 16]);
    let wrong = upgrade.headers(&["a\nb".to_owned()]).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "a sub-protocol that is no token of RFC 9110"
    );
    let accept = Handshake::check(&Method::GET, &upgrade.headers(&[]).unwrap()).unwrap();
    let value = HeaderValue::from_static;
    let mut headers = HeaderMap::new();
    let mut check = |name, value| {
        headers.insert(name, value);
        upgrade
            .check(&headers, "anywire.v1")
            .map_err(|error| error.to_string())
    };
    let not_upgraded = "a 101 that does not upgrade to a WebSocket";
    assert_eq!(
        check(CONNECTION, value("upgrade")),
        Err(not_upgraded.into())
    );
    let wrong_key = "a 101 whose Sec-WebSocket-Accept does not match the key";
    assert_eq!(check(UPGRADE, value("websocket")), Err(wrong_key.into()));
    assert_eq!(check(SEC_WEBSOCKET_ACCEPT, accept.accept().clone()), Ok(()));
    let other = "a 101 with another sub-protocol than the one offered";
    assert_eq!(
        check(SEC_WEBSOCKET_PROTOCOL, value("chat")),
        Err(other.into())
    );
}
