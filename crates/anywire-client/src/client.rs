//! What an app holds: [`Client`] to receive and send, [`Sender`] to send from anywhere.

use std::fmt::{self, Debug, Formatter};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anywire_protocol::{
    Attempt, CloseCode, CloseReason, Message, SendError, SessionId, TrySendError,
};
use futures_sink::Sink;
use tokio::sync::watch;
use tokio_stream::Stream;

use crate::shared::{End, Shared, Status};
use crate::{ClientEvent, ConnectError, Transport};

/// One session with a server, whatever carries it; or one after the other, with
/// [`ClientBuilder::reopen`](crate::ClientBuilder::reopen).
///
/// ```no_run
/// use anywire_client::{Client, CloseCode, CloseReason};
///
/// # async fn example() -> Result<(), anywire_client::ConnectError> {
/// let mut client = Client::connect("ws://127.0.0.1:3030/anywire").await?;
/// // A handle sends from elsewhere, also while `recv` waits.
/// let sender = client.sender();
/// tokio::spawn(async move { sender.send("hello").await });
/// if let Some(answer) = client.recv().await {
///     println!("{:?} over {:?}", answer.as_text(), client.transport());
/// }
/// let told = client.close(CloseReason::new(CloseCode::NORMAL, "done")).await;
/// println!("{told:?}");
/// # Ok(())
/// # }
/// ```
///
/// Also a [`Stream`] of messages and a [`Sink`] for them. Dropping it closes the session with 1000, after everything sent
/// has gone out; that goes on in the background for as long as the runtime lives.
pub struct Client {
    sender: Sender,
    close_reason: Option<CloseReason>,
    /// What the sink took and the outbox had no room for.
    waiting: Option<Message>,
}

/// A handle that sends; it may outlive the client. Cloning is cheap.
#[derive(Clone)]
pub struct Sender {
    shared: Arc<Shared>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            sender: Sender { shared },
            close_reason: None,
            waiting: None,
        }
    }

    /// The next message from the server, or `None` when the session has ended: see [`Client::close_reason`].
    ///
    /// Where another session follows, this goes on with that one's messages, and skips [`ClientEvent::Reopened`]; `None` comes at
    /// the end that none follows.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken no message.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// What happens next: a message from the server, or a new session that has followed one that has ended
    /// ([`ClientBuilder::reopen`](crate::ClientBuilder::reopen)). `None` at the end that none follows.
    ///
    /// An app that opens new sessions takes events, or messages by [`Client::recv`]. While it has not taken what a session left, no
    /// second one follows.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken no event.
    pub async fn next_event(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Why the session has ended, once [`Client::recv`] or [`Client::next_event`] has returned `None`.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.close_reason.as_ref()
    }

    /// Closes the session after all messages sent so far, and waits for the end; returns its reason, which is the server's
    /// if both sides closed at once. Messages that still come are dropped. No session follows, also if this is called while one
    /// is about to.
    ///
    /// Cancel safety: the session closes also if the future is dropped, in the background.
    pub async fn close(mut self, reason: impl Into<CloseReason>) -> CloseReason {
        self.sender.close(reason);
        while self.recv().await.is_some() {}
        let reason = self.close_reason.take();
        reason.unwrap_or_else(|| CloseCode::ABNORMAL.into())
    }

    /// A handle that sends from elsewhere.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Sends a message, waiting for room in the outbox. When this returns, the message arrives once and in order while
    /// the session lives; it may not have arrived yet.
    ///
    /// Where a new session is to follow one that has ended, this waits until that is open: what was accepted before has its place
    /// before the message, if it is sent again.
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
    /// The message comes back. [`TrySendError::Full`]: the peer is slow, or a new session is about to follow one that has ended;
    /// wait with `send`, drop the message, or close.
    /// The others are those of `send`.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// The transport that carries the session now; `None` while none does.
    pub fn transport(&self) -> Option<Transport> {
        self.sender.transport()
    }

    /// The changes of the transport from now on.
    pub fn transport_changes(&self) -> TransportChanges {
        self.sender.transport_changes()
    }

    /// The last attempts to connect, the oldest first: why the transport is what it is (NEGOTIATION §9). At most 64 are
    /// kept.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.sender.attempts()
    }

    /// The session's public name: for logs. Where sessions follow each other, the last one's that was opened.
    pub fn id(&self) -> SessionId {
        let id = self.sender.shared.lock().id;
        id.expect("a client is made when the session is open")
    }

    /// The application's sub-protocol that the server chose, or empty. Where sessions follow each other, for the last one that was
    /// opened.
    pub fn protocol(&self) -> Box<str> {
        self.sender.shared.lock().protocol.clone()
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Message>> {
        loop {
            match self.poll_event(cx) {
                Poll::Ready(Some(ClientEvent::Message(message))) => {
                    return Poll::Ready(Some(message));
                }
                Poll::Ready(Some(ClientEvent::Reopened(_))) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<ClientEvent>> {
        match self.sender.shared.receive(cx.waker()) {
            Some(Ok(event)) => Poll::Ready(Some(event)),
            Some(Err(reason)) => {
                self.close_reason = Some(reason);
                Poll::Ready(None)
            }
            None => Poll::Pending,
        }
    }

    /// Puts what waits into the outbox.
    fn poll_accept(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        match self.waiting.take() {
            None => Poll::Ready(Ok(())),
            Some(message) => match self.sender.shared.send(message, Some(cx.waker())) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(refused) => refused.wait().map_or_else(
                    |error| Poll::Ready(Err(error)),
                    |message| {
                        self.waiting = Some(message);
                        Poll::Pending
                    },
                ),
            },
        }
    }
}

impl Sender {
    /// Sends a message, waiting for room in the outbox. When this returns, the message arrives once and in order while
    /// the session lives; it may not have arrived yet.
    ///
    /// Where a new session is to follow one that has ended, this waits until that is open: what was accepted before has its place
    /// before the message, if it is sent again.
    ///
    /// Cancel safety: a future that is dropped before it is ready has sent nothing.
    ///
    /// # Errors
    /// The message comes back. [`SendError::Closed`]: the session is over, open a new one. [`SendError::TooLarge`]: the
    /// message is longer than `max_message_bytes`, split it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = Some(message.into());
        poll_fn(|cx| {
            let next = message.take().expect("polled again only when pending");
            match self.shared.send(next, Some(cx.waker())) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(refused) => refused.wait().map_or_else(
                    |error| Poll::Ready(Err(error)),
                    |back| {
                        message = Some(back);
                        Poll::Pending
                    },
                ),
            }
        })
        .await
    }

    /// Sends a message if the outbox has room now. What holds then is as in `send`.
    ///
    /// # Errors
    /// The message comes back. [`TrySendError::Full`]: the peer is slow, or a new session is about to follow one that has ended;
    /// wait with `send`, drop the message, or close.
    /// The others are those of `send`.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.shared.send(message.into(), None)
    }

    /// Closes after everything sent has gone out. Later calls change nothing.
    pub fn close(&self, reason: impl Into<CloseReason>) {
        self.shared.close(reason.into());
    }

    /// The transport that carries the session now; `None` while the client reconnects, and after the end.
    pub fn transport(&self) -> Option<Transport> {
        self.shared.status.borrow().transport
    }

    /// The changes of transport from now on, as [`TransportChanges::next`] returns them.
    pub fn transport_changes(&self) -> TransportChanges {
        let mut status = self.shared.status.subscribe();
        let known = status.borrow_and_update().transport;
        TransportChanges { status, known }
    }

    /// The client's last attempts to connect, the oldest first, with what became of each: why the transport is what it is
    /// (NEGOTIATION §9). At most 64 are kept.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.lock().negotiation.trace().cloned().collect()
    }
}

/// The changes of a session's transport; see [`Client::transport_changes`].
pub struct TransportChanges {
    status: watch::Receiver<Status>,
    known: Option<Transport>,
}

impl Debug for TransportChanges {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportChanges").finish_non_exhaustive()
    }
}

impl TransportChanges {
    /// Waits for the next change and returns the transport then, `Some(None)` while the client reconnects; `None` once the
    /// session has ended.
    ///
    /// A change that is undone before this is called is skipped.
    ///
    /// Cancel safety: a future that is dropped before it is ready has skipped nothing; the next call returns the change.
    pub async fn next(&mut self) -> Option<Option<Transport>> {
        loop {
            let (transport, has_ended) = {
                let status = self.status.borrow_and_update();
                (status.transport, status.end.is_some())
            };
            if has_ended {
                return None;
            }
            if transport != self.known {
                self.known = transport;
                return Some(transport);
            }
            self.status.changed().await.ok()?;
        }
    }
}

/// Waits until the session is open, or will never be.
pub(crate) async fn opened(shared: &Shared) -> Result<(), ConnectError> {
    let mut status = shared.status.subscribe();
    let known = status
        .wait_for(|status| status.is_open || status.end.is_some())
        .await;
    let known = known.expect("the caller holds the sender").clone();
    match known.end {
        None => Ok(()),
        Some(_) if known.is_open => Ok(()),
        Some(End::Closed(reason)) => Err(ConnectError::Refused(reason)),
        Some(End::Unreachable) => Err(ConnectError::Unreachable {
            attempts: shared.lock().negotiation.trace().cloned().collect(),
        }),
    }
}

impl Stream for Client {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_recv(cx)
    }
}

/// `poll_flush` resolves once the session has queued the messages; it does not wait for acknowledgement.
impl Sink<Message> for Client {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_accept(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let this = self.get_mut();
        assert!(
            this.waiting.is_none(),
            "a sink takes an item after poll_ready only"
        );
        if let Err(refused) = this.sender.shared.send(message, None) {
            this.waiting = Some(refused.wait()?);
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_accept(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        let accepted = this.poll_accept(cx);
        if accepted.is_ready() {
            this.sender.close(CloseCode::NORMAL);
        }
        accepted
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.sender.close(CloseCode::NORMAL);
        self.sender.shared.deafen();
    }
}

impl Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.sender.fmt(f)
    }
}

impl Debug for Sender {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.shared.lock().id)
            .field("transport", &self.transport())
            .finish_non_exhaustive()
    }
}
