//! Two servers behind one address, with a balancer that is configured as docs/recipes.md says.

use std::net::SocketAddr;
use std::time::Duration;

use anywire::{Config, Server};

use crate::documents::{RECIPES, block};
use crate::middlebox::{Middlebox, Product};
use crate::node::Node;

/// The servers at `/live`, which send back what comes, and the balancer.
#[derive(Debug)]
pub struct Site {
    /// The servers.
    pub nodes: Vec<Node>,
    balancer: Middlebox,
    page: &'static str,
}

/// Whether the balancer keeps a session at its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// As the page says.
    Yes,
    /// The page's lines for it are left out.
    No,
}

impl Site {
    /// Starts all. The servers have this page at `/live/page`.
    ///
    /// # Panics
    /// The balancer does not run; the text says what to do.
    pub async fn start(product: Product, keeps: Keeps, page: &'static str) -> Self {
        let nodes = vec![Node::start(page, echo).await, Node::start(page, echo).await];
        let addrs = [nodes[0].addr, nodes[1].addr];
        let started = Middlebox::start_with(product, PATIENCE, |listen| {
            configuration(product, keeps, listen, addrs)
        });
        Self {
            balancer: started.await.unwrap_or_else(|error| panic!("{error}")),
            nodes,
            page,
        }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.balancer.addr()
    }

    /// Takes the first server out, for the caller to end.
    pub fn take(&mut self) -> Node {
        self.nodes.remove(0)
    }

    /// Starts a server at the address of one that was killed.
    pub async fn put(&mut self, addr: SocketAddr) {
        self.nodes
            .insert(0, Node::start_at(addr, self.page, echo).await);
    }
}

fn echo() -> Server {
    let config = Config::new().mount("live").allow_jsonp();
    let server = Server::builder(config).expect("the config is sound");
    server.on_socket(|mut socket| async move {
        while let Some(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    })
}

/// The page's configuration, for these addresses.
fn configuration(
    product: Product,
    keeps: Keeps,
    listen: SocketAddr,
    servers: [SocketAddr; 2],
) -> String {
    let language = match product {
        Product::Nginx | Product::NginxWithoutUpgrade | Product::ModSecurity => "nginx",
        Product::Haproxy => "haproxy",
        Product::Squid => panic!("Squid balances nothing here"),
    };
    let heading = "Several processes behind one address";
    let lines = block(RECIPES, heading, language).lines().filter(|line| {
        let mut keeping = ["hash ", "balance ", "hash-type "].into_iter();
        keeps == Keeps::Yes || !keeping.any(|words| line.trim_start().starts_with(words))
    });
    let mut text: String = lines.map(|line| format!("{line}\n")).collect();
    let listening = match product {
        Product::Haproxy => ("bind :80", format!("bind {listen}")),
        _ => ("listen 80;", format!("listen {listen};")),
    };
    let [one, other] = servers.map(|addr| addr.to_string());
    for (shown, used) in [
        listening,
        ("127.0.0.1:3030", one),
        ("127.0.0.1:3031", other),
    ] {
        assert!(text.contains(shown), "docs/recipes.md has no `{shown}`");
        text = text.replace(shown, &used);
    }
    text
}

/// How long the balancer waits for a server that says nothing.
const PATIENCE: Duration = Duration::from_secs(60);
