//! A Redis of the example's own, on a free port and without a trace on the disk.

use std::io;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// A running `redis-server`; stopped when dropped.
pub struct Redis {
    port: u16,
    _child: Child,
}

impl Redis {
    /// Starts one, if it is installed.
    pub async fn start() -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if child.try_wait()?.is_some() {
                return Err(io::Error::other("redis-server has ended"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self {
            port,
            _child: child,
        })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}
