//! From an HTTP request to an HTTP response: which endpoint, the gate, the endpoint, the answer. It knows neither warp nor
//! tower. What endpoints do is left to `anywire-polling` and `upgrade.rs`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anywire_core::{Asks, Guest};
use anywire_polling::{
    Answer, Body, BoxError, HttpRefusal, Request, Row, Style, Taken, query, render,
};
use anywire_protocol::{CloseCode, CloseReason, Transport};
use http::header::{ALLOW, CONNECTION, UPGRADE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode};
use tracing::warn;

use crate::door::Door;
use crate::gate::{CrossOrigin, judge_host, judge_origin, preflight};
use crate::publish;
use crate::request::RequestHead;
use crate::script::{Build, Freshness};
use crate::server::Shared;
use crate::upgrade;
use crate::visitor::Visitor;

/// What a path under the mount leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The client script, which is public.
    Script(Build, Freshness),
    /// An endpoint behind the gate.
    Endpoint(Endpoint),
}

/// An endpoint, by what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A WebSocket that speaks the protocol.
    WebSocket,
    /// A plain WebSocket.
    Raw,
    /// Publishing from outside.
    Publish,
    /// One of long polling and its relatives.
    Polling(anywire_polling::Endpoint),
}

impl Target {
    /// The target of a path below the mount.
    pub(crate) fn find(name: &str, shared: &Shared) -> Option<Self> {
        if let Some((build, freshness)) = shared.scripts.find(name) {
            return Some(Self::Script(build, freshness));
        }
        let polling = anywire_polling::Endpoint::ALL.map(Endpoint::Polling);
        let has_jsonp = shared.config.has_jsonp;
        let takes_publishes = shared.config.publish_key.is_some();
        [Endpoint::WebSocket, Endpoint::Raw, Endpoint::Publish]
            .into_iter()
            .chain(polling)
            .find(|endpoint| endpoint.row().name == name)
            .filter(|endpoint| match endpoint {
                Endpoint::Publish => takes_publishes,
                other => has_jsonp || !other.row().is_opt_in,
            })
            .map(Self::Endpoint)
    }
}

/// Answers a request to a target.
pub(crate) fn respond<B>(
    shared: Arc<Shared>,
    target: Target,
    mut head: RequestHead,
    body: B,
) -> impl Future<Output = Response<Body>>
where
    B: http_body::Body<Error: Into<BoxError>>,
{
    let style = target.style(&head.query);
    let asks_for_upgrade = head.headers.contains_key(UPGRADE);
    // Boxed, and gone with the whole request once that is taken: a poll is held for long.
    let taking = Box::pin(async move { target.take(&shared, &mut head, body).await });
    async move {
        let (taken, origin) = taking.await;
        let outcome = match taken {
            Ok(Taken::Answered(answer)) => Ok(*answer),
            Ok(Taken::Held(answering)) => answering.await,
            Err(refusal) => Err(refusal),
        };
        let mut response = render(outcome, style);
        let is_refused_upgrade =
            asks_for_upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        if is_refused_upgrade {
            // Bytes that follow it are no request: they may be smuggled.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.append(VARY, HeaderValue::from_static("Origin"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        origin.mark(headers);
        response
    }
}

impl Target {
    fn style(self, query: &str) -> Style {
        match self {
            Self::Script(..) => Style::Json,
            Self::Endpoint(endpoint) => endpoint.style(query),
        }
    }

    /// The gate, then the script or the endpoint.
    async fn take<B>(
        self,
        shared: &Shared,
        head: &mut RequestHead,
        body: B,
    ) -> (Result<Taken, HttpRefusal>, CrossOrigin)
    where
        B: http_body::Body<Error: Into<BoxError>>,
    {
        let (host, address) = match judge(shared, head) {
            Ok(judged) => judged,
            Err(refusal) => return (Err(refusal), CrossOrigin::No),
        };
        let endpoint = match self {
            Self::Endpoint(endpoint) => endpoint,
            // The script is public: pages of other origins load it too.
            Self::Script(build, freshness) => {
                let answer = script(shared, head, build, freshness);
                return (answer.map(Taken::from), CrossOrigin::No);
            }
        };
        match judge_origin(&shared.config, &head.headers, &host, head.scheme) {
            Ok(origin) => {
                let is_own = origin == CrossOrigin::No;
                let taken = endpoint.take(shared, head, body, is_own, address).await;
                (taken, origin)
            }
            Err(refusal) => (Err(refusal.into()), CrossOrigin::No),
        }
    }
}

/// What all requests pass: the host that it is for, and the address that it counts for. The head then names the client.
fn judge(shared: &Shared, head: &mut RequestHead) -> Result<(String, Option<IpAddr>), HttpRefusal> {
    let mut source = head.source(&shared.config);
    if source.is_unnamed_proxy {
        warn_of_proxy(shared, source.peer);
    }
    if source.is_proxied
        && let Some(permit) = &head.permit
    {
        permit.exempt();
    }
    let host = judge_host(&shared.config, head, source.host.take())?;
    (head.peer, head.scheme) = (source.peer, source.scheme);
    Ok((host, source.address()))
}

fn warn_of_proxy(shared: &Shared, peer: Option<SocketAddr>) {
    if !shared.has_warned_of_proxy.swap(true, Ordering::Relaxed) {
        let peer = peer.map(|peer| peer.ip());
        warn!(
            ?peer,
            "a proxy that is not trusted forwards requests, so its clients have no limits by address: list it with \
             Config::trust_proxies"
        );
    }
}

impl Endpoint {
    fn row(self) -> &'static Row {
        match self {
            Self::WebSocket => &upgrade::WEBSOCKET,
            Self::Raw => &upgrade::RAW,
            Self::Publish => &publish::ROW,
            Self::Polling(endpoint) => endpoint.row(),
        }
    }

    fn style(self, query: &str) -> Style {
        match self {
            Self::WebSocket | Self::Raw | Self::Publish => Style::Json,
            Self::Polling(endpoint) => endpoint.style(query),
        }
    }

    /// The gate behind the origin, then the endpoint.
    async fn take<B>(
        self,
        shared: &Shared,
        head: &mut RequestHead,
        body: B,
        is_own_origin: bool,
        address: Option<IpAddr>,
    ) -> Result<Taken, HttpRefusal>
    where
        B: http_body::Body<Error: Into<BoxError>>,
    {
        let Row { method, .. } = self.row();
        if method == Method::POST && head.method == Method::OPTIONS && !is_own_origin {
            return Ok(preflight().into());
        }
        if head.method != *method {
            return Err(method_not_allowed(method.as_str()));
        }
        let guest = self.guest(shared, head, address);
        let answer = match self {
            Self::WebSocket => upgrade::websocket(shared, head, guest).await,
            Self::Raw => upgrade::raw(shared, head, guest).await,
            Self::Publish => publish::answer(shared, head, body).await,
            Self::Polling(endpoint) => {
                let request = Request {
                    hub: &shared.hub,
                    guest,
                    headers: &head.headers,
                    query: &head.query,
                    body,
                };
                return endpoint.take(request).await;
            }
        };
        answer.map(Taken::from)
    }

    /// Who comes, for the app to be asked about.
    fn guest(self, shared: &Shared, head: &mut RequestHead, address: Option<IpAddr>) -> Guest {
        let transport = match self {
            // Who publishes from outside shows a key instead.
            Self::Publish => return Guest::Known(Default::default()),
            Self::WebSocket => Transport::WebSocket,
            Self::Raw => Transport::Raw,
            Self::Polling(endpoint) => endpoint.transport(),
        };
        Door::guest(&shared.config, address, || Visitor {
            headers: head.headers.clone(),
            path: head.path.clone(),
            query: query::without(&head.query, self.row().own_parameters),
            peer: head.peer,
            scheme: head.scheme,
            extensions: std::mem::take(&mut head.extensions),
            transport,
            asks: Asks::Open,
            credential: None,
        })
    }
}

fn script(
    shared: &Shared,
    head: &RequestHead,
    build: Build,
    freshness: Freshness,
) -> Result<Answer, HttpRefusal> {
    match head.method {
        Method::GET | Method::HEAD => Ok(shared.scripts.answer(&head.headers, build, freshness)),
        _ => Err(method_not_allowed("GET, HEAD")),
    }
}

/// Another method than the endpoint's.
fn method_not_allowed(allowed: &'static str) -> HttpRefusal {
    let text = "this method is not allowed here: use one of the Allow header";
    HttpRefusal::new(CloseReason::new(CloseCode::METHOD_NOT_ALLOWED, text))
        .with(ALLOW, HeaderValue::from_static(allowed))
}

/// The answer to a path that is no endpoint, for hosts that ask for one in any case (PROTOCOL §10.5).
#[cfg(feature = "tower")]
pub(crate) fn not_found() -> Response<Body> {
    let text = "there is no endpoint of Anywire at this path";
    let answer =
        Answer::whole("text/plain; charset=utf-8", text.into()).with_status(StatusCode::NOT_FOUND);
    render(Ok(answer), Style::Text)
}

#[cfg(test)]
mod tests {
    use anywire_protocol::Transport;

    use super::*;
    use crate::{Config, Server};

    #[test]
    fn each_transport_has_an_endpoint_of_its_name() {
        let config = Config::new().allow_jsonp();
        let server = Server::builder(config).expect("the config is sound");
        let server = server.on_socket(|_| async {});
        for transport in Transport::ALL {
            let target = Target::find(transport.name(), server.shared());
            assert!(matches!(target, Some(Target::Endpoint(_))), "{transport}");
        }
        assert_eq!(Target::find("carrier-pigeon", server.shared()), None);
    }
}
