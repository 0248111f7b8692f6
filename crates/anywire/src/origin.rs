//! Origins: what a browser may send as one, and whether it is the endpoint's own (PROTOCOL §10.2). Whether another is let in
//! is the gate's to judge.

use crate::visitor::Scheme;

/// An origin as browsers write it: `scheme://host[:port]`. Never `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// Reads an origin; `None` if no browser writes one so.
    ///
    /// Schemes other than `http` and `https` may have an empty host: `file://`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let is_scheme = letters.next()?.is_ascii_alphabetic()
            && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return None;
        }
        let (host, port) = split_port(authority)?;
        let is_web = default_port(scheme).is_some();
        if host.is_empty() && (is_web || port.is_some()) {
            return None;
        }
        Some(Self { scheme, host, port })
    }

    /// The origin of the page at an address.
    pub(crate) fn of_address(address: &'a str) -> Option<&'a str> {
        let begin = address.find("://")? + 3;
        let end = address[begin..]
            .find(['/', '?', '#'])
            .map_or(address.len(), |index| begin + index);
        let origin = &address[..end];
        Self::parse(origin).map(|_| origin)
    }

    /// Whether it names the port that its scheme means, which no browser does.
    pub(crate) fn names_default_port(self) -> bool {
        self.port.is_some() && self.port == default_port(self.scheme)
    }

    /// Whether a page of this origin was served under this `Host`. That has no scheme, so `http` and `https` are one where
    /// nothing else says which it was.
    pub(crate) fn is_own(self, host: &str, scheme: Option<Scheme>) -> bool {
        if scheme.is_some_and(|scheme| scheme.name() != self.scheme) {
            return false;
        }
        let Some(default) = default_port(self.scheme) else {
            return false;
        };
        let Some((name, port)) = split_port(host) else {
            return false;
        };
        !name.is_empty()
            && name.eq_ignore_ascii_case(self.host)
            && port.unwrap_or(default) == self.port.unwrap_or(default)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; nothing else, and one port at most.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return None,
        Some(digits) => {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            Some(digits.parse().ok().filter(|_| is_number)?)
        }
    };
    let inner = host.trim_start_matches('[').trim_end_matches(']');
    let is_bracketed = inner.len() != host.len();
    let is_host_byte = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (is_bracketed && b":".contains(&byte))
    };
    inner.bytes().all(is_host_byte).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_write() {
        for good in [
            "https://app.example",
            "http://app.example:8080",
            "http://[::1]:3030",
            "file://",
            "app://.",
            "web+app://x",
            "chrome-extension://abcdefghijklmnop",
            "capacitor://localhost",
        ] {
            assert!(Origin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "null",
            "",
            "*",
            "app.example",
            "https://",
            "http://:80",
            "http://h:8080:80",
            "http://h:",
            "http://h:x",
            "http://h:99999",
            "http://h:+80",
            "http://h/",
            "http://h?",
            "http://user@h",
            "http://a b",
            "1http://h",
            "://h",
            "file://:1",
            "http://[::1",
            "http://[::1]x",
        ] {
            assert!(Origin::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_own_origin_has_the_hosts_name_and_port() {
        for (origin, host) in [
            ("http://h", "h"),
            ("http://h:80", "h"),
            ("http://h", "h:80"),
            ("https://h", "h:443"),
            ("https://H.example", "h.EXAMPLE"),
            ("http://h:8080", "h:8080"),
            ("https://h:8080", "h:8080"),
            ("http://[::1]:3030", "[::1]:3030"),
        ] {
            assert!(
                Origin::parse(origin).unwrap().is_own(host, None),
                "{origin} {host}"
            );
        }
        for (origin, host) in [
            ("http://h:8080", "h"),
            ("http://h", "h:8080"),
            ("https://h", "h:80"),
            ("http://h.", "h"),
            ("http://h", ""),
            ("file://", ""),
            ("app://h", "h"),
            ("http://h:8080", "h:8080:80"),
            ("http://h", "h:80:80"),
        ] {
            assert!(
                !Origin::parse(origin).unwrap().is_own(host, None),
                "{origin} {host}"
            );
        }
    }

    #[test]
    fn where_the_scheme_is_known_it_must_be_the_pages() {
        let own = |origin, host, scheme| Origin::parse(origin).unwrap().is_own(host, Some(scheme));
        assert!(own("https://h", "h:443", Scheme::Https));
        assert!(own("http://h", "h", Scheme::Http));
        assert!(!own("http://h", "h", Scheme::Https));
        assert!(!own("https://h", "h", Scheme::Http));
        // A port without a name is that of the scheme that was spoken.
        assert!(!own("http://h:443", "h", Scheme::Https));
    }
}
