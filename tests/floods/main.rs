//! What floods cost those who behave: each flood goes to a server with 100 good clients, and, as a control, to another process
//! beside it. Run `make floods`.
//!
//! All addresses are of this machine: floods come from 127.0.1.0/24, good clients from 127.0.2.0/24. With nginx in front, which the
//! server trusts, once more.

mod floods;
mod server;
mod visitors;

use std::error::Error;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anywire_tests::middlebox::{Middlebox, Product};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use self::floods::{ALL, Flood};
use self::visitors::{At, Seen, stats, visit};

/// How long each flood goes on.
const FLOOD_FOR: Duration = Duration::from_secs(12);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => server::run().await,
        ["flood", name, addr, host] => {
            let at = At {
                addr: addr.parse()?,
                host: host.to_owned(),
            };
            floods::run(Flood::named(name)?, at, 2 * FLOOD_FOR).await
        }
        [] => compare(&ALL).await,
        [name] => compare(&[Flood::named(name)?]).await,
        _ => Err("say nothing, or the name of a flood".into()),
    }
}

async fn compare(floods: &[Flood]) -> Result<(), Box<dyn Error>> {
    println!(
        "flood          way    refused  p50      p99      p99 beside  times  slowest   held by the server, resident"
    );
    for flood in floods {
        for way in [Way::Direct, Way::Nginx] {
            let beside = round(*flood, way, Target::Beside).await?;
            let hit = round(*flood, way, Target::Server).await?;
            let (p99, control) = (hit.seen.percentile(99), beside.seen.percentile(99));
            println!(
                "{:<14} {:<6} {:>7}  {:<8.1?} {:<8.1?} {:<11.1?} {:<6.2} {:<9.1?} {}",
                flood.name(),
                way.name(),
                hit.seen.refused + beside.seen.refused,
                hit.seen.percentile(50),
                p99,
                control,
                p99.as_secs_f64() / control.as_secs_f64(),
                hit.seen.percentile(100),
                hit.stats
            );
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    Direct,
    /// Through nginx, which the server trusts.
    Nginx,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Target {
    /// The server of the good clients.
    Server,
    /// Another beside it.
    Beside,
}

struct Round {
    seen: Seen,
    stats: String,
}

async fn round(flood: Flood, way: Way, target: Target) -> Result<Round, Box<dyn Error>> {
    let (_server, addr) = start(&["serve"]).await?;
    let (_beside, beside) = start(&["serve"]).await?;
    // In the control the flood passes the same nginx.
    let front = match way {
        Way::Direct => None,
        Way::Nginx => {
            let site = |listen| site(listen, addr, beside);
            let patience = Duration::from_secs(60);
            Some(Middlebox::start_with(Product::Nginx, patience, site).await?)
        }
    };
    let (hit_server, host) = match target {
        Target::Server => (addr, "good"),
        Target::Beside => (beside, "beside"),
    };
    let hit = front.as_ref().map_or(hit_server, Middlebox::addr);
    let good = front.as_ref().map_or(addr, Middlebox::addr);
    let mut flooding = Command::new(std::env::current_exe()?)
        .args(["flood", flood.name(), &hit.to_string(), host])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let at = At {
        addr: good,
        host: "good".to_owned(),
    };
    let seen = visit(at, FLOOD_FOR).await;
    let stats = stats(hit_server).await?;
    flooding.kill().await?;
    Ok(Round { seen, stats })
}

fn site(listen: SocketAddr, good: SocketAddr, beside: SocketAddr) -> String {
    let server = |name: &str, upstream: SocketAddr| {
        format!(
            "upstream {name} {{ server {upstream}; keepalive 200; }}
            server {{
                listen {listen};
                server_name {name};
                location / {{
                    proxy_pass http://{name};
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $hop;
                    proxy_set_header Host $http_host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    client_max_body_size 6m;
                }}
            }}"
        )
    };
    let hop = "map $http_upgrade $hop { default upgrade; '' ''; }";
    format!(
        "{hop} {} {}",
        server("good", good),
        server("beside", beside)
    )
}

/// Starts this program in another process; it prints its address first.
async fn start(words: &[&str]) -> Result<(Child, SocketAddr), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(words)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().ok_or("it has an output")?;
    let line = BufReader::new(output).lines().next_line().await?;
    let addr = line.ok_or("it prints its address")?.parse()?;
    Ok((child, addr))
}
