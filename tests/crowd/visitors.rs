//! The clients: half of them in Rust, over both of its transports, half of them the browser client in Node. Each sends numbered messages
//! and writes down which were accepted, and which were given back.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anywire_client::{Client, ClientEvent, Decision, Reopen, Transport};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::verdict::now;

/// How often each client says something.
const PACE: Duration = Duration::from_millis(1_000);

pub struct Visitors {
    stop: watch::Sender<bool>,
    rust: JoinSet<()>,
    node: Child,
}

impl Visitors {
    /// Begins so many, each with randomness of its own.
    pub async fn begin(
        addr: SocketAddr,
        count: usize,
        records: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let (stop, stopped) = watch::channel(false);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/crowd/visitors.mjs");
        let mut node = Command::new("node");
        if !has_websocket()? {
            node.arg("--experimental-websocket");
        }
        let node = node
            .arg(script)
            .args([&format!("ws://{addr}/anywire"), &(count / 2).to_string()])
            .arg(records)
            .stdin(Stdio::piped())
            .spawn()?;
        let mut rust = JoinSet::new();
        for number in 0..count - count / 2 {
            let file = File::create(records.join(format!("rust-{number}.log")))?;
            let visitor = Visitor {
                name: format!("rust-{number}"),
                file,
                number,
            };
            rust.spawn(visitor.visit(addr, stopped.clone()));
        }
        Ok(Self { stop, rust, node })
    }

    /// Has all of them close in order.
    pub async fn end(mut self) -> Result<(), Box<dyn Error>> {
        self.stop.send_replace(true);
        drop(self.node.stdin.take());
        let all = async { while self.rust.join_next().await.is_some() {} };
        timeout(Duration::from_secs(60), all).await?;
        let is_done = self.node.wait()?.success();
        if !is_done {
            return Err("the clients in Node have failed".into());
        }
        Ok(())
    }
}

/// Whether this Node has a WebSocket without being asked.
fn has_websocket() -> std::io::Result<bool> {
    let code = "process.exit(typeof WebSocket === 'undefined' ? 1 : 0)";
    Ok(Command::new("node").args(["-e", code]).status()?.success())
}

struct Visitor {
    name: String,
    file: File,
    number: usize,
}

impl Visitor {
    fn write(&mut self, fact: &str) {
        let line = format!("{} {fact}\n", now());
        self.file
            .write_all(line.as_bytes())
            .expect("there is room on the disk");
    }

    async fn visit(mut self, addr: SocketAddr, mut stopped: watch::Receiver<bool>) {
        // Some send again what is unsure, some are given it back.
        let decision = [Decision::Resend, Decision::Keep][self.number % 2];
        let transport =
            [Transport::WebSocket, Transport::WebSocket, Transport::Poll][self.number % 3];
        let client = Client::builder(&format!("ws://{addr}/anywire"))
            .only(transport)
            .no_proxy()
            .connect_timeout(Duration::from_secs(60))
            .reopen(Reopen::new(move |_| decision));
        let mut client = client.connect().await.expect("the server is there");
        let mut sent = 0;
        let mut next = Instant::now() + PACE.mul_f64(fastrand::f64());
        loop {
            tokio::select! {
                event = client.next_event() => match event {
                    Some(ClientEvent::Reopened(reopened)) => {
                        self.write("back");
                        for message in reopened.unacknowledged {
                            let text = message.as_text().unwrap_or("?").to_owned();
                            self.write(&format!("returned {text}"));
                        }
                    }
                    Some(_) => {}
                    None => {
                        self.write(&format!("ended {:?}", client.close_reason()));
                        return;
                    }
                },
                () = sleep(next - Instant::now()) => {
                    next += PACE;
                    // Between two sessions nothing is accepted.
                    let text = format!("{}-{sent}", self.name);
                    if client.try_send(text.as_str()).is_ok() {
                        self.write(&format!("sent {text}"));
                        sent += 1;
                    }
                }
                _ = stopped.changed() => break,
            }
        }
        let reason = client.close(anywire_client::CloseCode::NORMAL).await;
        self.write(&format!("closed {}", reason.code.as_u16()));
    }
}
