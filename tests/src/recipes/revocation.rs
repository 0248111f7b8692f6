//! The end of a login.

use anywire::Server;

/// Call it when the app's store knows the login no more. Returns how many sessions have ended.
pub async fn put_out(server: &Server, name: &str) -> usize {
    let reach = server.principal(name).revoke("you have signed out").await;
    reach.sessions
}
