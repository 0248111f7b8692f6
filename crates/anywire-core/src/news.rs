//! What an app is told beside messages, and what is a state: whether the client is there, and what lets it in. Only the newest counts.

use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_protocol::{CloseReason, Contact, Message};
use tokio_stream::Stream;

use crate::attachment::Attachment;
use crate::grant::Grant;
use crate::session_cell::{SessionCell, State};

/// What [`Socket::next`](crate::Socket::next) brings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// A message.
    Message(Message),
    /// The client has gone, or has come back. Changes that nobody has looked at meanwhile are one: the newest.
    Attachment(Attachment),
    /// What lets the client in was renewed by a credential; likewise.
    Grant(Grant),
}

/// What a socket's owner has seen of what is a state.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) contact: u32,
    pub(crate) renewals: u16,
}

impl SessionCell {
    pub(crate) fn attachment(&self) -> Attachment {
        self.peek(|state| self.attachment_of(state))
    }

    pub(crate) fn attachment_of(&self, state: &State) -> Attachment {
        let instant = |at| self.clock().instant(at).into_std();
        match state.session.contact() {
            Contact::Attached { since } => Attachment::Attached {
                transport: self.transport(),
                since: instant(since),
            },
            Contact::Detached { since, why } => Attachment::Detached {
                since: instant(since),
                why,
            },
        }
    }

    /// What comes next: a message, the end, or a change of what is a state.
    pub(crate) fn poll_next(
        self: &Arc<Self>,
        cx: &Context<'_>,
        seen: &mut Seen,
    ) -> Poll<Result<SocketEvent, CloseReason>> {
        if let Some(received) = self.poll_receive(cx.waker()) {
            return Poll::Ready(received.map(SocketEvent::Message));
        }
        // Behind it, so that the task is woken for what changes from now on.
        let news = self.peek(|state| self.news(state, seen));
        news.map_or(Poll::Pending, |event| Poll::Ready(Ok(event)))
    }

    /// What has changed of what is a state, since a socket saw it.
    fn news(&self, state: &State, seen: &mut Seen) -> Option<SocketEvent> {
        if state.session.is_ended() {
            return None;
        }
        if mem::replace(&mut seen.renewals, state.renewals) != state.renewals {
            return Some(SocketEvent::Grant(self.grant_of(state)));
        }
        let version = state.session.contact_version();
        if mem::replace(&mut seen.contact, version) != version {
            return Some(SocketEvent::Attachment(self.attachment_of(state)));
        }
        None
    }

    /// The attachment, if it has changed since `seen`. If not, and the session has not ended, the task is woken when it does.
    pub(crate) fn poll_attachment(
        &self,
        seen: &mut u32,
        cx: &Context<'_>,
    ) -> Poll<Option<Attachment>> {
        self.peek(|state| {
            let version = state.session.contact_version();
            if version != *seen {
                *seen = version;
                return Poll::Ready(Some(self.attachment_of(state)));
            }
            if state.session.is_ended() {
                return Poll::Ready(None);
            }
            let watchers = &mut state.extra.get_or_insert_default().watchers;
            if !watchers.iter().any(|other| other.will_wake(cx.waker())) {
                watchers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}

/// The changes of a session's attachment: first what it is now, then each change. Changes that nobody has looked at meanwhile are one: the
/// newest. It ends with the session.
pub struct AttachmentChanges(Changes);

enum Changes {
    Here {
        cell: Arc<SessionCell>,
        /// The version of what was seen last.
        seen: u32,
    },
    /// Of a session of another node.
    Once(Option<Attachment>),
}

impl Debug for AttachmentChanges {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentChanges").finish_non_exhaustive()
    }
}

impl AttachmentChanges {
    pub(crate) fn new(cell: Arc<SessionCell>) -> Self {
        let version = cell.peek(|state| state.session.contact_version());
        Self(Changes::Here {
            cell,
            seen: version.wrapping_sub(1),
        })
    }

    /// The next change.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn next(&mut self) -> Option<Attachment> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    pub(crate) fn once(attachment: Attachment) -> Self {
        Self(Changes::Once(Some(attachment)))
    }
}

impl Stream for AttachmentChanges {
    type Item = Attachment;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Attachment>> {
        match &mut self.0 {
            Changes::Here { cell, seen } => cell.poll_attachment(seen, cx),
            Changes::Once(attachment) => Poll::Ready(attachment.take()),
        }
    }
}
