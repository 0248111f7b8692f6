//! The recipe that sends a message to one user.

use std::net::SocketAddr;

use anywire::{Config, Server};
use anywire_client::{Client, CloseCode, Transport};
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_tests::recipes::{serve_users, tell, with_identity};
use tokio::time::timeout;

use super::{ALL, DEADLINE, client, recv};

#[tokio::test]
async fn all_sessions_of_the_user_get_it_and_no_other() {
    let (server, addr) = serve().await;
    let mut tabs = Vec::new();
    for transport in ALL {
        tabs.push(open(addr, "ada", transport).await);
    }
    let mut bob = open(addr, "bob", Transport::WebSocket).await;
    assert_eq!(tell(&server, "ada", "for ada"), 2);
    assert_eq!(tell(&server, "bob", "for bob"), 1);
    assert_eq!(tell(&server, "eve", "for nobody"), 0);
    for tab in &mut tabs {
        assert_eq!(recv(tab).await.as_deref(), Some("for ada"));
    }
    assert_eq!(recv(&mut bob).await.as_deref(), Some("for bob"));
    // What comes back is the next that each gets: nothing else came before it.
    for client in tabs.iter_mut().chain([&mut bob]) {
        client.send("echo").await.unwrap();
        assert_eq!(recv(client).await.as_deref(), Some("echo"));
    }
}

#[tokio::test]
async fn a_user_between_two_connections_gets_it_when_back() {
    let (server, addr) = serve().await;
    for transport in ALL {
        let proxy = FaultProxy::start(addr);
        let mut ada = open(proxy.addr(), "ada", transport).await;
        let mut changes = ada.transport_changes();
        proxy.set(Faults::of("refuse-connections"));
        proxy.kill_connections();
        let gone = async { while changes.next().await.expect("it lives").is_some() {} };
        timeout(DEADLINE, gone).await.expect("it notices in time");
        assert_eq!(tell(&server, "ada", "meanwhile"), 1, "{transport}");
        proxy.set(Faults::of("none"));
        assert_eq!(recv(&mut ada).await.as_deref(), Some("meanwhile"));
        let ended = ada.close(CloseCode::NORMAL).await;
        assert_eq!(ended.code.as_u16(), 1000, "{transport}");
    }
}

/// A session of this user, which follows the topic.
async fn open(addr: SocketAddr, user: &str, transport: Transport) -> Client {
    let query = format!("?token=secret-of-{user}");
    let mut client = client(addr, &query, transport).connect().await.unwrap();
    let greeting = recv(&mut client).await;
    assert_eq!(greeting, Some(format!("hello {user}")));
    client
}

async fn serve() -> (Server, SocketAddr) {
    let server = serve_users(with_identity(Config::new().mount("live"))).unwrap();
    let bound = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
    let bound = bound.await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.run());
    (server, addr)
}
