//! `GET {mount}/events`: server-sent events (PROTOCOL §14).

use anywire_core::Refusal;
use anywire_protocol::{Offer, Offset, ProtocolError};
use http::{HeaderName, Method};

use crate::answer::{Answer, HttpRefusal};
use crate::request::query;
use crate::request::{Request, Row};
use crate::stream_body::StreamBody;
use crate::taken::Taken;

pub(crate) const ROW: Row = Row {
    name: "events",
    method: Method::GET,
    own_parameters: &["anywire.offer"],
    is_opt_in: false,
};

pub(crate) async fn take<B>(request: Request<'_, B>) -> Result<Taken, HttpRefusal> {
    let (offer, seen) = read(&request)?;
    let Request { hub, guest, .. } = request;
    let body = StreamBody::begin_events(hub, offer, seen, guest).await?;
    Ok(Answer::stream("text/event-stream; charset=utf-8", body).into())
}

/// What the client offers, and the last event's id that it has, if it says so.
fn read<B>(request: &Request<'_, B>) -> Result<(Offer, Option<Offset>), Refusal> {
    let tokens = query::parameter(request.query, "anywire.offer")
        .ok_or_else(|| ProtocolError::malformed("a query without a parameter `anywire.offer`"))??;
    let tokens = str::from_utf8(&tokens)
        .map_err(|_| ProtocolError::malformed("an offer with bytes that are not ASCII"))?;
    let offer = Offer::parse(tokens.split(',').map(str::trim))?;
    let seen = match request.headers.get(LAST_EVENT_ID) {
        // A browser that has seen no event yet may say so by an empty id.
        Some(id) if !id.is_empty() => {
            let id = id.to_str().unwrap_or("?");
            Some(id.parse::<Offset>()?)
        }
        _ => None,
    };
    Ok((offer, seen))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
