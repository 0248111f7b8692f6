//! Where the endpoints of a mount are (PROTOCOL §5, §6).

use http::Uri;
use url::Url;

/// The addresses of one server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// What the memory is kept under.
    pub(crate) origin: String,
    pub(crate) websocket: Uri,
    pub(crate) poll: Uri,
}

impl Endpoints {
    /// From the address of the mount, or of its WebSocket endpoint; `ws`, `wss`, `http` or `https`. It is read as a browser
    /// reads it: a scheme and a host know no case, and what is no ASCII is escaped, or is a name in another script.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let url = Url::parse(url).map_err(|_| "it is no URL")?;
        let scheme = match url.scheme() {
            "ws" | "http" => "http",
            "wss" | "https" => "https",
            _ => return Err("it must begin with ws://, wss://, http:// or https://"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials belong in `ClientBuilder::authorize`, not in the URL");
        }
        if url.fragment().is_some() {
            return Err("what follows `#` reaches no server: leave it out");
        }
        let host = url.host_str().ok_or("it names no host")?;
        // The default port of the scheme is left out already.
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        let origin = format!("{scheme}://{host}{port}");
        let mount = url.path().trim_end_matches('/');
        let mount = mount.strip_suffix("/websocket").unwrap_or(mount);
        let query = url
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        let endpoint = |name| {
            format!("{origin}{mount}/{name}{query}")
                .parse()
                .map_err(|_| "it is no URL")
        };
        Ok(Self {
            websocket: endpoint("websocket")?,
            poll: endpoint("poll")?,
            origin,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_lie_below_the_mount() {
        for url in [
            "ws://host:1/a",
            "http://host:1/a/",
            "ws://host:1/a/websocket",
        ] {
            let endpoints = Endpoints::parse(url).expect("a good URL");
            assert_eq!(endpoints.websocket, "http://host:1/a/websocket");
            assert_eq!(endpoints.poll, "http://host:1/a/poll");
        }
        let endpoints = Endpoints::parse("wss://[::1]/?room=1").expect("a good URL");
        assert_eq!(endpoints.poll, "https://[::1]/poll?room=1");
        for url in [
            "",
            "/a",
            "ftp://host/",
            "ws://user:word@host/",
            "ws://user@host/",
            "ws://host:99999/",
            "ws://[::1/",
            "ws://a b/",
            "ws://host/#part",
            "wss://",
        ] {
            assert!(Endpoints::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn addresses_are_read_as_browsers_read_them() {
        for (url, poll) in [
            ("WS://Host.Example/A", "http://host.example/A/poll"),
            ("wSs://h/a?name=Jürgen", "https://h/a/poll?name=J%C3%BCrgen"),
            ("ws://h/räume/1", "http://h/r%C3%A4ume/1/poll"),
            (
                "ws://h/a?q=a b&c=%20\"<>'",
                "http://h/a/poll?q=a%20b&c=%20%22%3C%3E%27",
            ),
            (
                "ws://h/a?k=한글&e=🦀",
                "http://h/a/poll?k=%ED%95%9C%EA%B8%80&e=%F0%9F%A6%80",
            ),
            ("ws://h/a?%FC&{x|y}", "http://h/a/poll?%FC&{x|y}"),
            ("ws://Bücher.example/", "http://xn--bcher-kva.example/poll"),
            ("ws://h:80/a", "http://h/a/poll"),
            ("wss://h:443/a", "https://h/a/poll"),
            ("wss://h:80/a", "https://h:80/a/poll"),
            (" ws://h/a/../b\n", "http://h/b/poll"),
            ("ws://127.1:8080/", "http://127.0.0.1:8080/poll"),
            ("ws:h/a", "http://h/a/poll"),
        ] {
            let endpoints = Endpoints::parse(url).expect(url);
            assert_eq!(endpoints.poll, poll, "{url}");
        }
    }
}
