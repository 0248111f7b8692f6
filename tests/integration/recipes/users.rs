//! The recipe that sends a message to one user.

use std::net::SocketAddr;

use anywire::{Config, Principal, Server, Socket};
use anywire_client::{Client, CloseCode, Transport};
use anywire_fault_proxy::{FaultProxy, Faults};
use anywire_tests::recipes::{tell, with_identity};
use tokio::time::timeout;

use super::{ALL, DEADLINE, recv, user};

#[tokio::test]
async fn all_sessions_of_the_user_get_it_and_no_other() {
    let (server, addr) = serve().await;
    let mut tabs = Vec::new();
    for transport in ALL {
        tabs.push(open(addr, "ada", transport).await);
    }
    let mut bob = open(addr, "bob", Transport::WebSocket).await;
    assert_eq!(tell(&server, "ada", "for ada").await, 2);
    assert_eq!(tell(&server, "bob", "for bob").await, 1);
    assert_eq!(tell(&server, "eve", "for nobody").await, 0);
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
        assert_eq!(tell(&server, "ada", "meanwhile").await, 1, "{transport}");
        proxy.set(Faults::of("none"));
        assert_eq!(recv(&mut ada).await.as_deref(), Some("meanwhile"));
        let ended = ada.close(CloseCode::NORMAL).await;
        assert_eq!(ended.code.as_u16(), 1000, "{transport}");
    }
}

/// A session of this user.
async fn open(addr: SocketAddr, name: &str, transport: Transport) -> Client {
    let mut client = user(addr, "live", name, transport).connect().await.unwrap();
    let greeting = recv(&mut client).await;
    assert_eq!(greeting, Some(format!("hello {name}")));
    client
}

async fn serve() -> (Server, SocketAddr) {
    // The page of which a cookie comes is at the address of the proxy in front, for one.
    let config = Config::new().mount("live").allow_origin_if(|_| true);
    let server = Server::builder(with_identity(config)).unwrap();
    let server = server.on_socket(|mut socket: Socket| async move {
        let name = socket.principal().map_or("nobody", Principal::name);
        let greeting = format!("hello {name}");
        let _ = socket.send(greeting).await;
        while let Some(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    });
    let bound = anywire::serve(server.routes()).bind(([127, 0, 0, 1], 0));
    let bound = bound.await.unwrap();
    let addr = bound.local_addr();
    tokio::spawn(bound.run());
    (server, addr)
}
