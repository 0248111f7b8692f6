//! What an idle session costs in memory.

use std::time::Duration;

use tokio::time::sleep;

use crate::client::Wire;
use crate::load::open_all;
use crate::measure::Server;

/// Resident bytes per idle session, after each has carried one message. The kernel's sockets do not count.
pub async fn resident_per_session(server: &Server, wire: Wire, sessions: usize) -> f64 {
    // What the first sessions allocate once does not count either.
    let warm = open_all(server, wire, 50).await;
    drop(warm);
    sleep(Duration::from_millis(200)).await;
    let before = server.resident();
    let mut clients = open_all(server, wire, sessions).await;
    let mut scratch = vec![0; 4_096];
    for client in &mut clients {
        client
            .echo(1, &mut scratch)
            .await
            .expect("the server echoes");
        client.rest().await.expect("a poll or a stream begins");
    }
    // Acks fall due and buffers are let go.
    sleep(Duration::from_millis(1_500)).await;
    (server.resident() - before) as f64 / sessions as f64
}
