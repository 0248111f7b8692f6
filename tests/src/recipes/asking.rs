//! Who is here, when it is asked.

use anywire::Server;

/// The names of those who are here, at this server.
pub fn here(server: &Server) -> Vec<String> {
    let sessions = server
        .sessions()
        .filter(|session| session.attachment().is_attached());
    let names = sessions.filter_map(|session| Some(session.principal()?.name().to_owned()));
    names.collect()
}

/// Whether a user is here, at any server of the cluster.
pub async fn is_here(server: &Server, name: &str) -> bool {
    let sessions = server.principal(name).sessions().await;
    sessions
        .iter()
        .any(|session| session.attachment.is_attached())
}
