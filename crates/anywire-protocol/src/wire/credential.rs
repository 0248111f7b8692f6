//! What a client says to show who it is, and what a server says about it (PROTOCOL §10.10, §10.11).

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ProtocolError;
use crate::wire::identity::parse_number;

/// A text by which a client shows who it is: a token, say ([PROTOCOL §10.10]). `Debug` hides it, so that logs do too.
///
/// [PROTOCOL §10.10]: crate::specification::protocol#10-gate
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(Box<str>);

impl Credential {
    /// A credential of this text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text. It is a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it says nothing: in a packet, that the request which brings it says who the client is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As an offer says it.
    pub(crate) fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_bytes())
    }

    /// Reads what an offer says.
    pub(crate) fn from_token(token: &str) -> Result<Self, ProtocolError> {
        let wrong =
            || ProtocolError::malformed("a credential of an offer that is no base64url of a text");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        match text.is_empty() {
            true => Err(wrong()),
            false => Ok(Self::new(text)),
        }
    }
}

impl Debug for Credential {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// What a server says of credentials: the content of its credential packet (PROTOCOL §10.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// What let the client in runs out after this time: a credential is wanted.
    Ask(Duration),
    /// The credential that came is taken.
    Done,
}

impl Renewal {
    /// Reads what a server says.
    ///
    /// # Errors
    /// It is neither `ok` nor `ask` with a number.
    pub fn parse(content: &str) -> Result<Self, ProtocolError> {
        match content.strip_prefix("ask ") {
            Some(ms) => parse_number(ms).map(|ms| Self::Ask(Duration::from_millis(ms))),
            None if content == "ok" => Ok(Self::Done),
            None => Err(ProtocolError::malformed(
                "a credential packet of a server that is neither `ask ms` nor `ok`",
            )),
        }
    }

    /// The packet's content.
    pub(crate) fn content(self) -> Credential {
        Credential::new(match self {
            Self::Ask(left) => format!("ask {}", left.as_millis()),
            Self::Done => "ok".to_owned(),
        })
    }
}
