//! Asks the app who comes, once it is known what they ask for.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use anywire_core::{Asks, Caller, Gate, Guest, Judge, Principal, Refusal, Verdict};
use anywire_protocol::{CloseCode, Credential, Limits, Transport};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::Config;
use crate::keep::Keep;
use crate::visitor::{Authorize, Visitor};

/// A visitor before whom nobody has been asked.
pub(crate) struct Door {
    authorize: Option<Authorize>,
    keep: Keep,
    visitor: Visitor,
    address: Option<IpAddr>,
}

impl Debug for Door {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    /// Who comes. The visitor is asked for only where the config wants to know more than an address.
    pub(crate) fn guest(
        config: &Config,
        address: Option<IpAddr>,
        visitor: impl FnOnce() -> Visitor,
    ) -> Guest {
        if config.authorize.is_none() && config.keep.is_nothing() {
            return Guest::Known(caller(Verdict::default(), address));
        }
        Guest::Unknown(Box::new(Self {
            authorize: config.authorize.clone(),
            keep: config.keep.clone(),
            visitor: visitor(),
            address,
        }))
    }
}

/// A header's place in its map.
const HEADER_BYTES: usize = 104;

fn caller(verdict: Verdict, address: Option<IpAddr>) -> Caller {
    Caller {
        verdict,
        address,
        opening: None,
        asked: None,
    }
}

impl Gate for Door {
    fn unasked(&self) -> Caller {
        caller(Verdict::NotAsked, self.address)
    }

    fn held_bytes(&self) -> usize {
        let Visitor {
            headers,
            path,
            query,
            ..
        } = &self.visitor;
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES);
        size_of::<Self>() + headers.sum::<usize>() + path.len() + query.len()
    }

    fn ask(
        self: Box<Self>,
        asks: Asks,
        credential: Option<Credential>,
    ) -> Pin<Box<dyn Future<Output = Caller> + Send>> {
        let Self {
            authorize,
            keep,
            visitor,
            address,
        } = *self;
        Box::pin(async move {
            let asked = Some(Instant::now());
            let opening = (asks == Asks::Open).then(|| keep.of(&visitor)).flatten();
            let verdict = match authorize {
                None => Verdict::default(),
                Some(authorize) => {
                    let visitor = Visitor {
                        asks,
                        credential,
                        ..visitor
                    };
                    judge(&authorize, visitor).await
                }
            };
            Caller {
                opening,
                asked,
                ..caller(verdict, address)
            }
        })
    }
}

fn is_too_long(principal: &Principal) -> bool {
    principal.name().len() > Limits::MAX_PRINCIPAL_BYTES
}

/// What the app says.
async fn judge(authorize: &Authorize, visitor: Visitor) -> Verdict {
    match authorize(visitor).await {
        Ok(grant) if grant.expires_in().is_some_and(|left| left.is_zero()) => {
            let text = "what was to let the client in has run out: get a new one";
            Verdict::Denied(Refusal::new(CloseCode::CREDENTIAL_EXPIRED, text))
        }
        Ok(grant) if grant.principal().is_some_and(is_too_long) => {
            let text = "a principal's name of more than 1,024 bytes: the application must give a shorter one";
            Verdict::Denied(Refusal::new(CloseCode::INTERNAL, text))
        }
        Ok(grant) => Verdict::Granted(grant),
        Err(denied) => Verdict::Denied(denied.into()),
    }
}

/// Asks the app about credentials that come on their own. What is kept of the request that opened the session stands for
/// a request.
pub(crate) fn renewals(authorize: Authorize) -> Judge {
    Judge::new(move |asked| {
        let authorize = authorize.clone();
        async move {
            let opening = asked.opening.unwrap_or_default();
            let mut headers = HeaderMap::new();
            for (name, value) in opening.headers() {
                if let (Ok(name), Ok(value)) =
                    (name.parse::<HeaderName>(), HeaderValue::from_str(value))
                {
                    headers.append(name, value);
                }
            }
            let visitor = Visitor {
                headers,
                path: opening.path().unwrap_or_default().to_owned(),
                query: opening.query().unwrap_or_default().to_owned(),
                peer: opening.peer(),
                scheme: None,
                transport: asked.sender.transport().unwrap_or(Transport::WebSocket),
                asks: Asks::Renew,
                credential: Some(asked.credential),
                extensions: Extensions::new(),
            };
            judge(&authorize, visitor).await
        }
    })
}
