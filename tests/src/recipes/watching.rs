//! Is it here, in a task.

use anywire::{Attachment, Detach, Socket, SocketEvent};

/// Says of each message, and of each change, what it is.
pub async fn watch(mut socket: Socket) {
    while let Some(event) = socket.next().await {
        let told = match event {
            SocketEvent::Message(message) => socket.send(message).await,
            SocketEvent::Attachment(Attachment::Attached { transport, .. }) => {
                socket.send(format!("you are back by {transport}")).await
            }
            // The page has gone: do not wait for it.
            SocketEvent::Attachment(Attachment::Detached {
                why: Detach::Left, ..
            }) => return,
            _ => continue,
        };
        if told.is_err() {
            break;
        }
    }
}
