//! The one way in: the hub lets an entry in here, or at the node where its session lives.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use anywire_protocol::Transport;

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
        Entering::Elsewhere(Box::pin(async move {
            match nodes.clone().enter(session, entry, &caller).await? {
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
            Head::Open(open) => self.open(open, &packets, caller)?,
            Head::Attach(attach) => self.find(attach, caller)?,
        };
        let must_say_opened = matches!(head, Head::Open(_)) || transport == Transport::WebSocket;
        let received = head.received();
        let mut entered = Entered {
            opened: None,
            connection: None,
            answer: None,
        };
        let Intent::Carry(mode) = intent else {
            entered.opened = must_say_opened.then(|| Box::new(visit.opened(None)));
            visit.receive(received, packets)?;
            entered.answer = (intent == Intent::Send).then(|| visit.answer());
            return Ok(entered);
        };
        let (connection, at) = visit.attach(received, packets, transport, mode)?;
        entered.opened = must_say_opened.then(|| Box::new(visit.opened(Some(at))));
        entered.connection = Some((connection, at.first));
        Ok(entered)
    }
}

/// An entry on its way in; await it.
#[must_use = "an entry that is not awaited has not been let in"]
pub enum Entering {
    /// It was decided here; empty once it has been taken.
    Here(Option<Result<Entered<Connection>, Refusal>>),
    /// Other nodes are asked.
    Elsewhere(Pin<Box<dyn Future<Output = Result<Entered<Connection>, Refusal>> + Send>>),
}

impl Debug for Entering {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

impl From<Result<Entered<Connection>, Refusal>> for Entering {
    fn from(decided: Result<Entered<Connection>, Refusal>) -> Self {
        Self::Here(Some(decided))
    }
}

impl Future for Entering {
    type Output = Result<Entered<Connection>, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Here(decided) => Poll::Ready(
                decided
                    .take()
                    .expect("a finished future is not polled again"),
            ),
            Self::Elsewhere(asked) => asked.as_mut().poll(cx),
        }
    }
}
