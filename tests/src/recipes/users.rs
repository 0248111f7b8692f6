//! A message to one user.

use anywire::{Config, ConfigError, Principal, Server, Socket};

/// Each session follows the topic of its user.
pub fn serve_users(config: Config) -> Result<Server, ConfigError> {
    let builder = Server::builder(config)?;
    Ok(builder.on_socket(|mut socket: Socket| async move {
        let Some(name) = socket.principal().map(Principal::name) else {
            return;
        };
        socket.subscribe(&format!("user:{name}"));
        let greeting = format!("hello {name}");
        let _ = socket.send(greeting).await;
        while let Some(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    }))
}

/// Returns how many sessions it goes to.
pub fn tell(server: &Server, name: &str, text: &str) -> usize {
    server.publish(&format!("user:{name}"), text)
}
