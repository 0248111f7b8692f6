//! What an app holds of a session: [`Socket`] to receive and send, [`Sender`] to send from anywhere.

use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use anywire_protocol::{
    CloseCode, CloseReason, Message, Report, SendError, SessionId, Transport, TrySendError,
};
use tokio_stream::Stream;

use crate::attachment::Attachment;
use crate::deeds::{Deed, Reach, Reaching, SessionInfo, Whom};
use crate::grant::Grant;
use crate::news::{AttachmentChanges, Seen, SocketEvent};
use crate::nodes::Nodes;
use crate::opening::Opening;
use crate::principal::Principal;
use crate::session_cell::{Origin, SessionCell};

/// One session, as the function that serves it sees it.
///
/// ```
/// use anywire_core::Socket;
/// use anywire_protocol::{CloseCode, CloseReason};
///
/// async fn serve(mut socket: Socket) {
///     while let Some(message) = socket.recv().await {
///         if message.as_text() == Some("bye") {
///             return socket.close(CloseReason::new(CloseCode::NORMAL, "bye"));
///         }
///         // Waits while the client has not taken what was sent before.
///         if socket.send(message).await.is_err() {
///             break;
///         }
///     }
///     println!("it ended: {:?}", socket.close_reason());
/// }
/// ```
///
/// Also a [`Stream`] of messages. Dropping it closes the session with 1000, after everything sent has gone out; a panic
/// that drops it closes with 1011.
#[derive(Debug)]
pub struct Socket {
    sender: Sender,
    close_reason: Option<CloseReason>,
    seen: Seen,
}

impl Socket {
    pub(crate) fn new(cell: Arc<SessionCell>) -> Self {
        Self {
            sender: Sender::new(cell),
            close_reason: None,
            seen: Seen::default(),
        }
    }

    /// What comes next: a message, or a change of what is a state; `None` when the session has ended. An app that has no use for
    /// the changes calls [`Socket::recv`], which leaves them out.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn next(&mut self) -> Option<SocketEvent> {
        let Self { sender, seen, .. } = self;
        let received = poll_fn(|cx| sender.cell().poll_next(cx, seen)).await;
        self.note(received)
    }

    /// The next message from the client, or `None` when the session has ended: see [`Socket::close_reason`].
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken no message.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Why the session ended, once [`Socket::recv`] has returned `None`.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.close_reason.as_ref()
    }

    /// A handle that sends from elsewhere, and may outlive the socket.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Sends a message, waiting for room in the outbox. When this returns, the message arrives once and in order while
    /// the session lives; it may not have arrived yet.
    ///
    /// Cancel safety: a future that is dropped before it is ready has sent nothing.
    ///
    /// # Errors
    /// The message comes back. [`SendError::Closed`]: the session is over, open a new one. [`SendError::TooLarge`]: the
    /// message is longer than `max_message_bytes`, split it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// Sends a message if the outbox has room now. What holds then is as in `send`.
    ///
    /// # Errors
    /// The message comes back. [`TrySendError::Full`]: the peer is slow; wait with `send`, drop the message, or close.
    /// The others are those of `send`.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// Closes the session after all messages sent so far. The first call counts, later ones change nothing.
    ///
    /// A code that no close may carry (1004 to 1006, 1015, 1016 to 2999; PROTOCOL §3.5) becomes 1000.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        self.sender.close(reason);
    }

    /// Follows a topic: what any session or the server publishes there comes to this session too, in the order of its
    /// other messages. A session whose outbox is full when a message comes is closed with 4932.
    pub fn subscribe(&self, topic: &str) {
        self.sender.subscribe(topic);
    }

    /// Follows a topic no more. Messages that were published before still come.
    pub fn unsubscribe(&self, topic: &str) {
        self.sender.unsubscribe(topic);
    }

    /// Sends a message to all sessions of this server that follow a topic, this one too if it does; returns to how many.
    /// The bytes are shared, not copied.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> usize {
        self.sender.publish(topic, message)
    }

    /// The session's public name, for logs and presence. It opens nothing.
    pub fn id(&self) -> SessionId {
        self.sender.id()
    }

    /// The transport that carries the session; `None` while nothing does, see [`Socket::attachment`].
    pub fn transport(&self) -> Option<Transport> {
        self.sender.transport()
    }

    /// Whether the client is there, by what, and since when; or why not.
    pub fn attachment(&self) -> Attachment {
        self.sender.attachment()
    }

    /// The changes of [`Socket::attachment`].
    pub fn attachment_changes(&self) -> AttachmentChanges {
        self.sender.attachment_changes()
    }

    /// What lets the client in now.
    pub fn grant(&self) -> Grant {
        self.sender.grant()
    }

    /// What is kept of the request that opened the session; `None` if the config keeps nothing.
    pub fn opening(&self) -> Option<&Opening> {
        self.sender.opening()
    }

    /// Puts the client out: the session closes at once with 4970 and this text, whatever was still to be sent.
    pub fn revoke(&self, text: &str) {
        self.sender.revoke(text);
    }

    /// Asks the client to renew its grant now, and not only before that runs out: when what the user may do has changed. It does so within
    /// a fifth of [`renewal`](field@anywire_protocol::Limits::renewal), 6 s, and the app hears of the new grant as of any renewal. Nothing
    /// happens where the grant holds for good, or the client cannot renew.
    pub fn renew(&self) {
        self.sender.renew();
    }

    /// The client's last attempts to connect, the oldest first: why the transport is what it is. Empty where all went well
    /// (PROTOCOL §7.6). At most 16 are kept.
    pub fn attempts(&self) -> Vec<Report> {
        self.sender.attempts()
    }

    /// The principal that [`authorize`](crate::Principal) named for the client; `None` if the app does not authorise.
    pub fn principal(&self) -> Option<&Principal> {
        self.sender.principal()
    }

    /// The application's sub-protocol that was negotiated; empty if none was.
    pub fn protocol(&self) -> &str {
        self.sender.protocol()
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Message>> {
        match self.sender.cell().poll_receive(cx.waker()) {
            Some(received) => Poll::Ready(self.note(received)),
            None => Poll::Pending,
        }
    }

    fn note<T>(&mut self, received: Result<T, CloseReason>) -> Option<T> {
        received
            .map_err(|reason| self.close_reason = Some(reason))
            .ok()
    }
}

impl Stream for Socket {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_recv(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let code = if thread::panicking() {
            CloseCode::INTERNAL
        } else {
            CloseCode::NORMAL
        };
        self.sender.cell().step(Origin::Outside, |state, now| {
            state.has_no_reader = true;
            state.session.close(code.into(), now);
        });
    }
}

/// Sends to one session. Clones share it.
///
/// It may be of a session that lives at another node of a cluster ([`Hub::session`](crate::Hub::session)): then what it says of the
/// session is as of when it was made, and what it does is done there.
#[derive(Clone)]
pub struct Sender(Reference);

#[derive(Clone)]
enum Reference {
    Here(Arc<SessionCell>),
    Elsewhere(Arc<Elsewhere>),
}

/// A session of another node.
struct Elsewhere {
    info: SessionInfo,
    nodes: Arc<dyn Nodes>,
    max_message_bytes: usize,
}

impl Elsewhere {
    /// Has something done to the session, behind what was asked before.
    fn ask(&self, deed: Deed) -> Reaching {
        self.nodes.clone().reach(Whom::Session(self.info.id), deed)
    }

    /// The same, where nobody waits for it.
    fn tell(&self, deed: Deed) {
        // What is asked is on its way; the answer says nothing new.
        drop(self.ask(deed));
    }
}

impl Sender {
    pub(crate) fn new(cell: Arc<SessionCell>) -> Self {
        Self(Reference::Here(cell))
    }

    pub(crate) fn elsewhere(
        info: SessionInfo,
        nodes: Arc<dyn Nodes>,
        max_message_bytes: usize,
    ) -> Self {
        Self(Reference::Elsewhere(Arc::new(Elsewhere {
            info,
            nodes,
            max_message_bytes,
        })))
    }

    /// A socket's own session.
    fn cell(&self) -> &Arc<SessionCell> {
        match &self.0 {
            Reference::Here(cell) => cell,
            Reference::Elsewhere(_) => unreachable!("a socket is where its session is"),
        }
    }

    /// Whether the session lives at this node.
    pub fn is_here(&self) -> bool {
        matches!(self.0, Reference::Here(_))
    }

    /// Sends a message, waiting for room in the outbox. When this returns, the message arrives once and in order while
    /// the session lives; it may not have arrived yet.
    ///
    /// To a session of another node it waits for that node's word. There a full outbox is not waited for: it closes the session
    /// with 4932.
    ///
    /// Cancel safety: a future that is dropped before it is ready has sent nothing; to a session of another node it may have.
    ///
    /// # Errors
    /// The message comes back. [`SendError::Closed`]: the session is over, open a new one. [`SendError::TooLarge`]: the
    /// message is longer than `max_message_bytes`, split it. [`SendError::Unanswered`]: the session lives at another node, which does
    /// not answer; the message may arrive, or not.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        match &self.0 {
            Reference::Here(cell) => send(cell, message).await,
            Reference::Elsewhere(elsewhere) => {
                if message.len() > elsewhere.max_message_bytes {
                    return Err(SendError::TooLarge(message));
                }
                let Reach {
                    sessions,
                    silent_nodes,
                    ..
                } = elsewhere.ask(Deed::Send(message.clone())).await.reach;
                match (sessions, silent_nodes) {
                    (0, 0) => Err(SendError::Closed(message)),
                    (0, _) => Err(SendError::Unanswered(message)),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Sends a message if the outbox has room now. What holds then is as in `send`.
    ///
    /// To a session of another node the message goes at once, and nobody waits for what becomes of it.
    ///
    /// # Errors
    /// The message comes back. [`TrySendError::Full`]: the peer is slow; wait with `send`, drop the message, or close.
    /// The others are those of `send`.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        match &self.0 {
            Reference::Here(cell) => {
                if let Some(connection) = cell.offer(message.into())? {
                    connection.wake();
                }
            }
            Reference::Elsewhere(elsewhere) => {
                let message = message.into();
                if message.len() > elsewhere.max_message_bytes {
                    return Err(TrySendError::TooLarge(message));
                }
                elsewhere.tell(Deed::Send(message));
            }
        }
        Ok(())
    }

    /// Closes the session after all messages sent so far. The first call counts, later ones change nothing.
    ///
    /// A code that no close may carry (1004 to 1006, 1015, 1016 to 2999; PROTOCOL §3.5) becomes 1000.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        let reason = reason.into();
        match &self.0 {
            Reference::Here(cell) => cell.step(Origin::Outside, |state, now| {
                state.session.close(reason, now)
            }),
            Reference::Elsewhere(elsewhere) => elsewhere.tell(Deed::Close(reason)),
        }
    }

    /// Puts the client out: the session closes at once with 4970 and this text, whatever was still to be sent.
    pub fn revoke(&self, text: &str) {
        match &self.0 {
            Reference::Here(cell) => {
                let reason = CloseReason::new(CloseCode::REVOKED, text);
                cell.step(Origin::Outside, |state, now| {
                    state.session.abort(reason, now)
                });
            }
            Reference::Elsewhere(elsewhere) => elsewhere.tell(Deed::Revoke(text.to_owned())),
        }
    }

    /// Asks the client to renew its grant now, and not only before that runs out: when what the user may do has changed. It does so within
    /// a fifth of [`renewal`](field@anywire_protocol::Limits::renewal), 6 s, and the app hears of the new grant as of any renewal. Nothing
    /// happens where the grant holds for good, or the client cannot renew.
    pub fn renew(&self) {
        match &self.0 {
            Reference::Here(cell) => {
                cell.step(Origin::Outside, |state, now| state.session.ask_now(now));
            }
            Reference::Elsewhere(elsewhere) => elsewhere.tell(Deed::Renew),
        }
    }

    /// Follows a topic: what any session or the server publishes there comes to this session too, in the order of its
    /// other messages. A session whose outbox is full when a message comes is closed with 4932.
    pub fn subscribe(&self, topic: &str) {
        match &self.0 {
            Reference::Here(cell) => {
                if let Some(home) = cell.home.upgrade() {
                    home.subscribe(topic, cell);
                }
            }
            Reference::Elsewhere(elsewhere) => elsewhere.tell(Deed::Subscribe(topic.to_owned())),
        }
    }

    /// Follows a topic no more. Messages that were published before still come.
    pub fn unsubscribe(&self, topic: &str) {
        match &self.0 {
            Reference::Here(cell) => {
                if let Some(home) = cell.home.upgrade() {
                    cell.peek(|state| state.topics.retain(|other| **other != *topic));
                    home.unsubscribe(topic, cell);
                }
            }
            Reference::Elsewhere(elsewhere) => elsewhere.tell(Deed::Unsubscribe(topic.to_owned())),
        }
    }

    /// Sends a message to all sessions of this server that follow a topic, this one too if it does; returns to how many, which a handle
    /// to a session of another node does not know: 0. The bytes are shared, not copied.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> usize {
        match &self.0 {
            Reference::Here(cell) => {
                let home = cell.home.upgrade();
                home.map_or(0, |home| home.publish(topic, message.into()))
            }
            Reference::Elsewhere(elsewhere) => {
                // Its followers hear of it from the cluster, here and elsewhere.
                elsewhere.nodes.publish(topic, message.into());
                0
            }
        }
    }

    /// The session's public name, for logs and presence. It opens nothing.
    pub fn id(&self) -> SessionId {
        match &self.0 {
            Reference::Here(cell) => cell.id,
            Reference::Elsewhere(elsewhere) => elsewhere.info.id,
        }
    }

    /// The transport that carries the session; `None` while nothing does, see [`Sender::attachment`].
    pub fn transport(&self) -> Option<Transport> {
        self.attachment().transport()
    }

    /// Whether the client is there, by what, and since when; or why not.
    pub fn attachment(&self) -> Attachment {
        match &self.0 {
            Reference::Here(cell) => cell.attachment(),
            Reference::Elsewhere(elsewhere) => elsewhere.info.attachment,
        }
    }

    /// The changes of [`Sender::attachment`]; of a session of another node only what it was.
    pub fn attachment_changes(&self) -> AttachmentChanges {
        match &self.0 {
            Reference::Here(cell) => AttachmentChanges::new(cell.clone()),
            Reference::Elsewhere(elsewhere) => AttachmentChanges::once(elsewhere.info.attachment),
        }
    }

    /// What lets the client in now; of a session of another node only who it is.
    pub fn grant(&self) -> Grant {
        match &self.0 {
            Reference::Here(cell) => cell.grant(),
            Reference::Elsewhere(elsewhere) => match &elsewhere.info.principal {
                Some(principal) => Grant::to(principal.clone()),
                None => Grant::anonymous(),
            },
        }
    }

    /// What is kept of the request that opened the session; `None` if the config keeps nothing, or the session lives at another node.
    pub fn opening(&self) -> Option<&Opening> {
        match &self.0 {
            Reference::Here(cell) => cell.opening(),
            Reference::Elsewhere(_) => None,
        }
    }

    /// The client's last attempts to connect, the oldest first: why the transport is what it is. Empty where all went well
    /// (PROTOCOL §7.6), and for a session of another node. At most 16 are kept.
    pub fn attempts(&self) -> Vec<Report> {
        match &self.0 {
            Reference::Here(cell) => cell.peek(|state| state.reports.last()),
            Reference::Elsewhere(_) => Vec::new(),
        }
    }

    /// The principal that [`authorize`](crate::Principal) named for the client; `None` if the app does not authorise.
    pub fn principal(&self) -> Option<&Principal> {
        match &self.0 {
            Reference::Here(cell) => cell.owners.principal(),
            Reference::Elsewhere(elsewhere) => elsewhere.info.principal.as_ref(),
        }
    }

    /// The application's sub-protocol that was negotiated; empty if none was.
    pub fn protocol(&self) -> &str {
        match &self.0 {
            Reference::Here(cell) => cell.protocol(),
            Reference::Elsewhere(elsewhere) => &elsewhere.info.protocol,
        }
    }
}

/// Sends a message to a session of this node, waiting for room in the outbox.
async fn send(cell: &Arc<SessionCell>, message: Message) -> Result<(), SendError> {
    let mut message = Some(message);
    poll_fn(|cx| {
        let offered = message
            .take()
            .expect("a finished future is not polled again");
        let refused = match cell.offer(offered) {
            Ok(connection) => {
                connection.into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(()));
            }
            Err(refused) => refused,
        };
        let returned = match refused.wait() {
            Ok(returned) => returned,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let waker = cx.waker().clone();
        let has_room = cell.peek(|state| {
            let has_room = state.session.has_room(returned.len()) || !state.session.is_open();
            if !has_room && !state.senders.iter().any(|other| other.will_wake(&waker)) {
                state.senders.push(waker);
            }
            has_room
        });
        message = Some(returned);
        if has_room {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

impl Debug for Sender {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
