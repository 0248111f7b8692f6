//! What an app may set. Sizes and durations are `anywire_protocol::Limits`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::sync::Arc;

use anywire_core::{Budgets, Grant};
use anywire_protocol::{Limits, LimitsError};

use crate::forwarded::ForwardingHeaders;
use crate::host;
use crate::keep::Keep;
use crate::networks::Networks;
use crate::origin::Origin;
use crate::publish_key::{MIN_KEY_BYTES, PublishKey};
use crate::visitor::{AllowOrigin, Authorize, Denied, Visitor};

/// How a [`Server`](crate::Server) behaves. The default is sound: same origin only, mounted at `/anywire`.
///
/// ```
/// use anywire::{Config, Denied, Limits, Principal, Server, Socket};
///
/// # fn main() -> Result<(), anywire::ConfigError> {
/// let config = Config::new()
///     .mount("api/live")
///     .allow_origin("https://app.example")
///     .limits(Limits::default().max_message_bytes(65_536))
///     .authorize(|visitor| async move {
///         match visitor.headers.get("cookie") {
///             Some(cookie) if cookie == "who=ada" => Ok(Principal::new("ada")),
///             _ => Err(Denied::unauthenticated("sign in first")),
///         }
///     });
/// let server = Server::builder(config)?.on_socket(|socket: Socket| async move {
///     let name = socket.principal().map_or("nobody", |principal| principal.name());
///     let _ = socket.send(format!("hello {name}")).await;
/// });
/// # let _ = server;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) mount: String,
    pub(crate) origins: Vec<String>,
    pub(crate) origin_predicate: Option<AllowOrigin>,
    pub(crate) allows_opaque_origins: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) proxies: Networks,
    pub(crate) forwarding_headers: ForwardingHeaders,
    pub(crate) protocols: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) budgets: Budgets,
    pub(crate) authorize: Option<Authorize>,
    pub(crate) keep: Keep,
    pub(crate) has_jsonp: bool,
    pub(crate) publish_key: Option<PublishKey>,
    has_short_publish_key: bool,
}

/// A setting that cannot work. The text says which and how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A mount path that no request can have.
    #[error(
        "mount `{0}` must be one or more path segments of letters, digits, `-`, `_`, `.` or `~`"
    )]
    Mount(String),
    /// An origin that no browser sends.
    #[error(
        "origin `{0}` must be `scheme://host` or `scheme://host:port` in lower case, without a path or the scheme's own port; list each one, and let `null` in by `allow_opaque_origins`"
    )]
    Origin(String),
    /// A host that no request can name.
    #[error("host `{0}` must be a name or an address, with at most one port and no path")]
    Host(String),
    /// A sub-protocol that cannot be negotiated.
    #[error("sub-protocol `{0}` must be a token that does not begin with `anywire.`")]
    Protocol(String),
    /// A key that can be guessed.
    #[error(
        "the key for publishing is shorter than 32 bytes: make one with `openssl rand -hex 32`"
    )]
    PublishKey,
    /// Limits that contradict each other.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl Config {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the endpoints are, without the leading slash. Default `anywire`; `api/live` is fine too.
    pub fn mount(mut self, path: impl Into<String>) -> Self {
        self.mount = path.into().trim_matches('/').to_owned();
        self
    }

    /// Lets pages of another origin in, as `https://app.example`; call it for each. Pages of the server's own origin
    /// are always let in. A listed origin may send cookies, so list only those that you trust.
    ///
    /// Other schemes than `http` and `https` are listed as browsers and WebViews send them: `file://`, `app://.`,
    /// `web+app://x`, `capacitor://localhost`.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Asks a function about origins that are not listed: `true` lets the page in, cookies and all. It sees
    /// `scheme://host[:port]`, never `null`. Default: none. It is asked at each request, so keep it cheap.
    ///
    /// It is not asked about pages of the server's own host and port. `Host` does not tell `http` from `https`, so a page
    /// of the other scheme there counts as the server's own, but its browser lets it read nothing: list it with
    /// [`Config::allow_origin`] if it is to come in.
    ///
    /// ```
    /// use anywire::Config;
    ///
    /// let config = Config::new().allow_origin_if(|origin| {
    ///     // The dot matters: `https://evil-app.example` is another site.
    ///     origin.starts_with("https://") && origin.ends_with(".app.example")
    /// });
    /// # let _ = config;
    /// ```
    pub fn allow_origin_if(
        mut self,
        allows: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.origin_predicate = Some(Arc::new(allows));
        self
    }

    /// Lets pages in whose origin is opaque, `Origin: null`: sandboxed frames, `data:` pages, some WebViews. Default: they
    /// are refused.
    ///
    /// They come without credentials: a request with `Cookie` or `Authorization` is refused with 4965. Any site can put a
    /// visitor into a sandboxed frame, so with cookies it would act in each visitor's name. A page of such an origin builds its
    /// client with `withCredentials: false`, and says who it is by a token (`authorize`), which [`Config::authorize`] sees as
    /// [`Visitor::credential`].
    pub fn allow_opaque_origins(mut self) -> Self {
        self.allows_opaque_origins = true;
        self
    }

    /// The hosts that the endpoints answer for, as `app.example` (any port) or `app.example:8443`. Default: every host.
    ///
    /// Without a list, a page on another site can have its own name point to this server, and is then of the server's own
    /// origin (DNS rebinding). So a server on a private network or on a developer's machine needs one. A request for another
    /// host is refused with 421 and code 4965.
    pub fn hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// The networks of the proxies in front of the server. Default: none.
    ///
    /// What such a proxy says of its client is believed: address, scheme and host. So [`Visitor::peer`], the origin check,
    /// limits and logs are the client's. Of several proxies in a row each must be listed; the first address that is not
    /// is the client's.
    ///
    /// Too few, and all clients of a proxy look like one: they share its limits, unless the proxy has a private address, which
    /// is not limited. Too many, and clients there choose their own address.
    pub fn trust_proxies(mut self, networks: Networks) -> Self {
        self.proxies = networks;
        self
    }

    /// Which headers the trusted proxies set. Default: `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    ///
    /// The other kind is ignored: a proxy passes it on as its client wrote it.
    pub fn forwarding_headers(mut self, kind: ForwardingHeaders) -> Self {
        self.forwarding_headers = kind;
        self
    }

    /// The application's sub-protocols, negotiated as with a WebSocket. Default none.
    pub fn protocols<P: Into<String>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sizes, counts and durations. See the fields of [`Limits`] for units and defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What each address, each principal and all clients together may ask, and how many bytes their sessions may take. Default:
    /// [`Budgets::default`].
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// Asks the app about those who come, on every transport: a [`Grant`] (or a [`Principal`](crate::Principal), which makes one), or a
    /// refusal. Default: everybody is let in, and sessions have no principal.
    ///
    /// It is asked about each open. After that, a session that was opened with a credential (a token that the client gives its
    /// library) goes on by its grant until that runs out: the client is asked for another in time
    /// ([`Limits::renewal`](field@Limits::renewal)), and the app about that. Of a session that was opened without one, each
    /// request is asked about, each poll too: keep it cheap. [`Visitor::asks`] says which it is.
    ///
    /// A session is bound to the principal that opened it.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use anywire::{Config, Denied, Grant};
    ///
    /// let config = Config::new().authorize(|visitor| async move {
    ///     let token = visitor.credential.ok_or_else(|| Denied::unauthenticated("send a token"))?;
    ///     // Ask your identity service here; where it is away: `Denied::unavailable`.
    ///     let name = token.as_str().strip_prefix("token of ");
    ///     let name = name.ok_or_else(|| Denied::unauthenticated("this token is unknown"))?;
    ///     let until = SystemTime::now() + Duration::from_secs(600);
    ///     Ok(Grant::to(name).until(until))
    /// });
    /// # let _ = config;
    /// ```
    pub fn authorize<F, G>(
        mut self,
        authorize: impl Fn(Visitor) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<G, Denied>> + Send + 'static,
        G: Into<Grant>,
    {
        self.authorize = Some(Arc::new(move |visitor| {
            let asked = authorize(visitor);
            Box::pin(async move { asked.await.map(Into::into) })
        }));
        self
    }

    /// What a session keeps of the request that opened it. Default: nothing.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Turns on JSONP and forms, for pages on another origin whose browser can make no other request across origins
    /// (Internet Explorer up to 7, and its like). Off by default; WebSocket, streams and polls need none of it.
    ///
    /// A script can be included from any page, and runs there: a site that gets a visitor's browser to fetch one sends
    /// that visitor's cookies. The gate lets in only pages of the server's own or a listed origin, but all that it has to go by
    /// is a `Referer`. So let [`Config::authorize`] ask for more than a cookie, such as a token that the page gives its client,
    /// before you turn this on.
    pub fn allow_jsonp(mut self) -> Self {
        self.has_jsonp = true;
        self
    }

    /// Turns on `POST {mount}/publish?topic=NAME`, by which other programs publish: they send this key as `Authorization: Bearer KEY`, and the
    /// message as the body. It needs 32 bytes or more. Off by default.
    ///
    /// The body is one message of at most [`Limits::max_message_bytes`]: bytes if its type is `application/octet-stream`, text otherwise. In a
    /// cluster the answer is the message's position, `{"epoch":"…","number":42}`, and an `Idempotency-Key` makes a repeat within 5 minutes harmless.
    /// A server alone answers `{"followers":3}`, and refuses such a key.
    ///
    /// Whoever has the key can send anything to every follower of every topic. [`Config::authorize`] is not asked. Give all servers of a
    /// cluster the same key; `openssl rand -hex 32` makes one.
    pub fn allow_publish(mut self, key: &str) -> Self {
        self.publish_key = Some(PublishKey::new(key));
        self.has_short_publish_key = key.len() < MIN_KEY_BYTES;
        self
    }

    /// Whether the settings fit together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let is_segment = |segment: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed)
        };
        if !self.mount.split('/').all(is_segment) {
            return Err(ConfigError::Mount(self.mount.clone()));
        }
        if let Some(origin) = self.origins.iter().find(|origin| {
            Origin::parse(origin).is_none_or(Origin::names_default_port)
                || origin.bytes().any(|byte| byte.is_ascii_uppercase())
        }) {
            return Err(ConfigError::Origin(origin.clone()));
        }
        if let Some(wrong) = self.hosts.iter().find(|host| !host::is_well_formed(host)) {
            return Err(ConfigError::Host(wrong.clone()));
        }
        let offered =
            anywire_protocol::application_protocols(self.protocols.iter().map(String::as_str));
        if let Some(wrong) = self
            .protocols
            .iter()
            .find(|protocol| !offered.contains(protocol))
        {
            return Err(ConfigError::Protocol(wrong.clone()));
        }
        if self.has_short_publish_key {
            return Err(ConfigError::PublishKey);
        }
        Ok(self.limits.check()?)
    }
}

impl Debug for Config {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("mount", &self.mount)
            .field("origins", &self.origins)
            .field("hosts", &self.hosts)
            .field("proxies", &self.proxies)
            .field("protocols", &self.protocols)
            .field("limits", &self.limits)
            .field("budgets", &self.budgets)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mount: "anywire".into(),
            origins: Vec::new(),
            origin_predicate: None,
            allows_opaque_origins: false,
            hosts: Vec::new(),
            proxies: Networks::default(),
            forwarding_headers: ForwardingHeaders::default(),
            protocols: Vec::new(),
            limits: Limits::default(),
            budgets: Budgets::default(),
            authorize: None,
            keep: Keep::nothing(),
            has_jsonp: false,
            publish_key: None,
            has_short_publish_key: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_named() {
        assert!(Config::new().mount("/api/live/").check().is_ok());
        for mount in ["", "a//b", "../x", "a b"] {
            assert!(
                matches!(
                    Config::new().mount(mount).check(),
                    Err(ConfigError::Mount(_))
                ),
                "{mount}"
            );
        }
        assert!(
            Config::new()
                .allow_origin("https://app.example:8443")
                .check()
                .is_ok()
        );
        for origin in ["file://", "app://.", "web+app://x"] {
            assert!(
                Config::new().allow_origin(origin).check().is_ok(),
                "{origin}"
            );
        }
        for origin in [
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "https://App.example",
            "https://app.example:443",
            "http://app.example:80",
        ] {
            let checked = Config::new().allow_origin(origin).check();
            assert!(matches!(checked, Err(ConfigError::Origin(_))), "{origin}");
        }
        assert!(
            Config::new()
                .hosts(["app.example", "[::1]:3030"])
                .check()
                .is_ok()
        );
        for host in ["", "https://app.example", "app.example/", "*", "a:b"] {
            let checked = Config::new().hosts([host]).check();
            assert!(matches!(checked, Err(ConfigError::Host(_))), "{host}");
        }
        let checked = Config::new().protocols(["anywire.v1"]).check();
        assert!(matches!(checked, Err(ConfigError::Protocol(_))));
        let limits = Limits::default().max_payload_bytes(10);
        assert!(matches!(
            Config::new().limits(limits).check(),
            Err(ConfigError::Limits(_))
        ));
    }
}
