//! What a WebSocket's request offers in its sub-protocols (PROTOCOL §5.1), and which of the application's is chosen.

use crate::open::{MAX_PROTOCOLS, is_application, parse_generation, unsupported_version};
use crate::{Attach, Offset, Open, ProtocolError, SUBPROTOCOL};

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
    /// The tokens of `Sec-WebSocket-Protocol` that make the offer, for a client.
    pub fn tokens(&self) -> Vec<String> {
        let (offer, protocols) = match self {
            Self::Open(open) => {
                let offer = format!("anywire.open.{}.{}", open.key, open.generation);
                (Some(offer), &open.protocols[..])
            }
            Self::Attach(attach) => {
                let words = attach.content().replace(' ', ".");
                (Some(format!("anywire.attach.{words}")), &[][..])
            }
            Self::Later { protocols } => (None, &protocols[..]),
        };
        std::iter::once(SUBPROTOCOL.to_owned())
            .chain(offer)
            .chain(protocols.iter().cloned())
            .collect()
    }

    /// Reads the tokens of `Sec-WebSocket-Protocol`.
    ///
    /// # Errors
    /// No version in common, or a malformed offer: refuse the upgrade with 400 (PROTOCOL §8.4).
    pub fn parse<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, ProtocolError> {
        let mut has_version = false;
        let mut offer = None;
        let mut protocols = Vec::new();
        for token in tokens {
            let is_offer =
                token.starts_with("anywire.open.") || token.starts_with("anywire.attach.");
            if is_offer && offer.is_some() {
                return Err(ProtocolError::malformed(
                    "a request offers one open or attach",
                ));
            }
            if token == SUBPROTOCOL {
                has_version = true;
            } else if let Some(words) = token.strip_prefix("anywire.open.") {
                offer = Some(Self::Open(parse_open_offer(words)?));
            } else if let Some(words) = token.strip_prefix("anywire.attach.") {
                let attach = Attach::parse(&words.replace('.', " "))?;
                if attach.hold.is_some() {
                    return Err(ProtocolError::malformed("a WebSocket is not held"));
                }
                offer = Some(Self::Attach(attach));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CloseCode, Generation};

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
    fn the_client_prefers_and_the_server_chooses() {
        let offered = ["b".to_owned(), "a".to_owned()];
        let supported = ["a".to_owned(), "b".to_owned()];
        assert_eq!(choose_protocol(&offered, &supported), Some("b"));
        assert_eq!(choose_protocol(&offered, &[]), None);
    }
}
