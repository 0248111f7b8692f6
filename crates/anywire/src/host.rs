//! The `Host` of a request: one, well-formed, and of those that the app serves (PROTOCOL §10.6). `gate.rs`
//! and the server loop ask for it at each request.

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

use crate::origin::split_port;

/// The host that a request is for; `None` if it names none.
///
/// # Errors
/// Says what came.
pub(crate) fn read<'a>(
    headers: &'a HeaderMap,
    authority: Option<&'a Authority>,
) -> Result<Option<&'a str>, &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap_or_default());
    if hosts.next().is_some() {
        return Err("more than one Host header: send one");
    }
    let target = authority.map(Authority::as_str);
    if host.or(target).is_some_and(|host| !is_well_formed(host)) {
        return Err("a Host that is not a name or address with at most one port");
    }
    match (host, target) {
        (Some(host), Some(target)) if !host.eq_ignore_ascii_case(target) => {
            Err("a Host that differs from the address of the request")
        }
        (host, target) => Ok(host.or(target)),
    }
}

/// Whether it is `host` or `host:port`, and the host is not empty.
pub(crate) fn is_well_formed(host: &str) -> bool {
    split_port(host).is_some_and(|(name, _)| !name.is_empty())
}

/// Whether a host is one of a list, whose entries have a port if only that port is meant.
pub(crate) fn is_listed(list: &[String], host: &str) -> bool {
    let name = split_port(host).map_or(host, |(name, _)| name);
    let mut entries = list.iter();
    entries.any(|entry| entry.eq_ignore_ascii_case(host) || entry.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read_all(
        hosts: &[&'static str],
        target: Option<&str>,
    ) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        let target = target.map(|target| target.parse().expect("an authority"));
        read(&headers, target.as_ref()).map(|host| host.map(str::to_owned))
    }

    #[test]
    fn one_well_formed_host_is_taken() {
        for host in [
            "app.example",
            "app.example:8080",
            "[::1]:3030",
            "127.0.0.1",
            "under_score",
        ] {
            assert_eq!(read_all(&[host], None), Ok(Some(host.to_owned())));
        }
        assert_eq!(read_all(&[], None), Ok(None));
        assert_eq!(read_all(&[], Some("h:1")), Ok(Some("h:1".to_owned())));
        assert_eq!(read_all(&["H"], Some("h")), Ok(Some("H".to_owned())));
    }

    #[test]
    fn what_names_no_one_host_is_refused() {
        let malformed = "a Host that is not a name or address with at most one port";
        for host in [
            "", "a b", "x@evil", "h:", "h:x", "h:99999", "[::1", "a/b", "a,b", ":80",
        ] {
            assert_eq!(read_all(&[host], None), Err(malformed), "{host}");
        }
        for twice in ["a", "b"] {
            let several = "more than one Host header: send one";
            assert_eq!(read_all(&["a", twice], None), Err(several));
        }
        let differs = "a Host that differs from the address of the request";
        assert_eq!(read_all(&["good"], Some("evil")), Err(differs));
    }

    #[test]
    fn an_entry_without_a_port_means_every_port() {
        let list = ["app.example".to_owned(), "localhost:3030".to_owned()];
        for good in ["app.example", "APP.example:8443", "localhost:3030"] {
            assert!(is_listed(&list, good), "{good}");
        }
        for bad in [
            "localhost",
            "localhost:80",
            "app.example.evil",
            "evil",
            "app.example.",
        ] {
            assert!(!is_listed(&list, bad), "{bad}");
        }
    }
}
