//! A lane's client in Rust: for the terminal's comparison, and for the extra clients.

use std::net::SocketAddr;
use std::time::Duration;

use anywire_client::{Client, ClientBuilder, Transport};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::reader::Reader;
use crate::{Event, Kind, Settings};

/// Follows the events at `address` until it is dropped, and comes back whenever the session ends.
pub async fn follow(
    kind: Kind,
    address: SocketAddr,
    settings: watch::Receiver<Settings>,
    mut got: impl FnMut(Event) + Send,
) {
    loop {
        match kind {
            Kind::ShortPoll | Kind::Events | Kind::Stream => {
                let reader = Reader::new(kind, address, settings.clone());
                reader.run(&mut got).await;
            }
            Kind::LongPoll => {
                let builder = builder(address).only(Transport::Poll);
                connect(builder, &mut got).await;
            }
            // It follows nothing: whoever asks makes a request.
            Kind::Fetch => std::future::pending().await,
            // As it is meant to be used: polls carry it while WebSocket does not get through.
            Kind::WebSocket => connect(builder(address), &mut got).await,
        }
        sleep(PAUSE).await;
    }
}

fn builder(address: SocketAddr) -> ClientBuilder {
    Client::builder(&format!("ws://{address}/{}", crate::lane_server::MOUNT)).no_proxy()
}

/// One session of the Anywire client, from first to last event.
async fn connect(builder: ClientBuilder, got: &mut (impl FnMut(Event) + Send)) {
    let client = builder.connect();
    let Ok(mut client) = client.await else {
        return;
    };
    while let Some(message) = client.recv().await {
        if let Some(event) = message.as_text().and_then(Event::parse) {
            got(event);
        }
    }
}

/// Between two sessions.
const PAUSE: Duration = Duration::from_millis(500);
