//! A server and what stands in front of it, for one run.

use std::time::Duration;

use anywire::Limits;
use anywire_client::{Client, ClientBuilder, OriginMemory};

use super::mode::PRODUCT_PATIENCE;
use super::{Between, OracleServer, Workload};
use crate::middlebox::{Middlebox, MiddleboxError, Product};
use anywire_fault_proxy::{FaultProxy, Faults};

/// A server for one session, and what is between it and its client.
pub struct Scene {
    /// The server.
    pub server: OracleServer,
    front: Front,
}

enum Front {
    Proxy(FaultProxy, Box<Faults>),
    Product(Middlebox, Product),
}

impl Scene {
    /// Starts both. Faults begin with [`Scene::begin`].
    ///
    /// # Errors
    /// A product does not run; see [`MiddleboxError`].
    pub async fn start(between: Between, workload: Workload) -> Result<Self, MiddleboxError> {
        let server = OracleServer::start(workload, Limits::default()).await;
        let front = match between {
            Between::Faults(words) => {
                Front::Proxy(FaultProxy::start(server.addr), Box::new(Faults::of(words)))
            }
            Between::Product(product) => {
                let started = Middlebox::start(product, server.addr, PRODUCT_PATIENCE).await?;
                Front::Product(started, product)
            }
        };
        Ok(Self { server, front })
    }

    /// The faults begin, for new connections alone: what was loaded before is no part of the run.
    pub fn begin(&self) {
        if let Front::Proxy(proxy, faults) = &self.front {
            proxy.set(Faults::clone(faults));
            proxy.kill_connections();
        }
        self.server.up.restart_clock();
    }

    /// The proxy, if that is what is between.
    pub fn proxy(&self) -> Option<&FaultProxy> {
        match &self.front {
            Front::Proxy(proxy, _) => Some(proxy),
            Front::Product(..) => None,
        }
    }

    /// Where a page with the client in it is.
    pub(super) fn page_url(&self) -> String {
        match &self.front {
            Front::Proxy(proxy, _) => proxy.url("/"),
            Front::Product(_, Product::Squid) => format!("http://{}/", self.server.addr),
            Front::Product(middlebox, _) => middlebox.url("/"),
        }
    }

    /// The forward proxy that clients are to use.
    pub(super) fn proxy_url(&self) -> Option<String> {
        match &self.front {
            Front::Product(squid, Product::Squid) => Some(format!("http://{}", squid.addr())),
            Front::Proxy(..) | Front::Product(..) => None,
        }
    }

    /// A Rust client of this scene, which remembers nothing.
    pub(super) fn client(&self, connect_timeout: Duration) -> ClientBuilder {
        let builder = Client::builder(&format!("{}anywire", self.page_url()))
            .memory(OriginMemory::default())
            .connect_timeout(connect_timeout);
        match self.proxy_url() {
            Some(url) => builder.proxy(&url),
            None => builder.no_proxy(),
        }
    }

    /// The mount's path.
    pub(super) fn path(&self) -> &'static str {
        "/anywire"
    }
}
