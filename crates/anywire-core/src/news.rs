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
        // First, since messages may come without a pause.
        let mut news = self.peek(|state| self.news(state, seen));
        if news.is_none() {
            if let Some(received) = self.poll_receive(cx.waker()) {
                return Poll::Ready(received.map(SocketEvent::Message));
            }
            // The task is woken for what changes from now on.
            news = self.peek(|state| self.news(state, seen));
        }
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
        watcher: &mut u32,
        cx: &Context<'_>,
    ) -> Poll<Option<Attachment>> {
        let waker = cx.waker().clone();
        let (change, left) = self.peek(|state| {
            let version = state.session.contact_version();
            if version != *seen {
                *seen = version;
                return (Poll::Ready(Some(self.attachment_of(state))), None);
            }
            if state.session.is_ended() {
                return (Poll::Ready(None), None);
            }
            let left = state.take_watcher(*watcher);
            let extra = state.extra.get_or_insert_default();
            if *watcher == 0 {
                extra.last_watcher = extra.last_watcher.wrapping_add(1).max(1);
                *watcher = extra.last_watcher;
            }
            extra.watchers.push((*watcher, waker));
            (Poll::Pending, left)
        });
        drop(left);
        change
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
        /// Its number among those who wait; 0 before it has waited.
        watcher: u32,
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
            watcher: 0,
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

impl Drop for AttachmentChanges {
    fn drop(&mut self) {
        let Changes::Here { cell, watcher, .. } = &self.0 else {
            return;
        };
        if *watcher != 0 {
            // Its task is not kept for what it does not wait for.
            let left = cell.peek(|state| state.take_watcher(*watcher));
            drop(left);
        }
    }
}

impl Stream for AttachmentChanges {
    type Item = Attachment;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Attachment>> {
        match &mut self.0 {
            Changes::Here {
                cell,
                seen,
                watcher,
            } => cell.poll_attachment(seen, watcher, cx),
            Changes::Once(attachment) => Poll::Ready(attachment.take()),
        }
    }
}
