//! The server that the application of `tests/packages.sh` talks to: it sends back what it receives. It prints its address,
//! at a port that the system chose.

use anywire::{Config, Server, Socket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder(Config::new())?.on_socket(|mut socket: Socket| async move {
        while let Some(message) = socket.recv().await {
            socket.send(message).await.ok();
        }
    });
    let serving = anywire::serve(server.routes())
        .bind(([127, 0, 0, 1], 0))
        .await?;
    println!("http://{}", serving.local_addr());
    serving.run().await;
    Ok(())
}
