//! What becomes of a session whose client's app takes no messages for a while, on a still line.

use std::time::Duration;

use anywire::{CloseCode, CloseReason, Config, Limits, Message, Server};
use anywire_client::{Client, OriginMemory, Transport};
use tokio::time::sleep;

use super::in_virtual_time;
use super::net::Net;
use super::weather::Weather;

/// What the app got in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Why the session ended.
    pub end: Option<CloseReason>,
}

/// The server sends `count` messages and closes, to a client with room for `inbox` of them whose app takes none before
/// `pause` is over; `only` forces a transport.
///
/// # Panics
/// When the client cannot connect.
pub fn read_after(pause: Duration, count: u32, inbox: usize, only: Option<Transport>) -> Read {
    in_virtual_time(async {
        let net = Net::new(0, Weather::still(Duration::from_millis(10)));
        let server = Server::builder(Config::new())
            .expect("the defaults are sound")
            .on_socket(move |mut socket| async move {
                for message in sent(count) {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                // The client says when it has all.
                socket.recv().await;
                socket.close(CloseCode::NORMAL);
            });
        tokio::spawn(anywire::serve(server.routes()).incoming(net.listen()).run());
        let limits = Limits::default().max_inbox_messages(inbox);
        let mut builder = Client::builder("ws://server.example/anywire")
            .connector(net.connector())
            .memory(OriginMemory::default())
            .limits(limits);
        if let Some(transport) = only {
            builder = builder.only(transport);
        }
        let mut client = builder.connect().await.expect("a still line carries");
        sleep(pause).await;
        let mut messages = Vec::new();
        while let Some(message) = client.recv().await {
            messages.push(message);
            if messages.len() == count as usize {
                let _ = client.try_send("all");
            }
        }
        let end = client.close_reason().cloned();
        Read { messages, end }
    })
}

/// What the server sends.
pub fn sent(count: u32) -> impl Iterator<Item = Message> {
    (0..count).map(|index| Message::text(index.to_string()))
}
