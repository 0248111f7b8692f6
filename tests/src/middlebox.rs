//! Real proxies in front of a server, each a child process on a loopback port. What it is told is left to `config`,
//! starting and ending it to `process`.

mod config;
mod error;
mod process;

use std::{net::SocketAddr, time::Duration};

use self::process::Process;
pub use self::{config::Product, error::MiddleboxError};

/// A running proxy, killed when dropped.
#[derive(Debug)]
pub struct Middlebox {
    process: Process,
}

impl Middlebox {
    /// Starts one in front of `upstream`, and waits until it listens.
    ///
    /// `patience` is how long it waits for a server that says nothing, and leaves an upgraded connection idle;
    /// products round it up to what they can count. Squid is a forward proxy: it does not know `upstream`, and
    /// is told with each request.
    ///
    /// # Errors
    /// [`MiddleboxError::Missing`]: install it. All others quote what it printed.
    pub async fn start(
        product: Product,
        upstream: SocketAddr,
        patience: Duration,
    ) -> Result<Self, MiddleboxError> {
        let site = |listen| product.site(listen, upstream);
        let process = Process::start(product, patience, site).await?;
        Ok(Self { process })
    }

    /// Starts one with a configuration of the caller's, which `site` writes for the address to listen on: what stands in
    /// `http { }` of nginx, or behind the `defaults` of HAProxy.
    ///
    /// # Errors
    /// As those of `start`.
    pub async fn start_with(
        product: Product,
        patience: Duration,
        site: impl FnOnce(SocketAddr) -> String,
    ) -> Result<Self, MiddleboxError> {
        let process = Process::start(product, patience, site).await?;
        Ok(Self { process })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.process.addr()
    }

    /// The `http:` address of `path`, which begins with a slash; not of use with a forward proxy.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }
}

#[cfg(test)]
mod tests;
