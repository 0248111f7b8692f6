//! A line between two programs that can be cut, or go dead without a word, in the middle of whatever passes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It passes everything on.
    Whole,
    /// It ends what passes and takes nothing new.
    Cut,
    /// It holds everything back, and nobody is told.
    Dead,
}

/// A line to one address.
pub struct Wire {
    /// Where the line begins.
    pub addr: SocketAddr,
    state: Arc<watch::Sender<Line>>,
    task: AbortHandle,
}

impl Wire {
    /// A whole one.
    pub async fn to(far: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(watch::Sender::new(Line::Whole));
        let task = tokio::spawn(take(listener, far, state.clone())).abort_handle();
        Ok(Self { addr, state, task })
    }

    /// Changes what it does, also with what passes now.
    pub fn set(&self, line: Line) {
        self.state.send_replace(line);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(listener: TcpListener, far: SocketAddr, state: Arc<watch::Sender<Line>>) {
    while let Ok((near, _)) = listener.accept().await {
        let (line, mut cut) = (state.subscribe(), state.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                // Either end may end it at any time.
                _ = pass(near, far, line) => {}
                _ = cut.wait_for(|line| *line == Line::Cut) => {}
            }
        });
    }
}

async fn pass(near: TcpStream, far: SocketAddr, mut line: watch::Receiver<Line>) -> io::Result<()> {
    while_dead(&mut line).await;
    let far = TcpStream::connect(far).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near, far) = (near.into_split(), far.into_split());
    tokio::select! {
        ended = copy(near.0, far.1, line.clone()) => ended,
        ended = copy(far.0, near.1, line) => ended,
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16_384];
    loop {
        let count = from.read(&mut bytes).await?;
        while_dead(&mut line).await;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&bytes[..count]).await?;
    }
}

async fn while_dead(line: &mut watch::Receiver<Line>) {
    // The wire is gone if this fails, and then this task is too.
    let _ = line.wait_for(|line| *line != Line::Dead).await;
}
