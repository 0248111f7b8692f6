//! A visitor of the chat without a browser: one session, whatever carries it.
//!
//! Run `cargo run --example chat`, and in another terminal `cargo run --example client -- --name Ada`. Type a line and press
//! Enter to say it; what others say is printed, and a line at each change of the transport. `--transport poll` (or
//! `websocket`) forces one. Stop the chat and start it again: the client says why its session ended.

use std::io::Write;
use std::process::ExitCode;

use anywire_client::{Client, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main]
async fn main() -> ExitCode {
    match visit().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn visit() -> Result<(), Box<dyn std::error::Error>> {
    let told = Told::parse(std::env::args().skip(1))?;
    let mut builder = Client::builder(&told.url);
    if let Some(transport) = told.transport {
        builder = builder.only(transport);
    }
    let mut client = builder.connect().await?;
    client
        .send(json!({ "type": "name", "name": told.name }).to_string())
        .await?;
    let first = client.transport().map_or("nothing yet", Transport::name);
    println!("* session {} over {first}", client.id());

    let mut changes = client.transport_changes();
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            message = client.recv() => match message {
                Some(message) => tell(message.as_text().unwrap_or_default()),
                None => break,
            },
            Some(change) = changes.next() => {
                println!("* carried by {}", change.map_or("nothing", Transport::name));
            }
            line = lines.next_line() => match line? {
                Some(text) => {
                    let say = json!({ "type": "say", "text": text });
                    client.send(say.to_string()).await?;
                }
                None => {
                    let reason = client.close(anywire_client::CloseCode::NORMAL).await;
                    println!("* left: {reason}");
                    return Ok(());
                }
            },
        }
    }
    if let Some(reason) = client.close_reason() {
        println!("* the session ended: {reason}");
    }
    for attempt in client.attempts() {
        println!("*   {attempt}");
    }
    Ok(())
}

/// Prints an event of the room; those that are for pages alone are left out.
fn tell(text: &str) {
    let event: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match event["type"].as_str() {
        Some("said") => println!("{}: {}", word("name"), word("text")),
        Some("joined") => println!("* {} is here", word("name")),
        Some("left") => println!("* {} has left", word("name")),
        Some("renamed") => println!("* {} is {} now", word("from"), word("name")),
        Some("error") => println!("* {}", word("message")),
        _ => {}
    }
    let _ = std::io::stdout().flush();
}

/// What the command line says.
struct Told {
    url: String,
    name: String,
    transport: Option<Transport>,
}

impl Told {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut told = Self {
            url: "ws://127.0.0.1:3030/chat".into(),
            name: "Terminal".into(),
            transport: None,
        };
        while let Some(option) = args.next() {
            let value = args.next().ok_or(USAGE)?;
            match (option.as_str(), value.as_str()) {
                ("--url", _) => told.url = value,
                ("--name", _) => told.name = value,
                ("--transport", "websocket") => told.transport = Some(Transport::WebSocket),
                ("--transport", "poll") => told.transport = Some(Transport::Poll),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(told)
    }
}

const USAGE: &str =
    "client [--url ws://127.0.0.1:3030/chat] [--name Ada] [--transport websocket|poll]";
