//! What an app may choose before a session is opened. Each choice is checked once, in [`ClientBuilder::connect`].

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anywire_protocol::{Limits, Message, Negotiation, NegotiationSettings};
use http::{HeaderName, HeaderValue};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::{Host, Url};

use crate::authorize::Headers;
use crate::client::opened;
use crate::connect::{Connector, Tls};
use crate::credential::Credentials;
use crate::dial::Tcp;
use crate::driver::{Config, Driver, new_key};
use crate::endpoints::Endpoints;
use crate::memory::{OriginMemory, network};
use crate::shared::Shared;
use crate::shown::shown;
use crate::{Client, ConnectError, Reopen, Transport, Why};

/// A session that is not open yet.
///
/// ```no_run
/// use std::time::Duration;
/// use anywire_client::Client;
///
/// # async fn example() -> Result<(), anywire_client::ConnectError> {
/// let client = Client::builder("wss://example.org/anywire")
///     .protocols(["chat"])
///     .authorize(|| async { Ok("a token that is valid now".to_owned()) })
///     .connect_timeout(Duration::from_secs(10))
///     .connect()
///     .await?;
/// println!("{} chosen, {:?} carries it", client.protocol(), client.transport());
/// # Ok(())
/// # }
/// ```
pub struct ClientBuilder {
    url: String,
    settings: NegotiationSettings,
    limits: Limits,
    protocols: Vec<String>,
    headers: Headers,
    credentials: Option<Credentials>,
    reopen: Option<Reopen>,
    first: Vec<Message>,
    proxy: Proxy,
    named: HashMap<String, Vec<SocketAddr>>,
    connector: Option<Connector>,
    memory: Option<OriginMemory>,
    #[cfg(feature = "tls")]
    tls: Option<crate::rustls::ClientConfig>,
    wrong: Option<String>,
}

enum Proxy {
    /// As `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
    None,
    All(String),
}

impl Client {
    /// Opens a session at the address of a server's mount, such as `ws://localhost:3030/anywire`.
    ///
    /// Cancel safety: dropping the future ends the attempt.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        ClientBuilder::new(url).connect().await
    }

    /// What can be chosen before a session is opened.
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }
}

impl ClientBuilder {
    /// A session at the address of a server's mount: `ws`, `wss`, `http` or `https`.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            settings: NegotiationSettings::default(),
            limits: Limits::default(),
            protocols: Vec::new(),
            headers: Headers::default(),
            credentials: None,
            reopen: None,
            first: Vec::new(),
            proxy: Proxy::Environment,
            named: HashMap::new(),
            connector: None,
            memory: None,
            #[cfg(feature = "tls")]
            tls: None,
            wrong: None,
        }
    }

    /// Uses this transport alone: the WebSocket or polls. Default: both. For tests and demonstrations: with one, a network
    /// that does not let it through is never passed.
    pub fn only(mut self, transport: Transport) -> Self {
        self.settings.websocket = transport == Transport::WebSocket;
        self.settings.poll = transport == Transport::Poll;
        if !self.settings.websocket && !self.settings.poll {
            self.wrong = Some(format!(
                "`{transport}` is no transport of this client, which has `websocket` and `poll`"
            ));
        }
        self
    }

    /// How legs are tried, and the pauses between; see the fields of [`NegotiationSettings`].
    pub fn negotiation(mut self, settings: NegotiationSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The longest that connecting may take. Default 20 s. Too short gives up on slow networks.
    pub fn connect_timeout(mut self, duration: Duration) -> Self {
        self.settings.connect_timeout = duration;
        self
    }

    /// This side's own limits: of its outbox and inbox, above all. The rest is as the server announces.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Offers the application's sub-protocols, the preferred first.
    pub fn protocols<'a>(mut self, protocols: impl IntoIterator<Item = &'a str>) -> Self {
        self.protocols = protocols.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sends a header with each request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.fixed.append(name, value);
            }
            // The value may be secret.
            _ => {
                self.wrong = Some(format!(
                    "the header `{name}` has no name or value of a header"
                ))
            }
        }
        self
    }

    /// Asks for a bearer token at each attach, so that a token which has run out is replaced by a new one. It is the header
    /// `Authorization` of each request. Where it is to be shown once, when the session is opened, and renewed while that goes on,
    /// [`ClientBuilder::credential`] is the better way.
    ///
    /// While the token cannot be had, the attempt has failed and another follows.
    pub fn authorize<F, Fut>(mut self, token: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.headers.ask_with(token);
        self
    }

    /// Gives a credential, such as a token, when the session is opened, and others while it goes on.
    ///
    /// The client says it to the server beside its requests. The server's app sees it as the visitor's credential, and judges
    /// how long it lets the session in. Before that runs out, the client asks for another with [`Why::Expiring`]: at a random
    /// time within a fifth of what is left (of 30 s by default), so that many clients do not ask at once. If the server gets
    /// none in time, the session ends with 4935.
    ///
    /// A credential has 1 to 8,192 bytes. While it cannot be had, the attempt has failed and another follows, when a session is
    /// opened until [`ClientBuilder::connect_timeout`]. Legs that open a session together are let in by one credential.
    ///
    /// Cancel safety: the client drops a future that is not ready after 20 s, and asks again later.
    ///
    /// ```no_run
    /// use anywire_client::{Client, Why};
    ///
    /// # async fn token(is_fresh: bool) -> std::io::Result<String> { Ok(String::new()) }
    /// # async fn example() -> Result<(), anywire_client::ConnectError> {
    /// let client = Client::builder("wss://example.org/anywire")
    ///     .credential(|why| async move {
    ///         let may_be_cached = matches!(why, Why::Open | Why::Reopen);
    ///         Ok(token(!may_be_cached).await?)
    ///     })
    ///     .connect()
    ///     .await?;
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    pub fn credential<F, Fut>(mut self, credential: F) -> Self
    where
        F: Fn(Why) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.credentials = Some(Credentials::new(credential));
        self
    }

    /// Opens a new session by itself where one ends in a way that lets another follow; see [`Reopen`]. Default: the end of the
    /// session is the end.
    pub fn reopen(mut self, reopen: Reopen) -> Self {
        self.reopen = Some(reopen);
        self
    }

    /// Sends this with the open: a first answer may then come with it, one round trip earlier. May be called again.
    ///
    /// A session that follows another ([`ClientBuilder::reopen`]) does not begin with it.
    pub fn first(mut self, message: impl Into<Message>) -> Self {
        self.first.push(message.into());
        self
    }

    /// Goes through this proxy: `http://host:port` (with CONNECT), `socks5://` or `socks5h://`. Default: what the
    /// environment says (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Proxy::All(url.to_owned());
        self
    }

    /// Goes through no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::None;
        self
    }

    /// Connects to these addresses where the host is this one, in place of those that the system finds for it. Default: the
    /// system's. A certificate is still checked for the host. More than one are tried as those of a name are: the next
    /// after 250 ms without an answer (RFC 8305).
    pub fn resolve(mut self, host: &str, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let addresses = addresses.into_iter().collect();
        match host_name(host) {
            Some(host) => drop(self.named.insert(host, addresses)),
            None => self.wrong = Some(format!("`{host}`, to be resolved, is no host")),
        }
        self
    }

    /// Makes byte streams in the app's own way; proxies and TLS are then its own matter.
    pub fn connector(mut self, connector: Connector) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Remembers what works here instead of in the process's own memory.
    pub fn memory(mut self, memory: OriginMemory) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Checks certificates in the app's own way. Default: as the platform does.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: crate::rustls::ClientConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Opens the session.
    ///
    /// Cancel safety: dropping the future ends the attempt.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let shared = self.begin()?;
        // From here on a dropped future is a dropped client.
        let client = Client::new(shared.clone());
        opened(&shared).await?;
        Ok(client)
    }

    /// Checks what was chosen and starts the driver.
    fn begin(self) -> Result<Arc<Shared>, ConnectError> {
        let setting = |why: String| ConnectError::Setting(why);
        if let Some(wrong) = self.wrong {
            return Err(setting(wrong));
        }
        self.limits
            .check()
            .map_err(|error| setting(error.to_string()))?;
        let endpoints = Endpoints::parse(&self.url).map_err(|why| ConnectError::Address {
            url: shown(&self.url),
            why,
        })?;
        let proxies = match &self.proxy {
            Proxy::Environment => Matcher::from_env(),
            Proxy::None => Matcher::builder().build(),
            Proxy::All(url) => proxy(url).map_err(setting)?,
        };
        let tls = Tls {
            #[cfg(feature = "tls")]
            config: self.tls,
        };
        let connector = self
            .connector
            .unwrap_or_else(|| Connector::tcp(Tcp::new(self.named), proxies, tls));
        let key = new_key().ok_or_else(|| setting("the system has no randomness".to_owned()))?;
        let memory = self.memory.unwrap_or_else(OriginMemory::shared);
        let network = network();
        let known = memory.recall(&endpoints.origin, network);
        let mut negotiation = Negotiation::new(self.settings, known, fastrand::f64);
        if let Some(reopen) = &self.reopen {
            negotiation.take_turns(reopen.ceiling, reopen.tries);
        }
        let shared = Shared::new(self.limits.clone(), negotiation, self.reopen.is_some());
        let shared = Arc::new(shared);
        for message in self.first {
            let sent = shared.send(message, None);
            sent.map_err(|error| setting(format!("a first message: {error}")))?;
        }
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(2)
            .build(connector.clone());
        let config = Config {
            endpoints,
            headers: self.headers,
            credentials: self.credentials,
            reopen: self.reopen,
            connector,
            http,
            limits: self.limits,
            protocols: self.protocols,
            memory,
            network,
        };
        tokio::spawn(Driver::new(Arc::new(config), shared.clone(), key).run());
        Ok(shared)
    }
}

impl Debug for ClientBuilder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("url", &shown(&self.url))
            .field("settings", &self.settings)
            .field("limits", &self.limits)
            .field("protocols", &self.protocols)
            .field("headers", &self.headers)
            .field("credentials", &self.credentials)
            .field("reopen", &self.reopen)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl Debug for Proxy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::None => f.write_str("None"),
            Self::All(url) => f.debug_tuple("All").field(&shown(url)).finish(),
        }
    }
}

/// A host as `url` writes it, but for the brackets of an IPv6 address: names in other scripts, `127.1` and the like.
fn host_name(host: &str) -> Option<String> {
    let inner = host.trim_start_matches('[').trim_end_matches(']');
    match inner.parse::<Ipv6Addr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) => Some(Host::parse(host).ok()?.to_string()),
    }
}

fn proxy(url: &str) -> Result<Matcher, String> {
    let wrong = |why| format!("the proxy `{}` {why}", shown(url));
    let parsed = Url::parse(url).map_err(|_| wrong("is no URL"))?;
    if !matches!(parsed.scheme(), "http" | "socks5" | "socks5h") {
        return Err(wrong("must begin with http://, socks5:// or socks5h://"));
    }
    let matcher = Matcher::builder().all(parsed.as_str()).build();
    // What it cannot use it leaves out without a word, and the client would go past the proxy.
    match matcher.intercept(&http::Uri::from_static("http://server.example/")) {
        Some(_) => Ok(matcher),
        None => Err(wrong(
            "names no host that can be used: it is http://host:port",
        )),
    }
}

/// How long a connection is kept for the next exchange; shorter than servers keep them.
const POOL_IDLE: Duration = Duration::from_secs(30);
