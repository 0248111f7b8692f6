//! What an app gives the hub: one async function per socket, callbacks, or async callbacks.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::sync::Arc;

use anywire_protocol::{CloseReason, Message};

use crate::dispatch::{self, AsyncCallbacks, Call, Callbacks, Task};
use crate::renewal::Judge;
use crate::session_cell::{SessionCell, Slot};
use crate::{Attachment, Grant, Sender, Socket};

/// Callbacks: no task per session at all.
///
/// Calls for one session come one after the other, in order. They run on the task that brought the message, so they
/// must not block; [`AsyncHandler`] may wait. `sender` may be cloned and kept.
///
/// A session's state belongs to it alone: no lock, no map. `type State = ();` costs nothing.
///
/// A call that panics ends its session with 1011 and drops the state. No other call follows; an app whose state is `()` still hears of
/// the end.
///
/// ```
/// use anywire_core::{Attachment, Handler, Sender};
/// use anywire_protocol::{CloseReason, Message};
///
/// struct Room;
///
/// impl Handler for Room {
///     /// How many messages the visitor has sent.
///     type State = u64;
///
///     fn on_open(&self, sender: &Sender) -> u64 {
///         sender.subscribe("room");
///         0
///     }
///
///     fn on_message(&self, count: &mut u64, sender: &Sender, message: Message) {
///         *count += 1;
///         sender.publish("room", message);
///     }
///
///     fn on_attachment(&self, _: &mut u64, sender: &Sender, now: &Attachment) {
///         println!("{} is here: {}", sender.id(), now.is_attached());
///     }
///
///     fn on_close(&self, count: u64, sender: &Sender, reason: &CloseReason) {
///         println!("{} has left after {count} messages: {reason:?}", sender.id());
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// What the app keeps of a session, from [`Handler::on_open`] to [`Handler::on_close`].
    type State: Send + 'static;

    /// A session has opened.
    fn on_open(&self, sender: &Sender) -> Self::State;

    /// A message has come.
    fn on_message(&self, state: &mut Self::State, sender: &Sender, message: Message);

    /// The client has gone, or has come back. Changes that follow each other quickly may be one call, with the newest.
    fn on_attachment(&self, state: &mut Self::State, sender: &Sender, now: &Attachment) {
        let _ = (state, sender, now);
    }

    /// What lets the client in was renewed by a credential. Grants that follow each other quickly may be one call, with the newest.
    fn on_grant(&self, state: &mut Self::State, sender: &Sender, grant: &Grant) {
        let _ = (state, sender, grant);
    }

    /// The session has ended; the last call for it.
    fn on_close(&self, state: Self::State, sender: &Sender, reason: &CloseReason) {
        let _ = (state, sender, reason);
    }
}

/// Callbacks that may wait: for a database, for another session.
///
/// They are those of [`Handler`], and come in order too: the next one of a session begins when the one before is done, and
/// meanwhile the client is slowed once its inbox is full. They run on a task of their own, never on the connection's: a client
/// that goes away cancels nothing. That task is there while there is something to do. An idle session has none.
///
/// ```
/// use anywire_core::{AsyncHandler, Sender};
/// use anywire_protocol::Message;
///
/// struct Journal;
///
/// impl AsyncHandler for Journal {
///     type State = ();
///
///     async fn on_open(&self, _sender: &Sender) {}
///
///     async fn on_message(&self, _: &mut (), sender: &Sender, message: Message) {
///         tokio::task::yield_now().await; // written down
///         let _ = sender.send(message).await;
///     }
/// }
/// ```
pub trait AsyncHandler: Send + Sync + 'static {
    /// What the app keeps of a session, from [`AsyncHandler::on_open`] to [`AsyncHandler::on_close`].
    type State: Send + 'static;

    /// A session has opened, as [`Handler::on_open`] is told.
    fn on_open(&self, sender: &Sender) -> impl Future<Output = Self::State> + Send;

    /// A message has come. The next call waits until this one is done.
    fn on_message(
        &self,
        state: &mut Self::State,
        sender: &Sender,
        message: Message,
    ) -> impl Future<Output = ()> + Send;

    /// The client has gone, or has come back; the newest of changes that came while a call was made.
    fn on_attachment(
        &self,
        state: &mut Self::State,
        sender: &Sender,
        now: &Attachment,
    ) -> impl Future<Output = ()> + Send {
        let _ = (state, sender, now);
        async {}
    }

    /// What lets the client in was renewed by a credential; the newest likewise.
    fn on_grant(
        &self,
        state: &mut Self::State,
        sender: &Sender,
        grant: &Grant,
    ) -> impl Future<Output = ()> + Send {
        let _ = (state, sender, grant);
        async {}
    }

    /// The session has ended; the last call for it.
    fn on_close(
        &self,
        state: Self::State,
        sender: &Sender,
        reason: &CloseReason,
    ) -> impl Future<Output = ()> + Send {
        let _ = (state, sender, reason);
        async {}
    }
}

/// What an app does with its sessions.
pub struct App {
    kind: Kind,
    judge: Option<Judge>,
}

impl Debug for App {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("has_handler", &self.has_handler())
            .finish_non_exhaustive()
    }
}

enum Kind {
    Task(Box<dyn Fn(Socket) -> Task + Send + Sync>),
    Callbacks(Arc<dyn Callbacks>),
    AsyncCallbacks(Arc<dyn AsyncCallbacks>),
}

impl<H: Handler> Callbacks for H {
    fn call(&self, slot: &mut Slot, sender: &Sender, call: Call) {
        if let Call::Open = call {
            return dispatch::put_state(slot, Box::new(self.on_open(sender)));
        }
        let Some(mut state) = dispatch::take_state::<H::State>(slot) else {
            // A call before has panicked.
            return;
        };
        match call {
            Call::Open => unreachable!("it is handled above"),
            Call::Message(message) => self.on_message(&mut state, sender, message),
            Call::Attachment(now) => self.on_attachment(&mut state, sender, &now),
            Call::Grant(grant) => self.on_grant(&mut state, sender, &grant),
            Call::Close(reason) => return self.on_close(*state, sender, &reason),
        }
        dispatch::put_state(slot, state);
    }
}

impl<H: AsyncHandler> AsyncCallbacks for H {
    fn run(self: Arc<Self>, cell: Arc<SessionCell>) -> Task {
        Box::pin(async move {
            let sender = Sender::new(cell.clone());
            let mut dispatching = dispatch::Dispatching::begin(&cell);
            while let Some(call) = dispatching.next() {
                if let Call::Open = call {
                    let state = self.on_open(&sender).await;
                    dispatch::put_state(&mut dispatching.slot, Box::new(state));
                    continue;
                }
                let Some(mut state) = dispatch::take_state::<H::State>(&mut dispatching.slot)
                else {
                    continue;
                };
                match call {
                    Call::Open => unreachable!("it is handled above"),
                    Call::Message(message) => {
                        self.on_message(&mut state, &sender, message).await;
                    }
                    Call::Attachment(now) => self.on_attachment(&mut state, &sender, &now).await,
                    Call::Grant(grant) => self.on_grant(&mut state, &sender, &grant).await,
                    Call::Close(reason) => {
                        self.on_close(*state, &sender, &reason).await;
                        continue;
                    }
                }
                dispatch::put_state(&mut dispatching.slot, state);
            }
        })
    }
}

impl App {
    /// One async function per socket. When it returns, the session closes with 1000.
    pub fn task<F>(run: impl Fn(Socket) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::new(Kind::Task(Box::new(move |socket| Box::pin(run(socket)))))
    }

    /// Callbacks.
    pub fn callbacks(handler: impl Handler) -> Self {
        Self::new(Kind::Callbacks(Arc::new(handler)))
    }

    /// Callbacks that may wait.
    pub fn async_callbacks(handler: impl AsyncHandler) -> Self {
        Self::new(Kind::AsyncCallbacks(Arc::new(handler)))
    }

    /// Has credentials judged that come while their sessions go on. Default: each is taken.
    pub fn judged_by(mut self, judge: Judge) -> Self {
        self.judge = Some(judge);
        self
    }

    fn new(kind: Kind) -> Self {
        Self { kind, judge: None }
    }

    pub(crate) fn judge(&self) -> Option<&Judge> {
        self.judge.as_ref()
    }

    /// Whether the app is made of callbacks.
    pub(crate) fn has_handler(&self) -> bool {
        !matches!(self.kind, Kind::Task(_))
    }

    /// Calls the app's callbacks for what has happened to a session: here, or on a task that `spawn` starts.
    pub(crate) fn dispatch(
        &self,
        cell: &Arc<SessionCell>,
        may_call_here: bool,
        spawn: impl FnOnce(Task),
    ) {
        match &self.kind {
            Kind::Task(_) => {}
            Kind::Callbacks(handler) if may_call_here => dispatch::dispatch(cell, &**handler),
            Kind::Callbacks(handler) => {
                let (cell, handler) = (cell.clone(), handler.clone());
                spawn(Box::pin(
                    async move { dispatch::dispatch(&cell, &*handler) },
                ));
            }
            Kind::AsyncCallbacks(handler) => {
                if dispatch::claim(cell) {
                    spawn(handler.clone().run(cell.clone()));
                }
            }
        }
    }

    /// Starts the socket's task, if the app is made of tasks.
    pub(crate) fn start(&self, socket: impl FnOnce() -> Socket) {
        if let Kind::Task(run) = &self.kind {
            tokio::spawn(run(socket()));
        }
    }
}
