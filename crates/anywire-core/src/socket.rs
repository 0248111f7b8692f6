//! What an app holds of a session: [`Socket`] to receive and send, [`Sender`] to send from anywhere.

use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use anywire_protocol::{
    CloseCode, CloseReason, Message, Report, SendError, SessionId, Transport, TrySendError,
};
use tokio_stream::Stream;

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
}

impl Socket {
    pub(crate) fn new(cell: Arc<SessionCell>) -> Self {
        Self {
            sender: Sender::new(cell),
            close_reason: None,
        }
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

    /// The transport that carries the session now, or carried it last.
    pub fn transport(&self) -> Transport {
        self.sender.transport()
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
        match self.sender.cell.poll_receive(cx.waker()) {
            Some(Ok(message)) => Poll::Ready(Some(message)),
            Some(Err(reason)) => {
                self.close_reason = Some(reason);
                Poll::Ready(None)
            }
            None => Poll::Pending,
        }
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
        self.sender.cell.step(Origin::Outside, |state, now| {
            state.has_no_reader = true;
            state.session.close(code.into(), now);
        });
    }
}

/// Sends to one session. Clones share it.
#[derive(Clone)]
pub struct Sender {
    cell: Arc<SessionCell>,
}

impl Sender {
    pub(crate) fn new(cell: Arc<SessionCell>) -> Self {
        Self { cell }
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
        let mut message = Some(message.into());
        poll_fn(|cx| {
            let offered = message
                .take()
                .expect("a finished future is not polled again");
            let Err(refused) = self.try_send(offered) else {
                return Poll::Ready(Ok(()));
            };
            let returned = match refused.wait() {
                Ok(returned) => returned,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let waker = cx.waker().clone();
            let has_room = self.cell.peek(|state| {
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

    /// Sends a message if the outbox has room now. What holds then is as in `send`.
    ///
    /// # Errors
    /// The message comes back. [`TrySendError::Full`]: the peer is slow; wait with `send`, drop the message, or close.
    /// The others are those of `send`.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        if let Some(connection) = self.cell.offer(message.into())? {
            connection.wake();
        }
        Ok(())
    }

    /// Closes the session after all messages sent so far. The first call counts, later ones change nothing.
    ///
    /// A code that no close may carry (1004 to 1006, 1015, 1016 to 2999; PROTOCOL §3.5) becomes 1000.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        let reason = reason.into();
        self.cell.step(Origin::Outside, |state, now| {
            state.session.close(reason, now)
        });
    }

    /// Follows a topic: what any session or the server publishes there comes to this session too, in the order of its
    /// other messages. A session whose outbox is full when a message comes is closed with 4932.
    pub fn subscribe(&self, topic: &str) {
        if let Some(home) = self.cell.home.upgrade() {
            home.subscribe(topic, &self.cell);
        }
    }

    /// Follows a topic no more. Messages that were published before still come.
    pub fn unsubscribe(&self, topic: &str) {
        if let Some(home) = self.cell.home.upgrade() {
            self.cell
                .peek(|state| state.topics.retain(|other| **other != *topic));
            home.unsubscribe(topic, &self.cell);
        }
    }

    /// Sends a message to all sessions of this server that follow a topic, this one too if it does; returns to how many.
    /// The bytes are shared, not copied.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> usize {
        let home = self.cell.home.upgrade();
        home.map_or(0, |home| home.publish(topic, message.into()))
    }

    /// The session's public name, for logs and presence. It opens nothing.
    pub fn id(&self) -> SessionId {
        self.cell.id
    }

    /// The transport that carries the session now, or carried it last.
    pub fn transport(&self) -> Transport {
        self.cell.transport()
    }

    /// The client's last attempts to connect, the oldest first: why the transport is what it is. Empty where all went well
    /// (PROTOCOL §7.6). At most 16 are kept.
    pub fn attempts(&self) -> Vec<Report> {
        self.cell.peek(|state| state.reports.last())
    }

    /// The principal that [`authorize`](crate::Principal) named for the client; `None` if the app does not authorise.
    pub fn principal(&self) -> Option<&Principal> {
        self.cell.owners.principal()
    }

    /// The application's sub-protocol that was negotiated; empty if none was.
    pub fn protocol(&self) -> &str {
        &self.cell.protocol
    }
}

impl Debug for Sender {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
