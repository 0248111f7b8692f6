//! The recipes of docs/recipes.md, run.

mod balancer;
mod identity;
mod users;

use std::net::SocketAddr;
use std::time::Duration;

use anywire_client::{Client, ClientBuilder, OriginMemory, Transport};
use tokio::time::timeout;

const ALL: [Transport; 2] = [Transport::WebSocket, Transport::Poll];
const DEADLINE: Duration = Duration::from_secs(30);

/// A client that remembers nothing, of a server at `/live`.
fn client(addr: SocketAddr, query: &str, transport: Transport) -> ClientBuilder {
    let url = format!("http://{addr}/live{query}");
    let builder = Client::builder(&url).memory(OriginMemory::default());
    builder.no_proxy().only(transport)
}

/// The next text; none if the session ended.
async fn recv(client: &mut Client) -> Option<String> {
    let message = timeout(DEADLINE, client.recv()).await;
    let message = message.expect("a message or the end, in time")?;
    Some(message.as_text().expect("a text").to_owned())
}
