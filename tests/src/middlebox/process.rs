//! The process of a middlebox, its port and its directory: all begin and end together.

use std::{
    env,
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{MiddleboxError, Product};
use crate::{address, directory::Directory};

/// A running middlebox, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    addr: SocketAddr,
    /// Dropped after the child has ended, which writes into it until then.
    directory: Directory,
}

impl Process {
    /// Starts it and waits until it listens.
    pub(super) async fn start(
        product: Product,
        patience: Duration,
        site: impl FnOnce(SocketAddr) -> String,
    ) -> Result<Self, MiddleboxError> {
        let name = product.program();
        let program = find(name).ok_or(MiddleboxError::Missing(name))?;
        let directory = Directory::fresh(name)?;
        let addr = address::free();
        let config = directory.file("config");
        let text = product.config(&site(addr), patience, directory.path());
        fs::write(&config, text)?;
        let log = File::create(directory.file(LOG))?;
        let child = Command::new(program)
            .args(product.arguments(&config.to_string_lossy()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        // From here on an error drops the child, and thereby kills it.
        let mut process = Self {
            child,
            addr,
            directory,
        };
        if process.listens().await? {
            return Ok(process);
        }
        Err(MiddleboxError::Start {
            program: name,
            printed: process.directory.last_words(LOG),
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the port accepts; `false` if the process ends or takes too long.
    ///
    /// None of these programs tells when it listens, so this asks again and again.
    async fn listens(&mut self) -> Result<bool, MiddleboxError> {
        let begun = Instant::now();
        while begun.elapsed() < DEADLINE && self.child.try_wait()?.is_none() {
            if TcpStream::connect(self.addr).await.is_ok() {
                return Ok(true);
            }
            sleep(PAUSE).await;
        }
        Ok(false)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Daemons often lie where only root's `PATH` leads.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|place| place.join(name))
        .find(|program| program.is_file())
}

/// What it prints goes to this file of its directory.
const LOG: &str = "printed";
const DEADLINE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);
