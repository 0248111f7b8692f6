//! What a WebSocket's request offers in its sub-protocols (PROTOCOL §5.1), and which of the application's is chosen.

use crate::wire::open::{
    RESERVED_PREFIX, is_application, no_protocol, parse_generation, too_many_protocols,
    unsupported_version,
};
use crate::{Attach, Can, Credential, Limits, Offset, Open, ProtocolError, SUBPROTOCOL};

/// What a WebSocket's request offers in its sub-protocols, beside [`SUBPROTOCOL`] ([PROTOCOL §5.1]).
///
/// An event stream says the same in its query.
///
/// [PROTOCOL §5.1]: crate::specification::protocol#5-websocket-get-mountwebsocket
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Open a session by the upgrade itself.
    Open(Open),
    /// Attach to a session by the upgrade itself.
    Attach(Attach),
    /// Nothing yet: an open or attach packet will follow, within 10 s of the upgrade (PROTOCOL §5.3).
    Later {
        /// The application's sub-protocols, for an open packet that names none.
        protocols: Vec<String>,
    },
}

impl Offer {
    /// The tokens of `Sec-WebSocket-Protocol` that make the offer, for a client.
    pub fn tokens(&self) -> Vec<String> {
        let mut credential = None;
        let (offer, can, protocols) = match self {
            Self::Open(open) => {
                let offer = format!("{OPEN}{}.{}", open.key, open.generation);
                let said = open.credential.as_ref();
                credential = said.map(|said| format!("{CREDENTIAL}{}", said.token()));
                (Some(offer), open.can, &open.protocols[..])
            }
            Self::Attach(attach) => {
                let words = attach.content().replace(' ', ".");
                (Some(format!("{ATTACH}{words}")), Can::NONE, &[][..])
            }
            Self::Later { protocols } => (None, Can::NONE, &protocols[..]),
        };
        let names: Vec<_> = can.names().collect();
        let can = (!can.is_none()).then(|| format!("{CAN}{}", names.join(".")));
        std::iter::once(SUBPROTOCOL.to_owned())
            .chain(offer)
            .chain(can)
            .chain(credential)
            .chain(protocols.iter().cloned())
            .collect()
    }

    /// Reads the tokens of `Sec-WebSocket-Protocol`, or of an event stream's offer.
    ///
    /// # Errors
    /// No version in common (4962), or a malformed offer (4960): refuse the request with 400 and the error's code
    /// (PROTOCOL §8.4).
    pub fn parse<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, ProtocolError> {
        let mut read = Tokens::default();
        let (mut taken, mut has_version) = (Ok(()), false);
        // A list may have empty elements (RFC 9110 §5.6.1).
        for token in tokens.filter(|token| !token.is_empty()) {
            has_version |= token == SUBPROTOCOL;
            taken = taken.and_then(|()| read.take(token));
        }
        // First of all: what another version offers may have tokens that this one does not know.
        if !has_version {
            return Err(unsupported_version());
        }
        taken?;
        match (read.offer, read.can) {
            (Some(Self::Open(open)), can) => Ok(Self::Open(Open {
                protocols: read.protocols,
                can: can.unwrap_or_default(),
                credential: read.credential,
                ..open
            })),
            _ if read.credential.is_some() => Err(ProtocolError::malformed(
                "anywire.credential… without an offer to open: an attach shows the session's secret",
            )),
            (_, Some(_)) => Err(ProtocolError::malformed(
                "anywire.can… without an offer to open: what a session can is agreed when it opens",
            )),
            (None, None) => Ok(Self::Later {
                protocols: read.protocols,
            }),
            (Some(offer), None) => Ok(offer),
        }
    }
}

/// What has been read of an offer.
#[derive(Default)]
struct Tokens {
    bytes: usize,
    offer: Option<Offer>,
    can: Option<Can>,
    credential: Option<Credential>,
    protocols: Vec<String>,
}

impl Tokens {
    fn take(&mut self, token: &str) -> Result<(), ProtocolError> {
        self.bytes += token.len();
        if self.bytes > Limits::MAX_OPEN_BYTES {
            return Err(ProtocolError::malformed(
                "an offer of more than 16,384 bytes",
            ));
        }
        if let Some(words) = token.strip_prefix(OPEN) {
            return self.offer(Offer::Open(parse_open_offer(words)?));
        } else if let Some(words) = token.strip_prefix(ATTACH) {
            return self.offer(Offer::Attach(parse_attach_offer(words)?));
        } else if let Some(names) = token.strip_prefix(CAN) {
            if self
                .can
                .replace(Can::from_names(names.split('.')))
                .is_some()
            {
                return Err(ProtocolError::malformed("two anywire.can… in one offer"));
            }
        } else if let Some(token) = token.strip_prefix(CREDENTIAL) {
            let credential = Credential::from_token(token)?;
            if self.credential.replace(credential).is_some() {
                let text = "two anywire.credential… in one offer";
                return Err(ProtocolError::malformed(text));
            }
        } else if is_application(token) {
            if self.protocols.len() == Limits::MAX_PROTOCOLS {
                return Err(too_many_protocols());
            }
            self.protocols.push(token.to_owned());
        } else if !is_other_version(token) && !token.starts_with(IGNORED) {
            return Err(if token.starts_with(RESERVED_PREFIX) {
                ProtocolError::malformed(
                    "an unknown token that begins with `anywire.`: misspelt, or of a later version",
                )
            } else {
                no_protocol()
            });
        }
        Ok(())
    }

    fn offer(&mut self, offer: Offer) -> Result<(), ProtocolError> {
        match self.offer.replace(offer) {
            None => Ok(()),
            Some(_) => Err(ProtocolError::malformed(
                "two offers in a request: it opens or attaches once",
            )),
        }
    }
}

const OPEN: &str = "anywire.open.";
const ATTACH: &str = "anywire.attach.";
const CAN: &str = "anywire.can.";
const CREDENTIAL: &str = "anywire.credential.";

/// Reserved for later (PROTOCOL §16).
const IGNORED: &str = "anywire.home.";

/// `anywire.v2` and the like, which a client of more than one version offers too.
fn is_other_version(token: &str) -> bool {
    let number = token.strip_prefix("anywire.v").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
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
        .map(str::to_owned)
        .collect()
}

fn parse_open_offer(words: &str) -> Result<Open, ProtocolError> {
    let (key, generation) = words.split_once('.').ok_or_else(|| {
        ProtocolError::malformed("an open offer that is not anywire.open.{key}.{generation}")
    })?;
    Ok(Open {
        key: key.parse()?,
        generation: parse_generation(generation)?,
        received: Offset::default(),
        hold: None,
        protocols: Vec::new(),
        can: Can::NONE,
        credential: None,
    })
}

fn parse_attach_offer(words: &str) -> Result<Attach, ProtocolError> {
    let attach = Attach::parse(&words.replace('.', " "))?;
    match attach.hold {
        None => Ok(attach),
        Some(_) => Err(ProtocolError::malformed(
            "an attach offer with holdMs: only exchanges are held",
        )),
    }
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
            Offer::parse([SUBPROTOCOL, &open, "chat", "", "anywire.v2"].into_iter()).unwrap();
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
            "anywire.foo",
            "anywire.opne.1.2",
            "anywire.v",
            "anywire.can.part",
            "two words",
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
