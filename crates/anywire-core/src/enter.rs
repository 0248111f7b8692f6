//! The one way in: the hub lets an entry in here, or at the node where its session lives.

use std::fmt::{self, Debug, Formatter};
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
            return Entering::Here(self.enter_here(entry, caller));
        };
        let session = entry.head.session();
        if self.inner.session(session).is_some() || self.inner.has_tombstone(session) {
            return Entering::Here(self.enter_here(entry, caller));
        }
        // What can be refused without asking others is refused without asking them.
        let admitted = match &entry.head {
            Head::Open(open) => self.admit_from(open, caller),
            Head::Attach(attach) => self.check_secret(attach),
        };
        if let Err(refusal) = admitted {
            return Entering::Here(Err(refusal));
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
            Head::Attach(attach) => self.find(attach, &packets, caller)?,
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
#[must_use = "an entry that waits for other nodes has not been let in"]
pub enum Entering {
    /// It was decided here.
    Here(Result<Entered<Connection>, Refusal>),
    /// Others are asked.
    Elsewhere(Pin<Box<dyn Future<Output = Result<Entered<Connection>, Refusal>> + Send>>),
}

impl Entering {
    /// What becomes of the entry.
    ///
    /// Cancel safety: as of [`Hub::enter`].
    ///
    /// # Errors
    /// Those of [`Hub::enter`].
    pub async fn decided(self) -> Result<Entered<Connection>, Refusal> {
        match self {
            Self::Here(decided) => decided,
            Self::Elsewhere(asked) => asked.await,
        }
    }
}

impl Debug for Entering {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}
