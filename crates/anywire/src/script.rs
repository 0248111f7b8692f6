//! The client script, in its two builds (PROTOCOL §11).

use anywire_browser::{Client, FULL, MODERN};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, USER_AGENT, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use warp::reply::Response;

use crate::respond::answer;

/// The builds that are served.
pub(crate) struct Scripts {
    full: Script,
    modern: Script,
}

/// A build, and its name in its versioned address, with which its ETags begin.
struct Script {
    client: Client,
    hash: String,
}

/// How a build is encoded on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
    Identity,
}

/// Which build is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// For old browsers too.
    Full,
    Modern,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            full: Script::new(FULL),
            modern: Script::new(MODERN),
        }
    }

    /// Whether `name` is a script's: of which build, and whether for ever.
    pub(crate) fn matches(&self, name: &str) -> Option<(Build, Freshness)> {
        let rest = name.strip_prefix("client")?.strip_suffix(".js")?;
        let (build, rest) = match rest.strip_prefix("-modern") {
            Some(rest) => (Build::Modern, rest),
            None => (Build::Full, rest),
        };
        if rest.is_empty() {
            return Some((build, Freshness::Revalidate));
        }
        let hash = rest.strip_prefix('-')?;
        (hash == self.script(build).hash).then_some((build, Freshness::Immutable))
    }

    pub(crate) fn respond(
        &self,
        headers: &HeaderMap,
        build: Build,
        freshness: Freshness,
    ) -> Response {
        let script = self.script(build);
        let is_known = list(headers, IF_NONE_MATCH).any(|tag| {
            tag == "*"
                || tag
                    .trim_start_matches("W/")
                    .trim_matches('"')
                    .starts_with(&script.hash)
        });
        let coding = Coding::choose(headers);
        let (status, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (
                StatusCode::OK,
                Bytes::from_static(coding.body(&script.client)),
            )
        };
        let mut response = answer(status, "text/javascript; charset=utf-8", body);
        let cache = match freshness {
            Freshness::Revalidate => "no-cache",
            Freshness::Immutable => "public, max-age=31536000, immutable",
        };
        let answered = response.headers_mut();
        answered.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        answered.insert(VARY, HeaderValue::from_static("accept-encoding"));
        let (hash, name) = (&script.hash, coding.name());
        // A strong tag names the bytes, so each coding has its own.
        let etag = match name {
            Some(name) => format!("\"{hash}-{name}\""),
            None => format!("\"{hash}\""),
        };
        answered.insert(
            ETAG,
            HeaderValue::try_from(etag).expect("hex is a header value"),
        );
        if let (Some(name), false) = (name, is_known) {
            answered.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        response
    }

    fn script(&self, build: Build) -> &Script {
        match build {
            Build::Full => &self.full,
            Build::Modern => &self.modern,
        }
    }
}

impl Script {
    fn new(client: Client) -> Self {
        let digest = Sha256::digest(client.script.as_bytes());
        let hash = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self { client, hash }
    }
}

impl Coding {
    /// The smallest that the request accepts.
    fn choose(headers: &HeaderMap) -> Self {
        // Internet Explorer 6 accepts gzip, and loses what a script begins with.
        let is_broken = list(headers, USER_AGENT).any(|agent| agent.contains("MSIE 6."));
        let accepts = |name: &str| {
            !is_broken
                && list(headers, ACCEPT_ENCODING).any(|coding| {
                    let mut parts = coding.split(';').map(str::trim);
                    let is_named = parts
                        .next()
                        .is_some_and(|part| part.eq_ignore_ascii_case(name));
                    let weight = parts.next().and_then(|part| part.strip_prefix("q="));
                    is_named && weight.is_none_or(|weight| weight.parse().unwrap_or(0.0) > 0.0)
                })
        };
        match () {
            () if accepts("br") => Self::Brotli,
            () if accepts("gzip") => Self::Gzip,
            () => Self::Identity,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    fn body(self, client: &Client) -> &'static [u8] {
        match self {
            Self::Brotli => client.brotli,
            Self::Gzip => client.gzip,
            Self::Identity => client.script.as_bytes(),
        }
    }
}

/// The members of a header that is a list.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// How long a copy of the script is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Revalidate,
    Immutable,
}
