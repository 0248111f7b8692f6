//! `GET {mount}/jsonp`: long polling by script tags (PROTOCOL §15). `call.rs` writes the script.

use anywire_protocol::{Encoding, ProtocolError, Transport};
use http::Method;

use crate::answer::{Answer, HttpRefusal, Style};
use crate::exchange::Exchange;
use crate::poll::escape;
use crate::request::head::bounded;
use crate::request::query;
use crate::request::{Request, Row};
use crate::taken::Taken;

pub(crate) const ROW: Row = Row {
    name: "jsonp",
    method: Method::GET,
    own_parameters: &["anywire.b", "anywire.c"],
    is_opt_in: true,
};

/// A refusal is a call too, if the request says which.
pub(crate) fn style(query: &str) -> Style {
    call_number(query).map_or(Style::Json, Style::Call)
}

pub(crate) async fn take<B>(request: Request<'_, B>) -> Result<Taken, HttpRefusal> {
    let Request {
        hub, guest, query, ..
    } = request;
    let number = call_number(query).ok_or_else(|| {
        ProtocolError::malformed("a query without a parameter `anywire.c` that is a number")
    })?;
    let payload = query::parameter(query, "anywire.b").ok_or_else(|| {
        ProtocolError::malformed("a query without a parameter `anywire.b`, the payload")
    })??;
    let payload = bounded(payload, hub.limits())?;
    let exchange = Exchange::begin(hub, Transport::Jsonp, Encoding::Text, payload, guest).await?;
    let memory = hub.memory().clone();
    Ok(Taken::held(async move {
        let payload = escape(&exchange.answer().await?);
        let payload = str::from_utf8(&payload).expect("the text encoding is UTF-8");
        let json = serde_json::to_string(payload).expect("text always serialises");
        Ok(Answer::call(number, &json).counted(&memory))
    }))
}

/// The number of the call that the script tag waits for.
fn call_number(query: &str) -> Option<u64> {
    let value = query::parameter(query, "anywire.c")?.ok()?;
    let text = str::from_utf8(&value).ok()?;
    let number: u64 = text.parse().ok()?;
    (number < 1 << 53 && number.to_string() == text).then_some(number)
}
