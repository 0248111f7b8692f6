//! Whom a request comes from: the peer, or whom a trusted proxy names (PROTOCOL §10.7). Who is trusted is the app's to say.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use crate::Networks;
use crate::networks::is_private;
use crate::visitor::Scheme;

/// Which headers the trusted proxies set.
///
/// Each proxy appends to one kind and passes the other on as its client wrote it. So only one kind is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardingHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`, as nginx, HAProxy and most balancers set them.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Where a request comes from, as the gate judged it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// The client, or the proxy next to it that the config does not trust.
    pub(crate) peer: Option<SocketAddr>,
    /// What the client spoke, where TLS or a trusted proxy says it.
    pub(crate) scheme: Option<Scheme>,
    /// The host that a trusted proxy was asked for.
    pub(crate) host: Option<String>,
    /// The peer looks like a proxy, and is not trusted: its clients cannot be told apart.
    pub(crate) is_unnamed_proxy: bool,
    /// The peer of the connection is a proxy.
    pub(crate) is_proxied: bool,
}

impl Source {
    /// Judges the peer and what it says of the client.
    pub(crate) fn judge(
        trusted: &Networks,
        kind: ForwardingHeaders,
        peer: Option<SocketAddr>,
        scheme: Option<Scheme>,
        headers: &HeaderMap,
    ) -> Self {
        let source = Self {
            peer,
            scheme,
            ..Self::default()
        };
        let Some(address) = peer.map(|peer| peer.ip()) else {
            return source;
        };
        if trusted.contains(address) {
            let source = Self {
                is_proxied: true,
                ..source
            };
            return match kind {
                ForwardingHeaders::XForwarded => source.through_x_forwarded(trusted, headers),
                ForwardingHeaders::Forwarded => source.through_forwarded(trusted, headers),
            };
        }
        let is_forwarded = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
        let is_unnamed_proxy = is_forwarded && is_private(address);
        Self {
            is_unnamed_proxy,
            is_proxied: is_unnamed_proxy,
            ..source
        }
    }

    /// The address to count by; `None` where clients cannot be told apart.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let peer = self.peer.filter(|_| !self.is_unnamed_proxy)?;
        Some(peer.ip().to_canonical())
    }

    fn through_x_forwarded(mut self, trusted: &Networks, headers: &HeaderMap) -> Self {
        let hops: Vec<_> = list(headers, &X_FORWARDED_FOR).map(read_address).collect();
        let passed = self.pass(trusted, hops.into_iter());
        // Lists of the others are as long as the proxies that append to them make them; most say one value.
        let said = |name: HeaderName| {
            let values: Vec<_> = list(headers, &name).collect();
            let from_the_right = passed.min(values.len().checked_sub(1)?);
            values.get(values.len() - 1 - from_the_right).copied()
        };
        self.scheme = said(X_FORWARDED_PROTO)
            .and_then(Scheme::from_name)
            .or(self.scheme);
        self.host = said(X_FORWARDED_HOST).map(str::to_owned);
        self
    }

    fn through_forwarded(mut self, trusted: &Networks, headers: &HeaderMap) -> Self {
        let mut elements = Vec::new();
        for line in headers.get_all(FORWARDED) {
            match line.to_str().ok().and_then(read_forwarded) {
                Some(read) => elements.extend(read),
                // What cannot be read hides all that stands before it.
                None => elements.clear(),
            }
        }
        let hops = elements.iter().map(|element| read_address(&element.client));
        let passed = self.pass(trusted, hops.collect::<Vec<_>>().into_iter());
        if let Some(element) = elements.into_iter().rev().nth(passed) {
            self.scheme = Scheme::from_name(&element.scheme).or(self.scheme);
            self.host = Some(element.host).filter(|host| !host.is_empty());
        }
        self
    }

    /// Goes from the nearest proxy on until an address is not trusted, or not said. Returns how many stand to the right of
    /// the one that is believed.
    fn pass(
        &mut self,
        trusted: &Networks,
        hops: impl DoubleEndedIterator<Item = Option<SocketAddr>>,
    ) -> usize {
        let mut passed = 0;
        for (index, hop) in hops.rev().enumerate() {
            let Some(hop) = hop else { break };
            (self.peer, passed) = (Some(hop), index);
            if !trusted.contains(hop.ip()) {
                break;
            }
        }
        passed
    }
}

/// What one proxy says in `Forwarded`.
#[derive(Default)]
struct Element {
    client: String,
    scheme: String,
    host: String,
}

/// The values of a list, over all lines of its header.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',').map(str::trim))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn read_address(text: &str) -> Option<SocketAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address
        .map(|address: IpAddr| SocketAddr::new(address, 0))
        .or_else(|| text.parse().ok())
}

/// The elements of a `Forwarded` line; `None` if it is not written as RFC 7239 says.
fn read_forwarded(line: &str) -> Option<Vec<Element>> {
    let mut elements = vec![Element::default()];
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let value;
        (value, rest) = match behind.strip_prefix('"') {
            Some(quoted) => read_quoted(quoted)?,
            None => {
                let end = behind.find([',', ';', ' ', '\t']).unwrap_or(behind.len());
                (behind[..end].to_owned(), &behind[end..])
            }
        };
        let element = elements.last_mut()?;
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => element.client = value,
            "proto" => element.scheme = value,
            "host" => element.host = value,
            _ => {}
        }
        rest = rest.trim_start();
        match rest.chars().next() {
            None => break,
            Some(';') => {}
            Some(',') => elements.push(Element::default()),
            Some(_) => return None,
        }
        rest = rest[1..].trim_start();
    }
    Some(elements)
}

/// A quoted string without its first mark: its text, and what follows it.
fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    loop {
        match letters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(letters.next()?.1),
            (_, letter) => value.push(letter),
        }
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1:5000";

    fn judge(
        kind: ForwardingHeaders,
        peer: &str,
        lines: &[(&'static str, &'static str)],
    ) -> (String, Option<Scheme>, Option<String>, bool) {
        let trusted = "10.0.0.0/8, fd00::/8".parse().expect("networks");
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let peer = peer.parse().expect("an address");
        let source = Source::judge(&trusted, kind, Some(peer), None, &headers);
        let peer = source.peer.expect("a peer stays one").to_string();
        (peer, source.scheme, source.host, source.is_unnamed_proxy)
    }

    #[test]
    fn the_rightmost_address_that_is_not_trusted_is_the_clients() {
        let x = "x-forwarded-for";
        for (lines, client) in [
            (&[(x, "192.0.2.1")][..], "192.0.2.1:0"),
            (&[(x, "6.6.6.6, 192.0.2.1")], "192.0.2.1:0"),
            (&[(x, "6.6.6.6, 192.0.2.1, 10.0.0.9")], "192.0.2.1:0"),
            (&[(x, "6.6.6.6"), (x, "192.0.2.1:77")], "192.0.2.1:77"),
            (&[(x, "2001:db8::1")], "[2001:db8::1]:0"),
            (&[(x, "[2001:db8::1]:80, fd00::2")], "[2001:db8::1]:80"),
            // All are trusted: the farthest.
            (&[(x, "10.0.0.8, 10.0.0.9")], "10.0.0.8:0"),
            // What is not said, or not an address, hides what stands before it.
            (&[(x, "192.0.2.1, unknown, 10.0.0.9")], "10.0.0.9:0"),
            (&[(x, "192.0.2.1, evil")], PROXY),
            (&[(x, "")], PROXY),
            (&[], PROXY),
            // The other kind is whatever the client wrote.
            (&[("forwarded", "for=6.6.6.6")], PROXY),
        ] {
            let judged = judge(ForwardingHeaders::XForwarded, PROXY, lines);
            assert_eq!(judged.0, client, "{lines:?}");
        }
        for (line, client) in [
            ("for=192.0.2.1", "192.0.2.1:0"),
            (
                "for=6.6.6.6, for=192.0.2.1;proto=https, For=10.0.0.9",
                "192.0.2.1:0",
            ),
            (
                "by=\"[fd00::1]\";for=\"[2001:db8::1]:4711\"",
                "[2001:db8::1]:4711",
            ),
            ("for=192.0.2.1, for=unknown, for=10.0.0.9", "10.0.0.9:0"),
            ("for=192.0.2.1, for=_hidden", PROXY),
            ("for=\"192.0.2.1", PROXY),
            ("for", PROXY),
        ] {
            let judged = judge(ForwardingHeaders::Forwarded, PROXY, &[("forwarded", line)]);
            assert_eq!(judged.0, client, "{line}");
        }
    }

    #[test]
    fn scheme_and_host_are_those_that_the_client_asked_for() {
        let x = ForwardingHeaders::XForwarded;
        let client = ("x-forwarded-for", "192.0.2.1");
        let both = [
            client,
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example"),
        ];
        let (_, scheme, host, _) = judge(x, PROXY, &both);
        assert_eq!(
            (scheme, host.as_deref()),
            (Some(Scheme::Https), Some("app.example"))
        );
        // A proxy appends behind what the client wrote.
        let forged = [client, ("x-forwarded-host", "evil.example, app.example")];
        assert_eq!(judge(x, PROXY, &forged).2.as_deref(), Some("app.example"));
        let two = [
            ("x-forwarded-for", "192.0.2.1, 10.0.0.9"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "app.example"),
        ];
        let (_, scheme, host, _) = judge(x, PROXY, &two);
        assert_eq!(
            (scheme, host.as_deref()),
            (Some(Scheme::Https), Some("app.example"))
        );
        let line = "for=192.0.2.1;proto=https;host=\"app.example:8443\", for=10.0.0.9;proto=http";
        let (_, scheme, host, _) =
            judge(ForwardingHeaders::Forwarded, PROXY, &[("forwarded", line)]);
        assert_eq!(
            (scheme, host.as_deref()),
            (Some(Scheme::Https), Some("app.example:8443"))
        );
    }

    #[test]
    fn whom_nobody_trusts_is_not_believed() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ];
        let x = ForwardingHeaders::XForwarded;
        let (peer, scheme, host, is_unnamed) = judge(x, "198.51.100.1:80", &lines);
        assert_eq!(
            (peer.as_str(), scheme, host),
            ("198.51.100.1:80", None, None)
        );
        assert!(
            !is_unnamed,
            "it is on the internet, and counted by its address"
        );
        assert!(judge(x, "127.0.0.1:80", &lines).3, "it may be a proxy");
        assert!(!judge(x, "127.0.0.1:80", &[]).3);
    }
}
