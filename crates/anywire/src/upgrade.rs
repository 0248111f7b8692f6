//! `GET {mount}/websocket` and `GET {mount}/raw`: from an upgrade request to a running WebSocket, whatever host serves it.

use std::any::Any;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use anywire_core::{Guest, Hub, Refusal};
use anywire_polling::{Answer, HttpRefusal, Row};
use anywire_protocol::{
    CloseCode, Limits, Offer, SUBPROTOCOL, application_protocols, choose_protocol,
};
use anywire_websocket::handshake::{Handshake, offered_protocols};
use anywire_websocket::server::{Driver, Start};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use crate::request::RequestHead;
use crate::serve::{ConnectionPermit, Guarded, prepare, reset_on_drop};
use crate::server::Shared;

pub(crate) const WEBSOCKET: Row = Row {
    name: "websocket",
    method: Method::GET,
    own_parameters: &[],
    is_opt_in: false,
};

pub(crate) const RAW: Row = Row {
    name: "raw",
    method: Method::GET,
    own_parameters: &[],
    is_opt_in: false,
};

/// `GET {mount}/websocket` (PROTOCOL §5).
pub(crate) async fn websocket(
    shared: &Shared,
    head: &mut RequestHead,
    guest: Guest,
) -> Result<Answer, HttpRefusal> {
    let request = Upgrade::check(head)?;
    let offer = Offer::parse(offered_protocols(&head.headers)).map_err(Refusal::from);
    let offer = offer.map_err(|refusal| refused(&refusal))?;
    if let Offer::Open(open) = &offer {
        let admitted = shared.hub.admit(open);
        admitted.map_err(|refusal| refused(&refusal))?;
    }
    // A page is not shown why an upgrade was refused, and is to know what becomes of its credential.
    let has_credential = matches!(&offer, Offer::Open(open) if open.credential.is_some());
    let start = Start::from_offer(&shared.hub, offer, guest).await;
    if let Start::Refused(refusal) = &start
        && !has_credential
        && is_told_before(refusal.reason().code)
    {
        return Err(refused(refusal));
    }
    let protocol = Some(HeaderValue::from_static(SUBPROTOCOL));
    Ok(request.accept(shared, start, protocol))
}

/// Whether a refusal with this code is told before the upgrade (PROTOCOL §8.5): it says nothing of a session.
fn is_told_before(code: CloseCode) -> bool {
    matches!(
        code,
        // No node of the server's cluster has room.
        CloseCode::DRAINING
            | CloseCode::OVERLOADED
            | CloseCode::UNAUTHORIZED
            | CloseCode::FORBIDDEN
            | CloseCode::CREDENTIAL_EXPIRED
    )
}

/// `GET {mount}/raw` (PROTOCOL §9).
pub(crate) async fn raw(
    shared: &Shared,
    head: &mut RequestHead,
    guest: Guest,
) -> Result<Answer, HttpRefusal> {
    let request = Upgrade::check(head)?;
    let offered = application_protocols(offered_protocols(&head.headers));
    let protocol = choose_protocol(&offered, shared.hub.protocols()).unwrap_or_default();
    let caller = guest.caller(&shared.hub, None, &[]).await;
    let connection = shared.hub.open_raw(protocol, &caller);
    let connection = connection.map_err(|refusal| refused(&refusal))?;
    let chosen = HeaderValue::from_str(protocol)
        .ok()
        .filter(|value| !value.is_empty());
    Ok(request.accept(shared, Start::Raw(connection), chosen))
}

/// A request that may become a WebSocket.
struct Upgrade {
    handshake: Handshake,
    on_upgrade: OnUpgrade,
    permit: Option<ConnectionPermit>,
}

impl Upgrade {
    fn check(head: &mut RequestHead) -> Result<Self, HttpRefusal> {
        let wrong = |text: &str| refused(&Refusal::new(CloseCode::PROTOCOL_ERROR, text));
        let handshake = Handshake::check(&head.method, &head.headers)
            .map_err(|error| wrong(&error.to_string()))?;
        if has_body(&head.headers) {
            return Err(wrong("a WebSocket upgrade with a body: send none"));
        }
        let on_upgrade = head
            .upgrade
            .take()
            .ok_or_else(|| wrong("a connection that cannot be upgraded: use HTTP/1.1"))?;
        Ok(Self {
            handshake,
            on_upgrade,
            permit: head.permit.take(),
        })
    }

    /// Starts the WebSocket's task and answers 101.
    fn accept(self, shared: &Shared, start: Start, protocol: Option<HeaderValue>) -> Answer {
        let Self {
            handshake,
            on_upgrade,
            permit,
        } = self;
        let hub = shared.hub.clone();
        tokio::spawn(async move {
            // A client that is gone before the upgrade is done has only detached.
            if let Ok(upgraded) = on_upgrade.await {
                run(upgraded, hub, start, permit);
            }
        });
        let answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS)
            .without(CACHE_CONTROL)
            .with(UPGRADE, HeaderValue::from_static("websocket"))
            .with(CONNECTION, HeaderValue::from_static("Upgrade"))
            .with(SEC_WEBSOCKET_ACCEPT, handshake.accept().clone());
        match protocol {
            Some(protocol) => answer.with(SEC_WEBSOCKET_PROTOCOL, protocol),
            None => answer,
        }
    }
}

/// Whether bytes follow the head that are no frames.
fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH);
    headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// Takes the socket out of the HTTP stack of any host, and carries the session on it.
///
/// The connection gets a task of its own, which is no larger than it needs.
fn run(upgraded: Upgraded, hub: Hub, start: Start, permit: Option<ConnectionPermit>) {
    #[cfg(feature = "tls")]
    let upgraded = match upgraded.downcast::<TokioIo<Guarded<TlsStream<TcpStream>>>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_stream();
            let driver = Driver::new(stream, copied(&parts.read_buf), hub, start);
            return carry(driver, permit);
        }
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<Guarded<TcpStream>>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_stream();
            carry(
                Driver::new(stream, copied(&parts.read_buf), hub, start),
                permit,
            );
        }
        Err(upgraded) => match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                // The loops of warp and axum do not.
                prepare(&stream, Limits::WRITE_STALL);
                carry(
                    Driver::new(stream, copied(&parts.read_buf), hub, start),
                    permit,
                );
            }
            Err(upgraded) => {
                carry(
                    Driver::new(TokioIo::new(upgraded), Bytes::new(), hub, start),
                    permit,
                );
            }
        },
    }
}

fn carry<S>(driver: Driver<S>, permit: Option<ConnectionPermit>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + Any,
{
    tokio::spawn(Carry {
        driver,
        _permit: permit,
    });
}

/// A driver and its share of the limit. An async block would hold the driver twice, and every connection pays for it.
struct Carry<S> {
    driver: Driver<S>,
    _permit: Option<ConnectionPermit>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Any> Future for Carry<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // How a connection broke is of no interest but for a stall: the session has detached.
        Pin::new(&mut self.driver).poll(cx).map(|ended| {
            if ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
                reset_on_drop(self.driver.stream());
            }
        })
    }
}

/// The bytes alone, without the buffer of the HTTP connection that they lie in.
fn copied(read_ahead: &[u8]) -> Bytes {
    Bytes::copy_from_slice(read_ahead)
}

/// Bytes that follow a refused upgrade are no request (they may be smuggled): the connection closes.
fn refused(refusal: &Refusal) -> HttpRefusal {
    HttpRefusal::from(refusal.clone())
        .with(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .closing()
}
