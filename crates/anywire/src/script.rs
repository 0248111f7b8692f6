//! The client script (PROTOCOL §11).

use anywire_browser::CLIENT_JS;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use warp::reply::Response;

use crate::respond::answer;

/// The script's name in its versioned address and, quoted, its ETag.
pub(crate) struct Script {
    hash: String,
    etag: HeaderValue,
}

impl Script {
    pub(crate) fn new() -> Self {
        let digest = Sha256::digest(CLIENT_JS.as_bytes());
        let hash: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("hex is a header value");
        Self { hash, etag }
    }

    /// Whether `name` is the script's, and if so, whether for ever.
    pub(crate) fn matches(&self, name: &str) -> Option<Freshness> {
        if name == "client.js" {
            return Some(Freshness::Revalidate);
        }
        let hash = name.strip_prefix("client-")?.strip_suffix(".js")?;
        (hash == self.hash).then_some(Freshness::Immutable)
    }

    pub(crate) fn respond(&self, headers: &HeaderMap, freshness: Freshness) -> Response {
        let is_known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim().trim_start_matches("W/") == self.etag || tag.trim() == "*");
        let (status, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, Bytes::from_static(CLIENT_JS.as_bytes()))
        };
        let mut response = answer(status, "text/javascript; charset=utf-8", body);
        let cache = match freshness {
            Freshness::Revalidate => "no-cache",
            Freshness::Immutable => "public, max-age=31536000, immutable",
        };
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        response.headers_mut().insert(ETAG, self.etag.clone());
        response
    }
}

/// How long a copy of the script is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Revalidate,
    Immutable,
}
