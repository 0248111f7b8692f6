//! What an app gives the hub: one async function per socket, or callbacks.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anywire_protocol::{CloseReason, Message};

use crate::{Sender, Socket};

/// Callbacks: no task per session at all.
///
/// Calls for one session come one after the other, in order. They run on the task that brought the message, so they
/// must not block; `sender` may be cloned and kept.
///
/// ```
/// use anywire_core::{Handler, Sender};
/// use anywire_protocol::{CloseReason, Message};
///
/// struct Room;
///
/// impl Handler for Room {
///     fn on_open(&self, sender: &Sender) {
///         sender.subscribe("room");
///     }
///
///     fn on_message(&self, sender: &Sender, message: Message) {
///         sender.publish("room", message);
///     }
///
///     fn on_close(&self, sender: &Sender, reason: &CloseReason) {
///         println!("{:?} has left: {reason:?}", sender.id());
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// A session has opened.
    fn on_open(&self, sender: &Sender) {
        let _ = sender;
    }

    /// A message has come.
    fn on_message(&self, sender: &Sender, message: Message);

    /// The session has ended; the last call for it.
    fn on_close(&self, sender: &Sender, reason: &CloseReason) {
        let _ = (sender, reason);
    }
}

/// What an app does with its sessions.
pub struct App(Kind);

impl Debug for App {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("has_handler", &self.handler().is_some())
            .finish_non_exhaustive()
    }
}

enum Kind {
    Task(Box<dyn Fn(Socket) -> Task + Send + Sync>),
    Callbacks(Arc<dyn Handler>),
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl App {
    /// One async function per socket. When it returns, the session closes with 1000.
    pub fn task<F>(run: impl Fn(Socket) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Kind::Task(Box::new(move |socket| Box::pin(run(socket)))))
    }

    /// Callbacks.
    pub fn callbacks(handler: impl Handler) -> Self {
        Self(Kind::Callbacks(Arc::new(handler)))
    }

    pub(crate) fn handler(&self) -> Option<&Arc<dyn Handler>> {
        match &self.0 {
            Kind::Task(_) => None,
            Kind::Callbacks(handler) => Some(handler),
        }
    }

    /// Starts the socket's task, if the app is made of tasks.
    pub(crate) fn start(&self, socket: impl FnOnce() -> Socket) {
        if let Kind::Task(run) = &self.0 {
            tokio::spawn(run(socket()));
        }
    }
}
