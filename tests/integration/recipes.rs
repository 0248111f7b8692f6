//! The code of docs/recipes.md, docs/identity.md and docs/presence.md, run.

mod balancer;
mod identity;
mod presence;
mod users;

use std::net::SocketAddr;
use std::time::Duration;

use anywire_client::{Client, ClientBuilder, OriginMemory, Transport};
use tokio::time::timeout;

const ALL: [Transport; 2] = [Transport::WebSocket, Transport::Poll];
const DEADLINE: Duration = Duration::from_secs(30);

/// A client that remembers nothing, of a server at `/live`.
fn client(addr: SocketAddr, query: &str, transport: Transport) -> ClientBuilder {
    anonymous(addr, "live", query, transport)
}

/// The same, of a server at this mount.
fn anonymous(addr: SocketAddr, mount: &str, query: &str, transport: Transport) -> ClientBuilder {
    let url = format!("http://{addr}/{mount}{query}");
    let builder = Client::builder(&url).memory(OriginMemory::default());
    builder.no_proxy().only(transport)
}

/// A client of a user, by the cookie of a login.
fn user(addr: SocketAddr, mount: &str, name: &str, transport: Transport) -> ClientBuilder {
    let builder = anonymous(addr, mount, "", transport);
    let cookie = format!("theme=dark; login=secret-of-{name}");
    // The gate refuses a cookie of which it does not know the page.
    let origin = format!("http://{addr}");
    builder.header("cookie", &cookie).header("origin", &origin)
}

/// The next text; none if the session ended.
async fn recv(client: &mut Client) -> Option<String> {
    let message = timeout(DEADLINE, client.recv()).await;
    let message = message.expect("a message or the end, in time")?;
    Some(message.as_text().expect("a text").to_owned())
}
