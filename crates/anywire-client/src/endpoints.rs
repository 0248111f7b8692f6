//! Where the endpoints of a mount are (PROTOCOL §5, §6).

use http::Uri;
use http::uri::Scheme;

/// The addresses of one server.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// What the memory is kept under.
    pub(crate) origin: String,
    pub(crate) websocket: Uri,
    pub(crate) poll: Uri,
}

impl Endpoints {
    /// From the address of the mount, or of its WebSocket endpoint; `ws`, `wss`, `http` or `https`.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let scheme = match uri.scheme_str() {
            Some("ws" | "http") => Scheme::HTTP,
            Some("wss" | "https") => Scheme::HTTPS,
            _ => return Err("it must begin with ws://, wss://, http:// or https://"),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("credentials belong in `Builder::authorize`, not in the URL");
        }
        let mount = uri.path().trim_end_matches('/');
        let mount = mount.strip_suffix("/websocket").unwrap_or(mount);
        let query = uri
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        let endpoint = |name| {
            Uri::builder()
                .scheme(scheme.clone())
                .authority(authority.clone())
                .path_and_query(format!("{mount}/{name}{query}"))
                .build()
                .map_err(|_| "it is no URL")
        };
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            websocket: endpoint("websocket")?,
            poll: endpoint("poll")?,
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
        for url in ["", "/a", "ftp://host/", "ws://user:word@host/"] {
            assert!(Endpoints::parse(url).is_err(), "{url}");
        }
    }
}
