//! The client script, in its two builds (PROTOCOL §11).

use anywire_browser::{CLIENT_JS, CLIENT_MODERN_JS};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use warp::reply::Response;

use crate::respond::answer;

/// The builds that are served.
pub(crate) struct Scripts {
    full: Script,
    modern: Script,
}

/// A build's body, its name in its versioned address and, quoted, its ETag.
struct Script {
    body: &'static str,
    hash: String,
    etag: HeaderValue,
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
            full: Script::new(CLIENT_JS),
            modern: Script::new(CLIENT_MODERN_JS),
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
        let is_known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim().trim_start_matches("W/") == script.etag || tag.trim() == "*");
        let (status, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, Bytes::from_static(script.body.as_bytes()))
        };
        let mut response = answer(status, "text/javascript; charset=utf-8", body);
        let cache = match freshness {
            Freshness::Revalidate => "no-cache",
            Freshness::Immutable => "public, max-age=31536000, immutable",
        };
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        response.headers_mut().insert(ETAG, script.etag.clone());
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
    fn new(body: &'static str) -> Self {
        let digest = Sha256::digest(body.as_bytes());
        let hash: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("hex is a header value");
        Self { body, hash, etag }
    }
}

/// How long a copy of the script is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Revalidate,
    Immutable,
}
