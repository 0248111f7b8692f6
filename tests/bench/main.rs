//! Measures our server beside a bare `warp::ws()` echo, in one run, and prints ratios.
//!
//! `make bench`, or `anywire-bench [echo] [idle] [fanout] [relay] [topic] [--rounds N]`. Each server runs in a process of its own on one
//! core, the load on another; figures are the server's CPU time per message and its resident bytes per session, medians
//! of interleaved rounds. Read them as ratios: absolute times are the machine's.

mod client;
mod cluster;
mod idle;
mod load;
mod measure;
mod peers;
mod report;

use std::time::Duration;

use client::Wire;
use measure::Server;
use peers::Peer;
use report::{Report, median};

/// Connections of the echo runs.
const CONNECTIONS: usize = 100;
/// Connections of the fan-out runs.
const FOLLOWERS: usize = 1_000;
/// Sessions of the idle runs.
const SESSIONS: usize = 10_000;
/// How long a measured round of load takes.
const ROUND: Duration = Duration::from_millis(1_500);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, peer] = &args[..]
        && mode == "serve"
    {
        return peers::serve(Peer::from_name(peer).expect("a peer's name"));
    }
    let rounds = args.iter().skip_while(|arg| *arg != "--rounds").nth(1);
    let rounds = rounds.map_or(5, |rounds| rounds.parse().expect("--rounds N"));
    let wants = |what: &str| {
        args.iter()
            .all(|arg| arg.starts_with("--") || arg.parse::<u8>().is_ok())
            || args.iter().any(|arg| arg == what)
    };
    // The load has a core to itself.
    measure::pin_this_process();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(async {
        let mut report = Report::default();
        if wants("echo") {
            for in_flight in [1, 16] {
                echo(&mut report, in_flight, rounds).await;
            }
        }
        if wants("fanout") {
            fanout(&mut report, rounds).await;
        }
        if wants("idle") {
            idle(&mut report, rounds.min(5)).await;
        }
        if wants("relay") {
            cluster::relay(&mut report, rounds).await;
        }
        if wants("topic") {
            cluster::topic(&mut report, rounds).await;
        }
        report.print();
        if ["echo", "fanout", "idle", "relay", "topic"]
            .into_iter()
            .all(wants)
        {
            report
                .write_page()
                .expect("docs/performance.md is there and has its markers");
        }
    });
}

/// Who is measured: a name, a server, and what its clients speak.
type Contender = (&'static str, Peer, Wire);

/// Server CPU per echoed message of 32 bytes.
async fn echo(report: &mut Report, in_flight: usize, rounds: usize) {
    let contenders = [
        ("warp::ws()", Peer::Warp, Wire::Bare),
        ("anywire websocket", Peer::Anywire, Wire::WebSocket),
        ("anywire poll", Peer::Anywire, Wire::Poll),
        ("naked TCP, the limit", Peer::Tcp, Wire::Tcp),
    ];
    let title = format!(
        "echo, {CONNECTIONS} connections, 32 B, {in_flight} in flight: server µs per message"
    );
    let measure =
        async |server: &Server, wire| load::echo(server, wire, CONNECTIONS, in_flight, ROUND).await;
    compare(report, title, &contenders, rounds, measure).await;
}

/// Server CPU per delivery of a message to 1,000 followers.
async fn fanout(report: &mut Report, rounds: usize) {
    let contenders = [
        ("warp::ws()", Peer::Warp, Wire::Room),
        ("anywire websocket", Peer::Anywire, Wire::WebSocket),
        ("anywire poll", Peer::Anywire, Wire::Poll),
    ];
    let title = format!("fan-out to {FOLLOWERS}, 32 B: server µs per delivery");
    let measure = async |server: &Server, wire| load::fanout(server, wire, FOLLOWERS, ROUND).await;
    compare(report, title, &contenders, rounds, measure).await;
}

/// Resident bytes per idle session.
async fn idle(report: &mut Report, rounds: usize) {
    let contenders = [
        ("warp::ws()", Peer::Warp, Wire::Bare),
        ("anywire websocket", Peer::Anywire, Wire::WebSocket),
        ("anywire poll, held", Peer::Anywire, Wire::Poll),
        ("anywire stream", Peer::Anywire, Wire::Stream),
        ("anywire events", Peer::Anywire, Wire::Events),
    ];
    let title = format!("idle, {SESSIONS} sessions: resident bytes per session");
    let measure =
        async |server: &Server, wire| idle::resident_per_session(server, wire, SESSIONS).await;
    compare(report, title, &contenders, rounds, measure).await;
}

/// Measures each contender in turn, round by round, each time in a new process, and reports the medians.
async fn compare(
    report: &mut Report,
    title: String,
    contenders: &[Contender],
    rounds: usize,
    measure: impl AsyncFn(&Server, Wire) -> f64,
) {
    let mut figures = vec![Vec::new(); contenders.len()];
    for round in 1..=rounds {
        for ((name, peer, wire), figures) in contenders.iter().zip(&mut figures) {
            report::progress(&format!("{title}, round {round}: {name}"));
            let server = Server::start(*peer).await;
            figures.push(measure(&server, *wire).await);
        }
    }
    let rows = contenders.iter().zip(figures);
    let rows = rows.map(|((name, ..), figures)| (*name, median(figures)));
    report.table(title, rows.collect());
}
