//! The one gate that every request on every endpoint passes first: origin, then authorisation (PROTOCOL §10).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anywire_core::{Principal, Refusal};
use anywire_protocol::CloseCode;
use http::header::{COOKIE, HOST, ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::Config;

/// Asks the app who a visitor is.
pub(crate) type Authorize = Arc<
    dyn Fn(Visitor) -> Pin<Box<dyn Future<Output = Result<Principal, Denied>> + Send>>
        + Send
        + Sync,
>;

/// Who asks to come in, for [`Config::authorize`].
///
/// `Debug` hides what may be a credential, so that logs do too.
#[derive(Clone)]
#[non_exhaustive]
pub struct Visitor {
    /// The request's headers. Cookies and a WebSocket's sub-protocols are credentials: do not log them.
    pub headers: HeaderMap,
    /// The request's query, without the `?` and the protocol's own parameters.
    pub query: String,
    /// The other end of the connection; a proxy's address behind one.
    pub peer: Option<SocketAddr>,
    /// The endpoint's name: `websocket`, `stream`, `events`, `poll`, `jsonp`, `form` or
    /// `raw`.
    pub endpoint: &'static str,
}

impl Debug for Visitor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor")
            .field("endpoint", &self.endpoint)
            .field("peer", &self.peer)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The app does not let a visitor in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Denied {
    /// The visitor must say who they are: 401. The text says how.
    pub fn unauthenticated(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            text: text.into(),
        }
    }

    /// The visitor is known and may not: 403.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            text: text.into(),
        }
    }
}

/// The origin of a page that was let in and is not the server's own: to be named in the answer's CORS headers.
pub(crate) type CrossOrigin = Option<HeaderValue>;

/// Judges where a request comes from.
pub(crate) fn judge_origin(config: &Config, headers: &HeaderMap) -> Result<CrossOrigin, Refusal> {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    let host = text(HOST).unwrap_or_default();
    match (text(ORIGIN), text(REFERER)) {
        (Some(origin), _) => {
            let mut origins = headers.get_all(ORIGIN).iter();
            let (Some(value), None) = (origins.next(), origins.next()) else {
                return Err(forbidden());
            };
            if is_same_origin(origin, host) {
                Ok(None)
            } else if config.origins.iter().any(|allowed| allowed == origin) {
                Ok(Some(value.clone()))
            } else {
                Err(forbidden())
            }
        }
        (None, Some(referer)) => {
            let origin = origin_of(referer).ok_or_else(forbidden)?;
            if is_same_origin(origin, host)
                || config.origins.iter().any(|allowed| allowed == origin)
            {
                Ok(None)
            } else {
                Err(forbidden())
            }
        }
        (None, None) => {
            let is_cross_site =
                text(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
            if headers.contains_key(COOKIE) || is_cross_site {
                Err(forbidden())
            } else {
                Ok(None)
            }
        }
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of this origin was served under this `Host`.
fn is_same_origin(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let without_default = |authority: &str| {
        authority
            .strip_suffix(default_port)
            .unwrap_or(authority)
            .to_ascii_lowercase()
    };
    !host.is_empty() && without_default(authority) == without_default(host)
}

/// `scheme://authority` of an address.
fn origin_of(address: &str) -> Option<&str> {
    let begin = address.find("://")? + 3;
    let end = address[begin..]
        .find(['/', '?', '#'])
        .map_or(address.len(), |index| begin + index);
    Some(&address[..end])
}

fn forbidden() -> Refusal {
    let text = "this origin is not allowed: list it with Config::allow_origin, or serve the page from here";
    Refusal::new(CloseCode::FORBIDDEN_ORIGIN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(headers: &[(&'static str, &'static str)]) -> bool {
        let config = Config::new().allow_origin("https://friend.example");
        let mut map = HeaderMap::new();
        map.insert(HOST, HeaderValue::from_static("app.example"));
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        judge_origin(&config, &map).is_ok()
    }

    #[test]
    fn lets_in_its_own_pages_and_listed_ones() {
        assert!(judge(&[]));
        assert!(judge(&[("origin", "https://app.example")]));
        assert!(judge(&[("origin", "https://app.example:443")]));
        assert!(judge(&[("origin", "http://APP.example")]));
        assert!(judge(&[
            ("origin", "https://friend.example"),
            ("cookie", "a=b")
        ]));
        assert!(judge(&[
            ("referer", "https://app.example/page?x"),
            ("cookie", "a=b")
        ]));
        assert!(judge(&[("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn keeps_out_everything_that_only_looks_alike() {
        for origin in [
            "null",
            "https://app.example.evil",
            "https://evil-app.example",
            "https://app.example:8443",
            "https://app.example@evil.example",
            "https://app.example.",
            "https://friend.example:444",
            "http://friend.example",
            "https://friend.example.",
            "file://",
            "",
        ] {
            assert!(!judge(&[("origin", origin)]), "{origin}");
            assert!(
                !judge(&[("origin", origin), ("referer", "https://app.example/")]),
                "{origin}"
            );
        }
        assert!(!judge(&[
            ("origin", "https://app.example"),
            ("origin", "https://evil.example")
        ]));
        assert!(!judge(&[("cookie", "a=b")]));
        assert!(!judge(&[("sec-fetch-site", "cross-site")]));
        assert!(!judge(&[(
            "referer",
            "https://evil.example/https://app.example/"
        )]));
    }
}
