//! A server at its defaults: an echo, a topic `news` with a message of 64 KiB each 10 ms for its followers, and its
//! counters at `/stats`.

use std::error::Error;
use std::time::Duration;

use anywire::{Config, Server, Socket};
use warp::Filter;

pub async fn run() -> Result<(), Box<dyn Error>> {
    let config = Config::new().trust_proxies("127.0.0.1".parse()?);
    let server = Server::builder(config)?.on_socket(|mut socket: Socket| async move {
        while let Some(message) = socket.recv().await {
            if message.as_text() == Some("follow") {
                socket.subscribe("news");
            } else if socket.send(message).await.is_err() {
                break;
            }
        }
    });
    let news = server.clone();
    tokio::spawn(async move {
        let piece = "n".repeat(65_536);
        loop {
            news.publish("news", piece.as_str());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let counted = server.clone();
    let stats = warp::path("stats").map(move || {
        let metrics = counted.metrics();
        let resident = resident();
        format!(
            "{:.1} MB, {resident:.0} MB; {} sessions, {:?}",
            metrics.held_bytes as f64 / 1e6,
            metrics.sessions,
            metrics.exceeded
        )
    });
    let serving = anywire::serve(stats.or(server.routes()))
        .bind(([127, 0, 0, 1], 0))
        .await?;
    println!("{}", serving.local_addr());
    serving.run().await;
    Ok(())
}

/// Memory of this process that is in use, in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| {
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<f64>()
            .ok()
    });
    kilobytes.unwrap_or_default() / 1e3
}
