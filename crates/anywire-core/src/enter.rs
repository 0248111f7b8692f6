//! The one way in: the hub lets an entry in here, or at the node where its session lives.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture, ready};
use std::pin::Pin;

use anywire_protocol::{SessionId, Transport};

use crate::accounts::Caller;
use crate::connection::Connection;
use crate::entry::{Entered, Entry, Head, Intent};
use crate::hub::Hub;
use crate::nodes::Place;
use crate::refusal::Refusal;

impl Hub {
    /// Lets an entry in, here or at the node where its session lives. Ready at once when that is here.
    ///
    /// Cancel safety: dropping the future may leave the packets taken, and attaches nothing.
    ///
    /// # Errors
    /// The refusals of [`Hub::open`], [`Hub::find`] and [`Visit::attach`](crate::Visit::attach); and the session's node cannot be reached now.
    pub fn enter(&self, entry: Entry, caller: &Caller) -> Entering {
        let Some(nodes) = self.inner.nodes() else {
            return self.enter_here(entry, caller).into();
        };
        let session = entry.head.session();
        if self.inner.session(session).is_some() || self.inner.has_tombstone(session) {
            return self.enter_here(entry, caller).into();
        }
        // What can be refused without asking others is refused without asking them.
        let admitted = match &entry.head {
            Head::Open(open) => self.admit_from(open, caller),
            Head::Attach(attach) => self.check_secret(attach),
        };
        if let Err(refusal) = admitted {
            return Err(refusal).into();
        }
        let (hub, nodes, caller) = (self.clone(), nodes.clone(), caller.clone());
        let is_open = matches!(entry.head, Head::Open(_));
        Entering::Elsewhere(Box::pin(async move {
            let intent = entry.intent;
            let placed = nodes.clone().enter(session, entry, &caller).await;
            let placed = placed.map_err(|refusal| match is_open {
                true => hub.explain(session, intent, refusal),
                false => refusal,
            });
            match placed? {
                Place::Here(entry) => {
                    let entered = hub.enter_here(entry, &caller);
                    if entered.is_err() && !hub.has_session(session) {
                        nodes.not_begun(session);
                    }
                    entered
                }
                Place::Elsewhere(entered) => Ok(Entered {
                    opened: entered.opened,
                    connection: entered
                        .connection
                        .map(|(remote, first)| (Connection::elsewhere(remote), first)),
                    answer: entered.answer,
                }),
            }
        }))
    }

    /// Lets an entry in here, and nowhere else.
    ///
    /// # Errors
    /// Those of [`Hub::enter`].
    pub fn enter_here(
        &self,
        entry: Entry,
        caller: &Caller,
    ) -> Result<Entered<Connection>, Refusal> {
        let Entry {
            head,
            packets,
            transport,
            intent,
        } = entry;
        let visit = match &head {
            Head::Open(open) => {
                let opened = self.open(open, &packets, caller);
                opened.map_err(|refusal| self.explain(head.session(), intent, refusal))?
            }
            Head::Attach(attach) => self.find(attach, caller)?,
        };
        let visit = visit.renewed_by(&packets, caller);
        let must_say_opened = matches!(head, Head::Open(_)) || transport == Transport::WebSocket;
        let received = head.received();
        let mut entered = Entered {
            opened: None,
            connection: None,
            answer: None,
        };
        let Intent::Carry(mode) = intent else {
            entered.opened = must_say_opened.then(|| Box::new(visit.opened(None)));
            visit.receive(received, packets, transport)?;
            entered.answer = (intent == Intent::Send).then(|| visit.answer());
            return Ok(entered);
        };
        let (connection, at) = visit.attach(received, packets, transport, mode)?;
        entered.opened = must_say_opened.then(|| Box::new(visit.opened(Some(at))));
        entered.connection = Some((connection, at.first));
        Ok(entered)
    }
}

impl Hub {
    /// Why an open is refused, also to a client that did not hear of it when its credential was judged.
    fn explain(&self, session: SessionId, intent: Intent, refusal: Refusal) -> Refusal {
        let (unheard, now) = (&self.inner.unheard, self.inner.now());
        if intent == Intent::SendUnread {
            let until = now + self.inner.limits.open_window;
            unheard.put(session, until, refusal.clone());
            return refusal;
        }
        unheard.take(session, now).unwrap_or(refusal)
    }
}

/// An entry on its way in.
///
/// Await it, or where a future is held for long, take it apart: then nothing of an entry that is let in here outlives the moment.
#[must_use = "an entry that is not awaited has not been let in"]
pub enum Entering<T = Entered<Connection>> {
    /// It was decided here.
    Here(Result<T, Refusal>),
    /// Other nodes are asked.
    Elsewhere(Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send>>),
}

impl<T: Send + 'static> Entering<T> {
    /// Makes something else of what becomes of the entry.
    pub fn map<U: 'static>(self, map: impl FnOnce(T) -> U + Send + 'static) -> Entering<U> {
        match self {
            Self::Here(decided) => Entering::Here(decided.map(map)),
            Self::Elsewhere(asked) => {
                Entering::Elsewhere(Box::pin(async move { asked.await.map(map) }))
            }
        }
    }
}

impl<T> Debug for Entering<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

impl<T> From<Result<T, Refusal>> for Entering<T> {
    fn from(decided: Result<T, Refusal>) -> Self {
        Self::Here(decided)
    }
}

impl<T> IntoFuture for Entering<T>
where
    T: Send + 'static,
{
    type Output = Result<T, Refusal>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        match self {
            Self::Here(decided) => Box::pin(ready(decided)),
            Self::Elsewhere(asked) => asked,
        }
    }
}
