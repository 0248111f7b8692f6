//! A message to one user.

use anywire::Server;

/// Returns how many sessions it goes to.
pub async fn tell(server: &Server, name: &str, text: &str) -> usize {
    server.principal(name).send(text).await.sessions
}
