//! The page on whether a client is there.

use std::net::SocketAddr;
use std::time::Duration;

use anywire::{Config, Limits, Server, ServerBuilder};
use anywire_client::{Client, CloseCode, Transport};
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_tests::recipes::{Room, here, is_here, watch, with_identity};
use tokio::time::timeout;

use super::{ALL, DEADLINE, recv, user};

/// After so long without a connection a client counts as gone.
const GONE_AFTER: Duration = Duration::from_millis(600);

async fn serve(app: impl FnOnce(ServerBuilder) -> Server) -> (Server, SocketAddr) {
    let limits = Limits::default().detached_after(GONE_AFTER);
    // The page of which a cookie comes is at the address of the proxy in front, for one.
    let config = Config::new()
        .mount("live")
        .limits(limits)
        .allow_origin_if(|_| true);
    let server = app(Server::builder(with_identity(config)).unwrap());
    let bound = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
    let bound = bound.await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.run());
    (server, addr)
}

async fn open(addr: SocketAddr, name: &str, transport: Transport) -> Client {
    let client = user(addr, "live", name, transport);
    client.connect().await.unwrap()
}

async fn hears(client: &mut Client, texts: &[&str]) {
    for text in texts {
        assert_eq!(recv(client).await.as_deref(), Some(*text));
    }
}

/// Waits until this holds.
async fn until(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("it holds in time");
}

#[tokio::test]
async fn the_others_hear_who_is_away_and_who_is_back() {
    for transport in ALL {
        let (server, addr) = serve(|builder| builder.handler(Room)).await;
        let mut bob = open(addr, "bob", Transport::WebSocket).await;
        hears(&mut bob, &["bob is here"]).await;
        let proxy = FaultProxy::start(addr);
        let ada = open(proxy.addr(), "ada", transport).await;
        ada.send("hello").await.unwrap();
        hears(&mut bob, &["ada is here", "ada: hello"]).await;
        assert!(is_here(&server, "ada").await);
        let mut names = here(&server);
        names.sort();
        assert_eq!(names, ["ada", "bob"]);

        proxy.set(Faults::of("refuse-connections"));
        proxy.kill_connections();
        hears(&mut bob, &["ada is away"]).await;
        assert!(!is_here(&server, "ada").await);
        assert_eq!(here(&server), ["bob"]);
        bob.send("where is ada?").await.unwrap();
        proxy.set(Faults::of("none"));
        hears(&mut bob, &["bob: where is ada?", "ada is back"]).await;

        ada.close(CloseCode::NORMAL).await;
        hears(&mut bob, &["ada has left"]).await;
        until(async || !is_here(&server, "ada").await).await;
    }
}

#[tokio::test]
async fn a_task_hears_of_messages_and_changes() {
    for transport in ALL {
        let (server, addr) = serve(|builder| builder.on_socket(watch)).await;
        let proxy = FaultProxy::start(addr);
        let mut ada = open(proxy.addr(), "ada", transport).await;
        ada.send("one").await.unwrap();
        hears(&mut ada, &["one"]).await;
        proxy.set(Faults::of("refuse-connections"));
        proxy.kill_connections();
        until(async || !is_here(&server, "ada").await).await;
        proxy.set(Faults::of("none"));
        let back = format!("you are back by {transport}");
        hears(&mut ada, &[&back]).await;
    }
}
