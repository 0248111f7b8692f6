//! The client script, in its two builds (PROTOCOL §11).

use anywire_browser::{Client, FULL, MODERN};
use anywire_polling::{Answer, CROSS_ORIGIN_RESOURCE_POLICY};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, ETAG,
    IF_NONE_MATCH, USER_AGENT, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// The builds that are served.
pub(crate) struct Scripts {
    full: Script,
    modern: Script,
}

/// A build.
struct Script {
    /// Its name in its versioned address, with which its tags begin.
    hash: String,
    /// The smallest first; every client accepts the last.
    forms: [Form; 3],
}

/// A build as it goes out.
struct Form {
    /// Its content encoding, unless it is as it is.
    coding: Option<&'static str>,
    body: &'static [u8],
    /// A strong tag names the bytes, so each form has its own.
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
            full: Script::new(FULL),
            modern: Script::new(MODERN),
        }
    }

    /// Whether `name` is a script's: of which build, and whether for ever.
    pub(crate) fn find(&self, name: &str) -> Option<(Build, Freshness)> {
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

    pub(crate) fn answer(&self, headers: &HeaderMap, build: Build, freshness: Freshness) -> Answer {
        let script = self.script(build);
        let is_known = list(headers, IF_NONE_MATCH).any(|tag| {
            tag == "*"
                || tag
                    .trim_start_matches("W/")
                    .trim_matches('"')
                    .starts_with(&script.hash)
        });
        let form = script.choose(headers);
        let (status, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            (StatusCode::OK, Bytes::from_static(form.body))
        };
        let answer = Answer::whole("text/javascript; charset=utf-8", body).with_status(status);
        let cache = match freshness {
            Freshness::Revalidate => "no-cache",
            Freshness::Immutable => "public, max-age=31536000, immutable",
        };
        let answer = answer
            .with(CACHE_CONTROL, HeaderValue::from_static(cache))
            .with(VARY, HeaderValue::from_static("accept-encoding"))
            .with(ETAG, form.etag.clone())
            // It is public: pages of any origin may load it by `import()`, with `crossorigin`, or under COEP.
            .with(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
            .with(
                CROSS_ORIGIN_RESOURCE_POLICY,
                HeaderValue::from_static("cross-origin"),
            );
        match form.coding {
            Some(coding) if !is_known => {
                answer.with(CONTENT_ENCODING, HeaderValue::from_static(coding))
            }
            _ => answer,
        }
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
        let hash: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let forms = [
            Form::new(Some("br"), client.brotli, &hash),
            Form::new(Some("gzip"), client.gzip, &hash),
            Form::new(None, client.script.as_bytes(), &hash),
        ];
        Self { hash, forms }
    }

    /// The smallest form that the request accepts.
    fn choose(&self, headers: &HeaderMap) -> &Form {
        let [compressed @ .., plain] = &self.forms;
        // Internet Explorer 6 accepts gzip, and loses what a script begins with.
        if list(headers, USER_AGENT).any(|agent| agent.contains("MSIE 6.")) {
            return plain;
        }
        let is_accepted = |form: &&Form| form.coding.is_some_and(|coding| accepts(headers, coding));
        compressed.iter().find(is_accepted).unwrap_or(plain)
    }
}

impl Form {
    fn new(coding: Option<&'static str>, body: &'static [u8], hash: &str) -> Self {
        let etag = match coding {
            Some(coding) => format!("\"{hash}-{coding}\""),
            None => format!("\"{hash}\""),
        };
        let etag = HeaderValue::try_from(etag).expect("hex is a header value");
        Self { coding, body, etag }
    }
}

/// Whether the request names this content encoding, and not to refuse it.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    list(headers, ACCEPT_ENCODING).any(|named| {
        let mut parts = named.split(';').map(str::trim);
        let is_it = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts.next().and_then(|part| part.strip_prefix("q="));
        is_it && weight.is_none_or(|weight| weight.parse().unwrap_or(0.0) > 0.0)
    })
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
