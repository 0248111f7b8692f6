//! From an upgrade request to a running WebSocket, under our server loop or warp's.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use anywire_core::{Hub, Principal, Refusal};
use anywire_protocol::{CloseCode, Offer, SUBPROTOCOL, application_protocols, choose_protocol};
use anywire_websocket::handshake::{Handshake, offered_protocols};
use anywire_websocket::server::{Driver, Start};
use bytes::Bytes;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use warp::reply::Response;

use crate::endpoint::Request;
use crate::guard::Guarded;
use crate::respond::refuse;
use crate::serve::ConnectionPermit;
use crate::server::Shared;

/// `GET {mount}/websocket` (PROTOCOL §5).
pub(crate) fn upgrade_websocket(
    shared: &Shared,
    request: Request,
    principal: Option<Principal>,
) -> Response {
    begin(shared, request, |headers| {
        let offer = Offer::parse(offered_protocols(headers))?;
        if let Offer::Open(open) = &offer {
            shared.hub.admit(open)?;
        }
        let start = Start::from_offer(&shared.hub, offer, principal);
        Ok((start, Some(HeaderValue::from_static(SUBPROTOCOL))))
    })
}

/// `GET {mount}/raw` (PROTOCOL §9).
pub(crate) fn upgrade_raw(
    shared: &Shared,
    request: Request,
    principal: Option<Principal>,
) -> Response {
    begin(shared, request, |headers| {
        let offered = application_protocols(offered_protocols(headers));
        let protocol = choose_protocol(&offered, shared.hub.protocols()).unwrap_or_default();
        let connection = shared.hub.open_raw(protocol, principal.as_ref())?;
        let chosen = HeaderValue::from_str(protocol)
            .ok()
            .filter(|value| !value.is_empty());
        Ok((Start::Raw(connection), chosen))
    })
}

/// Checks the request, starts the WebSocket's task and answers 101.
fn begin(
    shared: &Shared,
    request: Request,
    start: impl FnOnce(&http::HeaderMap) -> Result<(Start, Option<HeaderValue>), Refusal>,
) -> Response {
    let handshake = match Handshake::check(&request.method, &request.headers) {
        Ok(handshake) => handshake,
        Err(error) => {
            return refuse_upgrade(&Refusal::new(CloseCode::PROTOCOL_ERROR, &error.to_string()));
        }
    };
    let Some(on_upgrade) = request.upgrade else {
        let text = "this connection cannot be upgraded: use HTTP/1.1";
        return refuse_upgrade(&Refusal::new(CloseCode::PROTOCOL_ERROR, text));
    };
    let (start, protocol) = match start(&request.headers) {
        Ok(start) => start,
        Err(refusal) => return refuse_upgrade(&refusal),
    };
    let (hub, permit) = (shared.hub.clone(), request.permit);
    tokio::spawn(async move {
        // A client that is gone before the upgrade is done has only detached.
        if let Ok(upgraded) = on_upgrade.await {
            run(upgraded, hub, start, permit);
        }
    });
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, handshake.accept().clone());
    if let Some(protocol) = protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// Gets the socket out of the HTTP stack, whoever served it, and carries the session on it.
///
/// The connection gets a task of its own, which is no larger than it needs.
fn run(upgraded: Upgraded, hub: Hub, start: Start, permit: Option<ConnectionPermit>) {
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
                // warp's loop does not; small messages must not wait for each other's acks.
                let _ = stream.set_nodelay(true);
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
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
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

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Carry<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // How a connection broke is of no interest: the session has detached.
        Pin::new(&mut self.driver).poll(cx).map(drop)
    }
}

/// The bytes alone, without the buffer of the HTTP connection that they lie in.
fn copied(read_ahead: &[u8]) -> Bytes {
    Bytes::copy_from_slice(read_ahead)
}

/// Bytes that follow a refused upgrade are no request (they may be smuggled): the connection closes.
fn refuse_upgrade(refusal: &Refusal) -> Response {
    let mut response = refuse(refusal);
    response
        .headers_mut()
        .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
