//! The recipe for several processes behind one address: nginx and HAProxy as the page has them, two servers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anywire_client::{Client, ConnectError, Transport};
use anywire_fault_proxy::FaultProxy;
use anywire_tests::middlebox::Product;
use anywire_tests::site::{Keeps, Site};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{ALL, DEADLINE, client, recv};

/// Sessions over each transport. All of them at one of two servers by chance: once in 8 million runs.
const SESSIONS: usize = 24;
const PRODUCTS: [Product; 2] = [Product::Nginx, Product::Haproxy];

/// A session, or the code that it ended with.
type Outcome = Result<Client, u16>;

/// A site behind a proxy that cuts all connections when it is told.
async fn start(product: Product, keeps: Keeps) -> (Site, FaultProxy) {
    let site = Site::start(product, keeps, "").await;
    let line = FaultProxy::start(site.addr());
    (site, line)
}

/// Opens a session for each value of `node`.
async fn open(addr: SocketAddr, transport: Transport) -> Vec<Outcome> {
    let mut opening = JoinSet::new();
    for node in 0..SESSIONS {
        let query = format!("?node=n{node}");
        opening.spawn(async move {
            match client(addr, &query, transport).connect().await {
                Ok(client) => Ok(client),
                Err(ConnectError::Refused(reason)) => Err(reason.code.as_u16()),
                Err(error) => panic!("{query}: {error}"),
            }
        });
    }
    opening.join_all().await
}

/// Sends a text on each and awaits it.
async fn echo(sessions: &mut Vec<Outcome>, text: &'static str) {
    let mut talking = JoinSet::new();
    for session in sessions.drain(..) {
        talking.spawn(async move {
            let mut client = session?;
            // One that has ended says why below.
            let _ = client.send(text).await;
            if let Some(got) = recv(&mut client).await {
                assert_eq!(got, text);
                return Ok(client);
            }
            let reason = client.close_reason().expect("why it ended");
            Err(reason.code.as_u16())
        });
    }
    *sessions = talking.join_all().await;
}

/// The codes of those that ended.
fn ends(sessions: &[Outcome]) -> Vec<u16> {
    let ends = sessions.iter().filter_map(|session| session.as_ref().err());
    ends.copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_stays_at_its_process() {
    for (product, transports) in [
        (Product::Nginx, &ALL[..]),
        (Product::Haproxy, &ALL),
        // HTTP/1.0 to the servers.
        (Product::NginxWithoutUpgrade, &[Transport::Poll]),
    ] {
        let (site, line) = start(product, Keeps::Yes).await;
        for transport in transports {
            let opened = || site.nodes.iter().map(|node| node.server.metrics().opened);
            let before: Vec<_> = opened().collect();
            let mut sessions = open(line.addr(), *transport).await;
            echo(&mut sessions, "one").await;
            assert!(line.kill_connections() > 0);
            echo(&mut sessions, "two").await;
            // A request to the other process would have ended its session with 4930, as the next test shows. What set out before
            // the cut and comes after the attach that follows it is refused as superseded, and ends nothing.
            assert_eq!(ends(&sessions), [0; 0], "{product:?} {transport}");
            let shares = opened().zip(before).map(|(after, before)| after - before);
            let shares: Vec<_> = shares.collect();
            println!("{product:?}, {transport}: {shares:?} sessions");
            assert_eq!(shares.iter().sum::<u64>(), SESSIONS as u64);
            assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
        }
    }
}

/// Or the test above would show nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_hash_sessions_are_sought_at_the_wrong_process() {
    for product in PRODUCTS {
        let (_site, line) = start(product, Keeps::No).await;
        for transport in ALL {
            let mut sessions = open(line.addr(), transport).await;
            echo(&mut sessions, "one").await;
            line.kill_connections();
            echo(&mut sessions, "two").await;
            let ends = ends(&sessions);
            let count = ends.len();
            println!("{product:?}, {transport}: {count} of {SESSIONS} lost");
            assert!(count > 0, "{product:?} {transport}");
            assert!(ends.iter().all(|code| *code == 4930), "{ends:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_process_that_is_gone_end_and_begin_elsewhere() {
    for product in PRODUCTS {
        for transport in ALL {
            let (mut site, line) = start(product, Keeps::Yes).await;
            let sessions = open(line.addr(), transport).await;
            let gone = site.take();
            let (mut lost, mut kept): (Vec<_>, Vec<_>) =
                sessions.into_iter().partition(|session| {
                    let client = session.as_ref().expect("it opened");
                    gone.server
                        .sessions()
                        .any(|session| session.id() == client.id())
                });
            assert!(!lost.is_empty() && !kept.is_empty());
            let killed = Instant::now();
            gone.kill().await;
            echo(&mut lost, "lost").await;
            let told = killed.elapsed();
            assert_eq!(ends(&lost), vec![4930; lost.len()]);
            echo(&mut kept, "kept").await;
            assert_eq!(ends(&kept), [0; 0]);

            // The values of the process that is gone too.
            let mut sessions = open(line.addr(), transport).await;
            echo(&mut sessions, "anew").await;
            assert_eq!(ends(&sessions), [0; 0], "{product:?} {transport}");
            let anew = killed.elapsed();
            println!("{product:?}, {transport}: told after {told:?}, all anew after {anew:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_comes_back_takes_its_values_again() {
    for product in PRODUCTS {
        let (mut site, line) = start(product, Keeps::Yes).await;
        let addr = site.take().kill().await;
        let mut polling = open(line.addr(), Transport::Poll).await;
        let mut sockets = open(line.addr(), Transport::WebSocket).await;
        site.put(addr).await;
        let begun = Instant::now();
        let noticed = async {
            while ends(&polling).is_empty() {
                echo(&mut polling, "poll").await;
            }
        };
        timeout(DEADLINE, noticed).await.expect("it comes back");
        let noticed = begun.elapsed();
        echo(&mut polling, "poll").await;
        echo(&mut sockets, "socket").await;
        assert_eq!(ends(&sockets), [0; 0], "{product:?}");
        line.kill_connections();
        echo(&mut sockets, "socket").await;
        for (transport, ends) in [("poll", ends(&polling)), ("websocket", ends(&sockets))] {
            let count = ends.len();
            println!("{product:?}, {transport}: {count} of {SESSIONS} lost, {noticed:?}");
            assert!(0 < count && count < SESSIONS, "{product:?} {transport}");
            assert!(ends.iter().all(|code| *code == 4930), "{ends:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_until_the_process_that_drains_is_gone() {
    for product in PRODUCTS {
        for transport in ALL {
            let (mut site, line) = start(product, Keeps::Yes).await;
            let gone = site.take();
            assert_eq!(gone.server.drain(Duration::ZERO).await, 0);
            let begun = Instant::now();
            let opening = open(line.addr(), transport);
            let ending = async {
                // Some have been refused, and come again.
                let told = line.counted(|counts| counts.requests > SESSIONS as u32 + 2);
                timeout(DEADLINE, told).await.expect("they come again");
                assert!(gone.server.metrics().refused > 0, "it refuses");
                gone.kill().await;
            };
            let (mut sessions, ()) = tokio::join!(opening, ending);
            echo(&mut sessions, "hello").await;
            assert_eq!(ends(&sessions), [0; 0], "{product:?} {transport}");
            println!("{product:?}, {transport}: all after {:?}", begun.elapsed());
        }
    }
}
