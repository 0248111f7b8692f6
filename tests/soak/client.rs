//! The Rust client in a process of its own. It obeys lines on its input and answers on its output: `stop`, `read`.

use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anywire_client::Client;
use anywire_tests::oracle::{Ledger, Way};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, stdin};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::flow::{Flow, Peer, Tally, WORKLOAD, send_all};

/// What the child does.
pub async fn run(url: &str) -> ExitCode {
    let mut client = match Client::builder(url).no_proxy().connect().await {
        Ok(client) => client,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let down = Arc::new(Ledger::new(WORKLOAD, Way::Down));
    let (sent, is_over) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (sender, counter, over) = (client.sender(), sent.clone(), is_over.clone());
    tokio::spawn(async move {
        let send = |message| {
            let sender = sender.clone();
            async move { sender.send(message).await.is_ok() }
        };
        send_all(Way::Up, &counter, &over, send).await;
    });
    let ledger = down.clone();
    tokio::spawn(async move {
        while let Some(message) = client.recv().await {
            ledger.hear(&message);
        }
        ledger.end(client.close_reason().cloned());
    });
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "stop" {
            is_over.store(true, Ordering::SeqCst);
        }
        let reading = down.read();
        let end = reading.end.map(|end| end.to_string());
        let words = [
            sent.load(Ordering::SeqCst).to_string(),
            reading.count.to_string(),
            reading.wrong.unwrap_or_default(),
            end.unwrap_or_default(),
        ];
        println!("{}", words.join("\t"));
    }
    ExitCode::SUCCESS
}

/// The child, as its parent sees it; it ends with this.
pub struct Child {
    id: u32,
    pipes: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _process: tokio::process::Child,
}

impl Child {
    pub fn start(flow: &Flow) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut process = Command::new(program)
            .args(["client", &flow.proxy.url("/anywire")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (input, output) = pipes.ok_or("a child has pipes")?;
        Ok(Self {
            id: process.id().ok_or("the child has ended")?,
            pipes: Mutex::new((input, BufReader::new(output).lines())),
            _process: process,
        })
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    async fn ask(&self, word: &str) -> Tally {
        let mut pipes = self.pipes.lock().await;
        let (input, output) = &mut *pipes;
        let asked = input.write_all(format!("{word}\n").as_bytes()).await;
        let answer = match asked {
            Ok(()) => output.next_line().await.ok().flatten(),
            Err(_) => None,
        };
        let Some(answer) = answer else {
            return Tally {
                end: Some("the client's process ended".into()),
                ..Tally::default()
            };
        };
        let mut words = answer.split('\t');
        let mut next = || words.next().unwrap_or_default().to_owned();
        let some = |text: String| (!text.is_empty()).then_some(text);
        Tally {
            sent: next().parse().unwrap_or_default(),
            received: next().parse().unwrap_or_default(),
            wrong: some(next()),
            end: some(next()),
        }
    }

    async fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.id.to_string()])
            .status()
            .await;
        assert!(status.is_ok_and(|status| status.success()), "kill {name}");
    }
}

impl Peer for Child {
    async fn stop(&self) {
        self.ask("stop").await;
    }

    async fn tally(&self) -> Tally {
        self.ask("read").await
    }

    async fn suspend(&self, duration: Duration) {
        self.signal("-STOP").await;
        sleep(duration).await;
        self.signal("-CONT").await;
    }
}
