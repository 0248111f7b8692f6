//! Clients of both kinds lose their server, which is killed, and open new sessions when it is back. `anywire-crowd 1000 2 20`: how many
//! clients, and how many seconds the server stays away, once for each number. Run `make crowd`.
//!
//! The server, a process of its own, writes down each open and each message; the clients write down what they sent and what they
//! were given back. The verdict reads the files alone.

mod server;
mod verdict;
mod visitors;

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use tokio::time::sleep;

use verdict::{Verdict, now};
use visitors::Visitors;

/// Half of the clients are in Rust, half are the browser client in Node. Within so long of the server's return each client is to be back. Twice that is an error.
const BACK_WITHIN: Duration = Duration::from_millis(5_500);

/// So many opens in any 100 ms, after the first.
const MOST_OPENS: usize = 45;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let done = match &words[..] {
        [serve, addr, file] if serve == "serve" => server::run(addr, file).await.map(|()| true),
        [clients, seconds @ ..] => trials(clients, seconds).await,
        [] => Err("anywire-crowd CLIENTS SECONDS…".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn trials(clients: &str, seconds: &[String]) -> Result<bool, Box<dyn Error>> {
    let mut is_well = true;
    for seconds in seconds {
        is_well &= trial(clients.parse()?, Duration::from_secs(seconds.parse()?)).await?;
    }
    Ok(is_well)
}

/// A server process, which is killed when this is dropped.
struct Server(Child);

impl Server {
    fn start(addr: SocketAddr, records: &Path, run: u32) -> std::io::Result<Self> {
        let file = records.join(format!("server-{run}.log"));
        let child = Command::new(std::env::current_exe()?)
            .args(["serve", &addr.to_string()])
            .arg(file)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL: nothing of it says goodbye.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn trial(clients: usize, away: Duration) -> Result<bool, Box<dyn Error>> {
    println!("{clients} clients, a server that is killed and away for {away:?}");
    let records = std::env::temp_dir().join(format!("anywire-crowd-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&records);
    std::fs::create_dir_all(&records)?;
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let server = Server::start(addr, &records, 1)?;
    let visitors = Visitors::begin(addr, clients, &records).await?;
    Verdict::wait(&records, clients, 1).await?;
    // They all talk.
    sleep(Duration::from_secs(2)).await;
    drop(server);
    let killed = now();
    sleep(away).await;
    let _server = Server::start(addr, &records, 2)?;
    Verdict::wait(&records, clients, 2).await?;
    sleep(Duration::from_secs(1)).await;
    visitors.end().await?;
    let verdict = Verdict::read(&records)?;
    println!("  killed at {killed}");
    let is_well = verdict.is_well(clients, BACK_WITHIN, MOST_OPENS);
    if is_well {
        if std::env::var_os("KEEP").is_none() {
            std::fs::remove_dir_all(&records)?;
        }
    } else {
        println!("  the records are in {}", records.display());
    }
    Ok(is_well)
}
