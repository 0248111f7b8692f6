//! The one gate that every request on every endpoint passes first: host, origin, then authorisation (PROTOCOL §10).

use anywire_core::Refusal;
use anywire_polling::{Answer, HttpRefusal};
use anywire_protocol::{CloseCode, CloseReason, ProtocolError};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    AUTHORIZATION, COOKIE, ORIGIN, REFERER,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::Config;
use crate::host;
use crate::origin::Origin;
use crate::request::RequestHead;
use crate::visitor::Scheme;

/// How an answer is let through to a page that is not of the server's own origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CrossOrigin {
    /// It is the server's own, or no page asks.
    No,
    /// A page of this origin, whose cookies count.
    Listed(HeaderValue),
    /// A page of an opaque origin, without credentials (PROTOCOL §10.4).
    Opaque,
}

impl CrossOrigin {
    /// Sets the headers that let the page read the answer.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        let origin = match self {
            Self::No => return,
            Self::Opaque => HeaderValue::from_static(OPAQUE),
            Self::Listed(origin) => {
                headers.insert(
                    ACCESS_CONTROL_ALLOW_CREDENTIALS,
                    HeaderValue::from_static("true"),
                );
                origin
            }
        };
        headers.insert(TIMING_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After"),
        );
    }
}

/// Who may see by which HTTP an answer came, among other times (Resource Timing).
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// The answer to a preflight (PROTOCOL §10.3).
pub(crate) fn preflight() -> Answer {
    let value = HeaderValue::from_static;
    Answer::empty(StatusCode::NO_CONTENT)
        .with(ACCESS_CONTROL_ALLOW_METHODS, value("POST"))
        .with(ACCESS_CONTROL_ALLOW_HEADERS, value("content-type"))
        .with(ACCESS_CONTROL_MAX_AGE, value("600"))
}

/// Judges which host a request is for; empty where it names none and the app lists none (PROTOCOL §10.6).
///
/// `forwarded` is the host that a trusted proxy was asked for.
pub(crate) fn judge_host(
    config: &Config,
    head: &RequestHead,
    forwarded: Option<String>,
) -> Result<String, HttpRefusal> {
    let malformed = |text| HttpRefusal::from(ProtocolError::malformed(text)).closing();
    let own = host::read(&head.headers, None).map_err(malformed)?;
    let host = match forwarded {
        Some(host) if !host::is_well_formed(&host) => {
            return Err(malformed(
                "an X-Forwarded-Host or Forwarded host that is malformed",
            ));
        }
        Some(host) => host,
        None => own.unwrap_or_default().to_owned(),
    };
    if config.hosts.is_empty() || host::is_listed(&config.hosts, &host) {
        return Ok(host);
    }
    let text = "this host is not served here: list it with Config::hosts";
    let reason = CloseReason::new(CloseCode::FORBIDDEN_ORIGIN, text);
    let refusal = HttpRefusal::new(reason).with_status(StatusCode::MISDIRECTED_REQUEST);
    Err(refusal.closing())
}

/// Judges which page a request comes from. `host` and `scheme` are what it was sent to.
pub(crate) fn judge_origin(
    config: &Config,
    headers: &HeaderMap,
    host: &str,
    scheme: Option<Scheme>,
) -> Result<CrossOrigin, Refusal> {
    let is_own = |origin| Origin::parse(origin).is_some_and(|origin| origin.is_own(host, scheme));
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    match (text(ORIGIN), text(REFERER)) {
        (Some(origin), _) => {
            let mut origins = headers.get_all(ORIGIN).iter();
            let (Some(value), None) = (origins.next(), origins.next()) else {
                return Err(forbidden());
            };
            if origin == OPAQUE {
                judge_opaque(config, headers)
            } else if is_listed(config, origin) {
                // First: a listed page of the other scheme looks like the server's own, but reads only what it is let.
                Ok(CrossOrigin::Listed(value.clone()))
            } else if is_own(origin) {
                Ok(CrossOrigin::No)
            } else if passes(config, origin) {
                Ok(CrossOrigin::Listed(value.clone()))
            } else {
                Err(forbidden())
            }
        }
        (None, Some(referer)) => {
            let origin = Origin::of_address(referer).ok_or_else(forbidden)?;
            if is_listed(config, origin) || is_own(origin) || passes(config, origin) {
                Ok(CrossOrigin::No)
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
                Ok(CrossOrigin::No)
            }
        }
    }
}

/// What sandboxed frames and some WebViews say.
const OPAQUE: &str = "null";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn is_listed(config: &Config, origin: &str) -> bool {
    config.origins.iter().any(|allowed| allowed == origin)
}

/// Whether the app's predicate lets the origin in.
fn passes(config: &Config, origin: &str) -> bool {
    let allows = config.origin_predicate.as_ref();
    Origin::parse(origin).is_some() && allows.is_some_and(|allows| allows(origin))
}

/// Any site can make a visitor's browser show such a page, so it must not bring the visitor's credentials (PROTOCOL §10.4).
fn judge_opaque(config: &Config, headers: &HeaderMap) -> Result<CrossOrigin, Refusal> {
    if !config.allows_opaque_origins {
        let text = "the opaque origin null is not allowed: see Config::allow_opaque_origins";
        return Err(Refusal::new(CloseCode::FORBIDDEN_ORIGIN, text));
    }
    if headers.contains_key(COOKIE) || headers.contains_key(AUTHORIZATION) {
        let text =
            "credentials from an opaque origin: send the request without (withCredentials: false)";
        return Err(Refusal::new(CloseCode::FORBIDDEN_ORIGIN, text));
    }
    Ok(CrossOrigin::Opaque)
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
        judge_by(&config, headers).is_ok()
    }

    fn judge_by(
        config: &Config,
        headers: &[(&'static str, &'static str)],
    ) -> Result<CrossOrigin, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        judge_origin(config, &map, "app.example", None)
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

    #[test]
    fn a_predicate_stands_beside_the_list_and_never_sees_null() {
        let config = Config::new()
            .allow_origin("file://")
            .allow_origin_if(|origin| {
                assert_ne!(origin, "null");
                origin
                    .strip_prefix("https://")
                    .is_some_and(|host| host.ends_with(".example"))
            });
        for good in ["file://", "https://a.example", "https://b.example"] {
            let listed = CrossOrigin::Listed(HeaderValue::from_static(good));
            assert_eq!(judge_by(&config, &[("origin", good)]), Ok(listed));
        }
        for bad in [
            "null",
            "https://evil.test",
            "https://a.example/",
            "https://x@a.example",
        ] {
            assert!(judge_by(&config, &[("origin", bad)]).is_err(), "{bad}");
        }
        let framed = [("referer", "https://c.example/page"), ("cookie", "a=b")];
        assert_eq!(judge_by(&config, &framed), Ok(CrossOrigin::No));
    }

    #[test]
    fn the_predicate_is_not_asked_about_the_servers_own_pages() {
        let config = Config::new().allow_origin_if(|origin| panic!("asked about {origin}"));
        let judged = judge_by(&config, &[("origin", "https://app.example")]);
        assert_eq!(judged, Ok(CrossOrigin::No));
    }

    #[test]
    fn a_listed_page_of_the_other_scheme_may_read_though_its_host_is_the_servers() {
        let config = Config::new().allow_origin("http://app.example");
        let judged = |origin| judge_by(&config, &[("origin", origin)]);
        let listed = CrossOrigin::Listed(HeaderValue::from_static("http://app.example"));
        assert_eq!(judged("http://app.example"), Ok(listed));
        assert_eq!(judged("https://app.example"), Ok(CrossOrigin::No));
    }

    #[test]
    fn opaque_origins_are_let_in_by_their_setting_and_without_credentials() {
        let config = Config::new().allow_opaque_origins();
        let opaque = ("origin", "null");
        assert_eq!(judge_by(&config, &[opaque]), Ok(CrossOrigin::Opaque));
        for credential in [("cookie", "a=b"), ("authorization", "Bearer x")] {
            assert!(judge_by(&config, &[opaque, credential]).is_err());
        }
        assert!(judge_by(&config, &[("origin", "https://evil.test")]).is_err());
        assert!(judge_by(&Config::new(), &[opaque]).is_err());
    }
}
