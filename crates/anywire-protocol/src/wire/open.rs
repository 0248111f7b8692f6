//! How a session is opened and attached to: the *open*, *attach* and *opened* packets.
//! Shells decide whether it is allowed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::AnnouncedLimits;
use crate::wire::identity::parse_number;
use crate::{
    Can, CloseCode, Credential, Generation, Limits, Offset, OpeningKey, ProtocolError, Secret,
    SessionId,
};

/// The version of [PROTOCOL](crate::specification::protocol) that this crate speaks.
pub const VERSION: u64 = 1;

/// The WebSocket sub-protocol of that version. Each request for a WebSocket offers it, and the server chooses it.
///
/// The server refuses a request without it with 400 and 4962 (PROTOCOL §5.1).
pub const SUBPROTOCOL: &str = "anywire.v1";

/// Tokens that begin so are the protocol's own, not the application's.
pub(crate) const RESERVED_PREFIX: &str = "anywire.";

/// The client wants a session: the content of an *open* packet ([PROTOCOL §3.1]).
///
/// The first open with a key makes the session. Later ones with that key attach to it.
///
/// [PROTOCOL §3.1]: crate::specification::protocol#3-packets
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Makes the open idempotent.
    pub key: OpeningKey,
    /// The connection's generation.
    pub generation: Generation,
    /// What the client has received, if the key already has a session.
    pub received: Offset,
    /// How long the exchange may be held; `None` on a WebSocket or for a mere send.
    pub hold: Option<Duration>,
    /// The application's sub-protocols, the preferred first.
    pub protocols: Vec<String>,
    /// The additions to version 1 that the client knows (PROTOCOL §2.5).
    pub can: Can,
    /// Who the client is, for the app to judge (PROTOCOL §10.10).
    pub credential: Option<Credential>,
}

/// The client has a session and a connection to carry it: the content of an *attach* packet ([PROTOCOL §3.3]).
///
/// [PROTOCOL §3.3]: crate::specification::protocol#3-packets
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attach {
    /// Which session.
    pub session: SessionId,
    /// What proves that it is the client's.
    pub secret: Secret,
    /// The connection's generation.
    pub generation: Generation,
    /// What the client has received.
    pub received: Offset,
    /// How long the exchange may be held; `None` on a WebSocket or for a mere send.
    pub hold: Option<Duration>,
}

/// The server's answer to an open, or to an attach on a WebSocket: the content of an *opened* packet ([PROTOCOL §3.2]).
///
/// [PROTOCOL §3.2]: crate::specification::protocol#3-packets
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The session's public name.
    pub session: SessionId,
    /// What attaches to it.
    pub secret: Secret,
    /// The generation that the connection attached with.
    pub generation: Generation,
    /// What the server has received.
    pub received: Offset,
    /// The offset of the first message that the server will send on this connection.
    pub first: Offset,
    /// The application's sub-protocol, or empty.
    pub protocol: String,
    /// The additions to version 1 that both sides know (PROTOCOL §2.5).
    pub can: Can,
    /// The limits that the server announces.
    pub limits: AnnouncedLimits,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenJson {
    version: u64,
    key: String,
    generation: u64,
    #[serde(default)]
    received: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    protocols: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    can: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

#[derive(Deserialize)]
struct VersionJson {
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct OpenedJson {
    version: u64,
    session: String,
    secret: String,
    generation: u64,
    received: u64,
    first: u64,
    protocol: String,
    #[serde(default)]
    can: Vec<String>,
    limits: AnnouncedLimits,
}

impl Open {
    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let wrong = |_| {
            ProtocolError::malformed(
                "an open packet whose content is not the JSON of PROTOCOL §3.1",
            )
        };
        if content.len() > Limits::MAX_OPEN_BYTES {
            return Err(ProtocolError::malformed(
                "an open packet of more than 16,384 bytes",
            ));
        }
        // The version first: another version may have other members.
        let VersionJson { version } = serde_json::from_str(content).map_err(wrong)?;
        if version != VERSION {
            return Err(unsupported_version());
        }
        let json: OpenJson = serde_json::from_str(content).map_err(wrong)?;
        if json.protocols.len() > Limits::MAX_PROTOCOLS {
            return Err(too_many_protocols());
        }
        if !json.protocols.iter().all(|token| is_application(token)) {
            return Err(no_protocol());
        }
        if json.credential.as_deref() == Some("") {
            return Err(ProtocolError::malformed(
                "an empty credential: leave it out",
            ));
        }
        Ok(Self {
            key: json.key.parse()?,
            generation: parse_generation(&json.generation.to_string())?,
            received: json.received.to_string().parse()?,
            hold: json.hold_ms.map(parse_millis).transpose()?,
            protocols: json.protocols,
            can: Can::from_names(json.can.iter().map(String::as_str)),
            credential: json.credential.map(Credential::new),
        })
    }

    pub(crate) fn content(&self) -> String {
        let json = OpenJson {
            version: VERSION,
            key: self.key.to_string(),
            generation: self.generation.as_u64(),
            received: self.received.as_u64(),
            hold_ms: self.hold.map(millis),
            protocols: self.protocols.clone(),
            can: names(self.can),
            credential: self
                .credential
                .as_ref()
                .map(|credential| credential.as_str().to_owned()),
        };
        serde_json::to_string(&json).expect("plain data always serialises")
    }
}

impl Attach {
    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let mut words = content.split(' ');
        let mut word = || {
            words.next().ok_or_else(|| {
                ProtocolError::malformed(
                    "an attach packet that is not `id secret generation received [holdMs]`",
                )
            })
        };
        let attach = Self {
            session: word()?.parse()?,
            secret: word()?.parse()?,
            generation: parse_generation(word()?)?,
            received: word()?.parse()?,
            hold: match word() {
                Ok(hold) => Some(Duration::from_millis(parse_number(hold)?)),
                Err(_) => None,
            },
        };
        match words.next() {
            None => Ok(attach),
            Some(_) => Err(ProtocolError::malformed(
                "an attach packet of more than five words",
            )),
        }
    }

    pub(crate) fn content(&self) -> String {
        let Self {
            session,
            secret,
            generation,
            received,
            hold,
        } = self;
        match hold {
            None => format!("{session} {secret} {generation} {received}"),
            Some(hold) => format!(
                "{session} {secret} {generation} {received} {}",
                millis(*hold)
            ),
        }
    }
}

impl Opened {
    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let json: OpenedJson = serde_json::from_str(content).map_err(|_| {
            ProtocolError::malformed(
                "an opened packet whose content is not the JSON of PROTOCOL §3.2",
            )
        })?;
        if json.version != VERSION {
            return Err(unsupported_version());
        }
        Ok(Self {
            session: json.session.parse()?,
            secret: json.secret.parse()?,
            generation: parse_generation(&json.generation.to_string())?,
            received: json.received.to_string().parse()?,
            first: json.first.to_string().parse()?,
            protocol: json.protocol,
            can: Can::from_names(json.can.iter().map(String::as_str)),
            limits: json.limits,
        })
    }

    pub(crate) fn content(&self) -> String {
        let json = OpenedJson {
            version: VERSION,
            session: self.session.to_string(),
            secret: self.secret.to_string(),
            generation: self.generation.as_u64(),
            received: self.received.as_u64(),
            first: self.first.as_u64(),
            protocol: self.protocol.clone(),
            can: names(self.can),
            limits: self.limits.clone(),
        };
        serde_json::to_string(&json).expect("plain data always serialises")
    }
}

pub(crate) fn parse_generation(text: &str) -> Result<Generation, ProtocolError> {
    match parse_number(text)? {
        0 => Err(ProtocolError::malformed(
            "a generation of 0: the first is 1",
        )),
        number => Ok(Generation::new(number)),
    }
}

fn parse_millis(number: u64) -> Result<Duration, ProtocolError> {
    parse_number(&number.to_string()).map(Duration::from_millis)
}

fn names(can: Can) -> Vec<String> {
    can.names().map(str::to_owned).collect()
}

/// A token of RFC 9110 §5.6.2 that is not reserved.
pub(crate) fn is_application(token: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !token.is_empty() && !token.starts_with(RESERVED_PREFIX) && token.bytes().all(is_token_byte)
}

pub(crate) const fn too_many_protocols() -> ProtocolError {
    ProtocolError::malformed("more than 16 sub-protocols")
}

pub(crate) const fn no_protocol() -> ProtocolError {
    ProtocolError::malformed(
        "a sub-protocol that is no token of RFC 9110, or begins with `anywire.`",
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) const fn unsupported_version() -> ProtocolError {
    ProtocolError::new(
        CloseCode::UNSUPPORTED_VERSION,
        "this server speaks version 1: offer the sub-protocol anywire.v1, or open with \"version\":1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn opens_survive_a_round_trip_and_ignore_what_they_do_not_know() {
        let open = Open {
            key: HEX.parse().unwrap(),
            generation: Generation::new(1),
            received: Offset::new(4),
            hold: Some(Duration::from_millis(250)),
            protocols: vec!["chat".into()],
            can: Can::from_names(["part"]),
            credential: Some(Credential::new("a \"token\"")),
        };
        assert_eq!(Open::parse(&open.content()).unwrap(), open);
        let more = format!(r#"{{"version":1,"key":"{HEX}","generation":1,"more":[{{}}]}}"#);
        assert!(Open::parse(&more).is_ok());
        let version = format!(r#"{{"version":2,"key":"{HEX}","generation":1}}"#);
        assert_eq!(
            Open::parse(&version).unwrap_err().code(),
            CloseCode::UNSUPPORTED_VERSION
        );
        for wrong in [
            "",
            "{}",
            r#"{"version":1}"#,
            r#"{"version":1,"key":"","generation":0}"#,
        ] {
            assert!(Open::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_that_are_no_wire_numbers_or_stand_twice_are_refused() {
        let whole = |more: &str| {
            let content = format!(r#"{{"version":1,"key":"{HEX}","generation":1{more}}}"#);
            Open::parse(&content)
        };
        assert!(whole(r#","holdMs":9007199254740991,"received":9007199254740991"#).is_ok());
        for wrong in [
            r#","holdMs":9007199254740992"#,
            r#","holdMs":1.0"#,
            r#","holdMs":1e0"#,
            r#","holdMs":-1"#,
            r#","received":9007199254740992"#,
            r#","received":1.0"#,
            r#","generation":1"#,
            r#","version":1"#,
            r#","can":"part""#,
            r#","protocols":[""]"#,
            r#","protocols":["anywire.v1"]"#,
            r#","protocols":["a b"]"#,
        ] {
            let error = whole(wrong).expect_err(wrong);
            assert_eq!(error.code(), CloseCode::PROTOCOL_ERROR, "{wrong}");
        }
    }
}
