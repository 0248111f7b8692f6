//! How a session is opened and attached to: the *open*, *attach* and *opened* packets and a WebSocket's offer.
//! Whether it is allowed is left to shells.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::parse_number;
use crate::limits::Announced;
use crate::{CloseCode, Generation, Limits, Offset, OpeningKey, ProtocolError, Secret, SessionId};

/// The version of PROTOCOL that this crate speaks.
pub const VERSION: u64 = 1;

/// The WebSocket sub-protocol of that version (PROTOCOL §5.1).
pub const SUBPROTOCOL: &str = "anywire.v1";

/// Tokens that begin so are the protocol's own, not the application's.
const RESERVED_PREFIX: &str = "anywire.";

/// Most application sub-protocols in one open.
const MAX_PROTOCOLS: usize = 16;

/// The client wants a session (PROTOCOL §3.1).
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
}

/// The client has a session and a connection to carry it (PROTOCOL §3.3).
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

/// The server's answer to an open or to an attach on a WebSocket (PROTOCOL §3.2).
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
    announced: Announced,
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
    limits: Announced,
}

impl Open {
    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let wrong =
            |_| ProtocolError::malformed("an open packet's content is JSON (PROTOCOL §3.1)");
        // The version first: another version may have other members.
        let VersionJson { version } = serde_json::from_str(content).map_err(wrong)?;
        if version != VERSION {
            return Err(unsupported_version());
        }
        let json: OpenJson = serde_json::from_str(content).map_err(wrong)?;
        if json.protocols.len() > MAX_PROTOCOLS || !json.protocols.iter().all(|p| is_application(p))
        {
            return Err(ProtocolError::malformed(
                "protocols are at most 16 tokens, none `anywire.…`",
            ));
        }
        Ok(Self {
            key: json.key.parse()?,
            generation: parse_generation(&json.generation.to_string())?,
            received: json.received.to_string().parse()?,
            hold: json.hold_ms.map(Duration::from_millis),
            protocols: json.protocols,
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
                    "an attach packet is `id secret generation received [holdMs]`",
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
                "an attach packet has at most five words",
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
    /// The answer to an attach or an open, announcing `limits`.
    pub fn new(
        (session, secret): (SessionId, Secret),
        generation: Generation,
        (received, first): (Offset, Offset),
        protocol: &str,
        limits: &Limits,
    ) -> Self {
        let announced = Announced::from(limits);
        let protocol = protocol.to_owned();
        Self {
            session,
            secret,
            generation,
            received,
            first,
            protocol,
            announced,
        }
    }

    /// The limits that a client keeps to from now on; what is not announced is taken from `own`.
    pub fn limits(&self, own: &Limits) -> Limits {
        self.announced.apply_to(own)
    }

    pub(crate) fn parse(content: &str) -> Result<Self, ProtocolError> {
        let json: OpenedJson = serde_json::from_str(content).map_err(|_| {
            ProtocolError::malformed("an opened packet's content is JSON (PROTOCOL §3.2)")
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
            announced: json.limits,
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
            limits: self.announced.clone(),
        };
        serde_json::to_string(&json).expect("plain data always serialises")
    }
}

/// What a WebSocket's request offers in its sub-protocols (PROTOCOL §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Open a session by the upgrade itself.
    Open(Open),
    /// Attach to a session by the upgrade itself.
    Attach(Attach),
    /// Nothing yet: an open or attach packet will follow (PROTOCOL §5.3).
    Later {
        /// The application's sub-protocols, for an open packet that names none.
        protocols: Vec<String>,
    },
}

impl Offer {
    /// Reads the tokens of `Sec-WebSocket-Protocol`.
    ///
    /// # Errors
    /// No version in common, or a malformed offer: refuse the upgrade with 400 (PROTOCOL §8.4).
    pub fn parse<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, ProtocolError> {
        let mut has_version = false;
        let mut offer = None;
        let mut protocols = Vec::new();
        for token in tokens {
            if token == SUBPROTOCOL {
                has_version = true;
            } else if let Some(words) = token.strip_prefix("anywire.open.") {
                offer = Some(Self::Open(parse_open_offer(words)?));
            } else if let Some(words) = token.strip_prefix("anywire.attach.") {
                offer = Some(Self::Attach(Attach::parse(&words.replace('.', " "))?));
            } else if is_application(token) && protocols.len() < MAX_PROTOCOLS {
                protocols.push(token.to_owned());
            }
        }
        if !has_version {
            return Err(unsupported_version());
        }
        match offer {
            None => Ok(Self::Later { protocols }),
            Some(Self::Open(open)) => Ok(Self::Open(Open { protocols, ..open })),
            Some(offer) => Ok(offer),
        }
    }
}

/// The first of the server's sub-protocols that the client offers, in the client's order of preference.
pub fn choose_protocol<'a>(offered: &[String], supported: &'a [String]) -> Option<&'a str> {
    offered
        .iter()
        .find_map(|wanted| supported.iter().find(|has| *has == wanted))
        .map(String::as_str)
}

/// The tokens of a `Sec-WebSocket-Protocol` list that are the application's.
pub fn application_protocols<'a>(tokens: impl Iterator<Item = &'a str>) -> Vec<String> {
    tokens
        .filter(|token| is_application(token))
        .take(MAX_PROTOCOLS)
        .map(str::to_owned)
        .collect()
}

fn parse_open_offer(words: &str) -> Result<Open, ProtocolError> {
    let (key, generation) = words.split_once('.').ok_or_else(|| {
        ProtocolError::malformed("an open offer is anywire.open.{key}.{generation}")
    })?;
    Ok(Open {
        key: key.parse()?,
        generation: parse_generation(generation)?,
        received: Offset::default(),
        hold: None,
        protocols: Vec::new(),
    })
}

fn parse_generation(text: &str) -> Result<Generation, ProtocolError> {
    match parse_number(text)? {
        0 => Err(ProtocolError::malformed("a generation is 1 or more")),
        number => Ok(Generation::new(number)),
    }
}

/// A token of RFC 9110 §5.6.2 that is not reserved.
fn is_application(token: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !token.is_empty()
        && token.len() <= 64
        && !token.starts_with(RESERVED_PREFIX)
        && token.bytes().all(is_token_byte)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn unsupported_version() -> ProtocolError {
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
    fn offers_are_read_from_subprotocols() {
        let open = format!("anywire.open.{HEX}.2");
        let offer =
            Offer::parse([SUBPROTOCOL, &open, "chat", "anywire.future"].into_iter()).unwrap();
        let Offer::Open(open) = offer else {
            panic!("{offer:?}")
        };
        assert_eq!(open.generation, Generation::new(2));
        assert_eq!(open.protocols, ["chat"]);

        let attach = format!("anywire.attach.{HEX}.{HEX}.3.17");
        let offer = Offer::parse([attach.as_str(), SUBPROTOCOL].into_iter()).unwrap();
        let Offer::Attach(attach) = offer else {
            panic!("{offer:?}")
        };
        assert_eq!(
            (attach.generation, attach.received),
            (Generation::new(3), Offset::new(17))
        );

        let later = Offer::parse([SUBPROTOCOL].into_iter()).unwrap();
        assert_eq!(
            later,
            Offer::Later {
                protocols: Vec::new()
            }
        );
        let refused = Offer::parse(["anywire.v2"].into_iter()).unwrap_err();
        assert_eq!(refused.code(), CloseCode::UNSUPPORTED_VERSION);
        for wrong in [
            "anywire.open.",
            "anywire.open.xyz.1",
            "anywire.attach.1.2.3.4",
        ] {
            assert!(
                Offer::parse([SUBPROTOCOL, wrong].into_iter()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn opens_survive_a_round_trip_and_ignore_what_they_do_not_know() {
        let open = Open {
            key: HEX.parse().unwrap(),
            generation: Generation::new(1),
            received: Offset::new(4),
            hold: Some(Duration::from_millis(250)),
            protocols: vec!["chat".into()],
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
    fn the_client_prefers_and_the_server_chooses() {
        let offered = ["b".to_owned(), "a".to_owned()];
        let supported = ["a".to_owned(), "b".to_owned()];
        assert_eq!(choose_protocol(&offered, &supported), Some("b"));
        assert_eq!(choose_protocol(&offered, &[]), None);
    }
}
